#include "propagate/relabelling.h"

#include <string.h>

rk_relabelling rk_relabelling_take(rk_work *work, const rk_network *net) {
    size_t width = rk_network_max_width(net), most = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        size_t count = net->layers[l].rows * net->layers[l].cols;
        if (count > most) most = count;
    }
    rk_relabelling r = {.rows = rk_work_take(work, width, sizeof *r.rows),
                        .cols = rk_work_take(work, width, sizeof *r.cols),
                        .weight = rk_work_doubles(work, most, 1),
                        .bias = rk_work_doubles(work, width, 1)};
    for (size_t i = 0; rk_work_charge(work, 0) && i < width; i++)
        r.rows[i] = i; /* of the input */
    return r;
}

const rk_layer *rk_relabelling_enter(rk_work *work, const rk_layer *layer, rk_relabelling *r) {
    size_t n = layer->rows, k = layer->cols, *swap = r->cols;
    r->cols = r->rows;
    r->rows = swap;
    r->layer = *layer;
    r->layer.weight = r->weight;
    r->layer.bias = layer->bias ? r->bias : NULL;
    if (!rk_work_charge(work, 0)) return &r->layer;
    for (size_t i = 0; i < n; i++) {
        r->rows[i] = i;
        for (size_t j = 0; j < k; j++)
            r->weight[i * k + j] = layer->weight[i * k + r->cols[j]];
    }
    if (layer->bias) memcpy(r->bias, layer->bias, n * sizeof *r->bias);
    return &r->layer;
}

void rk_relabelling_apply(rk_work *work, const rk_relabelling *r, double *scratch) {
    size_t n = r->layer.rows, k = r->layer.cols;
    if (r->layer.bias) rk_reorder(work, r->rows, n, r->bias, scratch);
    if (!rk_work_charge(work, 0)) return;
    memcpy(scratch, r->weight, n * k * sizeof *scratch);
    for (size_t i = 0; i < n; i++)
        memcpy(r->weight + i * k, scratch + r->rows[i] * k, k * sizeof *scratch);
}

void rk_reorder(rk_work *work, const size_t *order, size_t n, double *x, double *scratch) {
    if (!rk_work_charge(work, 0)) return;
    memcpy(scratch, x, n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = scratch[order[i]];
}

void rk_reorder_pairs(rk_work *work, const size_t *order, size_t n, const double *from,
                      double *to) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            to[i * n + j] = from[order[i] * n + order[j]];
}
