/* Events as text; probabilities that are known exactly. */
#include "support/method.h"
#include "tail/log_probability.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reckon/reckon.h"

static void assert_near(double x, double wanted, double tolerance) {
    if (!(fabs(x - wanted) <= tolerance)) fail_msg("%.17g, not %.17g", x, wanted);
}

static rk_network *two_layers(void) {
    static const double first[] = {1, 2, 0.5, -1, 0, 3}, second[] = {1, -1, 2, 0.5, 0.25, 1};
    static const double bias[] = {0.5, -0.25};
    const rk_layer layers[] = {
        {.rows = 3, .cols = 2, .weight = first, .activation = {.kind = RK_RELU}},
        {.rows = 2, .cols = 3, .weight = second, .bias = bias}};
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    return net;
}

static void test_parse(void **state) {
    (void)state;
    rk_network *net = two_layers();
    static const struct {
        const char *text, *first;
        size_t count;
    } good[] = {
        {"y[1] > 2", "y[1] > 2", 1},
        {" y[0]-y[1]<-1 ", "y[0] - y[1] < -1", 1},
        {"-2 y[0] + 0.5*y[1] > 1e-3", "-2 y[0] + 0.5 y[1] > 0.001", 1},
        {"y[*] > 3", "y[0] > 3", 2},
        {"layer 1: z[*] > 1, 2,3", "layer 1: z[0] > 1", 9},
        {"y[0] > 1:2:0.25", "y[0] > 1", 5},
        {"y[*] - y[0] > 1; layer 2: z[1] < 0", "y[0] - y[0] > 1", 3},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        rk_events *events;
        rk_error error;
        if (rk_events_parse(&events, net, good[i].text, &error) != RK_OK)
            fail_msg("%s: %s", good[i].text, error.message);
        assert_int_equal(rk_events_count(events), good[i].count);
        assert_string_equal(rk_events_list(events)[0].text, good[i].first);
        rk_events_destroy(events);
    }
    static const char *const bad[] = {"",
                                      "y",
                                      "y[0]",
                                      "y[0] >",
                                      "y[0] = 1",
                                      "y[2] > 1",
                                      "z[0] > 1",
                                      "layer 0: z[0] > 1",
                                      "x[0] > 1",
                                      "y[0] > inf",
                                      "layer 3: z[0] > 1",
                                      "y[0] > 1;",
                                      "y[] > 1",
                                      "y[-1] > 1",
                                      "0 y[0] > 1",
                                      "y[0] > 2:1:1",
                                      "y[99999999999999999999] > 1",
                                      "y[0] > 1 2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rk_events *events;
        rk_error error;
        if (rk_events_parse(&events, net, bad[i], &error) != RK_ERROR_ARGUMENT)
            fail_msg("'%s' was taken", bad[i]);
        assert_null(events);
        assert_true(strlen(error.message) > 10);
    }
    rk_network_destroy(net);
}

static void test_log_probability(void **state) {
    (void)state;
    /* mpmath: log(erfc(x / sqrt 2) / 2) */
    assert_near(rk_log_normal_tail(0), -0.693147180559945309, 1e-16);
    assert_near(rk_log_normal_tail(3), -6.60772622151034956, 1e-14);
    assert_near(rk_log_normal_tail(40), -804.608442013754085, 1e-12);
    assert_near(rk_log_normal_tail(-1), -0.172753779023449861, 1e-15);
    assert_near(exp(rk_log_normal_tail(-2)) + exp(rk_log_normal_tail(2)), 1, 1e-15);
    for (double x = -6; x < 30; x += 0.37)
        assert_near(rk_normal_tail_inverse(rk_log_normal_tail(x)), x, 1e-9 * (1 + fabs(x)));
    /* chi_2 has the tail exp(-r^2/2), chi_1 twice the normal's */
    for (double r = 0.1; r < 40; r += 0.7) {
        assert_near(rk_log_chi_tail(2, r), -r * r / 2, 1e-12 * (1 + r * r));
        assert_near(rk_log_chi_tail(1, r), rk_log_normal_tail(r) + log(2), 1e-12 * (1 + r * r));
    }
    double low, high;
    rk_binomial_interval(0, 100, &low, &high); /* 1 - 0.025^(1/100) */
    assert_near(low, 0, 0);
    assert_near(high, 0.03621669264517646, 1e-12);
    rk_binomial_interval(5, 50, &low, &high); /* scipy: beta.ppf */
    assert_near(low, 0.03327509358902247, 1e-12);
    assert_near(high, 0.21813536643420225, 1e-12);
}

/* One linear layer: every method knows Phi, at any threshold. */
static void test_linear_network(void **state) {
    (void)state;
    static const double weight[] = {0.6, -0.8, 2, 1}, bias[] = {0.5, 0};
    static const double mean[] = {1, -1}, covariance[] = {2, 0.5, 0.5, 1};
    const rk_layer layer = {.rows = 2, .cols = 2, .weight = weight, .bias = bias};
    const rk_input input = {.mean = mean, .covariance = covariance};
    rk_network *net;
    assert_int_equal(rk_network_create(&net, &layer, 1, NULL), RK_OK);
    double mu = 0.6 + 0.8 + 0.5, sd = sqrt(0.36 * 2 + 0.64 - 2 * 0.48 * 0.5);
    static const char *const methods[] = {"normal", "edgeworth", "saddlepoint", "importance"};
    for (size_t m = 0; m < 4; m++) {
        rk_events *events;
        rk_tail_answer *answer;
        rk_error error;
        rk_options options = rk_options_default();
        options.tail = tail_method_of(methods[m]);
        options.samples = 4000;
        assert_int_equal(rk_events_parse(&events, net, "y[0] > -2,0,1,3,6,10; y[0] < 0,4", &error),
                         RK_OK);
        if (rk_tail(&answer, net, &input, rk_events_list(events), 8, &options, &error) != RK_OK)
            fail_msg("%s: %s", methods[m], error.message);
        const rk_tail_data *data = rk_tail_view(answer);
        for (size_t i = 0; i < 8; i++) {
            const rk_event *event = &rk_events_list(events)[i];
            double x = (event->threshold - mu) / sd;
            double wanted = rk_log_normal_tail(event->below ? -x : x) / log(10);
            double tolerance =
                m < 3 ? 1e-12 * (1 + fabs(wanted)) : 5 * data->estimates[i].cv / log(10) + 1e-12;
            if (!(fabs(data->estimates[i].log10_p - wanted) <= tolerance))
                fail_msg("%s, %s: %.15g, not %.15g", methods[m], event->text,
                         data->estimates[i].log10_p, wanted);
            if (m == 3 && !(data->estimates[i].cv <= 0.1))
                fail_msg("%s: cv %g", event->text, data->estimates[i].cv);
        }
        rk_tail_destroy(answer);
        rk_events_destroy(events);
    }
    rk_network_destroy(net);
}

/* The method's name in the answer, spelled out, asks for the same. */
static void test_names_of_methods_are_whole(void **state) {
    (void)state;
    static const char *const methods[] = {"auto", "saddlepoint:third", "saddlepoint:reference:3"};
    rk_network *net = two_layers();
    rk_events *events;
    assert_int_equal(rk_events_parse(&events, net, "y[0] > 4", NULL), RK_OK);
    for (size_t m = 0; m < 3; m++) {
        rk_tail_answer *answer, *again;
        rk_error error;
        rk_options options = rk_options_default();
        options.tail = tail_method_of(methods[m]);
        options.samples = 2000;
        assert_int_equal(rk_tail(&answer, net, NULL, rk_events_list(events), 1, &options, &error),
                         RK_OK);
        const char *name = rk_tail_view(answer)->method;
        options.tail = tail_method_of(name);
        if (rk_tail(&again, net, NULL, rk_events_list(events), 1, &options, &error) != RK_OK)
            fail_msg("%s: %s", name, error.message);
        assert_string_equal(rk_tail_view(again)->method, name);
        rk_tail_destroy(again);
        rk_tail_destroy(answer);
    }
    rk_events_destroy(events);
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_log_probability),
        cmocka_unit_test(test_linear_network),
        cmocka_unit_test(test_names_of_methods_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
