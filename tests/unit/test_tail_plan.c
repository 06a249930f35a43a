/* Events are planned: what they cost is known before, and bounds on it and on errors hold. */
#include "support/estimate.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 24 };

typedef struct setting {
    rk_network *net;
    rk_events *events;
    rk_options options;
    const char *method;
} setting;

/* relu with biases, so that passes are centred; without, radial. */
static setting begin(const char *method, const char *events, bool biased) {
    setting s = {.options = rk_options_default()};
    rk_random_spec spec = {.activation = {.kind = RK_RELU}, .seed = 5};
    if (biased) {
        spec.init = RK_INIT_MANUAL;
        spec.weight_variance = 2;
        spec.bias_variance = 0.1;
    }
    s.net = draw_square(spec, N, 2);
    s.method = method;
    s.options.tail = tail_method_of(method);
    s.options.samples = 3000;
    assert_int_equal(rk_events_parse(&s.events, s.net, events, NULL), RK_OK);
    return s;
}

static void end(setting *s) {
    rk_events_destroy(s->events);
    rk_network_destroy(s->net);
}

static rk_tail_plan *plan_of(const setting *s, const rk_input *input) {
    rk_tail_plan *plan;
    rk_error error;
    if (rk_tail_plan_create(&plan, s->net, input, rk_events_list(s->events),
                            rk_events_count(s->events), &s->options, &error) != RK_OK)
        fail_msg("%s: %s", s->method, error.message);
    return plan;
}

static rk_tail_answer *answer_by(const rk_tail_plan *plan) {
    rk_tail_answer *answer;
    assert_int_equal(rk_tail_plan_execute(plan, &answer, NULL), RK_OK);
    return answer;
}

static uint64_t sum_of_steps(const rk_tail_cost *cost) {
    uint64_t sum = 0;
    for (size_t i = 0; i < cost->n_steps; i++)
        sum += cost->steps[i].flops;
    return sum;
}

static const struct {
    const char *name;
    bool is_exact;
} methods[] = {{"normal", true}, {"edgeworth:third", true}, {"saddlepoint:reference:2", true},
               {"sample", true}, {"importance", false},     {"subset", false},
               {"auto", false},  {"auto:covariance", false}};
enum { N_METHODS = sizeof methods / sizeof *methods };

/* Likely, usual, rare, very rare, never; of several layers, with inputs of any law. */
static void test_costs_are_known_before(void **state) {
    (void)state;
    static double covariance[N * N], mean[N];
    for (size_t i = 0; i < N; i++) {
        mean[i] = 0.3;
        for (size_t j = 0; j < N; j++)
            covariance[i * N + j] = i == j ? 1 : 0.2;
    }
    const rk_input input = {.mean = mean, .covariance = covariance};
    for (size_t m = 0; m < 2 * N_METHODS; m++) {
        const bool biased = m % 2;
        setting s =
            begin(methods[m / 2].name,
                  "y[0] > -8, 0.1, 3, 9, 1e9; y[1] - y[2] < -2; layer 2: z[3] >= 2", biased);
        rk_tail_plan *plan = plan_of(&s, biased ? &input : NULL);
        const rk_tail_cost cost = rk_tail_plan_cost(plan);
        rk_tail_answer *answer = answer_by(plan);
        const rk_tail_data *data = rk_tail_view(answer);
        assert_int_equal(cost.is_exact, methods[m / 2].is_exact);
        assert_int_equal(sum_of_steps(&cost), cost.flops);
        assert_int_equal(sum_of_steps(&data->cost), data->flops_executed);
        assert_int_equal(cost.samples, 3000);
        assert_true(cost.n_steps >= 6 && !data->unmet && data->n_warnings == 0);
        const bool holds = cost.is_exact
                               ? data->flops_executed == cost.flops && data->bytes == cost.bytes
                               : data->flops_executed < cost.flops && data->bytes <= cost.bytes;
        if (!holds)
            fail_msg("%s: %llu FLOPs, %llu bytes; planned %llu, %llu", methods[m / 2].name,
                     (unsigned long long)data->flops_executed, (unsigned long long)data->bytes,
                     (unsigned long long)cost.flops, (unsigned long long)cost.bytes);
        rk_tail_destroy(answer);
        rk_tail_plan_destroy(plan);
        end(&s);
    }
}

/* Twice the same, and what rk_tail says; the plan is as it was. */
static void test_plans_do_not_change(void **state) {
    (void)state;
    for (size_t m = 0; m < N_METHODS; m++) {
        setting s = begin(methods[m].name, "y[0] > 1, 3; layer 1: z[3] < -3", false);
        rk_tail_plan *plan = plan_of(&s, NULL);
        rk_tail_answer *answers[3] = {answer_by(plan), answer_by(plan), NULL};
        assert_int_equal(rk_tail(&answers[2], s.net, NULL, rk_events_list(s.events),
                                 rk_events_count(s.events), &s.options, NULL),
                         RK_OK);
        const rk_tail_data *first = rk_tail_view(answers[0]);
        for (size_t k = 1; k < 3; k++) {
            const rk_tail_data *other = rk_tail_view(answers[k]);
            assert_int_equal(other->flops_executed, first->flops_executed);
            for (size_t i = 0; i < first->n_events; i++)
                assert_memory_equal(&other->estimates[i].p, &first->estimates[i].p, sizeof(double));
        }
        for (size_t k = 0; k < 3; k++)
            rk_tail_destroy(answers[k]);
        rk_tail_plan_destroy(plan);
        end(&s);
    }
}

/* Or nothing fits into them, and it is said. */
static void test_budgets_hold(void **state) {
    (void)state;
    static const double budgets[] = {1e3, 3e7, 3e8};
    for (size_t m = 0; m < N_METHODS; m++) {
        uint64_t before = 0;
        for (size_t b = 0; b < sizeof budgets / sizeof *budgets; b++) {
            setting s = begin(methods[m].name, "y[0] > 3, 9; layer 2: z[3] >= 2", false);
            s.options.budget_flops = budgets[b];
            rk_tail_plan *plan = plan_of(&s, NULL);
            const rk_tail_cost cost = rk_tail_plan_cost(plan);
            rk_tail_answer *answer = answer_by(plan);
            const rk_tail_data *data = rk_tail_view(answer);
            const bool fits = (double)data->flops_executed <= budgets[b];
            if (data->unmet != !fits || (b == 0 && fits) || (b == 2 && !fits))
                fail_msg("%s: %llu FLOPs for %g", methods[m].name,
                         (unsigned long long)data->flops_executed, budgets[b]);
            assert_true(data->flops_executed <= cost.flops);
            assert_int_equal(data->n_warnings, !fits);
            assert_true(cost.samples >= before);
            before = cost.samples;
            for (size_t i = 0; i < data->n_events; i++)
                assert_true(!isnan(data->estimates[i].p) || *data->estimates[i].warning);
            rk_tail_destroy(answer);
            rk_tail_plan_destroy(plan);
            end(&s);
        }
        assert_true(before > 1000);
    }
}

/* A second of a machine is not the same twice: only that it is chosen by. */
static void test_seconds_buy_passes(void **state) {
    (void)state;
    uint64_t samples[2];
    for (size_t k = 0; k < 2; k++) {
        setting s = begin("sample", "y[0] > 1", false);
        s.options.budget_seconds = k ? 1e4 : 1;
        rk_tail_plan *plan = plan_of(&s, NULL);
        samples[k] = rk_tail_plan_cost(plan).samples;
        rk_tail_plan_destroy(plan);
        end(&s);
    }
    assert_true(samples[1] > samples[0]);
}

static void test_tolerances_are_reached_or_unmet(void **state) {
    (void)state;
    static const struct {
        const char *method, *events;
        double tolerance, budget;
        bool unmet;
    } cases[] = {{"sample", "y[0] > 0.1; y[0] > 1", 0.1, 5e8, false},
                 {"sample", "y[0] > 1; y[0] > 9", 0.05, 3e7, true},
                 {"importance", "y[0] > 3, 5; layer 1: z[0] > 3", 0.05, 5e8, false},
                 {"subset", "y[0] > 2", 0.3, 5e8, false},
                 {"auto", "y[0] > 1, 3", 0.1, 5e8, false},
                 {"auto", "y[0] > 1, 3, 5", 1e-4, 2e8, true},
                 {"auto", "y[0] > 3; y[0] > 1e9", 0.1, 5e8, true}, /* never */
                 {"saddlepoint", "y[0] > 3", 0.1, 0, true}};       /* knows no error */
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        setting s = begin(cases[c].method, cases[c].events, false);
        s.options.tolerance = cases[c].tolerance;
        s.options.samples = 20000;
        s.options.budget_flops = cases[c].budget;
        rk_tail_plan *plan = plan_of(&s, NULL);
        rk_tail_answer *answer = answer_by(plan);
        const rk_tail_data *data = rk_tail_view(answer);
        bool reached = true;
        for (size_t i = 0; i < data->n_events; i++)
            reached = reached && data->estimates[i].cv <= cases[c].tolerance;
        if (data->unmet != cases[c].unmet || reached == cases[c].unmet)
            fail_msg("case %zu: unmet %d, reached %d, cv %g, %llu passes", c, data->unmet, reached,
                     data->estimates[0].cv, (unsigned long long)data->samples);
        assert_int_equal(data->n_warnings, cases[c].unmet);
        assert_true(data->flops_executed <= rk_tail_plan_cost(plan).flops);
        if (cases[c].budget > 0) assert_true((double)data->flops_executed <= cases[c].budget);
        rk_tail_destroy(answer);
        rk_tail_plan_destroy(plan);
        end(&s);
    }
}

/* The answer of a last round is that of as many passes, asked for. */
static void test_rounds_leave_no_trace(void **state) {
    (void)state;
    setting s = begin("sample", "y[0] > 0.5", false);
    s.options.tolerance = 0.02;
    rk_tail_plan *plan = plan_of(&s, NULL);
    rk_tail_answer *answer = answer_by(plan), *again;
    const rk_tail_estimate e = rk_tail_view(answer)->estimates[0];
    assert_true(e.samples > rk_tail_plan_cost(plan).samples);
    assert_true(rk_tail_view(answer)->samples > e.samples); /* all rounds are counted */
    s.options.tolerance = 0;
    s.options.samples = e.samples;
    assert_int_equal(rk_tail(&again, s.net, NULL, rk_events_list(s.events), 1, &s.options, NULL),
                     RK_OK);
    assert_true(rk_tail_view(again)->estimates[0].p == e.p);
    rk_tail_destroy(again);
    rk_tail_destroy(answer);
    rk_tail_plan_destroy(plan);
    end(&s);
}

static void test_memory_is_refused_before(void **state) {
    (void)state;
    for (size_t m = 0; m < N_METHODS; m++) {
        setting s = begin(methods[m].name, "y[0] > 1", false);
        rk_tail_plan *plan = plan_of(&s, NULL);
        const uint64_t bytes = rk_tail_plan_cost(plan).bytes;
        rk_tail_plan_destroy(plan);
        char text[32];
        rk_error error;
        s.options.memory_limit = bytes - 1;
        assert_int_equal(rk_tail_plan_create(&plan, s.net, NULL, rk_events_list(s.events), 1,
                                             &s.options, &error),
                         RK_ERROR_TOO_LARGE);
        assert_null(plan);
        snprintf(text, sizeof text, "%llu bytes", (unsigned long long)bytes);
        if (!strstr(error.message, text)) fail_msg("%s: %s", methods[m].name, error.message);
        s.options.memory_limit = bytes;
        rk_tail_plan_destroy(plan_of(&s, NULL));
        end(&s);
    }
}

static void test_no_bound_is_negative(void **state) {
    (void)state;
    const double bad[] = {-1, (double)NAN};
    for (size_t k = 0; k < 6; k++) {
        setting s = begin("auto", "y[0] > 1", false);
        double *const bounds[] = {&s.options.budget_flops, &s.options.budget_seconds,
                                  &s.options.tolerance};
        *bounds[k / 2] = bad[k % 2];
        rk_tail_plan *plan;
        assert_int_equal(
            rk_tail_plan_create(&plan, s.net, NULL, rk_events_list(s.events), 1, &s.options, NULL),
            RK_ERROR_ARGUMENT);
        assert_null(plan);
        end(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_costs_are_known_before),
        cmocka_unit_test(test_plans_do_not_change),
        cmocka_unit_test(test_budgets_hold),
        cmocka_unit_test(test_seconds_buy_passes),
        cmocka_unit_test(test_tolerances_are_reached_or_unmet),
        cmocka_unit_test(test_rounds_leave_no_trace),
        cmocka_unit_test(test_memory_is_refused_before),
        cmocka_unit_test(test_no_bound_is_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
