#include "format/part.h"

#include "base/size.h"

#include <stdio.h>

void rk_part_name(char out[RK_PART_NAME], size_t l, const char *role) {
    snprintf(out, RK_PART_NAME, "%zu.%s", 2 * l, role);
}

rk_part *rk_network_parts(const rk_network *net, size_t *count) {
    size_t n = rk_network_n_layers(net);
    rk_part *parts = rk_alloc(n, 2, sizeof *parts), *part = parts;
    for (size_t l = 0; parts && l < n; l++) {
        const rk_layer layer = rk_network_layer(net, l);
        if (layer.weight) {
            *part = (rk_part){.n_dims = 2,
                              .shape = {layer.rows, layer.cols},
                              .count = layer.rows * layer.cols,
                              .data = layer.weight};
            rk_part_name(part++->name, l, "weight");
        }
        if (layer.bias) {
            *part = (rk_part){
                .n_dims = 1, .shape = {layer.rows}, .count = layer.rows, .data = layer.bias};
            rk_part_name(part++->name, l, "bias");
        }
    }
    *count = (size_t)(part - parts);
    return parts;
}
