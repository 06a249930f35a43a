/* What rk_tail does besides answering: it stops when told to, refuses, keeps to its memory. */
#include "support/estimate.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 16 };

typedef struct setting {
    rk_network *net;
    rk_events *events;
    rk_options options;
} setting;

static setting begin(const char *method, const char *events) {
    setting s = {.options = rk_options_default()};
    rk_random_spec spec = {.activation = {.kind = RK_RELU}, .seed = 7};
    s.net = draw_square(spec, N, 2);
    s.options.tail = tail_method_of(method);
    s.options.samples = 4000;
    assert_int_equal(rk_events_parse(&s.events, s.net, events, NULL), RK_OK);
    return s;
}

static rk_status run(const setting *s, const rk_input *input, rk_tail_answer **answer,
                     rk_error *error) {
    return rk_tail(answer, s->net, input, rk_events_list(s->events), rk_events_count(s->events),
                   &s->options, error);
}

static void end(setting *s) {
    rk_events_destroy(s->events);
    rk_network_destroy(s->net);
}

/* However long the functional, its text ends in the threshold; equal ones are one. */
static void test_long_events_are_told_apart(void **state) {
    (void)state;
    char text[1000] = "y[0]";
    for (int k = 1; k < 40; k++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, " - 0.123456789 y[%d]", k % N);
    }
    strcat(text, " > 0.25,0.5; y[*] > 0.5; y[0] > 0.25");
    setting s = begin("sample", text);
    const rk_event *events = rk_events_list(s.events);
    assert_non_null(strstr(events[0].text, "> 0.25"));
    assert_non_null(strstr(events[1].text, "> 0.5"));
    rk_tail_answer *answer;
    assert_int_equal(run(&s, NULL, &answer, NULL), RK_OK);
    const rk_tail_data *data = rk_tail_view(answer);
    assert_int_equal(data->n_events, N + 3);
    assert_true(data->estimates[N + 2].p >= data->estimates[2].p);
    for (size_t i = 0; i + 1 < data->n_events; i++) { /* each by itself */
        rk_tail_answer *alone;
        assert_int_equal(rk_tail(&alone, s.net, NULL, &events[i], 1, &s.options, NULL), RK_OK);
        assert_true(rk_tail_view(alone)->estimates[0].p == data->estimates[i].p);
        rk_tail_destroy(alone);
    }
    rk_tail_destroy(answer);
    end(&s);
}

static bool stop_after(void *context, double fraction) {
    int *left = context;
    assert_true(fraction >= 0 && fraction <= 1);
    return !isnan(fraction) && (*left)-- > 0;
}

/* Layer by layer, so the event of the last layer is not reached; that of the output, the first, is.
 */
static void test_events_that_are_not_reached_are_nan(void **state) {
    (void)state;
    setting s = begin("subset", "y[0] > 1; layer 3: z[1] > 1");
    rk_tail_answer *answer;
    int calls = 0;
    s.options.progress = stop_after;
    s.options.progress_context = &calls;
    assert_int_equal(run(&s, NULL, &answer, NULL), RK_OK);
    const rk_tail_data *data = rk_tail_view(answer);
    assert_true(data->interrupted);
    assert_true(isnan(data->estimates[1].p));
    rk_tail_destroy(answer);

    calls = 1000000;
    assert_int_equal(run(&s, NULL, &answer, NULL), RK_OK);
    data = rk_tail_view(answer);
    assert_true(calls < 1000000); /* it was asked */
    assert_false(data->interrupted);
    for (size_t i = 0; i < data->n_events; i++)
        assert_true(data->estimates[i].p > 0 && data->estimates[i].p < 1);
    rk_tail_destroy(answer);
    end(&s);
}

static void test_what_cannot_be_done_is_refused(void **state) {
    (void)state;
    static double third[N * N * N];
    static const char *const methods[] = {"normal", "sample", "importance", "subset", "auto"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        setting s = begin(methods[m], "y[*] > 1");
        const rk_input skewed = {.third_cumulant = third};
        rk_tail_answer *answer;
        rk_error error;
        assert_int_equal(run(&s, &skewed, &answer, &error), RK_ERROR_UNSUPPORTED);
        assert_null(answer);
        assert_string_equal(error.message, "events take normal inputs only");

        s.options.memory_limit = 1000;
        assert_int_equal(run(&s, NULL, &answer, &error), RK_ERROR_TOO_LARGE);
        assert_null(answer);
        if (!strstr(error.message, "1000"))
            fail_msg("%s does not name the limit: %s", methods[m], error.message);
        s.options.memory_limit = 0;
        s.options.samples = 0;
        assert_int_equal(run(&s, NULL, &answer, NULL), RK_ERROR_ARGUMENT);
        end(&s);
    }
}

/* Passes are in single precision: where that is not enough there is no answer, and not a wrong one.
 */
static void test_passes_that_overflow_are_no_answer(void **state) {
    (void)state;
    static double weight[N * N];
    for (size_t i = 0; i < N * N; i++)
        weight[i] = 1e30 * cos((double)i);
    const rk_layer layers[] = {
        {.rows = N, .cols = N, .weight = weight, .activation = {.kind = RK_RELU}},
        {.rows = N, .cols = N, .weight = weight}};
    static const char *const methods[] = {"sample", "importance", "subset"};
    setting s = begin("sample", "y[0] > 1e59");
    rk_network_destroy(s.net);
    assert_int_equal(rk_network_create(&s.net, layers, 2, NULL), RK_OK);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        rk_tail_answer *answer;
        s.options.tail = tail_method_of(methods[m]);
        assert_int_equal(run(&s, NULL, &answer, NULL), RK_OK);
        const rk_tail_estimate *e = rk_tail_view(answer)->estimates;
        if (!isnan(e->p) || !strstr(e->warning, "single precision"))
            fail_msg("%s: %g, '%s'", methods[m], e->p, e->warning);
        rk_tail_destroy(answer);
    }
    s.options.method = method_of("sample");
    rk_answer *answer = answer_of(s.net, NULL, &s.options);
    assert_true(isfinite(rk_answer_view(answer)->mean[0])); /* passes in units of their own */
    rk_answer_destroy(answer);
    end(&s);
}

static void test_the_methods_are_listed(void **state) {
    (void)state;
    size_t n = 0;
    for (const rk_method_info *info; (info = rk_tail_method_at(n)); n++) {
        setting s = begin(info->name, "y[0] > 1");
        rk_tail_answer *answer;
        assert_int_equal(run(&s, NULL, &answer, NULL), RK_OK);
        assert_int_equal(strncmp(rk_tail_view(answer)->method, info->name, strlen(info->name)), 0);
        rk_tail_destroy(answer);
        end(&s);
    }
    assert_true(n >= 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_events_are_told_apart),
        cmocka_unit_test(test_events_that_are_not_reached_are_nan),
        cmocka_unit_test(test_what_cannot_be_done_is_refused),
        cmocka_unit_test(test_passes_that_overflow_are_no_answer),
        cmocka_unit_test(test_the_methods_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
