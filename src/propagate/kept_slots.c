#include "propagate/kept_slots.h"

size_t rk_kept_last_use(const rk_chain *chain, size_t value) {
    const size_t last = rk_network_last_use(&chain->net, value), end = chain->net.n_layers - 1;
    return last < end ? last : end;
}

size_t rk_kept_cross_at(const rk_chain *chain, size_t value, size_t l) {
    const rk_network *net = &chain->net;
    size_t at = 0;
    for (size_t v = 0; v <= value; v++) {
        if (!rk_network_keeps(net, v)) continue;
        const size_t end = v == value ? l : rk_kept_last_use(chain, v);
        for (size_t k = v; k < end; k++)
            at += net->layers[k].rows * rk_network_value_size(net, v);
    }
    return at;
}

size_t rk_kept_slopes_at(const rk_chain *chain, size_t l) {
    size_t at = 0;
    for (size_t k = 0; k < l; k++)
        at += chain->net.layers[k].rows;
    return at;
}

const rk_kept_value *rk_kept_find(const rk_kept *kept, size_t value) {
    const rk_kept_value *v = kept->slot;
    while (v->n == 0 || v->value != value)
        v++;
    return v;
}

void rk_kept_copy(rk_work *work, bool transposed, size_t n, size_t k, const double *from,
                  double *to) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            to[i * k + j] = transposed ? from[j * n + i] : from[i * k + j];
}

double *rk_kept_pair_of(const rk_kept *kept, size_t i, size_t j, bool *transposed) {
    *transposed = i < j;
    return i == j ? kept->slot[i].C : i < j ? kept->pair[j][i] : kept->pair[i][j];
}

void rk_kept_sum_pair(rk_work *work, size_t n, size_t k, const double *pair, bool transposed,
                      double *X) {
    if (!rk_work_charge(work, (uint64_t)n * k)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            X[i * k + j] += transposed ? pair[j * n + i] : pair[i * k + j];
}

/* spare = diag(slope) X of layer l, what came out of its activation. */
static void behind_activation(const rk_kept *kept, size_t l, size_t value, size_t k) {
    const size_t n = kept->chain->net.layers[l].rows;
    const double *X = kept->crosses + rk_kept_cross_at(kept->chain, value, l);
    const double *slope = kept->slopes + rk_kept_slopes_at(kept->chain, l);
    if (!rk_work_charge(kept->work, (uint64_t)n * k)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            kept->spare[i * k + j] = slope[i] * X[i * k + j];
}

const double *rk_kept_cross_of(const rk_kept *kept, const rk_stage *stage, const rk_kept_value *v,
                               const double *C, bool *swapped) {
    const size_t u = stage->read;
    *swapped = u < v->value;
    if (u == v->value) return C;
    if (*swapped)
        behind_activation(kept, v->value - 1, u, stage->layer->cols);
    else
        behind_activation(kept, u - 1, v->value, v->n);
    return kept->spare;
}
