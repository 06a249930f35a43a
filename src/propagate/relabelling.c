#include "propagate/relabelling.h"

#include "base/sweep.h"

#include <string.h>

/* to_ij = from_{rows_i cols_j} of matrices with k columns; NULL: in the order they have. */
typedef struct gathering {
    const size_t *rows, *cols;
    size_t k;
    const double *from;
    double *to;
} gathering;

static void gather_rows(void *context, size_t first, size_t last) {
    const gathering *x = context;
    for (size_t i = first; i < last; i++) {
        const double *from = x->from + (x->rows ? x->rows[i] : i) * x->k;
        double *to = x->to + i * x->k;
        if (!x->cols) memcpy(to, from, x->k * sizeof *to);
        for (size_t j = 0; x->cols && j < x->k; j++)
            to[j] = from[x->cols[j]];
    }
}

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
    for (size_t i = 0; i < n; i++)
        r->rows[i] = i;
    gathering x = {NULL, r->cols, k, layer->weight, r->weight};
    rk_sweep(work->pool, n, k, gather_rows, &x);
    if (layer->bias) memcpy(r->bias, layer->bias, n * sizeof *r->bias);
    return &r->layer;
}

void rk_relabelling_apply(rk_work *work, const rk_relabelling *r, double *scratch) {
    size_t n = r->layer.rows, k = r->layer.cols;
    if (r->layer.bias) rk_reorder(work, r->rows, n, r->bias, scratch);
    if (!rk_work_charge(work, 0)) return;
    memcpy(scratch, r->weight, n * k * sizeof *scratch);
    gathering x = {r->rows, NULL, k, scratch, r->weight};
    rk_sweep(work->pool, n, k, gather_rows, &x);
}

void rk_reorder(rk_work *work, const size_t *order, size_t n, double *x, double *scratch) {
    if (!rk_work_charge(work, 0)) return;
    memcpy(scratch, x, n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = scratch[order[i]];
}

void rk_reorder_pairs(rk_work *work, const size_t *order, size_t n, const double *from,
                      double *to) {
    gathering x = {order, order, n, from, to};
    if (rk_work_charge(work, 0)) rk_sweep(work->pool, n, n, gather_rows, &x);
}
