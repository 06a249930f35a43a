#include "activation/activation.h"
#include "base/normal.h"
#include "base/size.h"
#include "network/network.h"

#include <math.h>
#include <stdlib.h>

/* E[phi'(Z)^2] for Z ~ N(0, q): central differences under the midpoint rule, which converges
 * exponentially for smooth phi and, having no node at 0, is exact for a kink there. */
static double mean_square_slope(const rk_activation *activation, double q) {
    enum { NODES = 2048 };
    const double reach = 9, step = 2 * reach / NODES, delta = 1e-5, scale = sqrt(q);
    double below[NODES], above[NODES], sum = 0, total = 0;
    for (int i = 0; i < NODES; i++) {
        double z = (i + 0.5) * step - reach;
        below[i] = scale * (z - delta);
        above[i] = scale * (z + delta);
    }
    const rk_activation_ops *ops = rk_activation_get(activation->kind);
    ops->value(activation, NODES, below, below);
    ops->value(activation, NODES, above, above);
    for (int i = 0; i < NODES; i++) {
        double z = (i + 0.5) * step - reach, density = exp(-z * z / 2);
        double slope = (above[i] - below[i]) / (2 * delta * scale);
        sum += density * slope * slope;
        total += density;
    }
    return sum / total;
}

/* Variances of a layer's weights times its inputs, and of its biases. */
typedef struct variances {
    double first, later, bias;
} variances;

static rk_status he_variances(const rk_random_spec *spec, variances *out, rk_error *error) {
    double square = rk_wick_one(&spec->activation, 0, 1, 0, 2);
    if (!(isfinite(square) && square > 0))
        return rk_fail(error, RK_ERROR_ARGUMENT, "no He initialisation: E[phi(Z)^2] = %g for %s",
                       square, rk_activation_name(spec->activation.kind));
    *out = (variances){.first = 1, .later = 1 / square};
    return RK_OK;
}

/* docs/MATH.md#initialisation: the fixed point q of the variance at which perturbations neither
 * grow nor die. */
static rk_status critical_variances(const rk_random_spec *spec, variances *out, rk_error *error) {
    const double q = spec->critical_q;
    if (!(isfinite(q) && q > 0))
        return rk_fail(error, RK_ERROR_ARGUMENT, "critical q = %g is not a positive number", q);
    double weight = 1 / mean_square_slope(&spec->activation, q);
    double bias = q - weight * rk_wick_one(&spec->activation, 0, q, 0, 2);
    if (fabs(bias) <= 1e-8 * q) bias = 0; /* homogeneous activations: exactly none */
    if (!(isfinite(weight) && bias >= 0 && bias < q))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "%s has no critical initialisation at q = %g (it asks for weight variance "
                       "%g and bias variance %g)",
                       rk_activation_name(spec->activation.kind), q, weight, bias);
    *out = (variances){.first = q - bias, .later = weight, .bias = bias};
    return RK_OK;
}

static rk_status manual_variances(const rk_random_spec *spec, variances *out, rk_error *error) {
    const double weight = spec->weight_variance, bias = spec->bias_variance;
    if (!(isfinite(weight) && weight >= 0 && isfinite(bias) && bias >= 0))
        return rk_fail(
            error, RK_ERROR_ARGUMENT,
            "weight variance %g and bias variance %g: expected two numbers, not negative", weight,
            bias);
    *out = (variances){.first = weight, .later = weight, .bias = bias};
    return RK_OK;
}

static rk_status find_variances(const rk_random_spec *spec, variances *out, rk_error *error) {
    const rk_activation *activation = &spec->activation;
    if ((unsigned)activation->kind >= RK_ACTIVATION_COUNT ||
        (activation->kind == RK_CUSTOM && !activation->function) ||
        !isfinite(activation->parameter))
        return rk_fail(error, RK_ERROR_ARGUMENT, "activation %d is not usable",
                       (int)activation->kind);
    switch (spec->init) {
    case RK_INIT_HE:
        return he_variances(spec, out, error);
    case RK_INIT_CRITICAL:
        return critical_variances(spec, out, error);
    case RK_INIT_MANUAL:
        return manual_variances(spec, out, error);
    }
    return rk_fail(error, RK_ERROR_ARGUMENT, "unknown initialisation %d", (int)spec->init);
}

static void draw(uint64_t seed, uint64_t stream, size_t l, double variance, size_t count,
                 double *out) {
    rk_normal_doubles((rk_stream){seed, stream}, l, count, out);
    const double sd = sqrt(variance);
    for (size_t i = 0; i < count; i++)
        out[i] *= sd;
}

static rk_status draw_layer(const rk_random_spec *spec, const variances *of, size_t l,
                            rk_layer *layer, rk_error *error) {
    const bool last = l == spec->n_hidden;
    *layer =
        (rk_layer){.rows = last ? spec->n_out : spec->hidden[l],
                   .cols = l == 0 ? spec->n_in : spec->hidden[l - 1],
                   .activation = last ? (rk_activation){.kind = RK_IDENTITY} : spec->activation,
                   .weight_scale = l == 0 ? of->first : of->later};
    double *weight = rk_alloc(layer->rows, layer->cols, sizeof *weight);
    double *bias = of->bias > 0 ? rk_alloc(layer->rows, 1, sizeof *bias) : NULL;
    layer->weight = weight;
    layer->bias = bias;
    if (!weight || (of->bias > 0 && !bias))
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for layer %zu (%zu x %zu)", l + 1,
                       layer->rows, layer->cols);
    draw(spec->seed, RK_STREAM_WEIGHTS, l, layer->weight_scale / (double)layer->cols,
         layer->rows * layer->cols, weight);
    if (bias) draw(spec->seed, RK_STREAM_BIASES, l, of->bias, layer->rows, bias);
    return RK_OK;
}

rk_status rk_network_random(rk_network **out, const rk_random_spec *spec, rk_error *error) {
    *out = NULL;
    if (spec->n_in == 0 || spec->n_out == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "a network needs inputs and outputs, not %zu and %zu", spec->n_in,
                       spec->n_out);
    if (spec->n_hidden > 0 && !spec->hidden)
        return rk_fail(error, RK_ERROR_ARGUMENT, "no widths for %zu hidden layers", spec->n_hidden);
    for (size_t l = 0; l < spec->n_hidden; l++)
        if (spec->hidden[l] == 0)
            return rk_fail(error, RK_ERROR_ARGUMENT, "hidden layer %zu has no neurons", l + 1);
    variances found = {0};
    rk_status status = find_variances(spec, &found, error);
    if (status != RK_OK) return status;

    size_t n_layers;
    rk_layer *layers = NULL;
    if (rk_size_add(spec->n_hidden, 1, &n_layers)) layers = rk_alloc(n_layers, 1, sizeof *layers);
    if (!layers)
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu hidden layers", spec->n_hidden);
    for (size_t l = 0; l < n_layers && status == RK_OK; l++)
        status = draw_layer(spec, &found, l, &layers[l], error);
    if (status == RK_OK) status = rk_network_create(out, layers, n_layers, error);
    for (size_t l = 0; l < n_layers; l++) {
        free((double *)layers[l].weight);
        free((double *)layers[l].bias);
    }
    free(layers);
    return status;
}
