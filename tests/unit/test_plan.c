/* Plan, execute, report: what does not depend on the mathematics of a method. */
#include "estimate/method.h"
#include "support/method.h"
#include "support/monte_carlo.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A ReLU network of equal widths with structureless deterministic weights. */
static rk_network *make(size_t n, size_t n_layers) {
    double *weight = malloc(n_layers * n * n * sizeof *weight);
    rk_layer *layers = calloc(n_layers, sizeof *layers);
    assert_true(weight && layers);
    for (size_t i = 0; i < n_layers * n * n; i++)
        weight[i] =
            sin(12.9898 * (double)i + 1e-3 * (double)i * (double)(i % 101)) * 2 / sqrt((double)n);
    for (size_t l = 0; l < n_layers; l++)
        layers[l] = (rk_layer){.rows = n,
                               .cols = n,
                               .weight = weight + l * n * n,
                               .activation.kind = l + 1 < n_layers ? RK_RELU : RK_IDENTITY};
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, n_layers, NULL), RK_OK);
    free(layers);
    free(weight);
    return net;
}

/* Every method once, on a network it can afford. */
static const struct {
    const char *method;
    size_t n;
    bool means_only;
} every_method[] = {
    {"mean", 300, false},
    {"covariance", 300, false},
    {"gain", 300, false},
    {"third", 300, false},
    {"third:gauge=none", 300, false},
    {"third:gauge=zero", 300, true},
    {"third:gauge=diagonal", 300, true},
    {"third:gauge=lean", 300, true},
    {"third:gauge=full", 300, true},
    {"fourth", 24, false},
    {"reference:3,augment", 40, false},
    {"reference:4,augment,dense", 12, false},
    {"sample", 300, false},
    {"sample:antithetic", 300, false},
    {"sample:orthogonal,anchor", 300, false},
    {"auto", 300, false},
};
enum { N_METHODS = sizeof every_method / sizeof *every_method };

static void test_every_method_is_tested(void **state) {
    (void)state;
    for (size_t i = 0; rk_method_at(i); i++) {
        bool listed = false;
        for (size_t k = 0; k < N_METHODS; k++)
            listed = listed || strncmp(every_method[k].method, rk_method_at(i)->name,
                                       strlen(rk_method_at(i)->name)) == 0;
        if (!listed) fail_msg("add %s to every_method", rk_method_at(i)->name);
    }
}

static void test_plans_predict_what_is_executed(void **state) {
    (void)state;
    for (size_t i = 0; i < N_METHODS; i++) {
        rk_network *net = make(every_method[i].n, 5);
        rk_options options = rk_options_default();
        options.method = method_of(every_method[i].method);
        options.samples = 1000;
        options.threads = 1;
        if (options.method->kind == RK_AUTO) options.budget_flops = 1e9;
        rk_plan *plan;
        rk_answer *answer;
        assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_OK);
        rk_cost planned = rk_plan_cost(plan);
        uint64_t flops = planned.flops_executed;
        assert_true(flops > 0 && planned.n_steps > 0);
        assert_int_equal(rk_plan_execute(plan, &answer, NULL), RK_OK);
        rk_cost done = rk_answer_view(answer)->cost;
        assert_int_equal(done.flops_executed, flops);
        assert_int_equal(done.n_steps, planned.n_steps);
        uint64_t in_steps = 0;
        for (size_t s = 0; s < done.n_steps; s++)
            in_steps += done.steps[s].flops;
        assert_true(in_steps <= flops);
        rk_answer_destroy(answer);
        rk_plan_destroy(plan);
        rk_network_destroy(net);
    }
}

static uint64_t planned_flops(const rk_network *net, const char *method, double *convention) {
    rk_options options = rk_options_default();
    options.method = method_of(method);
    rk_plan *plan;
    assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_OK);
    rk_cost cost = rk_plan_cost(plan);
    *convention = cost.flops_convention;
    rk_plan_destroy(plan);
    return cost.flops_executed;
}

/* Products of covariance propagation at n = 256, L = 4, in units of n^3: W W' in four row blocks
 * of a triangle 1.25; two middle layers 2 + 1.25; the last hidden layer's variances 2. */
static void test_flops_are_counted_as_documented(void **state) {
    (void)state;
    rk_network *net = make(256, 5);
    double convention, n = 256, l = 3;
    double executed = (double)planned_flops(net, "covariance", &convention);
    double products = (1.25 + 2 * 3.25 + 2) * n * n * n;
    assert_true(executed >= products && executed <= products * 1.03);
    assert_true(convention ==
                3 * n * n * n * (l + 1) + 18 * n * n * (l + 1) + 77 * n * (l + 1) + 2 * n * n);
    executed = (double)planned_flops(net, "mean", &convention);
    assert_true(convention == 4 * n * n * (l + 1) + 66 * n * l + 67 * n + 6 * l + 10 + 2 * n * n);
    assert_true(executed <= 1.3 * convention);
    planned_flops(net, "mean:metric=avg", &convention);
    assert_true(convention == 2 * n * n * (l + 1) + 67 * n * l + 68 * n + 6 * l + 10 + 2 * n * n);
    rk_network_destroy(net);
}

static void test_same_bits_for_any_number_of_threads(void **state) {
    (void)state;
    for (size_t i = 0; i < N_METHODS; i++) {
        size_t n = every_method[i].n;
        rk_network *net = make(n, 4);
        rk_answer *first = NULL;
        for (int threads = 1; threads <= 4; threads += threads) {
            rk_options options = rk_options_default();
            options.method = method_of(every_method[i].method);
            options.samples = 3000;
            options.threads = threads;
            options.covariance = !every_method[i].means_only;
            options.layers = true;
            options.receipt_samples = 1000;
            rk_answer *answer;
            assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
            if (!first) {
                first = answer;
                continue;
            }
            const rk_answer_data *a = rk_answer_view(first), *b = rk_answer_view(answer);
            assert_memory_equal(a->mean, b->mean, n * sizeof(double));
            assert_memory_equal(a->variance, b->variance, n * sizeof(double));
            assert_memory_equal(a->error_per_output, b->error_per_output, n * sizeof(double));
            assert_memory_equal(&a->receipt_mse, &b->receipt_mse, sizeof(double));
            for (size_t l = 0; l + 1 < rk_network_n_layers(net); l++)
                assert_memory_equal(a->hidden_mean[l], b->hidden_mean[l], n * sizeof(double));
            if (options.covariance)
                assert_memory_equal(a->covariance, b->covariance, n * n * sizeof(double));
            rk_answer_destroy(answer);
        }
        rk_answer_destroy(first);
        rk_network_destroy(net);
    }
}

static void test_what_cannot_fit_is_refused_with_its_size(void **state) {
    (void)state;
    rk_network *net = make(64, 3);
    rk_options options = rk_options_default();
    options.method = method_of("covariance");
    options.memory_limit = 50000;
    rk_plan *plan;
    rk_error error;
    assert_int_equal(rk_plan_create(&plan, net, NULL, &options, &error), RK_ERROR_TOO_LARGE);
    assert_null(plan);
    assert_non_null(strstr(error.message, "covariance needs "));
    assert_non_null(strstr(error.message, "the limit is 50000"));

    /* the answer and the receipt count, too */
    options.method = method_of("mean");
    options.memory_limit = 20000;
    assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_OK);
    rk_plan_destroy(plan);
    options.covariance = true;
    assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_ERROR_TOO_LARGE);
    options.covariance = false;
    options.receipt_samples = 100;
    assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_ERROR_TOO_LARGE);
    rk_network_destroy(net);
}

static void test_bad_input_laws_are_refused(void **state) {
    (void)state;
    rk_network *net = make(2, 2);
    static const struct {
        double mean[2], covariance[4];
    } cases[] = {
        {{0, (double)NAN}, {1, 0, 0, 1}},
        {{0, 0}, {1, 0.5, 0.4, 1}},
        {{0, 0}, {1, 0, 0, -1}},
        {{0, 0}, {1, 2, 2, 1}},
        {{0, 0}, {(double)INFINITY, 0, 0, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_input input = {.mean = cases[i].mean, .covariance = cases[i].covariance};
        rk_answer *answer;
        rk_error error;
        assert_int_equal(rk_estimate(&answer, net, &input, NULL, &error), RK_ERROR_ARGUMENT);
        assert_null(answer);
    }
    rk_network_destroy(net);
}

/* The answer of a run that is stopped at the next call after so many. */
static rk_answer *stopped_after(int calls, const rk_network *net, uint64_t receipt) {
    rk_options options = rk_options_default();
    options.method = method_of("covariance");
    options.layers = true;
    options.receipt_samples = receipt;
    options.threads = 1;
    options.progress = stop_after;
    options.progress_context = &calls;
    rk_answer *answer;
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
    assert_true(rk_answer_view(answer)->interrupted);
    return answer;
}

static void test_a_deterministic_run_can_be_interrupted(void **state) {
    (void)state;
    rk_network *net = make(20, 6);
    rk_answer *answer = stopped_after(2, net, 0);
    const rk_answer_data *data = rk_answer_view(answer);
    assert_true(isnan(data->mean[0]));
    assert_true(!isnan(data->hidden_mean[1][0])); /* what was done is kept */
    assert_true(isnan(data->hidden_mean[2][0]));
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

static void test_a_receipt_can_be_interrupted(void **state) {
    (void)state;
    rk_network *net = make(20, 2);
    rk_answer *answer = stopped_after(4, net, 1u << 30); /* two layers, two steps of the receipt */
    const rk_answer_data *data = rk_answer_view(answer);
    assert_true(isfinite(data->mean[0]));
    assert_int_equal(data->receipt_samples, 0);
    assert_true(isnan(data->receipt_mse));
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

/* Squares of independent standard normals: mean 1, variance 2, then 8 and 48. */
static void test_cumulants_of_the_output(void **state) {
    (void)state;
    const double identity[] = {1, 0, 0, 1};
    const rk_layer layers[] = {
        {.rows = 2, .cols = 2, .weight = identity, .activation.kind = RK_SQUARE},
        {.rows = 2, .cols = 2, .weight = identity},
    };
    static const struct {
        const char *method;
        int cumulants;
    } cases[] = {{"fourth", 4}, {"reference:4,augment,dense", 4}, {"third", 3}};
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_options options = rk_options_default();
        options.method = method_of(cases[i].method);
        options.covariance = true;
        options.cumulants = cases[i].cumulants;
        rk_answer *answer;
        assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
        const rk_answer_data *data = rk_answer_view(answer);
        for (size_t at = 0; at < 8; at++) {
            double expected = at == 0 || at == 7 ? 8 : 0;
            assert_true(fabs(data->third_cumulant[at] - expected) <= 1e-12);
        }
        assert_true((data->fourth_cumulant != NULL) == (cases[i].cumulants == 4));
        for (size_t at = 0; data->fourth_cumulant && at < 16; at++) {
            double expected = at == 0 || at == 15 ? 48 : 0;
            assert_true(fabs(data->fourth_cumulant[at] - expected) <= 1e-11);
        }
        assert_true(fabs(data->mean[1] - 1) <= 1e-14 && fabs(data->covariance[3] - 2) <= 1e-14);
        rk_answer_destroy(answer);
    }
    rk_options options = rk_options_default();
    options.method = method_of("covariance");
    options.cumulants = 3;
    rk_answer *answer;
    rk_error error;
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, &error), RK_ERROR_UNSUPPORTED);
    assert_string_equal(error.message, "covariance knows no cumulants of degree 3");
    options.cumulants = 2;
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, &error), RK_ERROR_ARGUMENT);
    rk_network_destroy(net);

    net = make(4, 3);
    options.method = method_of("third"); /* which is tilted here for the means alone */
    options.cumulants = 3;
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
    assert_non_null(strstr(rk_answer_view(answer)->method, "tilt=off"));
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

static void test_methods_refuse_what_they_do_not_cover(void **state) {
    (void)state;
    enum { N = 3 };
    static const double weight[N * N] = {1, 2, 3, 4, 5, 6, 7, 8, 10}, bias[N] = {0, 1, 0};
    static const double zero_bias[N] = {0};
    static const struct {
        const char *method;
        rk_activation_kind kind;
        const double *bias[2];
        bool covariance;
        const char *message; /* NULL: it does cover this */
    } cases[] = {
        {"third:gauge=fitted", RK_RELU, {NULL, zero_bias}, false, NULL},
        {"third:gauge=fitted",
         RK_RELU,
         {NULL, NULL},
         true,
         "fourth=fitted keeps means, not covariances"},
        {"third:gauge=fitted", RK_RELU, {bias, NULL}, false, "biases: layer 1 has biases"},
        {"third:gauge=fitted", RK_RELU, {NULL, bias}, false, "fourth=zero only"},
        {"third:gauge=fitted", RK_ABS, {NULL, NULL}, false, "biases: layer 1 is abs"},
        {"third:gauge=full", RK_ABS, {bias, NULL}, false, NULL},
        {"third:gauge=full", RK_RELU, {NULL, bias}, false, "fourth=zero only"},
        {"third:gauge=zero", RK_TANH, {NULL, NULL}, false, "homogeneous activations"},
        {"third:gauge=full,reach=2", RK_RELU, {NULL, NULL}, false, NULL},
        {"third:gauge=lean,reach=8", RK_RELU, {NULL, NULL}, false, NULL},
        {"third:reach=2", RK_RELU, {NULL, NULL}, false, "fourth=lean and fourth=full"},
        {"sample:anchor", RK_RELU, {bias, NULL}, false, "biases"},
        {"covariance:pairs=exact", RK_ABS, {bias, bias}, true, NULL},
        {"covariance:pairs=exact",
         RK_TANH,
         {NULL, NULL},
         false,
         "layer 1 is tanh: take pairs=comp"},
        {"covariance:pairs=completed,order=4", RK_TANH, {bias, NULL}, true, NULL},
        {"covariance:pairs=exact,order=2", RK_RELU, {NULL, NULL}, false, "say pairs=completed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_layer layers[3];
        for (size_t l = 0; l < 3; l++)
            layers[l] = (rk_layer){.rows = N,
                                   .cols = N,
                                   .weight = weight,
                                   .bias = l < 2 ? cases[i].bias[l] : bias,
                                   .activation.kind = l < 2 ? cases[i].kind : RK_IDENTITY};
        rk_network *net;
        rk_plan *plan = NULL;
        rk_error error;
        rk_options options = rk_options_default();
        options.method = method_of(cases[i].method);
        options.covariance = cases[i].covariance;
        assert_int_equal(rk_network_create(&net, layers, 3, NULL), RK_OK);
        rk_status status = rk_plan_create(&plan, net, NULL, &options, &error);
        assert_int_equal(status, cases[i].message ? RK_ERROR_UNSUPPORTED : RK_OK);
        if (cases[i].message && !strstr(error.message, cases[i].message))
            fail_msg("case %zu: %s", i, error.message);
        rk_plan_destroy(plan);
        rk_network_destroy(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_method_is_tested),
        cmocka_unit_test(test_plans_predict_what_is_executed),
        cmocka_unit_test(test_flops_are_counted_as_documented),
        cmocka_unit_test(test_same_bits_for_any_number_of_threads),
        cmocka_unit_test(test_what_cannot_fit_is_refused_with_its_size),
        cmocka_unit_test(test_bad_input_laws_are_refused),
        cmocka_unit_test(test_cumulants_of_the_output),
        cmocka_unit_test(test_methods_refuse_what_they_do_not_cover),
        cmocka_unit_test(test_a_deterministic_run_can_be_interrupted),
        cmocka_unit_test(test_a_receipt_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
