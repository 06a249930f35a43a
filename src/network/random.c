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

/* Layer l of a residual network within its block: the first, the second, or outside of blocks. */
typedef enum place { OUTSIDE, FIRST, SECOND } place;

static place place_of(const rk_random_spec *spec, size_t l) {
    const size_t outside = spec->n_hidden % 2; /* the embedding */
    if (!spec->residual || l < outside || l == spec->n_hidden) return OUTSIDE;
    return (l - outside) % 2 == 0 ? FIRST : SECOND;
}

/* What the branches add is shared out among them. */
static double share_of(const rk_random_spec *spec, size_t l) {
    return place_of(spec, l) == SECOND ? 1 / (double)(spec->n_hidden / 2) : 1;
}

static double weight_variance(const rk_random_spec *spec, const variances *of, size_t l) {
    const bool reads_activations = spec->residual ? place_of(spec, l) == SECOND : l > 0;
    return share_of(spec, l) * (reads_activations ? of->later : of->first);
}

/* Layer l, to be filled. */
static rk_layer layer_of(const rk_random_spec *spec, const variances *of, size_t l) {
    static const double to_come[1];
    const bool last = l == spec->n_hidden;
    const place here = place_of(spec, l);
    const bool activated = spec->residual ? here == FIRST : !last;
    return (rk_layer){.rows = last ? spec->n_out : spec->hidden[l],
                      .cols = l == 0 ? spec->n_in : spec->hidden[l - 1],
                      .weight = to_come,
                      .bias = of->bias > 0 ? to_come : NULL,
                      .activation =
                          activated ? spec->activation : (rk_activation){.kind = RK_IDENTITY},
                      .weight_scale = weight_variance(spec, of, l),
                      .adds = here == SECOND ? l : 0};
}

static void draw_layer(rk_network *net, const rk_random_spec *spec, const variances *of, size_t l) {
    const rk_layer layer = rk_network_layer(net, l);
    draw(spec->seed, RK_STREAM_WEIGHTS, l, layer.weight_scale / (double)layer.cols,
         layer.rows * layer.cols, rk_network_weights(net, l));
    if (layer.bias)
        draw(spec->seed, RK_STREAM_BIASES, l, share_of(spec, l) * of->bias, layer.rows,
             rk_network_biases(net, l));
}

static rk_status check_spec(const rk_random_spec *spec, rk_error *error) {
    if (spec->n_in == 0 || spec->n_out == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "a network needs inputs and outputs, not %zu and %zu", spec->n_in,
                       spec->n_out);
    if (spec->n_hidden > 0 && !spec->hidden)
        return rk_fail(error, RK_ERROR_ARGUMENT, "no widths for %zu hidden layers", spec->n_hidden);
    for (size_t l = 0; l < spec->n_hidden; l++)
        if (spec->hidden[l] == 0)
            return rk_fail(error, RK_ERROR_ARGUMENT, "hidden layer %zu has no neurons", l + 1);
    for (size_t l = 1; l < spec->n_hidden; l++) {
        const size_t below = l == 1 ? spec->n_in : spec->hidden[l - 2];
        if (place_of(spec, l) == SECOND && spec->hidden[l] != below)
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "hidden layer %zu ends a residual block that reads %zu values: it must "
                           "have as many, not %zu (a first layer of an odd number changes widths)",
                           l + 1, below, spec->hidden[l]);
    }
    return RK_OK;
}

rk_status rk_network_random(rk_network **out, const rk_random_spec *spec, rk_error *error) {
    *out = NULL;
    variances found = {0};
    rk_status status = check_spec(spec, error);
    if (status == RK_OK) status = find_variances(spec, &found, error);
    if (status != RK_OK) return status;

    size_t n_layers;
    rk_layer *layers = NULL;
    if (rk_size_add(spec->n_hidden, 1, &n_layers)) layers = rk_alloc(n_layers, 1, sizeof *layers);
    if (!layers)
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu hidden layers", spec->n_hidden);
    for (size_t l = 0; l < n_layers; l++)
        layers[l] = layer_of(spec, &found, l);
    status = rk_network_make_room(out, layers, n_layers, error);
    free(layers);
    if (status != RK_OK) return status;
    for (size_t l = 0; l < n_layers; l++)
        draw_layer(*out, spec, &found, l);
    return rk_network_seal(out, error);
}
