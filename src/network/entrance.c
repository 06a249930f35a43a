#include "network/entrance.h"

#include "base/size.h"

#include <stdlib.h>

bool rk_network_enters_once(const rk_network *net) {
    return net->layers[0].weight && !net->layers[0].adds && rk_network_last_use(net, 0) == 0;
}

rk_status rk_network_enter_once(rk_network **out, const rk_network *net, rk_error *error) {
    const size_t n = rk_network_n_in(net);
    size_t count;
    *out = NULL;
    rk_network *to = calloc(1, sizeof *to);
    rk_layer *layers = rk_alloc(net->n_layers + 1, 1, sizeof *layers);
    double *one = rk_size_mul(n, n, &count) ? calloc(count, sizeof *one) : NULL;
    if (!to || !layers || !one) {
        free(to);
        free(layers);
        free(one);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for a layer of %zu inputs", n);
    }
    for (size_t i = 0; i < n; i++)
        one[i * n + i] = 1;
    layers[0] =
        (rk_layer){.rows = n, .cols = n, .weight = one, .activation = {.kind = RK_IDENTITY}};
    for (size_t l = 0; l < net->n_layers; l++) {
        layers[l + 1] = net->layers[l];
        layers[l + 1].reads = rk_network_reads(net, l) + 2; /* rk_layer counts values from 1 */
        layers[l + 1].adds += net->layers[l].adds != 0;
    }
    *to = (rk_network){.n_layers = net->n_layers + 1, .layers = layers, .storage = one};
    const rk_status status = rk_network_measure(to, error);
    if (status == RK_OK)
        *out = to;
    else
        rk_network_destroy(to);
    return status;
}
