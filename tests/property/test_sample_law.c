/* What is known about Monte Carlo without knowing the sampler: closed means, linear networks,
 * honest standard errors. Seeds are fixed; tolerances are multiples of the standard error. */
#include "support/monte_carlo.h"

#include "base/normal.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants some of the above */
#include <cmocka.h>

enum { N = 6 };

static void draw(uint64_t item, size_t count, double *out) {
    rk_normal_doubles((rk_stream){7, 99}, item, count, out);
}

static rk_network *one_layer(rk_activation_kind kind, const double *weight, const double *bias) {
    const rk_layer layer = {
        .rows = N, .cols = N, .weight = weight, .bias = bias, .activation = {.kind = kind}};
    rk_network *net;
    assert_int_equal(rk_network_create(&net, &layer, 1, NULL), RK_OK);
    return net;
}

/* E relu(w.x) = |w| / sqrt(2 pi), and E relu(w.x)^2 = |w|^2 / 2. */
static void test_one_relu_layer(void **state) {
    (void)state;
    double weight[N * N];
    draw(0, N * N, weight);
    rk_network *net = one_layer(RK_RELU, weight, NULL);
    for (int antithetic = 0; antithetic <= 1; antithetic++) {
        const rk_sample_spec spec = {
            .n_samples = 100000, .seed = 2, .points = (rk_point_set)antithetic};
        monte_carlo mc = monte_carlo_run(net, NULL, spec, 2, NULL, NULL);
        for (size_t i = 0; i < N; i++) {
            double square = 0;
            for (size_t j = 0; j < N; j++)
                square += weight[i * N + j] * weight[i * N + j];
            const double mean = sqrt(square / (2 * acos(-1))), var = square / 2 - mean * mean;
            assert_near(mc.result.mean[i], mean, 4 * mc.result.standard_error[i]);
            assert_near(mc.result.variance[i], var, 0.03 * var);
            /* of pairs: relu(z) + relu(-z) = |z|, var (|z| / 2) = square / 4 - mean^2 */
            double expected = sqrt((antithetic ? 2 * (square / 4 - mean * mean) : var) / 1e5);
            assert_near(mc.result.standard_error[i], expected, 0.03 * expected);
        }
        monte_carlo_free(&mc);
    }
    rk_network_destroy(net);
}

/* y = W x + b with x ~ N(m, AA') has mean Wm + b and covariance WA(WA)'; the sample covariance of
 * Gaussians has variance (C_ii C_jj + C_ij^2) / n. */
static void test_linear_networks(void **state) {
    (void)state;
    double W[N * N], b[N], m[N], A[N * N], WA[N * N] = {0}, sigma[N * N] = {0};
    draw(1, N * N, W);
    draw(2, N, b);
    draw(3, N, m);
    draw(4, N * N, A);
    for (size_t i = 0; i < N; i++)
        A[i * N] = 0; /* rank N - 1 */
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            for (size_t k = 0; k < N; k++) {
                WA[i * N + j] += W[i * N + k] * A[k * N + j];
                sigma[i * N + j] += A[i * N + k] * A[j * N + k];
            }
    rk_network *net = one_layer(RK_IDENTITY, W, b);
    const rk_input input = {.mean = m, .covariance = sigma};
    const rk_sample_spec spec = {.n_samples = 50000, .seed = 3};
    monte_carlo mc = monte_carlo_run(net, &input, spec, 2, NULL, NULL);
    double C[N * N] = {0};
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            for (size_t k = 0; k < N; k++)
                C[i * N + j] += WA[i * N + k] * WA[j * N + k];
    for (size_t i = 0; i < N; i++) {
        double mean = b[i];
        for (size_t j = 0; j < N; j++) {
            mean += W[i * N + j] * m[j];
            double var = (C[i * N + i] * C[j * N + j] + C[i * N + j] * C[i * N + j]) / 50000;
            assert_near(mc.result.covariance[i * N + j], C[i * N + j], 4 * sqrt(var));
        }
        assert_near(mc.result.mean[i], mean, 4 * mc.result.standard_error[i]);
    }
    monte_carlo_free(&mc);

    /* mirrored pairs know the mean of a linear network exactly, up to float */
    monte_carlo pairs = monte_carlo_run(
        net, &input, (rk_sample_spec){.n_samples = 100, .points = RK_POINTS_ANTITHETIC}, 1, NULL,
        NULL);
    for (size_t i = 0; i < N; i++) {
        double mean = b[i];
        for (size_t j = 0; j < N; j++)
            mean += W[i * N + j] * m[j];
        assert_near(pairs.result.mean[i], mean, 1e-6);
        assert_near(pairs.result.standard_error[i], 0, 1e-6);
    }
    monte_carlo_free(&pairs);
    rk_network_destroy(net);
}

/* A constant 10^4 times the spread: float leaves the spread three digits, and the sums must not
 * lose them. */
static void test_no_cancellation(void **state) {
    (void)state;
    double identity[N * N] = {0}, offset[N];
    for (size_t i = 0; i < N; i++) {
        identity[i * N + i] = 1;
        offset[i] = 1e4;
    }
    rk_network *net = one_layer(RK_IDENTITY, identity, offset);
    monte_carlo mc =
        monte_carlo_run(net, NULL, (rk_sample_spec){.n_samples = 100000}, 1, NULL, NULL);
    for (size_t i = 0; i < N; i++) {
        assert_near(mc.result.mean[i], 1e4, 4 * mc.result.standard_error[i]);
        assert_near(mc.result.variance[i], 1, 0.02);
    }
    monte_carlo_free(&mc);
    rk_network_destroy(net);
}

/* Over many short runs, |mean - truth| falls below 1 and 2 standard errors as often as it should
 * (Student's t with 255 or 127 degrees of freedom is close to normal), within 4 sigma of the count.
 */
static void test_standard_errors_cover(void **state) {
    (void)state;
    enum { RUNS = 600 };
    double identity[N * N] = {0};
    for (size_t i = 0; i < N; i++)
        identity[i * N + i] = 1;
    rk_network *net = one_layer(RK_RELU, identity, NULL); /* outputs are independent */
    const double truth = 1 / sqrt(2 * acos(-1)), tests = RUNS * (double)N;
    for (int antithetic = 0; antithetic <= 1; antithetic++) {
        double within_1 = 0, within_2 = 0;
        for (uint64_t stream = 0; stream < RUNS; stream++) {
            const rk_sample_spec spec = {
                .n_samples = 256, .stream = 100 + stream, .points = (rk_point_set)antithetic};
            monte_carlo mc = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
            for (size_t i = 0; i < N; i++) {
                double z = fabs(mc.result.mean[i] - truth) / mc.result.standard_error[i];
                within_1 += z < 1;
                within_2 += z < 2;
            }
            monte_carlo_free(&mc);
        }
        assert_near(within_1 / tests, 0.682, 4 * sqrt(0.683 * 0.317 / tests));
        assert_near(within_2 / tests, 0.953, 4 * sqrt(0.954 * 0.046 / tests));
    }
    rk_network_destroy(net);
}

/* On a random network, pairs agree with single samples and beat them. */
static void test_pairs_are_unbiased_and_better(void **state) {
    (void)state;
    const size_t hidden[] = {32, 32};
    const rk_random_spec random = {.n_in = 32,
                                   .n_out = 16,
                                   .hidden = hidden,
                                   .n_hidden = 2,
                                   .activation = {.kind = RK_RELU},
                                   .seed = 4};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &random, NULL), RK_OK);
    rk_sample_spec spec = {.n_samples = 40000, .seed = 4};
    monte_carlo single = monte_carlo_run(net, NULL, spec, 2, NULL, NULL);
    spec.points = RK_POINTS_ANTITHETIC;
    spec.stream = 1;
    monte_carlo pairs = monte_carlo_run(net, NULL, spec, 2, NULL, NULL);
    for (size_t i = 0; i < 16; i++) {
        const double a = single.result.standard_error[i], b = pairs.result.standard_error[i];
        assert_near(pairs.result.mean[i], single.result.mean[i], 4 * sqrt(a * a + b * b));
        assert_near(pairs.result.variance[i], single.result.variance[i],
                    0.1 * single.result.variance[i]);
        assert_true(b < a);
    }
    monte_carlo_free(&single);
    monte_carlo_free(&pairs);
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_relu_layer),
        cmocka_unit_test(test_linear_networks),
        cmocka_unit_test(test_no_cancellation),
        cmocka_unit_test(test_standard_errors_cover),
        cmocka_unit_test(test_pairs_are_unbiased_and_better),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
