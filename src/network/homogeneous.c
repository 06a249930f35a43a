#include "network/homogeneous.h"

#include "activation/activation.h"
#include "base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool rk_layer_is_biased(const rk_layer *layer) {
    for (size_t i = 0; layer->bias && i < layer->rows; i++)
        if (layer->bias[i] != 0) return true;
    return false;
}

/* What keeps layer l from being homogeneous, for people; NULL: nothing does. */
static const char *obstacle(const rk_layer *layer) {
    const rk_activation_ops *ops = rk_activation_get(layer->activation.kind);
    return rk_layer_is_biased(layer) ? "has biases" : ops->degree == 1 ? NULL : ops->name;
}

static rk_status refuse(size_t l, const char *why, rk_error *error) {
    return rk_fail(error, RK_ERROR_UNSUPPORTED,
                   "this method takes positively homogeneous networks only: layer %zu %s%s", l + 1,
                   strcmp(why, "has biases") ? "is " : "", why);
}

rk_status rk_network_check_scales(const rk_network *net, rk_error *error) {
    for (size_t l = 0; l < net->n_layers; l++) {
        const char *why = obstacle(&net->layers[l]);
        if (why) return refuse(l, why, error);
    }
    return RK_OK;
}

rk_status rk_network_check_homogeneous(const rk_network *net, rk_error *error) {
    for (size_t l = 1; l < net->n_layers; l++) {
        const char *why = rk_network_is_activated(net, l) ? obstacle(&net->layers[l]) : NULL;
        if (why) return refuse(l, why, error);
    }
    return RK_OK;
}

bool rk_network_scales(const rk_network *net) {
    return rk_network_check_scales(net, NULL) == RK_OK;
}

bool rk_network_can_be_homogeneous(const rk_network *net) {
    for (size_t l = 1; l < net->n_layers; l++)
        if (rk_network_is_activated(net, l) &&
            rk_activation_get(net->layers[l].activation.kind)->degree != 1)
            return false;
    return true;
}

bool rk_network_is_homogeneous(const rk_network *net) {
    return rk_network_check_homogeneous(net, NULL) == RK_OK;
}

/* Anything from a twentieth to twice the size of the others is as good, and with four times that,
 * networks without many neurons err less and others more: docs/FRONTIER.md. */
static const double CONSTANT = 2;

/* The constant neuron of a layer is as large as the others: so that it is a neuron among them in
 * any units. Their mean square from that of what the layer reads, weights and biases taken as
 * random. */
static double mean_square(const rk_network *net, size_t l, double read) {
    const rk_layer *layer = &net->layers[l];
    double var = 0, n = (double)layer->rows;
    for (size_t i = 0; i < layer->rows; i++) {
        double b = layer->bias ? layer->bias[i] : 0;
        var += (net->row_square[l][i] * read + b * b) / n;
    }
    return rk_wick_one(&layer->activation, 0, var, 0, 2);
}

/* The biases of layer l become weights on the constant neuron. */
static bool is_bias_weighted(const rk_network *net, size_t l) {
    return l > 0 && rk_network_is_activated(net, l);
}

/* Layer l of the new network, to be filled. */
static rk_layer extended(const rk_network *net, size_t l) {
    const rk_layer *from = &net->layers[l];
    rk_layer to = *from;
    to.rows += l + 1 < net->n_layers;
    to.cols += l > 0;
    if (l == 0) to.bias = from->weight; /* that there is one: the first constant neuron's */
    if (is_bias_weighted(net, l)) to.bias = NULL;
    return to;
}

/* `own` is its constant neuron, `below` that of the layer below. */
static void fill(rk_network *to, const rk_network *net, size_t l, double own, double below) {
    const rk_layer *from = &net->layers[l];
    const size_t cols = to->layers[l].cols, rows = from->rows;
    const bool first = l == 0, hidden = l + 1 < net->n_layers;
    const bool as_weights = is_bias_weighted(net, l);
    double *weight = rk_network_weights(to, l), *bias = rk_network_biases(to, l);
    for (size_t i = 0; i < rows; i++) {
        double b = from->bias ? from->bias[i] : 0;
        memcpy(weight + i * cols, from->weight + i * from->cols, from->cols * sizeof *weight);
        if (!first) weight[i * cols + from->cols] = as_weights ? b / below : 0;
        if (bias) bias[i] = b;
    }
    if (hidden && !first) weight[rows * cols + from->cols] = own / below;
    if (hidden && first) bias[rows] = own;
}

rk_status rk_network_homogenise(rk_network **out, const rk_network *net, double input_square,
                                rk_error *error) {
    *out = NULL;
    rk_layer *layers = rk_alloc(net->n_layers, 1, sizeof *layers);
    if (!layers) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    for (size_t l = 0; l < net->n_layers; l++)
        layers[l] = extended(net, l);
    rk_status status = rk_network_make_room(out, layers, net->n_layers, error);
    free(layers);
    if (status != RK_OK) return status;
    double square = input_square, below = 1;
    for (size_t l = 0; l < net->n_layers; l++) {
        square = mean_square(net, l, square);
        double own = square > 0 ? CONSTANT * sqrt(square) : 1;
        fill(*out, net, l, own, below);
        below = own;
    }
    return rk_network_seal(out, error);
}
