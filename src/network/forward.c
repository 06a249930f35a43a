#include "activation/activation.h"
#include "base/size.h"
#include "network/network.h"

#include <stdlib.h>
#include <string.h>

/* Plain loops on purpose: this is what everything faster is checked against. */
static void apply_layer(const rk_layer *layer, const double *in, double *out) {
    for (size_t i = 0; i < layer->rows; i++) {
        double sum = layer->bias ? layer->bias[i] : 0;
        for (size_t j = 0; j < layer->cols; j++)
            sum += layer->weight[i * layer->cols + j] * in[j];
        out[i] = sum;
    }
    rk_activation_get(layer->activation.kind)->value(&layer->activation, layer->rows, out, out);
}

rk_status rk_network_forward(const rk_network *net, const double *x, double *y, rk_error *error) {
    size_t width = rk_network_max_width(net);
    double *buffers = rk_alloc(width, 2, sizeof *buffers);
    if (!buffers)
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for a layer of %zu neurons", width);
    double *in = buffers, *out = buffers + width;
    memcpy(in, x, rk_network_n_in(net) * sizeof *in);
    for (size_t l = 0; l < net->n_layers; l++) {
        apply_layer(&net->layers[l], in, out);
        double *swap = in;
        in = out;
        out = swap;
    }
    memcpy(y, in, rk_network_n_out(net) * sizeof *y);
    free(buffers);
    return RK_OK;
}
