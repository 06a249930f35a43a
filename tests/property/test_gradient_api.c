/* The public way back, against differences of rk_estimate itself: every method that has one, on
 * networks of many kinds, in any units. */
#include "network/network.h"
#include "support/kinds.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --------------------------------------------------------------------- a network that can change
 */

typedef struct subject {
    size_t n_layers, n_in, n_out;
    rk_layer *layers;
    double **weight, **bias; /* of the layers, that change */
    double *mean, *covariance;
    bool standard; /* the input is NULL */
    rk_options options;
    rk_method_spec method;
    const char *name, *kind;
} subject;

static double *numbers(size_t n) {
    double *x = calloc(n ? n : 1, sizeof *x);
    assert_non_null(x);
    return x;
}

static double *copy(size_t n, const double *x) {
    double *out = numbers(n);
    if (x) memcpy(out, x, n * sizeof *x);
    return out;
}

/* Numbers of order 1, by place. */
static double chance(size_t kind, size_t k) {
    return sin(1.7 * (double)kind + 2.399 * (double)k + 0.6 * (double)(k % 7));
}

static double *chances(size_t kind, size_t n) {
    double *x = numbers(n);
    for (size_t k = 0; k < n; k++)
        x[k] = chance(kind, k);
    return x;
}

static subject subject_of(const rk_network *net, const rk_input *input) {
    const size_t L = rk_network_n_layers(net), n_in = rk_network_n_in(net);
    subject s = {.n_layers = L, .n_in = n_in, .n_out = rk_network_n_out(net)};
    s.options = rk_options_default();
    s.layers = calloc(L, sizeof *s.layers);
    s.weight = calloc(L, sizeof *s.weight), s.bias = calloc(L, sizeof *s.bias);
    for (size_t l = 0; l < L; l++) {
        rk_layer layer = rk_network_layer(net, l);
        if (layer.weight) s.weight[l] = copy(layer.rows * layer.cols, layer.weight);
        s.bias[l] = copy(layer.rows, layer.bias);
        s.layers[l] = layer;
        s.layers[l].weight = s.weight[l];
        s.layers[l].bias = layer.bias ? s.bias[l] : NULL;
    }
    s.standard = !input;
    s.mean = copy(n_in, input ? input->mean : NULL);
    s.covariance = copy(n_in * n_in, input ? input->covariance : NULL);
    for (size_t i = 0; !(input && input->covariance) && i < n_in; i++)
        s.covariance[i * (n_in + 1)] = 1;
    return s;
}

static void release(subject *s) {
    for (size_t l = 0; l < s->n_layers; l++)
        free(s->weight[l]), free(s->bias[l]);
    free(s->layers), free(s->weight), free(s->bias), free(s->mean), free(s->covariance);
}

static rk_network *network_of(const subject *s) {
    rk_network *net;
    rk_error error;
    if (rk_network_create(&net, s->layers, s->n_layers, &error) != RK_OK)
        fail_msg("%s", error.message);
    return net;
}

/* ------------------------------------------------------------------------------ f, a sum of
 * answers */

typedef struct sum {
    double *mean, *variance, *covariance, **hidden;
    size_t n_hidden;
} sum;

static sum sum_of(const subject *s) {
    const size_t n = s->n_out;
    sum f = {chances(1, n), chances(2, n), chances(3, n * n), NULL, s->n_layers - 1};
    f.hidden = calloc(s->n_layers, sizeof *f.hidden);
    for (size_t l = 0; l < f.n_hidden; l++)
        f.hidden[l] = chances(4 + l, s->layers[l].rows);
    return f;
}

static void sum_release(sum *f) {
    for (size_t l = 0; l < f->n_hidden; l++)
        free(f->hidden[l]);
    free(f->hidden), free(f->mean), free(f->variance), free(f->covariance);
}

static rk_cotangents cotangents_of(const subject *s, const sum *f) {
    const bool pairs = s->options.covariance;
    return (rk_cotangents){.size = sizeof(rk_cotangents),
                           .mean = f->mean,
                           .variance = pairs ? f->variance : NULL,
                           .covariance = pairs ? f->covariance : NULL,
                           .hidden_mean = (const double *const *)f->hidden};
}

static void add(double term, double *value, double *size) {
    *value += term;
    *size += fabs(term);
}

/* And the sum of what its terms are in absolute value. */
static double value_in(const sum *f, const rk_answer_data *a, double *size) {
    const size_t n = a->n_out;
    double value = *size = 0;
    for (size_t i = 0; i < n; i++)
        add(f->mean[i] * a->mean[i], &value, size);
    for (size_t i = 0; a->covariance && i < n * n; i++)
        add((f->covariance[i] + (i % (n + 1) ? 0 : f->variance[i / n])) * a->covariance[i], &value,
            size);
    for (size_t l = 0; l < a->n_hidden; l++)
        for (size_t i = 0; i < a->hidden_width[l]; i++)
            add(f->hidden[l][i] * a->hidden_mean[l][i], &value, size);
    return value;
}

static double value_at(const subject *s, const sum *f, double *size) {
    rk_network *net = network_of(s);
    rk_input input = {.mean = s->mean, .covariance = s->covariance};
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, s->standard ? NULL : &input, &s->options, &error) != RK_OK)
        fail_msg("%s", error.message);
    const double value = value_in(f, rk_answer_view(answer), size);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
    return value;
}

/* ------------------------------------------------------------------------------------- differences
 */

/* Along a direction in x, rows x cols, each row's entries of their own size. */
static void compare(const subject *s, const sum *f, const char *what, size_t l, size_t rows,
                    size_t cols, bool symmetric, double *x, const double *gradient) {
    static const double steps[] = {-2, -1, 1, 2}, weights[] = {1. / 12, -2. / 3, 2. / 3, -1. / 12};
    const double h = 1e-3;
    double *at = copy(rows * cols, x), *direction = chances(30 + l, rows * cols);
    double difference = 0, wanted = 0, square = 0, size = 0;
    for (size_t i = 0; i < rows; i++) {
        double largest = 0;
        for (size_t j = 0; j < cols; j++)
            largest = fmax(largest, fabs(x[i * cols + j]));
        for (size_t j = 0; j < cols; j++)
            direction[i * cols + j] *= largest / sqrt((double)cols);
    }
    for (size_t i = 0; symmetric && i < rows; i++)
        for (size_t j = 0; j <= i; j++) {
            double *a = &direction[i * cols + j], *b = &direction[j * cols + i];
            *a = *b = (*a + *b) / 4; /* it stays positive */
        }
    for (size_t k = 0; k < rows * cols; k++) {
        wanted += direction[k] * gradient[k];
        square += direction[k] * gradient[k] * direction[k] * gradient[k];
    }
    for (int step = 0; step < 4; step++) {
        for (size_t k = 0; k < rows * cols; k++)
            x[k] = at[k] + h * steps[step] * direction[k];
        difference += weights[step] * value_at(s, f, &size) / h;
    }
    memcpy(x, at, rows * cols * sizeof *x);
    const double scale = fabs(difference) + sqrt(square) + 1e-4 * size;
    if (!(fabs(wanted - difference) <= 1e-6 * scale))
        fail_msg("%s on %s, %s %zu: %.12g, by differences %.12g (scale %.3g)", s->name, s->kind,
                 what, l + 1, wanted, difference, scale);
    free(at), free(direction);
}

/* False if the method does not take the network at all. */
static bool check(subject *s) {
    rk_network *net = network_of(s);
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
    const rk_cotangents seen = cotangents_of(s, &f);
    double size;
    const double value = value_in(&f, rk_linearisation_view(run)->answer, &size);
    assert_true(value == value_at(s, &f, &size));
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

/* ------------------------------------------------------------------------------------------
 * methods */

static const struct asked {
    const char *text;
    bool covariance; /* it knows one */
    bool standard;   /* and only the standard input */
} methods[] = {
    {"covariance", true, false},
    {"covariance:gauge=angular", true, true},
};
enum { METHODS = sizeof methods / sizeof *methods };

static void ask(subject *s, const struct asked *method) {
    s->name = method->text;
    s->options.covariance = method->covariance;
    s->options.layers = true;
    s->options.input_covariance = !method->standard;
    assert_int_equal(rk_method_parse(method->text, &s->method, NULL), RK_OK);
}

static void check_kinds(const char *activation, size_t hidden) {
    size_t taken[METHODS] = {0};
    const char *kind;
    for (size_t k = 0; (kind = kind_name(k)); k++) {
        kind_case c = kind_draw(kind, activation, 32, hidden, 3);
        for (size_t m = 0; m < METHODS; m++) {
            const bool standard = !c.mean && !c.covariance;
            subject s = subject_of(c.net, standard && methods[m].standard ? NULL : &c.input);
            s.kind = kind;
            ask(&s, &methods[m]);
            taken[m] += check(&s);
            release(&s);
        }
        kind_release(&c);
    }
    for (size_t m = 0; m < METHODS; m++)
        if (strcmp(activation, "relu") == 0) assert_true(taken[m] > 0);
}

static void test_relu(void **state) {
    (void)state;
    check_kinds("relu", 2);
}

static void test_tanh(void **state) {
    (void)state;
    check_kinds("tanh", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_relu), cmocka_unit_test(test_tanh)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
