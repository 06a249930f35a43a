/* log P(event) and its derivatives, against rk_tail and differences of it. */
#include "network/network.h"
#include "support/kinds.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct asked {
    const char *text;
    double tolerance; /* of log P: rk_tail keeps third cumulants in single precision */
} methods[] = {
    {"normal", 1e-9}, {"edgeworth", 1e-4}, {"saddlepoint", 1e-4}, {"normal:third", 1e-4}};
enum { METHODS = sizeof methods / sizeof *methods };

static const char *const events[] = {"y[0] > 3", "y[1] - 0.5 y[2] + 2 y[1] < -2",
                                     "layer 1: z[3] > 1", "layer 2: z[0] + z[5] < -4", "y[3] > 40"};
enum { EVENTS = sizeof events / sizeof *events };

typedef struct subject {
    rk_layer layers[8];
    size_t n_layers;
    rk_input input;
    rk_tail_spec tail;
    double tolerance;
    const char *method, *event;
} subject;

static rk_network *network_of(const subject *s) {
    rk_network *net;
    rk_error error;
    if (rk_network_create(&net, s->layers, s->n_layers, &error) != RK_OK)
        fail_msg("%s", error.message);
    return net;
}

static double log_p_by_tail(const subject *s, const rk_network *net, const rk_event *event) {
    rk_tail_answer *answer;
    rk_error error;
    rk_options options = rk_options_default();
    options.tail = &s->tail;
    if (rk_tail(&answer, net, &s->input, event, 1, &options, &error) != RK_OK)
        fail_msg("%s", error.message);
    const double log_p = rk_tail_view(answer)->estimates[0].log10_p * log(10);
    rk_tail_destroy(answer);
    return log_p;
}

static double log_p_of(const subject *s) {
    rk_network *net = network_of(s);
    rk_events *list;
    rk_error error;
    rk_options options = rk_options_default();
    const rk_derivatives none = {.size = sizeof none};
    double log_p;
    options.tail = &s->tail;
    options.threads = 1;
    assert_int_equal(rk_events_parse(&list, net, s->event, NULL), RK_OK);
    if (rk_event_gradient(&log_p, &none, net, &s->input, rk_events_list(list), &options, &error) !=
        RK_OK)
        fail_msg("%s", error.message);
    rk_events_destroy(list);
    rk_network_destroy(net);
    return log_p;
}

static void compare(const subject *s, const char *what, size_t l, size_t n, double *x,
                    const double *by) {
    static const double steps[] = {-2, -1, 1, 2}, weights[] = {1. / 12, -2. / 3, 2. / 3, -1. / 12};
    double *at = malloc(n * sizeof *at), difference = 0, wanted = 0, square = 0, value = 0;
    const double h = 3e-4;
    memcpy(at, x, n * sizeof *x);
    double largest = 0;
    for (size_t k = 0; k < n; k++)
        largest = fmax(largest, fabs(x[k]));
    for (size_t k = 0; k < n; k++) {
        const double term = by[k] * largest * sin(1 + 2.3 * (double)k);
        wanted += term;
        square += term * term;
    }
    for (int step = 0; step < 4; step++) {
        for (size_t k = 0; k < n; k++)
            x[k] = at[k] + h * steps[step] * largest * sin(1 + 2.3 * (double)k);
        value = log_p_of(s);
        difference += weights[step] * value / h;
    }
    memcpy(x, at, n * sizeof *x);
    free(at);
    if (!(fabs(wanted - difference) <=
          1e-6 * (fabs(difference) + sqrt(square)) + 1e-8 * fabs(value)))
        fail_msg("%s, %s, %s %zu: %.12g, by differences %.12g", s->method, s->event, what, l + 1,
                 wanted, difference);
}

static void check(subject *s) {
    rk_network *net = network_of(s);
    rk_events *list;
    rk_derivatives *to;
    rk_error error;
    rk_options options = rk_options_default();
    options.tail = &s->tail;
    options.input_covariance = true;
    assert_int_equal(rk_events_parse(&list, net, s->event, NULL), RK_OK);
    assert_int_equal(rk_derivatives_create(&to, net, &options, NULL), RK_OK);
    for (size_t l = 0; l < s->n_layers; l++)
        to->bias[l][0] = (double)NAN; /* replaced everywhere */
    double log_p;
    rk_status status =
        rk_event_gradient(&log_p, to, net, &s->input, rk_events_list(list), &options, &error);
    const double wanted = log_p_by_tail(s, net, rk_events_list(list));
    if (status != RK_OK && !(status == RK_ERROR_NUMERIC && isnan(wanted)))
        fail_msg("%s", error.message);
    if (status == RK_OK && !(fabs(log_p - wanted) <= s->tolerance * (1 + fabs(wanted))))
        fail_msg("%s, %s: %.15g, by rk_tail %.15g", s->method, s->event, log_p, wanted);
    for (size_t l = 0; status == RK_OK && l < s->n_layers; l++) {
        const rk_layer *layer = &s->layers[l];
        compare(s, "weights", l, layer->rows * layer->cols, (double *)layer->weight, to->weight[l]);
        compare(s, "biases", l, layer->rows, (double *)layer->bias, to->bias[l]);
    }
    if (status == RK_OK && s->input.mean)
        compare(s, "input mean", 0, net->layers[0].cols, (double *)s->input.mean, to->input_mean);
    rk_events_destroy(list);
    rk_derivatives_destroy(to);
    rk_network_destroy(net);
}

static subject subject_of(const kind_case *c) {
    subject s = {.n_layers = rk_network_n_layers(c->net), .input = c->input};
    for (size_t l = 0; l < s.n_layers; l++) {
        s.layers[l] = rk_network_layer(c->net, l);
        const size_t rows = s.layers[l].rows, count = rows * s.layers[l].cols;
        double *W = malloc(count * sizeof *W), *b = malloc(rows * sizeof *b);
        memcpy(W, s.layers[l].weight, count * sizeof *W);
        for (size_t i = 0; i < rows; i++)
            b[i] = (s.layers[l].bias ? s.layers[l].bias[i] : 0) + 0.1 * sin((double)i);
        s.layers[l].weight = W;
        s.layers[l].bias = b;
    }
    return s;
}

static void release(subject *s) {
    for (size_t l = 0; l < s->n_layers; l++)
        free((double *)s->layers[l].weight), free((double *)s->layers[l].bias);
}

static void check_kind(const char *kind, const char *activation, bool activated) {
    kind_case c = kind_draw(kind, activation, 32, 2, 9);
    subject s = subject_of(&c);
    if (activated) s.layers[s.n_layers - 1].activation = s.layers[0].activation;
    for (size_t m = 0; m < METHODS; m++) {
        s.method = methods[m].text;
        s.tolerance = methods[m].tolerance;
        assert_int_equal(rk_tail_method_parse(s.method, &s.tail, NULL), RK_OK);
        for (size_t e = 0; e < EVENTS; e++) {
            s.event = events[e];
            check(&s);
        }
    }
    release(&s);
    kind_release(&c);
}

static void test_kinds(void **state) {
    (void)state;
    check_kind("random", "relu", false);
    check_kind("biases .3", "gelu", false);
    check_kind("shifted input", "relu", false);
    check_kind("narrow input", "tanh", false);
    check_kind("random", "gelu", true);
}

/* Too far for p itself to be held: its logarithm moves all the same. */
static void test_smallness(void **state) {
    (void)state;
    kind_case c = kind_draw("random", "relu", 32, 2, 9);
    subject s = subject_of(&c);
    s.method = "normal";
    s.tolerance = 1e-9;
    s.event = "y[0] > 2000";
    assert_int_equal(rk_tail_method_parse(s.method, &s.tail, NULL), RK_OK);
    assert_true(log_p_of(&s) < -1000);
    check(&s);
    release(&s);
    kind_release(&c);
}

static void test_refusals(void **state) {
    (void)state;
    kind_case c = kind_draw("random", "relu", 32, 2, 9);
    rk_derivatives *to;
    rk_error error;
    double log_p;
    rk_options options = rk_options_default();
    rk_event_term term = {40, 1};
    rk_event event = {.terms = &term, .n_terms = 1, .threshold = 1};
    rk_tail_spec spec = {.kind = RK_TAIL_BY_SUBSET};
    assert_int_equal(rk_derivatives_create(&to, c.net, NULL, NULL), RK_OK);
    assert_int_equal(rk_event_gradient(&log_p, to, c.net, NULL, &event, NULL, &error),
                     RK_ERROR_ARGUMENT);
    term.index = 0;
    assert_int_equal(rk_event_gradient(&log_p, to, c.net, NULL, &event, NULL, &error), RK_OK);
    assert_true(log_p < 0);
    options.tail = &spec;
    assert_int_equal(rk_event_gradient(&log_p, to, c.net, NULL, &event, &options, &error),
                     RK_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "normal"));
    rk_derivatives_destroy(to);
    kind_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds),
                                       cmocka_unit_test(test_smallness),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
