#include "network/homogeneous.h"

#include "activation/activation.h"
#include "base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TRACE = 1e-9;

bool rk_layer_is_biased(const rk_layer *layer) {
    for (size_t i = 0; layer->bias && i < layer->rows; i++)
        if (layer->bias[i] != 0) return true;
    return false;
}

rk_status rk_network_check_scales(const rk_network *net, rk_error *error) {
    static const char *const needed = "this method takes positively homogeneous networks only";
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_activation_ops *ops = rk_activation_get(net->layers[l].activation.kind);
        if (rk_layer_is_biased(&net->layers[l]))
            return rk_fail(error, RK_ERROR_UNSUPPORTED, "%s: layer %zu has biases", needed, l + 1);
        if (!ops->homogeneous)
            return rk_fail(error, RK_ERROR_UNSUPPORTED, "%s: layer %zu is %s", needed, l + 1,
                           ops->name);
    }
    return RK_OK;
}

bool rk_network_scales(const rk_network *net) {
    return rk_network_check_scales(net, NULL) == RK_OK;
}

bool rk_network_can_be_homogeneous(const rk_network *net) {
    for (size_t l = 1; l < net->n_layers; l++)
        if (rk_network_is_activated(net, l) &&
            !rk_activation_get(net->layers[l].activation.kind)->homogeneous)
            return false;
    return true;
}

bool rk_network_is_homogeneous(const rk_network *net) {
    for (size_t l = 1; l < net->n_layers; l++)
        if (rk_network_is_activated(net, l) && rk_layer_is_biased(&net->layers[l])) return false;
    return rk_network_can_be_homogeneous(net);
}

/* Layer l of the new network into `room`, which it takes rows * (cols + 1) of. */
static rk_layer extend(const rk_network *net, size_t l, double *room) {
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
        if (!first) room[i * to.cols + from->cols] = as_weights ? b : 0;
        bias[i] = b;
    }
    if (!hidden) return to;
    room[from->rows * to.cols + (first ? 0 : from->cols)] = first ? sqrt(TRACE) : 1;
    bias[from->rows] = 1;
    return to;
}

rk_status rk_network_homogenise(rk_network **out, const rk_network *net, rk_error *error) {
    *out = NULL;
    size_t total = 0;
    for (size_t l = 0; l < net->n_layers; l++) /* no overflow: the network itself fits twice */
        total += (net->layers[l].rows + 1) * (net->layers[l].cols + 2);
    double *room = rk_alloc(total, 1, sizeof *room);
    rk_layer *layers = rk_alloc(net->n_layers, 1, sizeof *layers);
    rk_status status = RK_OK;
    if (!room || !layers) status = rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    double *next = room;
    for (size_t l = 0; status == RK_OK && l < net->n_layers; l++) {
        layers[l] = extend(net, l, next);
        next += layers[l].rows * (layers[l].cols + 1);
    }
    if (status == RK_OK) status = rk_network_create(out, layers, net->n_layers, error);
    free(room);
    free(layers);
    return status;
}
