/* The way forward: the transpose of the way back to rounding, and differences of rk_estimate. */
#include "support/direction.h"
#include "support/kinds.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ----------------------------------------------------------------------------------- products */

/* total += a . b; size += the same of absolute values. */
static void dot(size_t n, const double *a, const double *b, double *total, double *size) {
    for (size_t k = 0; a && b && k < n; k++) {
        *total += a[k] * b[k];
        *size += fabs(a[k] * b[k]);
    }
}

/* <Jv, u>, u the weights of f. */
static double changes_along(const subject *s, const changes *c, const sum *f, double *size) {
    const size_t n = s->n_out;
    double value = 0;
    dot(n, c->to.mean, f->mean, &value, size);
    dot(n, c->to.variance, f->variance, &value, size);
    dot(n * n, c->to.covariance, f->covariance, &value, size);
    for (size_t l = 0; l < c->n_hidden; l++)
        dot(s->layers[l].rows, c->hidden[l], f->hidden[l], &value, size);
    return value;
}

/* <v, J'u>. */
static double derivatives_along(const subject *s, const rk_derivatives *v, const rk_derivatives *g,
                                double *size) {
    double value = 0;
    for (size_t l = 0; l < s->n_layers; l++) {
        if (s->weight[l])
            dot(s->layers[l].rows * s->layers[l].cols, v->weight[l], g->weight[l], &value, size);
        dot(s->layers[l].rows, v->bias[l], g->bias[l], &value, size);
    }
    dot(s->n_in, v->input_mean, g->input_mean, &value, size);
    dot(s->n_in * s->n_in, v->input_covariance, g->input_covariance, &value, size);
    return value;
}

/* ------------------------------------------------------------------------------- against both */

static void move(subject *s, const rk_derivatives *v, double h) {
    for (size_t l = 0; l < s->n_layers; l++) {
        for (size_t k = 0; s->weight[l] && k < s->layers[l].rows * s->layers[l].cols; k++)
            s->weight[l][k] += h * v->weight[l][k];
        for (size_t i = 0; i < s->layers[l].rows; i++)
            s->bias[l][i] += h * v->bias[l][i];
    }
    for (size_t i = 0; !s->standard && i < s->n_in; i++)
        s->mean[i] += h * v->input_mean[i];
    for (size_t k = 0; !s->standard && k < s->n_in * s->n_in; k++)
        s->covariance[k] += h * v->input_covariance[k];
}

/* Of fourth order. */
static double difference(subject *s, const rk_derivatives *v, const sum *f, double h,
                         double *size) {
    static const double at[] = {-2, -1, 1, 2}, w[] = {1 / 12., -2 / 3., 2 / 3., -1 / 12.};
    double total = 0, was = 0;
    for (int k = 0; k < 4; k++) {
        move(s, v, h * (at[k] - was));
        total += w[k] / h * subject_value(s, f, size);
        was = at[k];
    }
    move(s, v, -2 * h);
    return total;
}

/* A step is too long where the closure has a kink, too short where it rounds much. */
static bool agrees_with_differences(subject *s, const rk_derivatives *v, const sum *f, double value,
                                    double terms) {
    double size;
    for (double h = 1e-3; h > 1e-6; h /= 10)
        if (fabs(difference(s, v, f, h, &size) - value) <= 1e-6 * terms + 1e-10 * size) return true;
    return false;
}

static bool check(subject *s, bool differences) {
    rk_network *net = subject_network(s);
    rk_input input = {.mean = s->mean, .covariance = s->covariance};
    rk_linearisation *run;
    rk_error error;
    s->options.method = &s->method;
    rk_status status = rk_linearise(&run, net, s->standard ? NULL : &input, &s->options, &error);
    if (status == RK_ERROR_UNSUPPORTED) {
        rk_network_destroy(net);
        return false;
    }
    if (status != RK_OK) fail_msg("%s on %s: %s", s->name, s->kind, error.message);
    changes c = changes_of(s);
    sum f = sum_of(s);
    rk_derivatives *v = subject_direction(s, net), *g = subject_direction(s, net);
    const rk_cotangents u = sum_cotangents(s, &f);
    if (rk_jvp(run, v, &c.to, &error) != RK_OK) fail_msg("%s: %s", s->name, error.message);
    assert_int_equal(rk_vjp(run, &u, g, &error), RK_OK);
    double size = 0, terms = 0;
    const double forward = changes_along(s, &c, &f, &size);
    const double backward = derivatives_along(s, v, g, &terms);
    if (!(fabs(forward - backward) <= 1e-12 * (size + terms)))
        fail_msg("%s on %s: <Jv, u> = %.17g, <v, J'u> = %.17g (size %.3g, %.3g)", s->name, s->kind,
                 forward, backward, size, terms);
    if (differences && !agrees_with_differences(s, v, &f, forward, size))
        fail_msg("%s on %s: %.12g is not what differences say", s->name, s->kind, forward);
    rk_derivatives_destroy(v), rk_derivatives_destroy(g);
    changes_release(&c), sum_release(&f);
    rk_linearisation_destroy(run);
    rk_network_destroy(net);
    return true;
}

/* ----------------------------------------------------------------------------------- networks */

enum { FORWARD = 8 };
static const char *const forward[FORWARD] = {"covariance",
                                             "covariance:pairs=completed,order=1",
                                             "covariance:pairs=completed,order=2",
                                             "covariance:pairs=completed,order=4",
                                             "covariance:pairs=exact",
                                             "covariance:gauge=angular",
                                             "mean",
                                             "mean:metric=avg"};

/* How many networks each method takes is added to `taken`. */
static void check_kind(const char *kind, const char *activation, size_t hidden,
                       void (*change)(subject *s), size_t *taken) {
    kind_case c = kind_draw(kind, activation, 32, hidden, 3);
    for (size_t m = 0; m < FORWARD; m++) {
        const bool standard = m == 5;
        if (standard && (c.mean || c.covariance)) continue;
        const gradient_method method = {
            .text = forward[m], .covariance = true, .standard = standard};
        subject s = subject_of(c.net, standard ? NULL : &c.input);
        s.kind = kind;
        subject_ask(&s, &method);
        if (change) change(&s);
        taken[m] += check(&s, m != 1 && m != 3);
        subject_release(&s);
    }
    kind_release(&c);
}

static void test_kinds(void **state) {
    (void)state;
    size_t taken[FORWARD] = {0};
    for (size_t k = 0; kind_name(k); k++) {
        check_kind(kind_name(k), "relu", 2, NULL, taken);
        check_kind(kind_name(k), k % 2 ? "tanh" : "gelu", 1 + k % 2, NULL, taken);
    }
    for (size_t m = 0; m < FORWARD; m++)
        assert_true(taken[m] >= (m == 5 ? 10 : m == 4 ? 32 : 64));
}

/* A value that is added, one that is read again, and the input, where it is as wide. */
static void with_skips(subject *s) {
    s->layers[1].adds = s->n_in == s->layers[1].rows ? 1 : 2;
    s->layers[2].reads = 2;
    s->layers[2].adds = 3;
}

static void test_residual(void **state) {
    (void)state;
    size_t taken[FORWARD] = {0};
    for (size_t k = 0; kind_name(k); k++)
        if (strcmp(kind_name(k), "bottlenecks") != 0)
            check_kind(kind_name(k), k % 2 ? "relu" : "gelu", 3, with_skips, taken);
    for (size_t m = 0; m < FORWARD; m++)
        assert_true(taken[m] >= (m == 5 ? 0 : m == 4 ? 14 : 31));
}

static void in_other_units(subject *s) {
    for (size_t l = 0; l < s->n_layers; l++)
        for (size_t k = 0; k < s->layers[l].rows * s->layers[l].cols; k++)
            s->weight[l][k] *= l % 2 ? 1e-8 : 1e8;
    for (size_t j = 0; j < s->n_in; j++)
        s->mean[j] = 2 + (double)(j % 3);
}

static void activated_at_the_end(subject *s) {
    s->layers[s->n_layers - 1].activation = s->layers[0].activation;
}

static void test_corners(void **state) {
    (void)state;
    static void (*const change[])(subject *) = {in_other_units, activated_at_the_end};
    for (size_t k = 0; k < sizeof change / sizeof *change; k++) {
        size_t taken[FORWARD] = {0};
        check_kind("random", "relu", 2, change[k], taken);
        check_kind("biases .3", "relu", 3, change[k], taken);
        check_kind("narrow input", "gelu", 2, change[k], taken);
        assert_true(taken[0] == 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds),
                                       cmocka_unit_test(test_residual),
                                       cmocka_unit_test(test_corners)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
