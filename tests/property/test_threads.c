/* The same bits for any number of threads: every method, on networks of several blocks. Under the
 * thread sanitizer this is what looks for races. */
#include "estimate/methods.h"
#include "support/estimate.h"
#include "support/method.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 3000, HIDDEN = 2 };

/* The widest that a method does in a moment. */
static rk_network *affordable(const rk_options *options) {
    static const size_t widths[] = {150, 70, 20};
    const rk_random_spec spec = {.activation = {.kind = RK_RELU}, .seed = 1, .bias_variance = 0.1};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        rk_network *net = draw_square(spec, widths[i], HIDDEN);
        rk_plan *plan;
        if (rk_plan_create(&plan, net, NULL, options, NULL) == RK_OK) {
            const double flops = (double)rk_plan_cost(plan).flops_executed;
            rk_plan_destroy(plan);
            if (flops < 2e9) return net;
        }
        rk_network_destroy(net);
    }
    return NULL;
}

static bool same_bits(const rk_answer_data *a, const rk_answer_data *b) {
    const size_t n = a->n_out * sizeof(double);
    return memcmp(a->mean, b->mean, n) == 0 && memcmp(a->variance, b->variance, n) == 0 &&
           memcmp(a->error_per_output, b->error_per_output, n) == 0 &&
           (!a->covariance || memcmp(a->covariance, b->covariance, a->n_out * n) == 0) &&
           (!a->third_cumulant ||
            memcmp(a->third_cumulant, b->third_cumulant, a->n_out * a->n_out * n) == 0);
}

/* False if the method does not cover what is asked. */
static bool check(const rk_method_spec *spec, bool covariance, int cumulants) {
    char method[RK_METHOD_TEXT];
    rk_method_spell(spec, method, sizeof method);
    rk_options options = rk_options_default();
    options.method = spec;
    options.samples = SAMPLES;
    options.covariance = covariance;
    options.cumulants = cumulants;
    options.threads = 1;
    rk_network *net = affordable(&options);
    if (!net) return false;
    rk_answer *one = answer_of(net, NULL, &options);
    for (options.threads = 2; options.threads <= 4; options.threads++) {
        rk_answer *many = answer_of(net, NULL, &options);
        if (!same_bits(rk_answer_view(one), rk_answer_view(many)))
            fail_msg("%s: %d threads give other bits than one", method, options.threads);
        rk_answer_destroy(many);
    }
    rk_answer_destroy(one);
    rk_network_destroy(net);
    return true;
}

static void test_every_method(void **state) {
    (void)state;
    size_t n_checked = 0;
    for (size_t i = 0; rk_variant_at(i); i++)
        n_checked += check(&rk_variant_at(i)->spec, false, 0);
    assert_true(n_checked > 20);
    for (size_t i = 0; rk_method_at(i); i++) {
        check(&(rk_method_spec){.kind = (rk_method_kind)i}, true, 0);
        check(&(rk_method_spec){.kind = (rk_method_kind)i}, false, 3);
    }
    assert_true(check(method_of("third"), false, 3));
    assert_true(check(method_of("sample:design,control"), true, 0));
    assert_true(check(method_of("sample:design,anchor"), false, 0));
}

static void test_every_method_for_rare_events(void **state) {
    (void)state;
    const rk_random_spec spec = {.activation = {.kind = RK_RELU}, .seed = 1};
    rk_network *net = draw_square(spec, 40, HIDDEN);
    rk_events *events;
    assert_int_equal(rk_events_parse(&events, net, "y[0] > 2; y[1] - y[2] > 3", NULL), RK_OK);
    const size_t n = rk_events_count(events);
    size_t n_checked = 0;
    for (size_t i = 0; rk_tail_method_at(i); i++) {
        rk_options options = rk_options_default();
        options.tail = &(rk_tail_spec){.kind = (rk_tail_kind)i};
        options.samples = SAMPLES;
        rk_tail_answer *one = NULL, *many;
        for (options.threads = 1; options.threads <= 4; options.threads++) {
            if (rk_tail(&many, net, NULL, rk_events_list(events), n, &options, NULL) != RK_OK)
                break;
            n_checked++;
            if (!one) {
                one = many;
                continue;
            }
            for (size_t e = 0; e < n; e++) {
                const rk_tail_estimate *a = &rk_tail_view(one)->estimates[e];
                const rk_tail_estimate *b = &rk_tail_view(many)->estimates[e];
                if (memcmp(&a->log10_p, &b->log10_p, sizeof a->log10_p) != 0 ||
                    memcmp(&a->cv, &b->cv, sizeof a->cv) != 0)
                    fail_msg("%s: %d threads give other bits than one", rk_tail_method_at(i)->name,
                             options.threads);
            }
            rk_tail_destroy(many);
        }
        rk_tail_destroy(one);
    }
    assert_true(n_checked >= 8);
    rk_events_destroy(events);
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_method),
        cmocka_unit_test(test_every_method_for_rare_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
