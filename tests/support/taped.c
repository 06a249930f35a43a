#include "support/taped.h"

#include "linalg/blas.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A network that can be moved, and what f and its derivatives are. */
typedef struct bench {
    const taped_case *c;
    size_t n_layers, n_in, n_out;
    rk_layer *layers;
    double **weight, **bias;           /* of the network */
    double **weight_bar, **bias_bar;   /* of the way back */
    double *mean, *covariance;         /* of the input */
    double *mean_bar, *covariance_bar; /* of the way back */
    bool standard;
} bench;

static double *numbers(size_t count) {
    double *x = calloc(count + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

static double *copy_of(size_t count, const double *x) {
    double *copy = numbers(count);
    if (x) memcpy(copy, x, count * sizeof *x);
    return copy;
}

/* Coefficient k of f of kind `kind`, and of directions: of order 1, never the same. */
static double coefficient(size_t kind, size_t k) {
    return sin(1 + 2.39 * (double)kind + 1.7 * (double)k + 0.31 * (double)(k * k % 97));
}

static double *coefficients(size_t kind, size_t n) {
    double *x = numbers(n);
    for (size_t k = 0; k < n; k++)
        x[k] = coefficient(kind, k);
    return x;
}

static void symmetrise(size_t n, double *x) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            x[i * n + j] = x[j * n + i] = 0.5 * (x[i * n + j] + x[j * n + i]);
}

static double dot(size_t n, const double *a, const double *b) {
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

/* f here; with `derive` also its derivatives. */
static double value(const bench *b, bool derive) {
    const size_t n = b->n_out, hidden = b->n_layers - 1;
    rk_network *net;
    rk_error error;
    if (rk_network_create(&net, b->layers, b->n_layers, &error) != RK_OK)
        fail_msg("%s", error.message);
    rk_input input = {.mean = b->standard ? NULL : b->mean,
                      .covariance = b->standard ? NULL : b->covariance};
    double *mean = numbers(n), *variance = numbers(n), *covariance = numbers(n * n);
    double *third = numbers(n), *fourth = numbers(n);
    double **hidden_mean = calloc(hidden + 1, sizeof *hidden_mean);
    double **hidden_bar = calloc(hidden + 1, sizeof *hidden_bar);
    for (size_t l = 0; l < hidden; l++) {
        hidden_mean[l] = numbers(b->layers[l].rows);
        hidden_bar[l] = coefficients(10 + l, b->layers[l].rows);
    }
    double *bars[] = {coefficients(0, n), coefficients(1, n), coefficients(2, n * n),
                      coefficients(3, n), coefficients(4, n)};
    symmetrise(n, bars[2]);
    rk_outputs outputs = {.mean = mean,
                          .variance = variance,
                          .covariance = b->c->covariance ? covariance : NULL,
                          .third_diagonal = b->c->cumulants ? third : NULL,
                          .fourth_diagonal = b->c->cumulants ? fourth : NULL,
                          .hidden_mean = b->c->hidden ? hidden_mean : NULL};
    rk_cotangent f = {.mean = bars[0],
                      .variance = b->c->covariance ? bars[1] : NULL,
                      .covariance = b->c->covariance ? bars[2] : NULL,
                      .third_diagonal = b->c->cumulants ? bars[3] : NULL,
                      .fourth_diagonal = b->c->cumulants ? bars[4] : NULL,
                      .hidden_mean = b->c->hidden ? (const double *const *)hidden_bar : NULL};
    rk_adjoint to = {b->weight_bar, b->bias_bar, b->mean_bar, b->covariance_bar};
    static rk_tape tape;
    rk_work dry, wet = {.dry = false};
    rk_work_init_dry(&dry);
    for (int run = 0; run < 2; run++) {
        rk_work *work = run ? &wet : &dry;
        if (run) assert_int_equal(rk_work_init_wet(&wet, &dry, NULL, NULL), RK_OK);
        tape = (rk_tape){.input_covariance = true};
        b->c->law(work, net, &input, &outputs, derive ? &tape : NULL);
        if (derive) rk_tape_back(&tape, &f, &to);
    }
    assert_true(dry.flops == wet.flops);
    double sum = dot(n, bars[0], mean);
    if (b->c->covariance) sum += dot(n, bars[1], variance) + dot(n * n, bars[2], covariance);
    if (b->c->cumulants) sum += dot(n, bars[3], third) + dot(n, bars[4], fourth);
    for (size_t l = 0; l < hidden; l++) {
        if (b->c->hidden) sum += dot(b->layers[l].rows, hidden_bar[l], hidden_mean[l]);
        free(hidden_mean[l]);
        free(hidden_bar[l]);
    }
    for (size_t k = 0; k < sizeof bars / sizeof *bars; k++)
        free(bars[k]);
    free(hidden_mean), free(hidden_bar);
    free(mean), free(variance), free(covariance), free(third), free(fourth);
    rk_work_finish(&wet);
    free(dry.steps);
    rk_network_destroy(net);
    return sum;
}

/* Along a direction of x, n entries (rows^2 and symmetric if rows > 0): what the way back says, and
 * what differences of fourth order do. */
static void compare(const bench *b, const char *what, size_t l, size_t kind, size_t n, size_t rows,
                    double *x, const double *x_bar, double scale, double tolerance) {
    static const double steps[] = {-2, -1, 1, 2}, weights[] = {1. / 12, -2. / 3, 2. / 3, -1. / 12};
    double *direction = coefficients(kind, n), *at = copy_of(n, x), difference = 0, size = 0;
    const double h = 1e-3;
    if (rows) symmetrise(rows, direction);
    for (size_t k = 0; k < n; k++)
        size = fmax(size, fabs(x[k]));
    if (size == 0) size = 1;
    for (size_t k = 0; k < n; k++)
        direction[k] *= size / sqrt((double)n);
    for (int s = 0; s < 4; s++) {
        for (size_t k = 0; k < n; k++)
            x[k] = at[k] + h * steps[s] * direction[k];
        difference += weights[s] * value(b, false) / h;
    }
    memcpy(x, at, n * sizeof *x);
    const double wanted = dot(n, direction, x_bar);
    if (!(fabs(wanted - difference) <= tolerance * (fabs(difference) + scale)))
        fail_msg("%s, %s %zu: %.12g, by differences %.12g", b->c->name, what, l, wanted,
                 difference);
    free(direction), free(at);
}

void taped_check(const taped_case *c, const rk_network *net, const double *mean,
                 const double *covariance, double tolerance) {
    const size_t n_layers = net->n_layers, n_in = rk_network_n_in(net);
    bench b = {.c = c, .n_layers = n_layers, .n_in = n_in, .n_out = rk_network_n_out(net)};
    rk_blas_make_serial();
    b.layers = calloc(n_layers, sizeof *b.layers);
    b.weight = calloc(n_layers, sizeof *b.weight), b.bias = calloc(n_layers, sizeof *b.bias);
    b.weight_bar = calloc(n_layers, sizeof *b.weight_bar);
    b.bias_bar = calloc(n_layers, sizeof *b.bias_bar);
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        const size_t count = layer->rows * layer->cols;
        b.layers[l] = *layer;
        if (layer->weight) {
            b.layers[l].weight = b.weight[l] = copy_of(count, layer->weight);
            b.weight_bar[l] = numbers(count);
        }
        if (layer->bias) {
            b.layers[l].bias = b.bias[l] = copy_of(layer->rows, layer->bias);
            b.bias_bar[l] = numbers(layer->rows);
        }
    }
    b.mean = copy_of(n_in, mean), b.mean_bar = numbers(n_in);
    b.covariance = copy_of(n_in * n_in, covariance), b.covariance_bar = numbers(n_in * n_in);
    for (size_t i = 0; !covariance && i < n_in; i++)
        b.covariance[i * (n_in + 1)] = 1;
    b.standard = c->fixed_input;
    const double scale = 1e-3 * (1 + fabs(value(&b, true)));
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (b.weight[l])
            compare(&b, "weights", l, 20 + l, layer->rows * layer->cols, 0, b.weight[l],
                    b.weight_bar[l], scale, tolerance);
        if (b.bias[l])
            compare(&b, "biases", l, 40 + l, layer->rows, 0, b.bias[l], b.bias_bar[l], scale,
                    tolerance);
    }
    if (!c->fixed_input) {
        compare(&b, "input mean", 0, 5, n_in, 0, b.mean, b.mean_bar, scale, tolerance);
        compare(&b, "input covariance", 0, 6, n_in * n_in, n_in, b.covariance, b.covariance_bar,
                scale, tolerance);
    }
    for (size_t l = 0; l < n_layers; l++)
        free(b.weight[l]), free(b.bias[l]), free(b.weight_bar[l]), free(b.bias_bar[l]);
    free(b.layers), free(b.weight), free(b.bias), free(b.weight_bar), free(b.bias_bar);
    free(b.mean), free(b.covariance), free(b.mean_bar), free(b.covariance_bar);
}
