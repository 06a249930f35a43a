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

/* Layer l of the new network into `room`, which it takes rows * (cols + 1) of; its constant neuron,
 * and that of the layer below. */
static rk_layer extend(const rk_network *net, size_t l, double own, double below, double *room) {
    const rk_layer *from = &net->layers[l];
    bool first = l == 0, hidden = l + 1 < net->n_layers;
    rk_layer to = *from;
    to.rows += hidden;
    to.cols += !first;
    to.weight = room;
    double *bias = room + to.rows * to.cols;
    bool as_weights = !first && rk_network_is_activated(net, l);
    to.bias = as_weights ? NULL : from->bias || first ? bias : NULL;
    for (size_t i = 0; i < from->rows; i++) {
        double b = from->bias ? from->bias[i] : 0;
        memcpy(room + i * to.cols, from->weight + i * from->cols, from->cols * sizeof *room);
        if (!first) room[i * to.cols + from->cols] = as_weights ? b / below : 0;
        bias[i] = b;
    }
    if (!hidden) return to;
    if (!first) room[from->rows * to.cols + from->cols] = own / below;
    bias[from->rows] = own;
    return to;
}

rk_status rk_network_homogenise(rk_network **out, const rk_network *net, double input_square,
                                rk_error *error) {
    *out = NULL;
    size_t total = 0;
    for (size_t l = 0; l < net->n_layers; l++) /* no overflow: the network itself fits twice */
        total += (net->layers[l].rows + 1) * (net->layers[l].cols + 2);
    double *room = rk_alloc(total, 1, sizeof *room);
    rk_layer *layers = rk_alloc(net->n_layers, 1, sizeof *layers);
    rk_status status = RK_OK;
    if (!room || !layers) status = rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    double *next = room, square = input_square, below = 1;
    for (size_t l = 0; status == RK_OK && l < net->n_layers; l++) {
        square = mean_square(net, l, square);
        double own = square > 0 ? CONSTANT * sqrt(square) : 1;
        layers[l] = extend(net, l, own, below, next);
        below = own;
        next += layers[l].rows * (layers[l].cols + 1);
    }
    if (status == RK_OK) status = rk_network_create(out, layers, net->n_layers, error);
    free(room);
    free(layers);
    return status;
}
