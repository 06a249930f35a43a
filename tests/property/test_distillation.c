/* The loss of a student as an expectation: that of one network that has both, its derivatives
 * against differences, a network against itself. */
#include "network/network.h"
#include "support/distillation.h"
#include "train/pairing.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IN = 5, OUT = 4 };

#define COUNT(table) (sizeof table / sizeof *table)

static const struct closure {
    const char *name;
    rk_pairs_spec pairs;
} closures[] = {
    {"first", {RK_PAIRS_FIRST, 0}},           {"completed:1", {RK_PAIRS_COMPLETED, 1}},
    {"completed:2", {RK_PAIRS_COMPLETED, 2}}, {"completed:4", {RK_PAIRS_COMPLETED, 4}},
    {"exact", {RK_PAIRS_EXACT, 0}},
};

/* Teacher and student, by their activation, biases, and numbers of hidden layers. */
static const struct couple {
    const char *activation;
    bool biased, standard, kinked;
    size_t teachers, students;
} couples[] = {
    {"relu", false, true, true, 3, 3},  {"relu", true, false, true, 3, 3},
    {"relu", true, false, true, 1, 1},  {"relu", false, true, true, 4, 2},
    {"relu", true, false, true, 1, 3},  {"leaky_relu:0.2", true, true, true, 2, 2},
    {"abs", false, false, true, 2, 1},  {"tanh", true, false, false, 3, 3},
    {"gelu", false, true, false, 2, 3}, {"sigmoid", true, false, false, 2, 2},
};

static rk_network *draw(const struct couple *c, size_t n_hidden, size_t width, uint64_t seed) {
    const size_t hidden[] = {width, width + 1, width, width + 2};
    rk_random_spec spec = {.n_in = IN,
                           .n_out = OUT,
                           .hidden = hidden,
                           .n_hidden = n_hidden,
                           .init = RK_INIT_MANUAL,
                           .weight_variance = 1.4,
                           .bias_variance = c->biased ? 0.2 : 0,
                           .seed = seed};
    assert_int_equal(rk_activation_parse(c->activation, &spec.activation, NULL), RK_OK);
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    return net;
}

typedef struct pair {
    rk_network *teacher;
    rk_parameters student;
    rk_input input;
    double mean[IN], covariance[IN * IN];
} pair;

static pair *begin(const struct couple *c, uint64_t seed) {
    pair *p = calloc(1, sizeof *p);
    rk_network *t = draw(c, c->teachers, 8, seed), *s = draw(c, c->students, 4, seed + 100), *deep;
    const size_t depth = c->teachers > c->students ? c->teachers : c->students;
    assert_int_equal(rk_pairing_stretch(&p->teacher, t, depth, NULL), RK_OK);
    assert_int_equal(rk_pairing_stretch(&deep, s, depth, NULL), RK_OK);
    assert_int_equal(rk_parameters_create(&p->student, deep, NULL), RK_OK);
    for (size_t i = 0; i < IN; i++) {
        p->mean[i] = 0.5 * sin(1 + 3. * (double)i);
        for (size_t j = 0; j < IN; j++)
            p->covariance[i * IN + j] = i == j ? 1 + 0.2 * (double)i : 0.2 * cos((double)(i + j));
    }
    if (!c->standard) p->input = (rk_input){.mean = p->mean, .covariance = p->covariance};
    rk_network_destroy(t), rk_network_destroy(s), rk_network_destroy(deep);
    return p;
}

static void end(pair *p) {
    rk_network_destroy(p->teacher);
    rk_parameters_free(&p->student);
    free(p);
}

/* ------------------------------------------------------------------------------------- stacked */

static double entry(const rk_layer *layer, size_t i, size_t j) {
    return layer->weight ? layer->weight[i * layer->cols + j] : i == j;
}

/* Student and teacher side by side, and the difference of what they say. */
static rk_network *stack(const rk_network *s, const rk_network *t) {
    rk_layer *layers = calloc(s->n_layers, sizeof *layers);
    for (size_t l = 0; l < s->n_layers; l++) {
        const rk_layer *a = &s->layers[l], *b = &t->layers[l];
        const bool first = l == 0, last = l + 1 == s->n_layers;
        const size_t rows = last ? a->rows : a->rows + b->rows;
        const size_t cols = first ? a->cols : a->cols + b->cols;
        double *W = calloc(rows * cols, sizeof *W), *bias = calloc(rows, sizeof *bias);
        for (size_t i = 0; i < a->rows; i++) {
            for (size_t j = 0; j < a->cols; j++)
                W[i * cols + j] += (last ? -1 : 1) * entry(a, i, j);
            if (a->bias) bias[i] += (last ? -1 : 1) * a->bias[i];
        }
        for (size_t i = 0; i < b->rows; i++) {
            const size_t row = last ? i : a->rows + i;
            for (size_t j = 0; j < b->cols; j++)
                W[row * cols + (first ? 0 : a->cols) + j] += entry(b, i, j);
            if (b->bias) bias[row] += b->bias[i];
        }
        layers[l] = (rk_layer){
            .rows = rows, .cols = cols, .weight = W, .bias = bias, .activation = a->activation};
    }
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, s->n_layers, NULL), RK_OK);
    for (size_t l = 0; l < s->n_layers; l++)
        free((double *)layers[l].weight), free((double *)layers[l].bias);
    free(layers);
    return net;
}

static double stacked_loss(const pair *p, const rk_pairs_spec *pairs) {
    rk_network *net = stack(p->student.net, p->teacher);
    const rk_method_spec spec = {
        .size = sizeof spec, .kind = RK_COVARIANCE, .pairs = pairs->closure, .order = pairs->order};
    rk_options options = rk_options_default();
    options.method = &spec;
    options.covariance = true;
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, &p->input, &options, &error) != RK_OK)
        fail_msg("%s", error.message);
    const rk_answer_data *d = rk_answer_view(answer);
    double sum = 0;
    for (size_t i = 0; i < OUT; i++)
        sum += d->mean[i] * d->mean[i] + d->covariance[i * (OUT + 1)];
    rk_answer_destroy(answer);
    rk_network_destroy(net);
    return sum;
}

static void test_stacked(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT(couples); k++) {
        if (couples[k].teachers != couples[k].students) continue;
        for (size_t c = 0; c < COUNT(closures); c++) {
            if (closures[c].pairs.closure == RK_PAIRS_EXACT && !couples[k].kinked) continue;
            pair *p = begin(&couples[k], 7 + k);
            const double wanted = stacked_loss(p, &closures[c].pairs);
            const distillation d =
                distillation_at(p->teacher, &p->student, &p->input, &closures[c].pairs, false);
            if (!(fabs(d.loss - wanted) <= 1e-10 * wanted))
                fail_msg("%s, couple %zu: %.12g, stacked %.12g", closures[c].name, k, d.loss,
                         wanted);
            end(p);
        }
    }
}

/* ------------------------------------------------------------------------------------ gradients */

/* Along a direction of n parameters from `x`, by differences of fourth order. */
static double difference(pair *p, const rk_pairs_spec *pairs, bool fit, double *x, size_t n,
                         const double *direction) {
    static const double at[] = {-2, -1, 1, 2}, weight[] = {1. / 12, -2. / 3, 2. / 3, -1. / 12};
    const double h = 1e-3;
    double sum = 0, *before = malloc((n + 1) * sizeof *before);
    memcpy(before, x, n * sizeof *x);
    for (int s = 0; s < 4; s++) {
        for (size_t i = 0; i < n; i++)
            x[i] = before[i] + h * at[s] * direction[i];
        sum += weight[s] * distillation_at(p->teacher, &p->student, &p->input, pairs, fit).loss / h;
    }
    memcpy(x, before, n * sizeof *x);
    free(before);
    return sum;
}

static void compare(const char *what, size_t k, pair *p, const rk_pairs_spec *pairs, bool fit,
                    double *x, const double *bar, size_t n) {
    double direction[256], sum = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        direction[i] = sin(1 + 2.3 * (double)i + 0.7 * (double)(i * i % 31)) / sqrt((double)n);
        sum += direction[i] * bar[i];
        square += bar[i] * bar[i];
    }
    const double wanted = difference(p, pairs, fit, x, n, direction);
    if (!(fabs(sum - wanted) <= 1e-6 * sqrt(square)))
        fail_msg("%s, couple %zu: %.12g, by differences %.12g", what, k, sum, wanted);
}

static void check_gradient(size_t k, const struct closure *closure, bool fit) {
    pair *p = begin(&couples[k], 7 + k);
    const rk_network *net = p->student.net;
    const size_t n_layers = net->n_layers - (fit ? 1 : 0);
    rk_parameter_vector *theta = &p->student.theta, bar = p->student.gradient;
    double *kept = malloc(bar.n * sizeof *kept), *base = bar.x;
    distillation_at(p->teacher, &p->student, &p->input, &closure->pairs, fit);
    memcpy(kept, base, bar.n * sizeof *kept);
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (layer->weight)
            compare(closure->name, k, p, &closure->pairs, fit, theta->weight[l],
                    kept + (bar.weight[l] - base), layer->rows * layer->cols);
        if (layer->bias)
            compare(closure->name, k, p, &closure->pairs, fit, theta->bias[l],
                    kept + (bar.bias[l] - base), layer->rows);
    }
    free(kept);
    end(p);
}

static void test_gradients(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT(couples); k++)
        for (size_t c = 0; c < COUNT(closures); c++)
            if (couples[k].kinked || closures[c].pairs.closure != RK_PAIRS_EXACT) {
                check_gradient(k, &closures[c], false);
                check_gradient(k, &closures[c], true);
            }
}

/* --------------------------------------------------------------------------------------- itself */

static void test_itself(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT(couples); k++)
        for (size_t c = 0; c < COUNT(closures); c++) {
            const bool exact = closures[c].pairs.closure == RK_PAIRS_EXACT;
            if (exact && !couples[k].kinked) continue;
            pair *p = begin(&couples[k], 7 + k);
            rk_parameters itself;
            double square = 0;
            assert_int_equal(rk_parameters_create(&itself, p->teacher, NULL), RK_OK);
            const distillation d =
                distillation_at(p->teacher, &itself, &p->input, &closures[c].pairs, false);
            for (size_t i = 0; i < itself.gradient.n; i++)
                square += itself.gradient.x[i] * itself.gradient.x[i];
            if (closures[c].pairs.closure != RK_PAIRS_FIRST) {
                /* a gradient over parameters of order 1 is of the order of E|T|^2 */
                if (!(fabs(d.loss) <= 1e-13 * d.square) || !(sqrt(square) <= 1e-12 * d.square))
                    fail_msg("%s, couple %zu: loss %.3g, gradient %.3g against itself",
                             closures[c].name, k, d.loss, sqrt(square));
            } else if (k == 0) {
                assert_true(d.loss > 0.2 * d.square); /* as published */
            }
            rk_parameters_free(&itself);
            end(p);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stacked),
                                       cmocka_unit_test(test_gradients),
                                       cmocka_unit_test(test_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
