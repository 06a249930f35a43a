#include "propagate/kept.h"

#include "linalg/blas.h"
#include "propagate/back.h"

#include <string.h>

rk_kept rk_kept_take(const rk_chain *chain, bool pairs) {
    rk_work *work = chain->work;
    rk_kept kept = {.work = work, .chain = chain, .pairs = pairs, .n_slots = chain->net.most_kept};
    size_t n = rk_network_max_width(&chain->net), n_pairs = pairs ? n : 0;
    for (size_t i = 0; i < kept.n_slots; i++) {
        kept.slot[i] = (rk_kept_value){.m = rk_work_doubles(work, n, 1),
                                       .C = rk_work_doubles(work, n, pairs ? n : 1),
                                       .X = rk_work_doubles(work, n_pairs, n_pairs)};
        for (size_t j = 0; j < i; j++)
            kept.pair[i][j] = rk_work_doubles(work, n_pairs, n_pairs);
    }
    if (kept.n_slots) kept.spare = rk_work_doubles(work, n_pairs, n_pairs);
    if (kept.n_slots && pairs && chain->recorded) {
        const size_t end = chain->net.n_layers;
        kept.slopes = rk_work_doubles(work, rk_kept_slopes_at(chain, end), 1);
        kept.crosses = rk_work_doubles(work, rk_kept_cross_at(chain, end, end), 1);
    }
    return kept;
}

/* What layer l and those after it do not need. */
static void forget(rk_kept *kept, size_t l) {
    for (size_t i = 0; i < kept->n_slots; i++)
        if (kept->slot[i].last < l) kept->slot[i].n = 0;
}

static void remember(rk_work *work, bool pairs, const double *m, const double *C,
                     const rk_kept_value *v) {
    if (!rk_work_charge(work, 0)) return;
    const size_t n = v->n, count = pairs ? n * n : n;
    for (size_t i = 0; i < n; i++)
        v->m[i] = m ? m[i] : 0;
    for (size_t i = 0; i < count; i++)
        v->C[i] = C ? C[i] : !pairs || i % (n + 1) == 0;
    if (pairs) memcpy(v->X, v->C, count * sizeof *v->X);
}

void rk_kept_add(rk_kept *kept, size_t value, size_t n, const double *m, const double *C) {
    size_t own = 0;
    forget(kept, value);
    while (kept->slot[own].n > 0) /* there is one: rk_network_most_kept has counted them */
        own++;
    for (size_t i = 0; kept->pairs && i < kept->n_slots; i++) {
        const rk_kept_value *other = &kept->slot[i];
        if (other->n == 0) continue;
        if (i < own)
            rk_kept_copy(kept->work, false, n, other->n, other->X, kept->pair[own][i]);
        else
            rk_kept_copy(kept->work, true, other->n, n, other->X, kept->pair[i][own]);
    }
    rk_kept_value *v = &kept->slot[own];
    v->value = value;
    v->last = rk_kept_last_use(kept->chain, value);
    v->n = n;
    remember(kept->work, kept->pairs, m, C, v);
}

void rk_kept_affine(rk_kept *kept, const rk_stage *stage) {
    const rk_layer *layer = stage->layer;
    size_t m = layer->rows, n = layer->cols;
    forget(kept, stage->l);
    for (size_t i = 0; i < kept->n_slots; i++) {
        rk_kept_value *v = &kept->slot[i];
        if (v->n == 0) continue;
        const double *from = v->X;
        bool transposed = false;
        if (stage->is_kept) {
            size_t read = (size_t)(rk_kept_find(kept, stage->read) - kept->slot);
            from = rk_kept_pair_of(kept, read, i, &transposed);
        }
        if (layer->weight)
            rk_gemm(kept->work, RK_NO_TRANS, transposed ? RK_TRANS : RK_NO_TRANS, m, v->n, n, 1,
                    layer->weight, n, from, transposed ? n : v->n, 0, kept->spare, v->n);
        else
            rk_kept_copy(kept->work, transposed, m, v->n, from, kept->spare);
        rk_kept_copy(kept->work, false, m, v->n, kept->spare, v->X);
    }
}

static void sum_moments(rk_work *work, size_t n, const rk_kept_value *v, double *mu, double *Z,
                        double *var) {
    if (!rk_work_charge(work, (Z ? 3 * (uint64_t)n : 1) * n + n)) return;
    for (size_t i = 0; i < n; i++) {
        mu[i] += v->m[i];
        for (size_t j = 0; Z && j < n; j++)
            Z[i * n + j] += v->X[i * n + j] + v->X[j * n + i] + v->C[i * n + j];
        var[i] = Z ? Z[i * n + i] : var[i] + v->C[i];
    }
}

void rk_kept_sum(rk_kept *kept, const rk_stage *stage, double *mu, double *Z, double *var) {
    const rk_kept_value *added = rk_kept_find(kept, stage->added);
    size_t own = (size_t)(added - kept->slot), n = added->n;
    sum_moments(kept->work, n, added, mu, Z, var);
    for (size_t i = 0; kept->pairs && i < kept->n_slots; i++) {
        if (kept->slot[i].n == 0) continue;
        bool transposed;
        const double *pair = rk_kept_pair_of(kept, own, i, &transposed);
        rk_kept_sum_pair(kept->work, n, kept->slot[i].n, pair, transposed, kept->slot[i].X);
    }
}

void rk_kept_activate(rk_kept *kept, const rk_stage *stage, const double *slope) {
    const size_t n = stage->layer->rows;
    if (kept->crosses)
        rk_set(kept->work, n, slope, kept->slopes + rk_kept_slopes_at(kept->chain, stage->l));
    for (size_t s = 0; s < kept->n_slots; s++) {
        rk_kept_value *v = &kept->slot[s];
        if (v->n == 0) continue;
        if (kept->crosses && v->last > stage->l)
            rk_set(kept->work, n * v->n, v->X,
                   kept->crosses + rk_kept_cross_at(kept->chain, v->value, stage->l));
        if (!rk_work_charge(kept->work, (uint64_t)n * v->n)) continue;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < v->n; j++)
                v->X[i * v->n + j] *= slope[i];
    }
}
