/* Choosing a method: within the budget, to the tolerance, the same every time, honest afterwards.
 */
#include "reckon/reckon.h"
#include "support/estimate.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static rk_network *draw(size_t n, size_t hidden) {
    return draw_square((rk_random_spec){.activation = {.kind = RK_RELU}, .seed = 7}, n, hidden);
}

static double difference(const rk_answer_data *a, const rk_answer_data *b) {
    double sum = 0;
    for (size_t i = 0; i < a->n_out; i++)
        sum += pow(a->mean[i] - b->mean[i], 2) / (double)a->n_out;
    return sqrt(sum);
}

static rk_options ask(const char *method, double flops, double tolerance) {
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.budget_flops = flops;
    options.tolerance = tolerance;
    options.threads = 1;
    return options;
}

static rk_plan *plan_of(const rk_network *net, const rk_options *options) {
    rk_plan *plan;
    rk_error error;
    if (rk_plan_create(&plan, net, NULL, options, &error) != RK_OK) fail_msg("%s", error.message);
    return plan;
}

static const rk_candidate *chosen_of(const rk_plan *plan) {
    size_t n;
    const rk_candidate *c = rk_plan_candidates(plan, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(c[i].verdict, "chosen")) return &c[i];
    return NULL;
}

static void test_the_best_within_the_budget(void **state) {
    (void)state;
    rk_network *net = draw(64, 4);
    double before = (double)INFINITY;
    for (double budget = 1e6; budget < 2e9; budget *= 4) {
        rk_options options = ask("auto", budget, 0);
        rk_plan *plan = plan_of(net, &options), *again = plan_of(net, &options);
        const rk_candidate *chosen = chosen_of(plan);
        assert_non_null(chosen);
        assert_string_equal(chosen->method, chosen_of(again)->method);
        assert_int_equal(chosen->samples, chosen_of(again)->samples);
        size_t n;
        const rk_candidate *c = rk_plan_candidates(plan, &n);
        for (size_t i = 0; i < n; i++)
            if (c[i].flops <= budget && c[i].error_rms * 1.1 < chosen->error_rms)
                fail_msg("%s rather than %s", chosen->method, c[i].method);
        if (!(chosen->error_rms <= 1.1 * before)) fail_msg("%g FLOPs buy less", budget);
        before = chosen->error_rms;

        rk_answer *answer;
        assert_int_equal(rk_plan_execute(plan, &answer, NULL), RK_OK);
        const rk_answer_data *a = rk_answer_view(answer);
        assert_true((double)a->cost.flops_executed <= budget);
        assert_false(a->unmet);
        assert_non_null(a->reason);
        rk_answer_destroy(answer);
        rk_plan_destroy(plan);
        rk_plan_destroy(again);
    }
    rk_network_destroy(net);
}

static void test_the_cheapest_to_the_tolerance(void **state) {
    (void)state;
    rk_network *net = draw(64, 4);
    for (double tolerance = 0.1; tolerance > 2e-3; tolerance /= 3) {
        rk_options options = ask("auto", 0, tolerance);
        rk_plan *plan = plan_of(net, &options);
        const rk_candidate *chosen = chosen_of(plan);
        assert_true(chosen->error_rms <= tolerance);
        size_t n;
        const rk_candidate *c = rk_plan_candidates(plan, &n);
        for (size_t i = 0; i < n; i++)
            if (c[i].error_rms <= tolerance && c[i].flops < chosen->flops)
                fail_msg("%s rather than %s", chosen->method, c[i].method);
        rk_plan_destroy(plan);
        rk_answer *answer = answer_of(net, NULL, &options);
        const rk_answer_data *a = rk_answer_view(answer);
        assert_int_equal(a->unmet, !(a->error_rms <= tolerance));
        rk_answer_destroy(answer);
    }
    rk_options options = ask("auto", 1e7, 1e-7);
    rk_answer *answer = answer_of(net, NULL, &options);
    assert_true(rk_answer_view(answer)->unmet);
    assert_true(is_warned(rk_answer_view(answer), "tolerance not met"));
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

static void test_samples_fill_the_budget(void **state) {
    (void)state;
    rk_network *net = draw(64, 4);
    static const char *const methods[] = {"sample", "sample:antithetic", "sample:iid,control",
                                          "sample:orthogonal", "sample:orthogonal,anchor"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        rk_options options = ask(methods[m], 3e9, 0);
        rk_plan *plan = plan_of(net, &options);
        double flops = (double)rk_plan_cost(plan).flops_executed;
        if (!(flops <= 3e9 && flops >= 0.85 * 3e9)) fail_msg("%s: %g FLOPs", methods[m], flops);
        rk_plan_destroy(plan);
    }
    rk_options options = ask("sample", 0, 0.01);
    rk_answer *answer = answer_of(net, NULL, &options);
    const rk_answer_data *a = rk_answer_view(answer);
    if (!(a->error_rms <= 0.01 && a->error_rms >= 0.007)) fail_msg("error %g", a->error_rms);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

static const rk_candidate *candidate(const rk_plan *plan, const char *method) {
    size_t n;
    const rk_candidate *c = rk_plan_candidates(plan, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(c[i].method, method)) return &c[i];
    fail_msg("no %s", method);
    return NULL;
}

/* Where passes and the third order are about as good, an anchor makes more of both. */
static void test_sampling_takes_over_from_the_closure(void **state) {
    (void)state;
    rk_network *net = draw(128, 12);
    rk_options options = ask("auto", 5e9, 0);
    options.threads = 2;
    rk_plan *plan = plan_of(net, &options);
    const rk_candidate *chosen = chosen_of(plan);
    const double expected = chosen->error_rms;
    assert_non_null(strstr(chosen->method, "anchor"));
    assert_true(expected < 0.9 * candidate(plan, "sample:orthogonal,control")->error_rms);
    rk_plan_destroy(plan);
    rk_answer *answer = answer_of(net, NULL, &options);
    const double found = rk_answer_view(answer)->error_rms;
    if (!(found < 2 * expected && found > expected / 2))
        fail_msg("%g, expected %g", found, expected);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

/* With an anchor the error does not fall like one over the root of the passes. */
static void test_an_anchor_reaches_a_tolerance(void **state) {
    (void)state;
    rk_network *net = draw(128, 8);
    rk_options options = ask("sample:orthogonal,anchor", 0, 6e-4);
    rk_plan *plan = plan_of(net, &options);
    const rk_candidate *c = chosen_of(plan);
    assert_true(c->error_rms <= 6e-4 && c->error_rms >= 4.5e-4);
    rk_plan_destroy(plan);
    rk_network_destroy(net);
}

static void test_deep_and_narrow_networks_are_sampled(void **state) {
    (void)state;
    rk_network *net = draw(8, 24);
    rk_options options = ask("auto", 1e8, 0);
    rk_plan *plan = plan_of(net, &options);
    assert_memory_equal(chosen_of(plan)->method, "sample", 6);
    rk_plan_destroy(plan);
    rk_network_destroy(net);
}

static void test_a_closure_that_disappoints_is_replaced(void **state) {
    (void)state;
    rk_network *net = draw_spiked(48, 4, 7, 1, 1, 10);
    rk_options options = ask("auto", 1e8, 0);
    rk_plan *plan = plan_of(net, &options);
    assert_int_equal(chosen_of(plan)->samples, 0);
    rk_plan_destroy(plan);
    rk_answer *answer = answer_of(net, NULL, &options);
    const rk_answer_data *a = rk_answer_view(answer);
    assert_memory_equal(a->method, "sample", 6);
    assert_true(is_warned(a, "was tried first"));
    assert_true((double)a->cost.flops_executed <= 1e8);
    assert_false(a->unmet);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

/* A rectifier with a spike so narrow that quadrature sees nothing of it, or far too much. */
static double spiked(double z, void *unused) {
    (void)unused;
    return (z > 0 ? z : 0) + (fabs(z - 0.37) < 0.003 ? 100 : 0);
}

/* No law knows that the coefficients are wrong; the receipt that `auto` takes on its own does, and
 * sampling is the better answer. Without a receipt the wrong one stands. */
static void test_the_receipt_overrules_the_closure(void **state) {
    (void)state;
    rk_network *random = draw(128, 2), *net;
    rk_layer layers[3];
    for (size_t l = 0; l < 3; l++) {
        layers[l] = rk_network_layer(random, l);
        if (l == 0) layers[l].activation = (rk_activation){.kind = RK_CUSTOM, .function = spiked};
    }
    assert_int_equal(rk_network_create(&net, layers, 3, NULL), RK_OK);
    rk_network_destroy(random);
    rk_options exact = ask("sample", 0, 0);
    exact.samples = 200000;
    exact.seed = 1;
    rk_answer *truth = answer_of(net, NULL, &exact);

    rk_options options = ask("third", 0, 0);
    options.receipt_samples = 20000;
    rk_answer *answer = answer_of(net, NULL, &options);
    const rk_answer_data *a = rk_answer_view(answer);
    const double wrong = difference(a, rk_answer_view(truth));
    assert_int_equal(a->receipt_verdict, RK_REFUTES);
    assert_int_equal(a->error_kind, RK_MEASURED_RMS);
    if (!(fabs(a->error_rms - wrong) <= 0.2 * wrong))
        fail_msg("measured %g, it is %g", a->error_rms, wrong);
    rk_answer_destroy(answer);

    options = ask("auto", 5e9, 0);
    answer = answer_of(net, NULL, &options);
    a = rk_answer_view(answer);
    assert_memory_equal(a->method, "sample", 6);
    assert_true(is_warned(a, "as measured"));
    assert_true(a->receipt_samples > 0 && a->receipt_flops <= 250000000);
    assert_true((double)a->cost.flops_executed <= 5e9);
    assert_int_equal(a->receipt_verdict, RK_AGREES);
    const double error = difference(a, rk_answer_view(truth));
    if (!(error <= 4 * a->error_rms && error < wrong / 4))
        fail_msg("error %g, stated %g, of the closure %g", error, a->error_rms, wrong);
    rk_answer_destroy(answer);

    options.receipt_samples = RK_NO_RECEIPT;
    answer = answer_of(net, NULL, &options);
    a = rk_answer_view(answer);
    assert_int_equal(a->receipt_samples, 0);
    assert_true(strncmp(a->method, "sample", 6) != 0);
    rk_answer_destroy(answer);
    rk_answer_destroy(truth);
    rk_network_destroy(net);
}

/* Without a word: the default method, checked, within a default budget that nobody can miss. */
static void test_the_default(void **state) {
    (void)state;
    rk_network *net = draw(64, 3);
    rk_answer *answer = answer_of(net, NULL, NULL), *again;
    const rk_answer_data *a = rk_answer_view(answer);
    assert_non_null(a->reason);
    assert_false(a->unmet);
    assert_true(a->cost.flops_executed < 200000000000);
    rk_options options = rk_options_default();
    assert_null(options.method);
    options.threads = 3; /* the choice knows no threads */
    again = answer_of(net, NULL, &options);
    assert_string_equal(a->method, rk_answer_view(again)->method);
    assert_memory_equal(a->mean, rk_answer_view(again)->mean, 64 * sizeof(double));
    rk_answer_destroy(again);
    rk_answer_destroy(answer);
    rk_network_destroy(net);

    /* a closure that does not measure its error is checked, with a step of the plan that says so */
    net = draw(256, 3);
    rk_plan *plan = plan_of(net, NULL);
    assert_int_equal(chosen_of(plan)->samples, 0);
    const rk_cost cost = rk_plan_cost(plan);
    const rk_step *last = &cost.steps[cost.n_steps - 1];
    assert_memory_equal(last->label, "receipt: ", 9);
    assert_true(last->flops > 0 && (double)last->flops < 0.06 * 9e10);
    rk_plan_destroy(plan);
    rk_network_destroy(net);
}

/* In narrow networks the time of a pass is not that of its products. `pass` is what one took when
 * measured, in nanoseconds of one thread: roughly that of two usual ones together. */
static void test_narrow_networks_take_no_longer(void **state) {
    (void)state;
    static const struct {
        size_t widths[6], n; /* the input's and the output's included */
        rk_activation_kind kind;
        double pass;
    } cases[] = {
        {{1, 1, 1, 1}, 4, RK_RELU, 90},          {{64, 1, 64, 2}, 4, RK_RELU, 240},
        {{1, 20, 20, 1}, 4, RK_TANH, 600},       {{1, 20, 20, 1}, 4, RK_SILU, 300},
        {{8, 8, 8, 3}, 4, RK_RELU, 105},         {{64, 64, 2, 64, 1}, 5, RK_RELU, 325},
        {{16, 32, 32, 32, 4}, 5, RK_GELU, 960},  {{16, 32, 32, 32, 4}, 5, RK_TANH, 670},
        {{64, 64, 64, 64, 1}, 5, RK_GELU, 2050}, {{64, 64, 64, 64, 1}, 5, RK_RELU, 590},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const size_t n = cases[k].n, *widths = cases[k].widths;
        const rk_random_spec spec = {.n_in = widths[0],
                                     .n_out = widths[n - 1],
                                     .hidden = widths + 1,
                                     .n_hidden = n - 2,
                                     .activation = {.kind = cases[k].kind},
                                     .init = RK_INIT_MANUAL,
                                     .weight_variance = 2,
                                     .bias_variance = 0.1,
                                     .seed = 1};
        rk_network *net;
        assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
        rk_plan *plan = plan_of(net, NULL);
        const rk_candidate *c = candidate(plan, "sample:orthogonal");
        const double seconds = 1e-9 * cases[k].pass * (double)c->samples;
        if (!(c->seconds <= 1.5 && c->seconds >= 0.9))
            fail_msg("case %zu: %g s are planned", k, c->seconds);
        if (!(seconds <= 2 * c->seconds && seconds >= c->seconds / 2))
            fail_msg("case %zu: %g s rather than %g", k, seconds, c->seconds);
        rk_plan_destroy(plan);
        rk_network_destroy(net);
    }
}

/* Linear layers in front of the first bend drop nothing of an expansion, but `mean` takes what they
 * correlate for independent. */
static void test_mean_is_not_exact_behind_linear_layers(void **state) {
    (void)state;
    static const double mix[] = {1, 0, 1, 1}, sum[] = {1, 1}, one[] = {1};
    const rk_layer layers[] = {
        {.rows = 2, .cols = 2, .weight = mix},
        {.rows = 1, .cols = 2, .weight = sum, .activation = {.kind = RK_RELU}},
        {.rows = 1, .cols = 1, .weight = one}};
    static const char *const methods[] = {NULL, "mean", "mean:metric=avg", "reference:1"};
    const double truth = sqrt(5 / (2 * acos(-1)));
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        rk_options options = ask(methods[m], 0, 0);
        rk_answer *answer = answer_of_layers(layers, 3, NULL, &options);
        const rk_answer_data *a = rk_answer_view(answer);
        double error = fabs(a->mean[0] - truth);
        bool says_nothing = isnan(a->error_rms) && is_warned(a, "correlate");
        if (!says_nothing && !(error <= 1e-14 + 3 * a->error_rms))
            fail_msg("%s: off by %g, states %g", a->method, error, a->error_rms);
        if (!methods[m]) assert_true(error <= 1e-14);
        rk_answer_destroy(answer);
    }
}

static void test_what_cannot_be_is_said(void **state) {
    (void)state;
    rk_network *net = draw(16, 3);
    rk_options options = ask("auto", 10, 0);
    rk_answer *answer = answer_of(net, NULL, &options);
    assert_true(rk_answer_view(answer)->unmet);
    assert_memory_equal(rk_answer_view(answer)->reason, "nothing fits", 12);
    rk_answer_destroy(answer);

    options = ask("covariance", 10, 0);
    answer = answer_of(net, NULL, &options);
    assert_true(rk_answer_view(answer)->unmet);
    assert_null(rk_answer_view(answer)->reason);
    rk_answer_destroy(answer);

    const double bad[] = {-1, (double)NAN};
    for (size_t i = 0; i < 2; i++) {
        rk_plan *plan;
        options = ask("auto", bad[i], 0);
        assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_ERROR_ARGUMENT);
        options = ask("auto", 0, bad[i]);
        assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_ERROR_ARGUMENT);
    }
    rk_network_destroy(net);
}

static void test_a_covariance_is_not_left_out(void **state) {
    (void)state;
    rk_network *net = draw(256, 2);
    rk_options options = ask("auto", 0, 0.1);
    rk_plan *plan = plan_of(net, &options);
    assert_memory_equal(chosen_of(plan)->method, "mean", 4);
    rk_plan_destroy(plan);
    options.covariance = true;
    plan = plan_of(net, &options);
    assert_true(strncmp(chosen_of(plan)->method, "mean", 4) != 0);
    rk_plan_destroy(plan);
    rk_network_destroy(net);
}

/* With a single hidden layer `covariance` drops nothing, whatever the input's covariance; rows'
 * norms, or the covariance, are something to drop. */
static void test_exact_is_what_drops_nothing(void **state) {
    (void)state;
    enum { N = 32 };
    static double C[N * N];
    for (size_t i = 0; i < N; i++)
        C[i * N + i] = i < 4 ? 4 : 0.5;
    const rk_input inputs[] = {{.covariance = NULL}, {.covariance = C}};
    rk_network *net = draw(N, 1);
    for (size_t k = 0; k < 2; k++) {
        rk_options exact = ask("covariance", 0, 0), options = ask("auto", 0, 1e-6);
        rk_answer *expected = answer_of(net, &inputs[k], &exact);
        rk_answer *answer = answer_of(net, &inputs[k], &options);
        const rk_answer_data *a = rk_answer_view(answer);
        double error = difference(a, rk_answer_view(expected));
        if (!(error <= 1e-12)) fail_msg("%s: %g", a->method, error);
        if (!(a->cost.flops_executed < 1000000)) fail_msg("%s is not the cheapest", a->method);
        rk_answer_destroy(answer);

        options = ask("mean:metric=avg", 0, 0);
        answer = answer_of(net, &inputs[k], &options);
        a = rk_answer_view(answer);
        error = difference(a, rk_answer_view(expected));
        if (!(a->error_rms <= 3 * error && a->error_rms >= error / 3))
            fail_msg("%s: %g, estimated %g", a->method, error, a->error_rms);
        rk_answer_destroy(answer);
        rk_answer_destroy(expected);
    }
    rk_network_destroy(net);
}

/* What nothing reaches in minutes is said at once, with what it would take; a budget says to try.
 * Where none is needed, or nothing varies, there is still an end to it. */
static void test_tolerances_out_of_reach(void **state) {
    (void)state;
    rk_network *net = draw(64, 8);
    static const char *const methods[] = {"auto", "sample", "sample:orthogonal,anchor"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        static const double tolerances[] = {1e-6, 1e-12};
        rk_options options;
        rk_plan *plan;
        for (size_t t = 0; t < 2; t++) {
            rk_error error;
            options = ask(methods[m], 0, tolerances[t]);
            assert_int_equal(rk_plan_create(&plan, net, NULL, &options, &error),
                             RK_ERROR_OUT_OF_REACH);
            if (!strstr(error.message, t ? "more than 1e18 FLOPs" : "would take about"))
                fail_msg("%s", error.message);
            assert_non_null(strstr(error.message, "budget"));
            options.budget_flops = 1e10;
            plan = plan_of(net, &options);
            assert_true(rk_plan_cost(plan).flops_executed <= 10000000000);
            rk_plan_destroy(plan);
        }
        options = ask(methods[m], 0, 1e200);
        plan = plan_of(net, &options); /* with the receipt of a default budget */
        assert_true((double)rk_plan_cost(plan).flops_executed < 0.06 * 9e10);
        rk_plan_destroy(plan);
    }
    rk_network_destroy(net);

    static double weight[16 * 16];
    for (size_t i = 0; i < 16; i++)
        weight[i * 16 + i] = 1;
    static const double nothing[16 * 16]; /* of the output varies */
    const rk_layer layers[] = {
        {.rows = 16, .cols = 16, .weight = weight, .activation = {.kind = RK_RELU}},
        {.rows = 16, .cols = 16, .weight = nothing}};
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    rk_options options = ask("sample:orthogonal", 0, 0.01);
    rk_plan *plan = plan_of(net, &options);
    assert_true(rk_plan_cost(plan).flops_executed < 2000000000);
    rk_plan_destroy(plan);
    rk_network_destroy(net);
}

/* There are no bases for so many inputs: the methods that need them are left out, with a reason. */
static void test_more_inputs_than_bases(void **state) {
    (void)state;
    enum { INPUTS = 16385 };
    double *weight = calloc(2 * INPUTS, sizeof *weight);
    assert_non_null(weight);
    weight[0] = weight[INPUTS + 1] = 1;
    const rk_layer layers[] = {
        {.rows = 2, .cols = INPUTS, .weight = weight, .activation = {.kind = RK_RELU}},
        {.rows = 1, .cols = 2, .weight = weight}};
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    rk_options options = ask("auto", 0, 1e-3);
    rk_plan *plan = plan_of(net, &options);
    assert_non_null(strstr(candidate(plan, "sample:design,control")->verdict, "at most 16384"));
    rk_plan_destroy(plan);
    options = ask("sample:orthogonal,anchor", 0, 0);
    assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_ERROR_UNSUPPORTED);
    rk_network_destroy(net);
    free(weight);
}

static void test_what_is_asked_for_is_kept(void **state) {
    (void)state;
    rk_network *net = draw(64, 4);
    static const char *const methods[] = {"sample:anchor", "sample:antithetic,anchor",
                                          "sample:antithetic,control", "sample:design"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        rk_options options = ask(methods[m], 1e9, 0);
        rk_plan *plan = plan_of(net, &options);
        assert_string_equal(chosen_of(plan)->method, methods[m]);
        rk_plan_destroy(plan);
    }
    rk_network_destroy(net);
}

/* Counts the calls and stops at the last one allowed. */
typedef struct patience {
    int calls, most;
} patience;

static bool wait_for(void *context, double fraction) {
    patience *p = context;
    return !isnan(fraction) && ++p->calls < p->most;
}

/* Interrupted at every point: an answer that was there stays. */
static void test_a_second_try_that_is_stopped_loses_nothing(void **state) {
    (void)state;
    rk_network *net = draw_spiked(48, 4, 7, 1, 1, 10);
    rk_options options = ask("auto", 1e8, 0);
    patience p = {0, 1 << 30};
    options.progress = wait_for;
    options.progress_context = &p;
    rk_answer_destroy(answer_of(net, NULL, &options));
    const int all = p.calls;
    size_t stopped_late = 0;
    for (p.most = 1; p.most < all; p.most++) {
        p.calls = 0;
        rk_answer *answer = answer_of(net, NULL, &options);
        const rk_answer_data *a = rk_answer_view(answer);
        assert_true(a->interrupted);
        bool second = is_warned(a, "was tried first");
        stopped_late += second;
        if (second && !isfinite(a->mean[0])) fail_msg("stopped at call %d: no answer", p.most);
        rk_answer_destroy(answer);
    }
    assert_true(stopped_late > 0);
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_best_within_the_budget),
        cmocka_unit_test(test_the_cheapest_to_the_tolerance),
        cmocka_unit_test(test_samples_fill_the_budget),
        cmocka_unit_test(test_sampling_takes_over_from_the_closure),
        cmocka_unit_test(test_an_anchor_reaches_a_tolerance),
        cmocka_unit_test(test_deep_and_narrow_networks_are_sampled),
        cmocka_unit_test(test_a_closure_that_disappoints_is_replaced),
        cmocka_unit_test(test_the_receipt_overrules_the_closure),
        cmocka_unit_test(test_the_default),
        cmocka_unit_test(test_narrow_networks_take_no_longer),
        cmocka_unit_test(test_mean_is_not_exact_behind_linear_layers),
        cmocka_unit_test(test_what_cannot_be_is_said),
        cmocka_unit_test(test_a_covariance_is_not_left_out),
        cmocka_unit_test(test_exact_is_what_drops_nothing),
        cmocka_unit_test(test_tolerances_out_of_reach),
        cmocka_unit_test(test_more_inputs_than_bases),
        cmocka_unit_test(test_what_is_asked_for_is_kept),
        cmocka_unit_test(test_a_second_try_that_is_stopped_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
