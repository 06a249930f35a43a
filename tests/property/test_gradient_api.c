/* The public way back, against differences of rk_estimate itself: every method that has one, on
 * networks of many kinds, in any units. */
#include "support/kinds.h"
#include "support/subject.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------------------------- differences
 */

/* A direction in x, rows x cols, as large as rows and columns are. */
static double *direction_of(size_t l, size_t rows, size_t cols, bool symmetric, const double *x) {
    double *direction = chances(30 + l, rows * cols), *sizes = numbers(rows + cols), largest = 0;
    for (size_t k = 0; k < rows * cols; k++) {
        double *of_row = &sizes[k / cols], *of_col = &sizes[rows + k % cols];
        *of_row = fmax(*of_row, fabs(x[k]));
        *of_col = fmax(*of_col, fabs(x[k]));
        largest = fmax(largest, fabs(x[k]));
    }
    for (size_t k = 0; k < rows * cols; k++)
        direction[k] *=
            largest > 0 ? sizes[k / cols] * (sizes[rows + k % cols] / largest) / sqrt((double)cols)
                        : 0;
    for (size_t i = 0; symmetric && i < rows; i++)
        for (size_t j = 0; j <= i; j++) {
            double *a = &direction[i * cols + j], *b = &direction[j * cols + i];
            *a = *b = (*a + *b) / 4; /* it stays positive */
        }
    free(sizes);
    return direction;
}

/* The sum of w_k f(x + h_k direction); `size` is that of f. */
static double combine(const subject *s, const sum *f, int count, const double *h, const double *w,
                      size_t n, double *x, const double *direction, double *size) {
    double *at = copied(n, x), total = 0;
    for (int step = 0; step < count; step++) {
        for (size_t k = 0; k < n; k++)
            x[k] = at[k] + h[step] * direction[k];
        total += w[step] * subject_value(s, f, size);
    }
    memcpy(x, at, n * sizeof *x);
    free(at);
    return total;
}

/* Of fourth order, and what rounding makes of values where they should not differ at all. */
static double difference_of(const subject *s, const sum *f, double h, size_t n, double *x,
                            const double *direction, double *rounding, double *size) {
    const double near[] = {-1e-7, 0, 1e-7}, bend[] = {1, -2, 1};
    const double at[] = {-2 * h, -h, h, 2 * h},
                 w[] = {1 / 12. / h, -2 / 3. / h, 2 / 3. / h, -1 / 12. / h};
    *rounding = 10 * fabs(combine(s, f, 3, near, bend, n, x, direction, size)) / h;
    return combine(s, f, 4, at, w, n, x, direction, size);
}

/* A step is too long where the closure has a kink, and too short where covariances are singular and
 * it rounds much: one of them will do. */
static void compare(const subject *s, const sum *f, const char *what, size_t l, size_t rows,
                    size_t cols, bool symmetric, double *x, const double *gradient) {
    static const double longer[] = {1, 0.1};
    double *direction = direction_of(l, rows, cols, symmetric, x);
    double difference = 0, wanted = 0, square = 0, size = 0;
    for (size_t k = 0; k < rows * cols; k++) {
        const double term = direction[k] * gradient[k];
        wanted += term;
        square += term * term;
    }
    bool agrees = false;
    for (int k = 0; !agrees && k < 2; k++) {
        double rounding;
        difference =
            difference_of(s, f, longer[k] * s->step, rows * cols, x, direction, &rounding, &size);
        const double scale = fabs(difference) + sqrt(square) + 1e-4 * size;
        agrees = fabs(wanted - difference) <= s->tolerance * scale + rounding;
    }
    free(direction);
    if (!agrees)
        fail_msg("%s on %s, %s %zu: %.12g, by differences %.12g (size %.3g)", s->name, s->kind,
                 what, l + 1, wanted, difference, sqrt(square));
}

/* False if the method does not take the network at all. */
static bool check(subject *s) {
    rk_network *net = subject_network(s);
    rk_input input = {.mean = s->mean, .covariance = s->covariance};
    rk_linearisation *run;
    rk_error error;
    s->options.method = &s->method;
    rk_status status = rk_linearise(&run, net, s->standard ? NULL : &input, &s->options, &error);
    if (status == RK_ERROR_UNSUPPORTED) {
        rk_answer *none;
        assert_int_equal(rk_estimate(&none, net, s->standard ? NULL : &input, &s->options, NULL),
                         status);
        rk_network_destroy(net);
        return false;
    }
    if (status != RK_OK) fail_msg("%s on %s: %s", s->name, s->kind, error.message);
    rk_derivatives *to;
    assert_int_equal(rk_derivatives_create(&to, net, &s->options, &error), RK_OK);
    if (s->method.angular) to->input_mean = NULL;
    sum f = sum_of(s);
    const rk_cotangents seen = sum_cotangents(s, &f);
    double size;
    const double value = sum_value(&f, rk_linearisation_view(run)->answer, &size);
    assert_true(fabs(value - subject_value(s, &f, &size)) <= 1e-13 * size);
    if (rk_vjp(run, &seen, to, &error) != RK_OK) fail_msg("%s", error.message);
    for (size_t l = 0; l < s->n_layers; l++) {
        const rk_layer *layer = &s->layers[l];
        if (layer->weight)
            compare(s, &f, "weights", l, layer->rows, layer->cols, false, s->weight[l],
                    to->weight[l]);
        if (layer->bias)
            compare(s, &f, "biases", l, 1, layer->rows, false, s->bias[l], to->bias[l]);
    }
    if (!s->standard) {
        compare(s, &f, "input mean", 0, 1, s->n_in, false, s->mean, to->input_mean);
        compare(s, &f, "input covariance", 0, s->n_in, s->n_in, true, s->covariance,
                to->input_covariance);
    }
    sum_release(&f);
    rk_derivatives_destroy(to);
    rk_linearisation_destroy(run);
    rk_network_destroy(net);
    return true;
}

/* ----------------------------------------------------------------------------------------- kinds
 */

/* Of a kind, by every method; how many networks each takes is added to `taken`. */
static void check_kind(const char *kind, const char *activation, size_t hidden,
                       void (*change)(subject *s), size_t *taken) {
    kind_case c = kind_draw(kind, activation, 32, hidden, 3);
    const bool standard = !c.mean && !c.covariance, smooth = strcmp(activation, "relu") != 0;
    for (size_t m = 0; m < GRADIENT_METHODS; m++) {
        if (gradient_methods[m].smooth && (change || !smooth)) continue;
        subject s = subject_of(c.net, standard && gradient_methods[m].standard ? NULL : &c.input);
        s.kind = kind;
        subject_ask(&s, &gradient_methods[m]);
        if (change) change(&s);
        taken[m] += check(&s);
        subject_release(&s);
    }
    kind_release(&c);
}

static void test_relu(void **state) {
    (void)state;
    size_t taken[GRADIENT_METHODS] = {0};
    for (size_t k = 0; kind_name(k); k++)
        check_kind(kind_name(k), "relu", 2, NULL, taken);
    assert_true(taken[0] >= 32 && taken[3] >= 10);
}

static void test_smooth(void **state) {
    (void)state;
    size_t taken[GRADIENT_METHODS] = {0};
    for (size_t k = 0; kind_name(k); k++)
        check_kind(kind_name(k), k % 2 ? "tanh" : "gelu", 1 + k % 2, NULL, taken);
    assert_true(taken[0] >= 32 && taken[GRADIENT_SAMPLE] >= 32 && taken[GRADIENT_SAMPLE + 1] >= 32);
}

/* A value that is added, one that is read again, and the input, where it is as wide. */
static void with_skips(subject *s) {
    s->layers[1].adds = s->n_in == s->layers[1].rows ? 1 : 2;
    s->layers[2].reads = 2;
    s->layers[2].adds = 3;
}

static void test_residual(void **state) {
    (void)state;
    size_t taken[GRADIENT_METHODS] = {0};
    for (size_t k = 0; kind_name(k); k++)
        if (strcmp(kind_name(k), "bottlenecks") != 0)
            check_kind(kind_name(k), k % 2 ? "relu" : "gelu", 3, with_skips, taken);
    for (size_t m = 0; m < GRADIENT_METHODS; m++)
        assert_true(taken[m] >= 14 || taken[m] == 0);
    assert_true(taken[0] >= 31 && taken[1] >= 31 && taken[2] >= 14 && taken[4] >= 31);
}

/* ------------------------------------------------------------------------ units, offsets, corners
 */

static void scale(subject *s, size_t l, double factor) {
    for (size_t i = 0; i < s->layers[l].rows * s->layers[l].cols; i++)
        s->weight[l][i] *= factor;
}

static void in_other_units(subject *s) {
    for (size_t l = 0; l < s->n_layers; l++)
        scale(s, l, l % 2 ? 1e-8 : 1e8);
}

static void with_a_loud_neuron(subject *s) {
    for (size_t j = 0; j < s->layers[0].cols; j++)
        s->weight[0][3 * s->layers[0].cols + j] *= 1e12;
    s->bias[0][3] *= 1e12;
    for (size_t i = 0; i < s->layers[1].rows; i++)
        s->weight[1][i * s->layers[1].cols + 3] *= 1e-12;
}

static void with_offsets(subject *s) {
    for (size_t l = 0; l < s->n_layers; l++)
        for (size_t i = 0; i < s->layers[l].rows; i++)
            s->bias[l][i] += 1 + 50. * (double)(i % 2);
}

static void far_away(subject *s) {
    for (size_t j = 0; j < s->n_in; j++)
        s->mean[j] = 100 + (double)(j % 3);
}

static void far_away_in_other_units(subject *s) {
    far_away(s);
    in_other_units(s);
}

/* Neurons without any weights or bias: their rows stay as they are. */
static void with_dead_neurons(subject *s) {
    for (size_t l = 0; l + 1 < s->n_layers; l++)
        for (size_t i = 0; i < s->layers[l].rows; i += 4) {
            memset(s->weight[l] + i * s->layers[l].cols, 0, s->layers[l].cols * sizeof(double));
            s->bias[l][i] = 0;
        }
}

static void with_one_output(subject *s) {
    s->layers[s->n_layers - 1].rows = s->n_out = 1;
}

static void of_one_layer(subject *s) {
    for (size_t l = 1; l < s->n_layers; l++)
        free(s->weight[l]), free(s->bias[l]);
    s->n_layers = 1;
    s->n_out = s->layers[0].rows;
    s->layers[0].activation = (rk_activation){.kind = RK_IDENTITY};
}

static void activated_at_the_end(subject *s) {
    s->layers[s->n_layers - 1].activation = s->layers[0].activation;
}

static void test_corners(void **state) {
    (void)state;
    static void (*const changes[])(subject *) = {
        in_other_units, with_a_loud_neuron,      with_offsets,
        far_away,       far_away_in_other_units, with_one_output,
        of_one_layer,   with_dead_neurons,       activated_at_the_end};
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        size_t taken[GRADIENT_METHODS] = {0};
        check_kind("random", "relu", 2, changes[c], taken);
        check_kind("biases .3", "relu", 3, changes[c], taken);
        check_kind("narrow input", "gelu", 2, changes[c], taken);
        assert_true(taken[0] == 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_relu), cmocka_unit_test(test_smooth),
                                       cmocka_unit_test(test_residual),
                                       cmocka_unit_test(test_corners)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
