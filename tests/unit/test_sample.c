#include "sample/sample.h"

#include "base/normal.h"
#include "support/monte_carlo.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the above */
#include <cmocka.h>

enum { N_IN = 5, N_1 = 9, N_2 = 4, N_OUT = 3 };

/* Rectangular, partly biased, a different activation everywhere, the output's included. */
static rk_network *mixed_network(size_t n_layers) {
    double weight[N_1 * N_1], bias[N_1];
    rk_normal_doubles((rk_stream){1, 99}, 0, N_1 * N_1, weight);
    rk_normal_doubles((rk_stream){1, 99}, 1, N_1, bias);
    const rk_layer layers[] = {
        {.rows = N_1, .cols = N_IN, .weight = weight, .activation = {.kind = RK_RELU}},
        {.rows = N_2, .cols = N_1, .weight = weight, .bias = bias, .activation = {.kind = RK_TANH}},
        {.rows = N_OUT, .cols = N_2, .weight = weight, .activation = {.kind = RK_GELU}},
    };
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, n_layers, NULL), RK_OK);
    return net;
}

/* Sample i of the specification in double: x = mean + root z. */
static void make_input(const rk_sample_spec *spec, uint64_t i, const double *mean,
                       const double *root, double *x) {
    float z[N_IN];
    const uint64_t item = spec->points ? i / 2 : i;
    const double sign = spec->points && i % 2 ? -1 : 1;
    rk_normal_floats((rk_stream){spec->seed, spec->stream}, spec->first_item + item, N_IN, z);
    for (size_t j = 0; j < N_IN; j++) {
        x[j] = mean ? mean[j] : 0;
        for (size_t k = 0; k < N_IN; k++)
            x[j] += sign * (root ? root[j * N_IN + k] : j == k) * (double)z[k];
    }
}

/* The plain definition of every result, with double forward passes, one sample after another. */
static void compare_with_plain_passes(const rk_sample_spec *spec, const rk_input *input,
                                      const double *root) {
    rk_network *net = mixed_network(3), *first = mixed_network(1), *second = mixed_network(2);
    monte_carlo mc = monte_carlo_run(net, input, *spec, 2, NULL, NULL);
    const size_t n = (size_t)spec->n_samples;
    double(*y)[N_OUT] = calloc(n, sizeof *y), mean[N_OUT] = {0};
    double hidden_1[N_1] = {0}, hidden_2[N_2] = {0};
    assert_int_equal(mc.result.n_samples, n);
    for (size_t s = 0; s < n; s++) {
        double x[N_IN], h1[N_1], h2[N_2];
        make_input(spec, s, input->mean, root, x);
        rk_network_forward(net, x, y[s], NULL);
        rk_network_forward(first, x, h1, NULL);
        rk_network_forward(second, x, h2, NULL);
        for (size_t i = 0; i < N_OUT; i++)
            mean[i] += y[s][i] / (double)n;
        for (size_t i = 0; i < N_1; i++)
            hidden_1[i] += h1[i] / (double)n;
        for (size_t i = 0; i < N_2; i++)
            hidden_2[i] += h2[i] / (double)n;
    }
    for (size_t i = 0; i < N_1; i++)
        assert_near(mc.result.hidden_mean[0][i], hidden_1[i], 1e-6);
    for (size_t i = 0; i < N_2; i++)
        assert_near(mc.result.hidden_mean[1][i], hidden_2[i], 1e-6);
    for (size_t i = 0; i < N_OUT; i++) {
        assert_near(mc.result.mean[i], mean[i], 1e-6);
        for (size_t j = 0; j < N_OUT; j++) {
            double sum = 0;
            for (size_t s = 0; s < n; s++)
                sum += (y[s][i] - mean[i]) * (y[s][j] - mean[j]);
            assert_near(mc.result.covariance[i * N_OUT + j], sum / (double)(n - 1), 1e-5);
            if (i == j) assert_near(mc.result.variance[i], sum / (double)(n - 1), 1e-5);
        }
        double spread = 0;
        const size_t group = spec->points ? 2 : 1, n_groups = n / group;
        for (size_t g = 0; g < n_groups; g++) {
            double a = y[group * g][i], b = y[group * g + group - 1][i];
            spread += ((a + b) / 2 - mean[i]) * ((a + b) / 2 - mean[i]);
        }
        double error = sqrt(spread / (double)(n_groups - 1) / (double)n_groups);
        assert_near(mc.result.standard_error[i], error, 1e-5 * error);
    }
    free(y);
    monte_carlo_free(&mc);
    rk_network_destroy(net);
    rk_network_destroy(first);
    rk_network_destroy(second);
}

/* One full block and a part of one. */
static const rk_sample_spec two_blocks = {.n_samples = 700, .seed = 5, .stream = 6};

static void test_results_are_those_of_plain_passes(void **state) {
    (void)state;
    compare_with_plain_passes(&two_blocks, &(rk_input){0}, NULL);
}

static void test_pairs_are_mirror_images(void **state) {
    (void)state;
    rk_sample_spec spec = two_blocks;
    spec.points = RK_POINTS_ANTITHETIC;
    spec.first_item = 12345;
    compare_with_plain_passes(&spec, &(rk_input){0}, NULL);
}

/* Also singular: correlations -1/(N - 1) have the root sqrt(N / (N - 1)) (1 - ones / N). */
static void test_any_gaussian_input(void **state) {
    (void)state;
    const double mean[N_IN] = {1, -2, 0.5, 0, 3}, deviation[N_IN] = {2, 0.25, 1, 3, 0.5};
    double root[N_IN * N_IN], covariance[N_IN * N_IN] = {0};
    for (size_t i = 0; i < N_IN; i++)
        for (size_t j = 0; j < N_IN; j++)
            root[i * N_IN + j] =
                deviation[i] * sqrt((double)N_IN / (N_IN - 1)) * ((i == j) - 1. / N_IN);
    for (size_t i = 0; i < N_IN; i++)
        for (size_t j = 0; j < N_IN; j++)
            for (size_t k = 0; k < N_IN; k++)
                covariance[i * N_IN + j] += root[i * N_IN + k] * root[j * N_IN + k];
    rk_sample_spec spec = two_blocks;
    const rk_input both = {.mean = mean, .covariance = covariance};
    compare_with_plain_passes(&spec, &both, root);
    compare_with_plain_passes(&spec, &(rk_input){.mean = mean}, NULL);
    spec.points = RK_POINTS_ANTITHETIC;
    compare_with_plain_passes(&spec, &both, root);
}

static void test_any_number_of_threads_gives_the_same_bits(void **state) {
    (void)state;
    rk_network *net = mixed_network(3);
    for (int antithetic = 0; antithetic <= 1; antithetic++) {
        const rk_sample_spec spec = {
            .n_samples = 20001, .seed = 1, .points = (rk_point_set)antithetic};
        monte_carlo one = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
        for (int threads = 2; threads <= 4; threads++) {
            monte_carlo many = monte_carlo_run(net, NULL, spec, threads, NULL, NULL);
            assert_memory_equal(one.storage, many.storage, one.n_values * sizeof *one.storage);
            monte_carlo_free(&many);
        }
        assert_int_equal(one.result.n_samples, antithetic ? 20002 : 20001);
        monte_carlo_free(&one);
    }
    rk_network_destroy(net);
}

static void test_a_longer_run_extends_a_shorter_one(void **state) {
    (void)state;
    rk_network *net = mixed_network(3);
    for (int antithetic = 0; antithetic <= 1; antithetic++) {
        rk_sample_spec spec = {.n_samples = 2000, .seed = 1, .points = (rk_point_set)antithetic};
        assert_made_of_halves(net, spec, antithetic ? 500 : 1000);
    }
    rk_network_destroy(net);
}

static void test_an_interrupted_run_answers_with_what_it_has(void **state) {
    (void)state;
    rk_network *net = mixed_network(3);
    rk_sample_spec spec = {.n_samples = 400000, .seed = 1};
    int calls = 3; /* two steps begin, the first round starts, then no more */
    monte_carlo part = monte_carlo_run(net, NULL, spec, 2, stop_after, &calls);
    assert_in_range(part.result.n_samples, 1, spec.n_samples - 1);
    assert_true(part.flops_executed < part.flops_planned);
    spec.n_samples = part.result.n_samples;
    monte_carlo whole = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
    assert_memory_equal(part.storage, whole.storage, part.n_values * sizeof *part.storage);
    monte_carlo_free(&part);
    monte_carlo_free(&whole);

    calls = 0; /* before anything was done */
    monte_carlo none = monte_carlo_run(net, NULL, spec, 1, stop_after, &calls);
    assert_int_equal(none.result.n_samples, 0);
    for (size_t i = 0; i < none.n_values; i++)
        assert_true(isnan(none.storage[i]));
    monte_carlo_free(&none);
    rk_network_destroy(net);
}

static void test_one_sample_has_no_error(void **state) {
    (void)state;
    rk_network *net = mixed_network(3);
    monte_carlo mc = monte_carlo_run(net, NULL, (rk_sample_spec){.n_samples = 1}, 1, NULL, NULL);
    assert_true(isfinite(mc.result.mean[0]));
    assert_true(isnan(mc.result.standard_error[0]));
    monte_carlo_free(&mc);
    rk_network_destroy(net);
}

static void test_the_ledger(void **state) {
    (void)state;
    rk_network *net = mixed_network(3);
    /* products, a bias, activations, covariance; and once the frames */
    const uint64_t frames = 10 * (N_IN * N_1 + N_1 * N_2 + N_2 * N_OUT);
    const uint64_t rest =
        2 * (N_1 * N_2 + N_2 * N_OUT) + N_2 + (N_1 + N_2 + N_OUT) + N_OUT * (N_OUT + 1);
    rk_sample_spec spec = {.n_samples = 1001};
    monte_carlo mc = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
    assert_int_equal(mc.flops_planned, frames + 1001 * (2 * N_IN * N_1 + rest));
    assert_int_equal(mc.flops_executed, mc.flops_planned);
    monte_carlo_free(&mc);
    spec.points = RK_POINTS_ANTITHETIC;
    mc = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
    assert_int_equal(mc.flops_planned, frames + 1002 * (N_IN * N_1 + rest));
    assert_int_equal(mc.flops_executed, mc.flops_planned);
    monte_carlo_free(&mc);
    rk_network_destroy(net);
}

static void test_planning_costs_nothing(void **state) {
    (void)state;
    rk_network *net = mixed_network(3);
    const rk_sample_spec spec = {.n_samples = UINT64_C(1) << 50, .lanes = 1};
    rk_sample_result nothing = {0};
    rk_work plan;
    rk_work_init_dry(&plan);
    assert_int_equal(rk_sample(&plan, net, &(rk_input){0}, &spec, &nothing, NULL), RK_OK);
    const uint64_t frames = 10 * (N_IN * N_1 + N_1 * N_2 + N_2 * N_OUT);
    assert_int_equal((plan.flops - frames) % spec.n_samples, 0);
    free(plan.steps);
    rk_network_destroy(net);
}

static void test_what_cannot_be_sampled_is_refused(void **state) {
    (void)state;
    rk_network *net = mixed_network(3);
    rk_sample_spec spec = {.lanes = 1};
    rk_sample_result nothing = {0};
    rk_work plan;
    rk_error error;
    rk_work_init_dry(&plan);
    assert_int_equal(rk_sample(&plan, net, &(rk_input){0}, &spec, &nothing, &error),
                     RK_ERROR_ARGUMENT);
    spec.n_samples = UINT64_MAX;
    assert_int_equal(rk_sample(&plan, net, &(rk_input){0}, &spec, &nothing, &error),
                     RK_ERROR_TOO_LARGE);
    free(plan.steps);
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_those_of_plain_passes),
        cmocka_unit_test(test_pairs_are_mirror_images),
        cmocka_unit_test(test_any_gaussian_input),
        cmocka_unit_test(test_any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(test_a_longer_run_extends_a_shorter_one),
        cmocka_unit_test(test_an_interrupted_run_answers_with_what_it_has),
        cmocka_unit_test(test_one_sample_has_no_error),
        cmocka_unit_test(test_the_ledger),
        cmocka_unit_test(test_planning_costs_nothing),
        cmocka_unit_test(test_what_cannot_be_sampled_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
