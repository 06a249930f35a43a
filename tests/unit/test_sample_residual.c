/* Passes of networks with residual connections, against their definition. */
#include "base/normal.h"
#include "network/entrance.h"
#include "sample/sample.h"
#include "sample/slots.h"
#include "support/monte_carlo.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the above */
#include <cmocka.h>

enum { N = 6, WIDE = 9, N_OUT = 3, MOST = 8 };

static double weight[MOST][WIDE * WIDE], bias[WIDE], mean[N], root[N * N], covariance[N * N];

static int fill_numbers(void **state) {
    (void)state;
    for (size_t l = 0; l < MOST; l++) {
        rk_normal_doubles((rk_stream){3, 99}, l, WIDE * WIDE, weight[l]);
        for (size_t i = 0; i < WIDE * WIDE; i++)
            weight[l][i] /= 3;
    }
    rk_normal_doubles((rk_stream){3, 99}, MOST, WIDE, bias);
    rk_normal_doubles((rk_stream){3, 99}, MOST + 1, N, mean);
    /* a symmetric root of a covariance with equal diagonal entries is the one that is used */
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            root[i * N + j] = (i == j) + 0.3;
    for (size_t i = 0; i < N * N; i++)
        for (size_t k = 0; k < N; k++)
            covariance[i] += root[i / N * N + k] * root[k * N + i % N];
    return 0;
}

#define LAYER(m, n, l) .rows = m, .cols = n, .weight = weight[l]
#define KIND(kind_)    .activation = {.kind = kind_}

/* A stem, two blocks and a head: the input is seen once. */
static const rk_layer stem[] = {
    {LAYER(N, N, 0), KIND(RK_RELU)},
    {LAYER(WIDE, N, 1), .bias = bias, KIND(RK_RELU)},
    {LAYER(N, WIDE, 2), .adds = 2},
    {LAYER(WIDE, N, 3), KIND(RK_TANH)},
    {LAYER(N, WIDE, 4), .bias = bias, .adds = 4},
    {LAYER(N_OUT, N, 5)},
};

/* Skips from the input itself, nested and overlapping; layers without weights; an addition before
 * an activation; an output that adds. */
static const rk_layer tangle[] = {
    {LAYER(N, N, 0), KIND(RK_RELU)},
    {LAYER(N, N, 1), .adds = 1, KIND(RK_ABS)},
    {.rows = N, .cols = N, .reads = 2, .adds = 3, .bias = bias, KIND(RK_GELU)},
    {LAYER(N, N, 2), .reads = 1, .adds = 4},
    {.rows = N, .cols = N, .adds = 2, KIND(RK_LEAKY_RELU)},
    {LAYER(N_OUT, N, 3), .reads = 5},
    {LAYER(N_OUT, N, 4), .reads = 6, .adds = 7},
};

/* Nothing but powers of x survive a change of units: degree 1, no biases. */
static const rk_layer homogeneous[] = {
    {LAYER(WIDE, N, 0), KIND(RK_RELU)},
    {LAYER(N, WIDE, 1), .adds = 1},
    {LAYER(WIDE, N, 2), KIND(RK_ABS)},
    {LAYER(N, WIDE, 3), .adds = 3},
    {LAYER(N_OUT, N, 4)},
};

static const rk_layer linear[] = {
    {LAYER(N, N, 0)},
    {LAYER(N, N, 1), .adds = 1},
    {.rows = N, .cols = N, .reads = 2, .adds = 3},
    {LAYER(N_OUT, N, 2), .reads = 3},
    {LAYER(N_OUT, N, 3), .reads = 4, .adds = 5},
};

static const struct {
    const rk_layer *layers;
    size_t n_layers;
} networks[] = {{stem, 6}, {tangle, 7}, {homogeneous, 5}, {linear, 5}};
enum { STEM, TANGLE, HOMOGENEOUS, LINEAR, NETWORKS };

static rk_network *network(size_t which, double scale) {
    rk_layer layers[MOST];
    double scaled[MOST][WIDE * WIDE];
    memcpy(layers, networks[which].layers, networks[which].n_layers * sizeof *layers);
    for (size_t l = 0; l < networks[which].n_layers; l++) {
        if (!layers[l].weight) continue;
        for (size_t i = 0; i < WIDE * WIDE; i++)
            scaled[l][i] = scale * layers[l].weight[i];
        layers[l].weight = scaled[l];
    }
    rk_network *net;
    rk_error error = {.message = ""};
    if (rk_network_create(&net, layers, networks[which].n_layers, &error) != RK_OK)
        fail_msg("%s", error.message);
    return net;
}

/* What layer l makes of the input. */
static void forward(const rk_network *net, size_t l, const double *x, double *h) {
    const rk_network below = {.n_layers = l + 1, .layers = net->layers};
    assert_int_equal(rk_network_forward(&below, x, h, NULL), RK_OK);
}

/* Sample i in double: x = mean + root z. */
static void make_input(const rk_sample_spec *spec, uint64_t i, const rk_input *input, double unit,
                       double *x) {
    float z[N];
    const uint64_t item = spec->points ? i / 2 : i;
    const double sign = spec->points && i % 2 ? -1 : 1;
    rk_normal_floats((rk_stream){spec->seed, spec->stream}, item, N, z);
    for (size_t j = 0; j < N; j++) {
        x[j] = input->mean ? input->mean[j] : 0;
        for (size_t k = 0; k < N; k++)
            x[j] += sign * unit * (input->covariance ? root[j * N + k] : j == k) * (double)z[k];
    }
}

/* Means of all layers and moments of the outputs, within `tolerance` of their deviation; hidden
 * means within that of what sizes there are. */
static void compare_with_plain_passes(const rk_network *net, const rk_sample_spec *spec,
                                      const rk_input *input, double unit, double tolerance) {
    monte_carlo mc = monte_carlo_run(net, input, *spec, 2, NULL, NULL);
    const size_t n = (size_t)spec->n_samples;
    assert_int_equal(mc.result.n_samples, n);
    for (size_t l = 0; l < net->n_layers; l++) {
        const size_t rows = net->layers[l].rows;
        double(*h)[WIDE] = calloc(n, sizeof *h), average[WIDE] = {0}, product[WIDE][WIDE] = {{0}};
        for (size_t s = 0; s < n; s++) {
            double x[N];
            make_input(spec, s, input, unit, x);
            forward(net, l, x, h[s]);
            for (size_t i = 0; i < rows; i++)
                average[i] += h[s][i] / (double)n;
        }
        for (size_t s = 0; s < n; s++)
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < rows; j++)
                    product[i][j] +=
                        (h[s][i] - average[i]) * (h[s][j] - average[j]) / (double)(n - 1);
        const bool last = l + 1 == net->n_layers;
        const double *means = last ? mc.result.mean : mc.result.hidden_mean[l];
        for (size_t i = 0; i < rows; i++) {
            const double s = sqrt(product[i][i]);
            assert_near(means[i], average[i], tolerance * s);
            if (!last) continue;
            assert_near(mc.result.variance[i], s * s, tolerance * s * s);
            for (size_t j = 0; j < rows; j++)
                assert_near(mc.result.covariance[i * rows + j], product[i][j],
                            tolerance * s * sqrt(product[j][j]));
        }
        free(h);
    }
    monte_carlo_free(&mc);
}

/* One full block and a part of one. */
static const rk_sample_spec two_blocks = {.n_samples = 700, .seed = 5, .stream = 6};

static void test_results_are_those_of_plain_passes(void **state) {
    (void)state;
    for (size_t k = 0; k < NETWORKS; k++)
        for (int pairs = 0; pairs <= 1; pairs++) {
            rk_network *net = network(k, 1);
            rk_sample_spec spec = two_blocks;
            spec.points = pairs ? RK_POINTS_ANTITHETIC : RK_POINTS_IID;
            compare_with_plain_passes(net, &spec, &(rk_input){0}, 1, 1e-5);
            compare_with_plain_passes(net, &spec,
                                      &(rk_input){.mean = mean, .covariance = covariance}, 1, 1e-5);
            rk_network_destroy(net);
        }
}

static void test_any_units(void **state) {
    (void)state;
    static const double factors[] = {1e-20, 1e-6, 1e-3, 1e3, 1e6, 1e20};
    for (size_t k = 0; k < sizeof factors / sizeof *factors; k++) {
        /* blocks that are nothing beside what they are added to, or everything */
        rk_network *net = network(HOMOGENEOUS, factors[k]);
        compare_with_plain_passes(net, &two_blocks, &(rk_input){0}, 1, 1e-5);
        rk_network_destroy(net);
        /* and an input in other units */
        double scaled[N * N];
        for (size_t i = 0; i < N * N; i++)
            scaled[i] = factors[k] * factors[k] * covariance[i];
        net = network(HOMOGENEOUS, 1);
        compare_with_plain_passes(net, &two_blocks, &(rk_input){.covariance = scaled}, factors[k],
                                  1e-5);
        rk_network_destroy(net);
    }
}

/* Where offsets would drown the changes only these are passed on, through additions, too. */
static void test_large_offsets(void **state) {
    (void)state;
    for (size_t k = 0; k < NETWORKS; k++) {
        double far[N];
        for (size_t j = 0; j < N; j++)
            far[j] = 1e6 * (1 + (double)j);
        rk_network *net = network(k, 1);
        if (k != STEM && k != TANGLE) /* whose tanh and gelu have no changes left there */
            compare_with_plain_passes(net, &two_blocks,
                                      &(rk_input){.mean = far, .covariance = covariance}, 1, 1e-4);
        rk_network_destroy(net);
    }
    double shift[N];
    for (size_t i = 0; i < N; i++)
        shift[i] = 1e5 * (i % 2 ? 1 : -1);
    const rk_layer layers[] = {
        {.rows = N, .cols = N, .bias = shift, KIND(RK_TANH)},
        {LAYER(N, N, 0), .bias = shift, .adds = 1, KIND(RK_SOFTPLUS)},
        {LAYER(N_OUT, N, 1), .reads = 1, .adds = 0, .bias = shift},
        {LAYER(N_OUT, N, 2), .reads = 3, .adds = 4},
    };
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 4, NULL), RK_OK);
    monte_carlo mc = monte_carlo_run(net, NULL, two_blocks, 1, NULL, NULL);
    double sum[N_OUT] = {0}, square[N_OUT] = {0}, at[N_OUT], y[N_OUT], x[N] = {0};
    forward(net, 3, x, at);
    for (size_t s = 0; s < 700; s++) {
        make_input(&two_blocks, s, &(rk_input){0}, 1, x);
        forward(net, 3, x, y);
        for (size_t i = 0; i < N_OUT; i++) {
            sum[i] += y[i] - at[i];
            square[i] += (y[i] - at[i]) * (y[i] - at[i]);
        }
    }
    for (size_t i = 0; i < N_OUT; i++) {
        const double variance = (square[i] - sum[i] * sum[i] / 700) / 699;
        assert_near(mc.result.variance[i], variance, 1e-4 * variance);
        assert_near(mc.result.mean[i] - at[i], sum[i] / 700, 1e-4 * sqrt(variance));
    }
    monte_carlo_free(&mc);
    rk_network_destroy(net);
}

/* y = A x with A from the network itself: mean A mu, covariance A C A'. */
static void exact_moments(const rk_network *net, double *y, double *C) {
    double A[N_OUT][N];
    for (size_t j = 0; j < N; j++) {
        double x[N] = {0}, column[N_OUT];
        x[j] = 1;
        forward(net, net->n_layers - 1, x, column);
        for (size_t i = 0; i < N_OUT; i++)
            A[i][j] = column[i];
    }
    for (size_t i = 0; i < N_OUT; i++) {
        y[i] = 0;
        for (size_t j = 0; j < N; j++)
            y[i] += A[i][j] * mean[j];
        for (size_t k = 0; k < N_OUT; k++) {
            C[i * N_OUT + k] = 0;
            for (size_t j = 0; j < N * N; j++)
                C[i * N_OUT + k] += A[i][j / N] * covariance[j] * A[k][j % N];
        }
    }
}

/* Linear networks: a whole design knows their second moments exactly, pairs and the control variate
 * their mean, and plain passes both within their errors. */
static void test_linear_networks_have_known_moments(void **state) {
    (void)state;
    static const struct {
        rk_point_set points;
        bool control, exact;
    } runs[] = {{RK_POINTS_IID, false, false},      {RK_POINTS_IID, true, true},
                {RK_POINTS_ANTITHETIC, true, true}, {RK_POINTS_ORTHOGONAL, false, true},
                {RK_POINTS_DESIGN, false, true},    {RK_POINTS_DESIGN, true, true}};
    rk_network *net = network(LINEAR, 1);
    double y[N_OUT], C[N_OUT * N_OUT];
    exact_moments(net, y, C);
    for (size_t k = 0; k < sizeof runs / sizeof *runs; k++) {
        const rk_sample_spec spec = {
            .n_samples = 40000, .seed = 2, .points = runs[k].points, .control = runs[k].control};
        const rk_input both = {.mean = mean, .covariance = covariance};
        monte_carlo mc = monte_carlo_run(net, &both, spec, 2, NULL, NULL);
        for (size_t i = 0; i < N_OUT; i++) {
            const double s = sqrt(C[i * N_OUT + i]);
            const double error = mc.result.standard_error[i];
            assert_near(mc.result.mean[i], y[i], runs[k].exact ? 1e-6 * s : 5 * error);
            assert_true(runs[k].exact ? error <= 1e-6 * s : error <= 1.2 * s / 200);
            for (size_t j = 0; j < N_OUT; j++)
                assert_near(mc.result.covariance[i * N_OUT + j], C[i * N_OUT + j],
                            0.05 * s * sqrt(C[j * N_OUT + j]));
        }
        monte_carlo_free(&mc);
    }
    /* without an offset all points have one length, and second moments are exact as well */
    const rk_sample_spec spec = {.n_samples = 1, .seed = 2, .points = RK_POINTS_DESIGN};
    monte_carlo mc =
        monte_carlo_run(net, &(rk_input){.covariance = covariance}, spec, 2, NULL, NULL);
    const double n = (double)mc.result.n_samples;
    for (size_t i = 0; i < N_OUT * N_OUT; i++)
        assert_near(mc.result.covariance[i] * (n - 1) / n, C[i],
                    1e-5 * (C[0] + C[N_OUT + 1] + C[2 * N_OUT + 2]));
    monte_carlo_free(&mc);
    rk_network_destroy(net);
}

/* Rotated points and control variates agree with plain passes, on all networks. */
static void test_point_sets_agree(void **state) {
    (void)state;
    for (size_t k = 0; k < NETWORKS; k++) {
        rk_network *net = network(k, 1);
        const rk_input both = {.mean = mean, .covariance = covariance};
        const rk_sample_spec plain = {.n_samples = 200000, .seed = 1};
        const rk_sample_spec better = {
            .n_samples = 200000, .seed = 2, .points = RK_POINTS_ORTHOGONAL, .control = true};
        monte_carlo a = monte_carlo_run(net, &both, plain, 2, NULL, NULL);
        monte_carlo b = monte_carlo_run(net, &both, better, 2, NULL, NULL);
        for (size_t i = 0; i < N_OUT; i++) {
            const double error = hypot(a.result.standard_error[i], b.result.standard_error[i]);
            assert_near(a.result.mean[i], b.result.mean[i], 4 * error);
            assert_true(b.result.standard_error[i] < a.result.standard_error[i]);
        }
        for (size_t l = 0; l + 1 < net->n_layers; l++)
            for (size_t i = 0; i < net->layers[l].rows; i++)
                assert_near(a.result.hidden_mean[l][i], b.result.hidden_mean[l][i], 0.05);
        monte_carlo_free(&a);
        monte_carlo_free(&b);
        rk_network_destroy(net);
    }
}

static void test_any_number_of_threads_gives_the_same_bits(void **state) {
    (void)state;
    for (size_t k = 0; k < NETWORKS; k++) {
        rk_network *net = network(k, 1);
        for (rk_point_set points = RK_POINTS_IID; points <= RK_POINTS_ORTHOGONAL; points++) {
            const rk_sample_spec spec = {
                .n_samples = 20001, .seed = 1, .points = points, .control = k % 2};
            monte_carlo one = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
            for (int threads = 2; threads <= 3; threads++) {
                monte_carlo many = monte_carlo_run(net, NULL, spec, threads, NULL, NULL);
                assert_memory_equal(one.storage, many.storage, one.n_values * sizeof *one.storage);
                monte_carlo_free(&many);
            }
            assert_int_equal(one.flops_planned, one.flops_executed);
            monte_carlo_free(&one);
        }
        rk_network_destroy(net);
    }
}

/* No value is overwritten before its last use, and no more are kept than there must be. */
static void test_slots(void **state) {
    (void)state;
    static const size_t expected[NETWORKS] = {3, 3, 3, 3};
    for (size_t k = 0; k < NETWORKS; k++) {
        rk_network *net = network(k, 1);
        size_t slot[2 * MOST];
        assert_int_equal(rk_slots(net, NULL), expected[k]);
        assert_int_equal(rk_slots(net, slot), expected[k]);
        for (size_t l = 0; l < net->n_layers; l++) {
            assert_true(slot[l] < expected[k]);
            for (size_t v = 1; v <= l; v++)
                if (rk_network_last_use(net, v) >= l) assert_true(slot[v - 1] != slot[l]);
        }
        assert_int_equal(rk_network_enters_once(net), k == STEM);
        rk_network_destroy(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_those_of_plain_passes),
        cmocka_unit_test(test_any_units),
        cmocka_unit_test(test_large_offsets),
        cmocka_unit_test(test_linear_networks_have_known_moments),
        cmocka_unit_test(test_point_sets_agree),
        cmocka_unit_test(test_any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(test_slots),
    };
    return cmocka_run_group_tests(tests, fill_numbers, NULL);
}
