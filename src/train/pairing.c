#include "train/pairing.h"

#include "base/size.h"

#include <stdlib.h>

size_t rk_pairing_height(size_t k, size_t n_hidden, size_t depth) {
    return ((k + 1) * depth + n_hidden - 1) / n_hidden - 1;
}

static bool stands_still(const rk_layer *layer) {
    return !layer->weight && !layer->bias && layer->activation.kind == RK_IDENTITY;
}

rk_status rk_pairing_stretch(rk_network **out, const rk_network *net, size_t depth,
                             rk_error *error) {
    const size_t n_hidden = net->n_layers - 1;
    *out = NULL;
    rk_layer *layers = rk_alloc(depth + 1, 1, sizeof *layers);
    if (!layers) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu layers", depth + 1);
    size_t width = rk_network_n_in(net);
    for (size_t l = 0, k = 0; l <= depth; l++) {
        const bool goes_on = l == depth || l == rk_pairing_height(k, n_hidden, depth);
        layers[l] =
            goes_on ? net->layers[k++]
                    : (rk_layer){.rows = width, .cols = width, .activation = {.kind = RK_IDENTITY}};
        width = layers[l].rows;
    }
    rk_status status = rk_network_create(out, layers, depth + 1, error);
    free(layers);
    return status;
}

rk_status rk_pairing_tighten(rk_network **out, const rk_network *net, rk_error *error) {
    *out = NULL;
    rk_layer *layers = rk_alloc(net->n_layers, 1, sizeof *layers);
    if (!layers) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu layers", net->n_layers);
    size_t count = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        if (!stands_still(&net->layers[l])) layers[count++] = net->layers[l];
    rk_status status = rk_network_create(out, layers, count, error);
    free(layers);
    return status;
}
