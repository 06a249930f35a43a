/* Rare events of networks with residual connections. */
#include "base/normal.h"
#include "linalg/blas.h"
#include "network/entrance.h"
#include "support/method.h"
#include "support/near.h"
#include "tail/design.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 8, N_OUT = 2, MOST = 8 };

static double weight[MOST][N * N], mean[N], covariance[N * N];

static int fill_numbers(void **state) {
    (void)state;
    for (size_t l = 0; l < MOST; l++)
        rk_normal_doubles((rk_stream){4, 99}, l, N * N, weight[l]);
    for (size_t i = 0; i < MOST * N * N; i++)
        weight[i / (N * N)][i % (N * N)] /= 3;
    rk_normal_doubles((rk_stream){4, 99}, MOST, N, mean);
    for (size_t i = 0; i < N * N; i++)
        for (size_t k = 0; k < N; k++)
            covariance[i] += weight[7][i / N * N + k] * weight[7][i % N * N + k];
    return 0;
}

#define LAYER(m, n, l) .rows = m, .cols = n, .weight = weight[l]

/* Skips from the input and over each other, a layer without weights, an output that adds. */
static rk_network *tangle(rk_activation_kind kind, size_t n_out) {
    const rk_activation phi = {.kind = kind};
    const rk_layer layers[] = {
        {LAYER(N, N, 0), .activation = phi},
        {LAYER(N, N, 1), .adds = 1},
        {.rows = N, .cols = N, .reads = 2, .adds = 3, .activation = phi},
        {LAYER(n_out, N, 2), .reads = 3},
        {LAYER(n_out, N, 3), .reads = 4, .adds = 5},
    };
    rk_network *net;
    rk_error error = {.message = ""};
    if (rk_network_create(&net, layers, 5, &error) != RK_OK) fail_msg("%s", error.message);
    return net;
}

/* Row `row` of layer l of a linear network, as coefficients of the input. */
static void coefficients(rk_network *net, size_t l, size_t row, double *a) {
    rk_layer layers[MOST];
    for (size_t k = 0; k <= l; k++)
        layers[k] = rk_network_layer(net, k);
    rk_network *below;
    assert_int_equal(rk_network_create(&below, layers, l + 1, NULL), RK_OK);
    for (size_t j = 0; j < N; j++) {
        double x[N] = {0}, y[N];
        x[j] = 1;
        assert_int_equal(rk_network_forward(below, x, y, NULL), RK_OK);
        a[j] = y[row];
    }
    rk_network_destroy(below);
}

static rk_tail_estimate estimate(const rk_network *net, const rk_input *input, const char *method,
                                 const char *text, rk_status expected) {
    rk_events *events;
    rk_error error = {.message = ""};
    rk_options options = rk_options_default();
    options.tail = tail_method_of(method);
    options.samples = 40000;
    options.threads = 2;
    if (rk_events_parse(&events, net, text, &error) != RK_OK) fail_msg("%s", error.message);
    rk_tail_answer *answer;
    rk_tail_estimate out = {.p = (double)NAN};
    const rk_status status = rk_tail(&answer, net, input, rk_events_list(events),
                                     rk_events_count(events), &options, &error);
    if (status != expected) fail_msg("%s: %s", method, error.message);
    if (status == RK_OK) out = rk_tail_view(answer)->estimates[0];
    if (status == RK_OK) rk_tail_destroy(answer);
    rk_events_destroy(events);
    return out;
}

static void check(const char *method, const char *event, const rk_tail_estimate *got, double p) {
    const double apart = fabs(log(got->p / p));
    if (isnan(got->cv)) { /* no passes: exact */
        assert_near(apart, 0, 1e-9);
        return;
    }
    if (!(apart <= 4 * got->cv) || !(got->cv <= 0.5))
        fail_msg("%s of %s: %g +- %g, not %g", method, event, got->p, got->cv, p);
}

/* Functionals of linear networks are normal. */
static void test_linear_networks(void **state) {
    (void)state;
    static const struct {
        const char *what;
        size_t layer, row; /* from 0 */
    } of[] = {
        {"y[1]", 4, 1}, {"layer 2: z[3]", 1, 3}, {"layer 3: z[0]", 2, 0}, {"layer 4: z[1]", 3, 1}};
    static const struct {
        const char *method;
        double deviations;
    } runs[] = {{"sample", 1},   {"sample", -2}, {"importance", 2},     {"importance", 5},
                {"subset", 3.5}, {"normal", 6},  {"auto:covariance", 4}};
    rk_network *net = tangle(RK_IDENTITY, N_OUT);
    for (size_t k = 0; k < sizeof of / sizeof *of; k++)
        for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
            double a[N], mu = 0, variance = 0;
            coefficients(net, of[k].layer, of[k].row, a);
            for (size_t i = 0; i < N; i++) {
                mu += a[i] * mean[i];
                for (size_t j = 0; j < N; j++)
                    variance += a[i] * covariance[i * N + j] * a[j];
            }
            const double x = runs[r].deviations;
            char event[100];
            snprintf(event, sizeof event, "%s %c %.17g", of[k].what, x < 0 ? '<' : '>',
                     mu + x * sqrt(variance));
            const rk_input input = {.mean = mean, .covariance = covariance};
            const rk_tail_estimate got = estimate(net, &input, runs[r].method, event, RK_OK);
            check(runs[r].method, event, &got, erfc(fabs(x) / sqrt(2)) / 2);
        }
    rk_network_destroy(net);
}

/* The nearest point of a.x > t is t a / |a|^2: where only a gradient that knows every path of x to
 * the output leads. */
static void test_design_point_of_a_plane(void **state) {
    (void)state;
    rk_network *net = tangle(RK_IDENTITY, 1), *entered;
    double a[N], square = 0, points[4 * N];
    float known[N];
    coefficients(net, 4, 0, a);
    for (size_t j = 0; j < N; j++)
        square += a[j] * a[j];
    for (size_t j = 0; j < N; j++) /* in the event, and off the way */
        known[j] = (float)(9 * a[j] / sqrt(square) + (j % 2 ? 1 : -1));
    const double t = 4 * sqrt(square);
    assert_int_equal(rk_network_enter_once(&entered, net, NULL), RK_OK);
    const rk_design_spec spec = {
        .t = t, .n = 50, .stream = {1, 2}, .lanes = 1, .known = known, .n_known = 1, .starts = 4};
    uint64_t passes;
    bool scattered;
    rk_work dry, wet;
    rk_work_init_dry(&dry);
    rk_design_points(&dry, entered, &spec, points, &passes, &scattered);
    assert_int_equal(rk_work_init_wet(&wet, &dry, NULL, NULL), RK_OK);
    rk_blas_make_serial();
    assert_int_equal(rk_design_points(&wet, entered, &spec, points, &passes, &scattered), 1);
    rk_blas_restore();
    for (size_t j = 0; j < N; j++)
        assert_near(points[j], t * a[j] / square, 0.01);
    rk_work_finish(&wet);
    free(dry.steps);
    rk_network_destroy(entered);
    rk_network_destroy(net);
}

/* What tells nothing of each other agrees. */
static void test_methods_agree(void **state) {
    (void)state;
    static const rk_activation_kind kinds[] = {RK_RELU, RK_TANH};
    for (size_t k = 0; k < 2; k++) {
        rk_network *net = tangle(kinds[k], N_OUT);
        const rk_tail_estimate plain = estimate(net, NULL, "sample", "y[0] > 3", RK_OK);
        const rk_tail_estimate levels = estimate(net, NULL, "subset", "y[0] > 3", RK_OK);
        const rk_tail_estimate tilted = estimate(net, NULL, "importance", "y[0] > 3", RK_OK);
        assert_true(plain.p > 1e-4 && plain.p < 0.2);
        assert_near(log(levels.p / plain.p), 0, 4 * hypot(levels.cv, plain.cv));
        assert_near(log(tilted.p / plain.p), 0, 4 * hypot(tilted.cv, plain.cv));
        rk_network_destroy(net);
    }
}

static void test_third_cumulants_are_refused_by_name(void **state) {
    (void)state;
    rk_network *net = tangle(RK_RELU, N_OUT);
    static const char *const methods[] = {"normal:third", "edgeworth", "saddlepoint", "auto:third"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        estimate(net, NULL, methods[i], "y[0] > 3", RK_ERROR_UNSUPPORTED);
    assert_true(estimate(net, NULL, "auto", "y[0] > 3", RK_OK).p > 0); /* by covariances */
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_networks),
        cmocka_unit_test(test_design_point_of_a_plane),
        cmocka_unit_test(test_methods_agree),
        cmocka_unit_test(test_third_cumulants_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, fill_numbers, NULL);
}
