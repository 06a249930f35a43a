#include "activation/activation.h"
#include "base/size.h"
#include "network/network.h"

#include <stdlib.h>
#include <string.h>

/* Plain loops on purpose: this is what everything faster is checked against. */
static void apply_layer(const rk_layer *layer, const double *in, const double *added, double *out) {
    for (size_t i = 0; i < layer->rows; i++) {
        double sum = layer->bias ? layer->bias[i] : 0;
        for (size_t j = 0; layer->weight && j < layer->cols; j++)
            sum += layer->weight[i * layer->cols + j] * in[j];
        out[i] = sum + (layer->weight ? 0 : in[i]) + (added ? added[i] : 0);
    }
    rk_activation_get(layer->activation.kind)->value(&layer->activation, layer->rows, out, out);
}

rk_status rk_network_forward(const rk_network *net, const double *x, double *y, rk_error *error) {
    size_t total = 0; /* no overflow: the network itself fits */
    for (size_t l = 0; l < net->n_layers; l++)
        total += net->layers[l].rows;
    double *room = rk_alloc(total, 1, sizeof *room), *out = room;
    const double **value = rk_alloc(net->n_layers + 1, 1, sizeof *value);
    if (!room || !value) {
        free(room);
        free(value);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for the values of a network");
    }
    value[0] = x;
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        size_t added;
        const double *more = rk_network_adds(net, l, &added) ? value[added] : NULL;
        apply_layer(layer, value[rk_network_reads(net, l)], more, out);
        value[l + 1] = out;
        out += layer->rows;
    }
    memcpy(y, value[net->n_layers], rk_network_n_out(net) * sizeof *y);
    free(room);
    free(value);
    return RK_OK;
}
