/* What is known about structured sampling without knowing how it is done: moments that are exact,
 * means that are unbiased, standard errors that hold. Seeds are fixed. */
#include "activation/activation.h"
#include "base/normal.h"
#include "sample/division.h"
#include "support/monte_carlo.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the above */
#include <cmocka.h>

enum {
    N = 6,
    HIDDEN = 8,
    N_OUT = 3,
    REPLICATE = 288 /* 9 bases of R^16 and their mirror images */
};

static void draw(uint64_t item, size_t count, double scale, double *out) {
    rk_normal_doubles((rk_stream){7, 98}, item, count, out);
    for (size_t i = 0; i < count; i++)
        out[i] *= scale;
}

/* N -> HIDDEN -> ... -> N_OUT, of n_layers <= 3 layers. */
static rk_network *network(size_t n_layers, rk_activation_kind first, rk_activation_kind second,
                           bool biased) {
    double weight[3][HIDDEN * HIDDEN], bias[3][HIDDEN];
    rk_layer layers[3];
    for (size_t l = 0; l < n_layers; l++) {
        const bool last = l + 1 == n_layers;
        draw(2 * l, HIDDEN * HIDDEN, 0.5, weight[l]);
        draw(2 * l + 1, HIDDEN, 0.5, bias[l]);
        layers[l] = (rk_layer){.rows = last ? N_OUT : HIDDEN,
                               .cols = l == 0 ? N : HIDDEN,
                               .weight = weight[l],
                               .bias = biased ? bias[l] : NULL,
                               .activation = {.kind = last     ? RK_IDENTITY
                                                      : l == 0 ? first
                                                               : second}};
    }
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, n_layers, NULL), RK_OK);
    return net;
}

static rk_network *random_network(size_t n, size_t n_hidden) {
    const size_t hidden[] = {n, n, n, n};
    const rk_random_spec random = {.n_in = n,
                                   .n_out = 4,
                                   .hidden = hidden,
                                   .n_hidden = n_hidden,
                                   .activation = {.kind = RK_RELU},
                                   .seed = 4};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &random, NULL), RK_OK);
    return net;
}

static const rk_sample_spec variants[] = {
    {.points = RK_POINTS_IID, .control = true},
    {.points = RK_POINTS_ANTITHETIC, .control = true},
    {.points = RK_POINTS_ORTHOGONAL},
    {.points = RK_POINTS_DESIGN},
    {.points = RK_POINTS_DESIGN, .control = true},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static rk_sample_spec with_samples(size_t variant, uint64_t n_samples) {
    rk_sample_spec spec = variants[variant];
    spec.n_samples = n_samples;
    return spec;
}

/* First and second moments of a linear network are exact after a single replicate, though all its
 * points lie on one sphere and the input is a projection of it. */
static void test_moments_of_linear_networks_are_exact(void **state) {
    (void)state;
    double A[N * N], C[N * N] = {0}, expected[N_OUT * N_OUT] = {0};
    draw(20, N * N, 1, A);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            for (size_t k = 1; k < N; k++) /* rank N - 1 */
                C[i * N + j] += A[i * N + k] * A[j * N + k];
    rk_network *net = network(1, RK_IDENTITY, RK_IDENTITY, false);
    const double *W = net->layers[0].weight;
    for (size_t i = 0; i < N_OUT; i++)
        for (size_t j = 0; j < N_OUT; j++)
            for (size_t k = 0; k < N * N; k++)
                expected[i * N_OUT + j] += W[i * N + k / N] * C[k] * W[j * N + k % N];
    const rk_input input = {.covariance = C};
    for (int set = RK_POINTS_ORTHOGONAL; set <= RK_POINTS_DESIGN; set++) {
        const rk_sample_spec spec = {.n_samples = 1, .points = (rk_point_set)set};
        monte_carlo mc = monte_carlo_run(net, &input, spec, 1, NULL, NULL);
        assert_int_equal(mc.result.n_samples, REPLICATE);
        const double one_less = (REPLICATE - 1.0) / REPLICATE;
        for (size_t i = 0; i < N_OUT; i++) {
            assert_near(mc.result.mean[i], 0, 1e-6);
            assert_near(mc.result.variance[i] * one_less, expected[i * N_OUT + i], 1e-5);
            for (size_t j = 0; j < N_OUT; j++)
                assert_near(mc.result.covariance[i * N_OUT + j] * one_less, expected[i * N_OUT + j],
                            1e-5);
        }
        monte_carlo_free(&mc);
    }
    rk_network_destroy(net);
}

/* E phi(mu + sigma Z) by Simpson's rule on each side of 0, where some have a kink. */
static double mean_of(rk_activation_kind kind, double mu, double sigma) {
    enum { STEPS = 4000 };
    const rk_activation activation = {.kind = kind};
    const double edges[] = {-12, fmin(fmax(-mu / sigma, -12), 12), 12};
    double sum = 0;
    for (size_t side = 0; side < 2; side++)
        for (size_t k = 0; k <= STEPS; k++) {
            const double h = (edges[side + 1] - edges[side]) / STEPS;
            const double x = edges[side] + (double)k * h, weight = k % 2 ? 4 : 2;
            double value = mu + sigma * x;
            rk_activation_get(kind)->value(&activation, 1, &value, &value);
            sum += value * exp(-x * x / 2) * h / 3 * (k == 0 || k == STEPS ? 1 : weight);
        }
    return sum / sqrt(2 * acos(-1));
}

/* What is said of the mean of a deeper layer comes through: behind it this network is linear, so
 * its mean is that of the layer, moved, whatever the points are. */
static void test_anchor_decides_the_mean_behind_it(void **state) {
    (void)state;
    rk_network *net = network(3, RK_RELU, RK_IDENTITY, true);
    double said[HIDDEN];
    draw(40, HIDDEN, 1, said);
    const rk_input input = {0};
    const rk_point_set points[] = {RK_POINTS_IID, RK_POINTS_DESIGN};
    for (size_t k = 0; k < 2; k++) {
        const rk_sample_spec spec = {.n_samples = 2000,
                                     .points = points[k],
                                     .control = true,
                                     .anchor = 1,
                                     .anchor_mean = said};
        monte_carlo mc = monte_carlo_run(net, &input, spec, 2, NULL, NULL);
        const rk_layer *last = &net->layers[2];
        for (size_t i = 0; i < HIDDEN; i++)
            assert_near(mc.result.hidden_mean[1][i], said[i], 1e-6);
        for (size_t i = 0; i < N_OUT; i++) {
            double mean = last->bias[i];
            for (size_t j = 0; j < HIDDEN; j++)
                mean += last->weight[i * HIDDEN + j] * said[j];
            assert_near(mc.result.mean[i], mean, 5e-6);
            assert_near(mc.result.standard_error[i], 0, 1e-6);
        }
        monte_carlo_free(&mc);
    }
    rk_network_destroy(net);
}

/* With one hidden layer the control variate knows everything: no error is left. Also if the layer
 * saturates, where 100 quadrature nodes would be off by a percent. */
static void test_control_is_exact_for_one_hidden_layer(void **state) {
    (void)state;
    const rk_activation_kind kinds[] = {RK_RELU, RK_ABS, RK_TANH, RK_GELU};
    double covariance[N * N] = {0};
    for (size_t j = 0; j < N; j++)
        covariance[j * N + j] = 400;
    for (size_t k = 0; k < 4; k++)
        for (int wide = 0; wide <= 1; wide++) {
            rk_network *net = network(2, kinds[k], RK_RELU, true);
            const rk_layer *layer = net->layers;
            double scale = wide ? 20 : 1, hidden[HIDDEN];
            for (size_t i = 0; i < HIDDEN; i++) {
                double square = 0;
                for (size_t j = 0; j < N; j++)
                    square += layer->weight[i * N + j] * layer->weight[i * N + j];
                hidden[i] = mean_of(kinds[k], layer->bias[i], scale * sqrt(square));
            }
            const rk_input input = {.covariance = wide ? covariance : NULL};
            const rk_sample_spec spec = {.n_samples = 2000, .control = true};
            monte_carlo mc = monte_carlo_run(net, &input, spec, 2, NULL, NULL);
            assert_int_equal(mc.result.n_samples, 2048);
            for (size_t i = 0; i < HIDDEN; i++)
                assert_near(mc.result.hidden_mean[0][i], hidden[i], 1e-6 * scale);
            for (size_t i = 0; i < N_OUT; i++) {
                double mean = layer[1].bias[i];
                for (size_t j = 0; j < HIDDEN; j++)
                    mean += layer[1].weight[i * HIDDEN + j] * hidden[j];
                assert_near(mc.result.mean[i], mean, 5e-6 * scale);
                assert_near(mc.result.standard_error[i], 0, 1e-6 * scale);
            }
            monte_carlo_free(&mc);
            rk_network_destroy(net);
        }
}

/* Over many short runs, |mean - truth| falls below 1 and 2 standard errors as often as Student's t
 * with RUN - 1 degrees of freedom: 0.667 and 0.936. The outputs of a run are dependent, so the
 * counts are as uncertain as those of the runs alone, at most. */
static void check_coverage(const rk_network *net, const rk_input *input) {
    enum { RUNS = 200, RUN = 16 };
    rk_sample_spec many = {.n_samples = 300000, .seed = 9, .points = RK_POINTS_ANTITHETIC};
    monte_carlo check = monte_carlo_run(net, input, many, 1, NULL, NULL);
    many.points = RK_POINTS_DESIGN;
    many.control = true;
    monte_carlo truth = monte_carlo_run(net, input, many, 1, NULL, NULL);
    for (size_t i = 0; i < N_OUT; i++)
        assert_near(truth.result.mean[i], check.result.mean[i], 4 * check.result.standard_error[i]);
    monte_carlo_free(&check);
    for (size_t v = 0; v < N_VARIANTS; v++) {
        const bool rotated = variants[v].points >= RK_POINTS_ORTHOGONAL;
        double within_1 = 0, within_2 = 0;
        for (uint64_t stream = 0; stream < RUNS; stream++) {
            rk_sample_spec spec = with_samples(v, RUN * (rotated ? REPLICATE : 512));
            spec.stream = 100 + stream;
            monte_carlo mc = monte_carlo_run(net, input, spec, 1, NULL, NULL);
            for (size_t i = 0; i < N_OUT; i++) {
                const double own = mc.result.standard_error[i];
                const double error = hypot(own, truth.result.standard_error[i]);
                const double z = fabs(mc.result.mean[i] - truth.result.mean[i]) / error;
                within_1 += (z < 1) / (RUNS * (double)N_OUT);
                within_2 += (z < 2) / (RUNS * (double)N_OUT);
            }
            monte_carlo_free(&mc);
        }
        assert_near(within_1, 0.667, 0.1);
        assert_near(within_2, 0.936, 0.05);
    }
    monte_carlo_free(&truth);
}

static void test_standard_errors_cover(void **state) {
    (void)state;
    rk_network *net = network(3, RK_RELU, RK_RELU, false);
    check_coverage(net, NULL);
    rk_network_destroy(net);
}

/* Two errors from three replicates, widened, hold what two errors from many do; so do three. */
static void test_standard_errors_of_few_replicates_cover(void **state) {
    (void)state;
    enum { RUNS = 400 };
    rk_network *net = network(3, RK_RELU, RK_RELU, false);
    rk_sample_spec spec = {.n_samples = 300000, .points = RK_POINTS_DESIGN, .control = true};
    monte_carlo truth = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
    double within = 0;
    spec.n_samples = 3 * REPLICATE;
    spec.control = false;
    for (uint64_t stream = 0; stream < RUNS; stream++) {
        spec.stream = 100 + stream;
        monte_carlo mc = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
        const double z = fabs(mc.result.mean[0] - truth.result.mean[0]);
        within += (z < 2 * mc.result.standard_error[0]) / (double)RUNS;
        monte_carlo_free(&mc);
    }
    assert_near(within, 0.954, 0.03); /* 0.82 without */
    monte_carlo_free(&truth);
    rk_network_destroy(net);
}

/* With biases and a mean, points need lengths of their own. */
static void test_standard_errors_cover_without_homogeneity(void **state) {
    (void)state;
    double mean[N];
    draw(21, N, 0.5, mean);
    rk_network *net = network(3, RK_GELU, RK_TANH, true);
    check_coverage(net, &(rk_input){.mean = mean});
    rk_network_destroy(net);
}

/* The average over all runs sees a bias that single runs would not. */
static void test_replicates_are_unbiased(void **state) {
    (void)state;
    for (int biased = 0; biased <= 1; biased++) {
        rk_network *net = network(2, RK_RELU, RK_RELU, biased);
        const rk_sample_spec exact = {.n_samples = 1, .control = true};
        const rk_sample_spec spec = {.n_samples = 2000 * REPLICATE, .points = RK_POINTS_DESIGN};
        monte_carlo truth = monte_carlo_run(net, NULL, exact, 1, NULL, NULL);
        monte_carlo mc = monte_carlo_run(net, NULL, spec, 2, NULL, NULL);
        for (size_t i = 0; i < N_OUT; i++) {
            assert_near(mc.result.mean[i], truth.result.mean[i], 4 * mc.result.standard_error[i]);
            /* pairs of plain points would have about a third of this gain */
            const double plain = mc.result.variance[i] / (double)mc.result.n_samples;
            assert_true(plain > (biased ? 3 : 6) * pow(mc.result.standard_error[i], 2));
        }
        monte_carlo_free(&truth);
        monte_carlo_free(&mc);
        rk_network_destroy(net);
    }
}

static void test_any_number_of_threads_gives_the_same_bits(void **state) {
    (void)state;
    rk_network *nets[] = {network(3, RK_RELU, RK_TANH, true), random_network(65, 2)};
    for (size_t n = 0; n < 2; n++)
        for (size_t v = 0; v < N_VARIANTS; v++) {
            const rk_sample_spec spec = with_samples(v, 20001);
            monte_carlo one = monte_carlo_run(nets[n], NULL, spec, 1, NULL, NULL);
            monte_carlo many = monte_carlo_run(nets[n], NULL, spec, 3, NULL, NULL);
            assert_memory_equal(one.storage, many.storage, one.n_values * sizeof *one.storage);
            assert_int_equal(one.flops_planned, one.flops_executed);
            assert_int_equal(many.flops_planned, one.flops_planned);
            monte_carlo_free(&many);
            monte_carlo_free(&one);
        }
    rk_network_destroy(nets[0]);
    rk_network_destroy(nets[1]);
}

static void test_a_longer_run_extends_a_shorter_one(void **state) {
    (void)state;
    rk_network *net = network(3, RK_RELU, RK_TANH, true);
    for (size_t v = 0; v < N_VARIANTS; v++) {
        const bool rotated = variants[v].points >= RK_POINTS_ORTHOGONAL;
        const uint64_t replicate = rotated ? REPLICATE : 512;
        const uint64_t fourth = rotated                               ? 4
                                : variants[v].points == RK_POINTS_IID ? 4 * 512
                                                                      : 4 * 256;
        assert_made_of_halves(net, with_samples(v, 8 * replicate), fourth);
    }
    rk_network_destroy(net);
}

static void test_an_interrupted_run_answers_with_whole_replicates(void **state) {
    (void)state;
    rk_network *net = network(3, RK_RELU, RK_TANH, true);
    for (size_t v = 0; v < N_VARIANTS; v++) {
        rk_sample_spec spec = with_samples(v, 400000);
        int calls = 3; /* two steps begin, the first round starts, then no more */
        monte_carlo part = monte_carlo_run(net, NULL, spec, 1, stop_after, &calls);
        assert_in_range(part.result.n_samples, 1, spec.n_samples - 1);
        spec.n_samples = part.result.n_samples;
        monte_carlo whole = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
        assert_memory_equal(part.storage, whole.storage, part.n_values * sizeof *part.storage);
        monte_carlo_free(&part);
        monte_carlo_free(&whole);
    }
    rk_network_destroy(net);
}

/* A design in 256 dimensions has 129 blocks; it is stopped within the second replicate. */
static void test_an_interrupted_replicate_does_not_count(void **state) {
    (void)state;
    rk_network *net = random_network(65, 1);
    rk_sample_spec spec = {.n_samples = 4 * 66048, .points = RK_POINTS_DESIGN};
    int calls = 4;
    monte_carlo part = monte_carlo_run(net, NULL, spec, 1, stop_after, &calls);
    assert_int_equal(part.result.n_samples, 66048);
    spec.n_samples = 66048;
    monte_carlo whole = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
    for (size_t i = 0; i < 4; i++) {
        assert_near(part.result.mean[i], whole.result.mean[i], 1e-12);
        assert_true(isnan(part.result.standard_error[i]));
    }
    monte_carlo_free(&part);
    monte_carlo_free(&whole);
    rk_network_destroy(net);
}

/* Of a pass, by its own account. */
static double square_error(const rk_network *net, rk_point_set points, uint64_t n_samples) {
    const rk_sample_spec spec = {.n_samples = n_samples, .points = points};
    monte_carlo mc = monte_carlo_run(net, NULL, spec, 2, NULL, NULL);
    double sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += pow(mc.result.standard_error[i], 2) * (double)mc.result.n_samples;
    monte_carlo_free(&mc);
    return sum;
}

/* Of few replicates the bases tell the error, and of designs too much: what makes them designs is
 * that what their bases get wrong together is less than what each does. */
static void test_bases_tell_the_error_of_few_replicates(void **state) {
    (void)state;
    rk_network *net = random_network(65, 3);
    double design = square_error(net, RK_POINTS_DESIGN, 16 * 66048);
    double by_bases = square_error(net, RK_POINTS_DESIGN, 66048 + 10000);
    if (!(by_bases > design && by_bases < 4 * design))
        fail_msg("designs: %g by bases, %g by replicates", by_bases, design);
    double orthogonal = square_error(net, RK_POINTS_ORTHOGONAL, 64 * 8192);
    by_bases = square_error(net, RK_POINTS_ORTHOGONAL, 24000);
    if (!(by_bases > 0.5 * orthogonal && by_bases < 2 * orthogonal))
        fail_msg("orthogonal: %g by bases, %g by replicates", by_bases, orthogonal);
    rk_network_destroy(net);
}

/* In more dimensions an orthogonal replicate holds some of the bases only, and several blocks. */
static void test_each_structure_gains(void **state) {
    (void)state;
    rk_network *net = random_network(65, 2);
    const double gains[N_VARIANTS] = {3, 3, 6, 12, 25}; /* of variance at equal passes */
    for (size_t v = 0; v < N_VARIANTS; v++) {
        const bool design = variants[v].points == RK_POINTS_DESIGN;
        monte_carlo mc =
            monte_carlo_run(net, NULL, with_samples(v, design ? 9 * 66048 : 50000), 2, NULL, NULL);
        double plain = 0, error = 0;
        for (size_t i = 0; i < 4; i++) {
            plain += mc.result.variance[i] / (double)mc.result.n_samples;
            error += pow(mc.result.standard_error[i], 2);
        }
        if (!(plain >= gains[v] * error)) fail_msg("variant %zu gains only %g", v, plain / error);
        monte_carlo_free(&mc);
    }
    rk_network_destroy(net);
}

static void test_passes(void **state) {
    (void)state;
    assert_int_equal(rk_divide(RK_POINTS_IID, false, 256, 1001).n_passes, 1001);
    assert_int_equal(rk_divide(RK_POINTS_IID, true, 256, 1001).n_passes, 1024);
    assert_int_equal(rk_divide(RK_POINTS_ANTITHETIC, false, 256, 1001).n_passes, 1002);
    assert_int_equal(rk_divide(RK_POINTS_ORTHOGONAL, false, 256, 1001).n_passes, 1024);
    assert_int_equal(rk_divide(RK_POINTS_ORTHOGONAL, false, 256, 32769).n_passes, 40960);
    assert_int_equal(rk_divide(RK_POINTS_DESIGN, false, 256, 1001).n_passes, 1024);
    assert_int_equal(rk_divide(RK_POINTS_DESIGN, false, 256, 66048).n_passes, 66048);
    assert_int_equal(rk_divide(RK_POINTS_DESIGN, false, 256, 66049).n_passes, 66048 + 512);
    assert_int_equal(rk_divide(RK_POINTS_DESIGN, false, 256, 4 * 66048 + 1).n_passes, 5 * 66048);
    assert_int_equal(rk_divide(RK_POINTS_DESIGN, false, 64, 1).n_passes, 4224);
}

static void check_refused(const rk_network *net, rk_sample_spec spec) {
    rk_sample_result nothing = {0};
    rk_work plan;
    rk_error error;
    rk_work_init_dry(&plan);
    spec.n_samples = spec.lanes = 1;
    assert_int_equal(rk_sample(&plan, net, &(rk_input){0}, &spec, &nothing, &error),
                     RK_ERROR_UNSUPPORTED);
    free(plan.steps);
}

static void test_what_cannot_be_done_is_refused(void **state) {
    (void)state;
    rk_network *shallow = network(1, RK_RELU, RK_RELU, false);
    check_refused(shallow, (rk_sample_spec){.control = true});
    rk_network_destroy(shallow);
    double *weight = calloc(20000, sizeof *weight);
    const rk_layer layer = {.rows = 1, .cols = 20000, .weight = weight};
    rk_network *large;
    assert_int_equal(rk_network_create(&large, &layer, 1, NULL), RK_OK);
    check_refused(large, (rk_sample_spec){.points = RK_POINTS_ORTHOGONAL});
    check_refused(large, (rk_sample_spec){.points = RK_POINTS_DESIGN});
    rk_network_destroy(large);
    free(weight);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments_of_linear_networks_are_exact),
        cmocka_unit_test(test_anchor_decides_the_mean_behind_it),
        cmocka_unit_test(test_control_is_exact_for_one_hidden_layer),
        cmocka_unit_test(test_standard_errors_cover),
        cmocka_unit_test(test_standard_errors_of_few_replicates_cover),
        cmocka_unit_test(test_standard_errors_cover_without_homogeneity),
        cmocka_unit_test(test_replicates_are_unbiased),
        cmocka_unit_test(test_any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(test_a_longer_run_extends_a_shorter_one),
        cmocka_unit_test(test_an_interrupted_run_answers_with_whole_replicates),
        cmocka_unit_test(test_an_interrupted_replicate_does_not_count),
        cmocka_unit_test(test_bases_tell_the_error_of_few_replicates),
        cmocka_unit_test(test_each_structure_gains),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_what_cannot_be_done_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
