#include "propagate/kept.h"

#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"
#include "propagate/back.h"

#include <string.h>

/* The last layer of the chain that needs it. */
static size_t last_use(const rk_chain *chain, size_t value) {
    const size_t last = rk_network_last_use(&chain->net, value), end = chain->net.n_layers - 1;
    return last < end ? last : end;
}

/* Where X of layer l with `value` begins: a value's are of the layers from where it was kept to the
 * one before it is needed last. */
static size_t cross_at(const rk_chain *chain, size_t value, size_t l) {
    const rk_network *net = &chain->net;
    size_t at = 0;
    for (size_t v = 0; v <= value; v++) {
        if (!rk_network_keeps(net, v)) continue;
        const size_t end = v == value ? l : last_use(chain, v);
        for (size_t k = v; k < end; k++)
            at += net->layers[k].rows * rk_network_value_size(net, v);
    }
    return at;
}

static size_t slopes_at(const rk_chain *chain, size_t l) {
    size_t at = 0;
    for (size_t k = 0; k < l; k++)
        at += chain->net.layers[k].rows;
    return at;
}

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
        kept.slopes = rk_work_doubles(work, slopes_at(chain, end), 1);
        kept.crosses = rk_work_doubles(work, cross_at(chain, end, end), 1);
    }
    return kept;
}

const rk_kept_value *rk_kept_find(const rk_kept *kept, size_t value) {
    const rk_kept_value *v = kept->slot;
    while (v->n == 0 || v->value != value)
        v++;
    return v;
}

/* What layer l and those after it do not need. */
static void forget(rk_kept *kept, size_t l) {
    for (size_t i = 0; i < kept->n_slots; i++)
        if (kept->slot[i].last < l) kept->slot[i].n = 0;
}

/* to = from (n x k), or its transpose. */
static void copy(rk_work *work, bool transposed, size_t n, size_t k, const double *from,
                 double *to) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            to[i * k + j] = transposed ? from[j * n + i] : from[i * k + j];
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
            copy(kept->work, false, n, other->n, other->X, kept->pair[own][i]);
        else
            copy(kept->work, true, other->n, n, other->X, kept->pair[i][own]);
    }
    rk_kept_value *v = &kept->slot[own];
    v->value = value;
    v->last = last_use(kept->chain, value);
    v->n = n;
    remember(kept->work, kept->pairs, m, C, v);
}

/* Covariance of slot `i` with slot `j`, as it is there, or transposed. */
static double *pair_of(const rk_kept *kept, size_t i, size_t j, bool *transposed) {
    *transposed = i < j;
    return i == j ? kept->slot[i].C : i < j ? kept->pair[j][i] : kept->pair[i][j];
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
            from = pair_of(kept, read, i, &transposed);
        }
        if (layer->weight)
            rk_gemm(kept->work, RK_NO_TRANS, transposed ? RK_TRANS : RK_NO_TRANS, m, v->n, n, 1,
                    layer->weight, n, from, transposed ? n : v->n, 0, kept->spare, v->n);
        else
            copy(kept->work, transposed, m, v->n, from, kept->spare);
        copy(kept->work, false, m, v->n, kept->spare, v->X);
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

/* X (n x k) += pair, as it is there or transposed. */
static void sum_pair(rk_work *work, size_t n, size_t k, const double *pair, bool transposed,
                     double *X) {
    if (!rk_work_charge(work, (uint64_t)n * k)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            X[i * k + j] += transposed ? pair[j * n + i] : pair[i * k + j];
}

void rk_kept_sum(rk_kept *kept, const rk_stage *stage, double *mu, double *Z, double *var) {
    const rk_kept_value *added = rk_kept_find(kept, stage->added);
    size_t own = (size_t)(added - kept->slot), n = added->n;
    sum_moments(kept->work, n, added, mu, Z, var);
    for (size_t i = 0; kept->pairs && i < kept->n_slots; i++) {
        if (kept->slot[i].n == 0) continue;
        bool transposed;
        const double *pair = pair_of(kept, own, i, &transposed);
        sum_pair(kept->work, n, kept->slot[i].n, pair, transposed, kept->slot[i].X);
    }
}

void rk_kept_activate(rk_kept *kept, const rk_stage *stage, const double *slope) {
    const size_t n = stage->layer->rows;
    if (kept->crosses)
        rk_set(kept->work, n, slope, kept->slopes + slopes_at(kept->chain, stage->l));
    for (size_t s = 0; s < kept->n_slots; s++) {
        rk_kept_value *v = &kept->slot[s];
        if (v->n == 0) continue;
        if (kept->crosses && v->last > stage->l)
            rk_set(kept->work, n * v->n, v->X,
                   kept->crosses + cross_at(kept->chain, v->value, stage->l));
        if (!rk_work_charge(kept->work, (uint64_t)n * v->n)) continue;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < v->n; j++)
                v->X[i * v->n + j] *= slope[i];
    }
}

/* --------------------------------------------------------------------------------- the way back */

void rk_kept_begin_back(rk_kept *kept) {
    for (size_t i = 0; i < kept->n_slots; i++)
        kept->slot[i].n = 0;
}

static bool is_there(const rk_kept *kept, size_t value) {
    for (size_t i = 0; i < kept->n_slots; i++)
        if (kept->slot[i].n > 0 && kept->slot[i].value == value) return true;
    return false;
}

/* A slot for what the stage is the last to need: nothing has come to it yet. */
static void begin_value(rk_kept *kept, const rk_stage *stage, size_t value) {
    size_t own = 0, n = rk_network_value_size(&kept->chain->net, value);
    while (kept->slot[own].n > 0)
        own++;
    rk_kept_value *v = &kept->slot[own];
    v->value = value;
    v->last = stage->l;
    v->n = n;
    rk_set(kept->work, n, NULL, v->m);
    rk_set(kept->work, kept->pairs ? n * n : n, NULL, v->C);
    if (!kept->pairs) return;
    rk_set(kept->work, stage->layer->rows * n, NULL, v->X);
    for (size_t i = 0; i < kept->n_slots; i++) {
        bool transposed;
        if (i != own && kept->slot[i].n > 0)
            rk_set(kept->work, n * kept->slot[i].n, NULL, pair_of(kept, own, i, &transposed));
    }
}

/* The twin of `forget`. */
static void begin_values(rk_kept *kept, const rk_stage *stage) {
    const rk_chain *chain = kept->chain;
    for (size_t value = 0; value <= stage->l; value++)
        if (rk_network_keeps(&chain->net, value) && last_use(chain, value) == stage->l &&
            !is_there(kept, value))
            begin_value(kept, stage, value);
}

static void add_own(rk_work *work, const rk_kept_value *v, bool pairs, double *m_bar,
                    double *C_bar) {
    const size_t n = v->n;
    rk_add_strided(work, n, 1, v->m, 1, m_bar);
    if (!pairs) rk_add_strided(work, n, 1, v->C, 1, C_bar);
    if (!pairs || !C_bar || !rk_work_charge(work, 5 * (uint64_t)n * n)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            C_bar[i * n + j] +=
                0.5 * ((v->C[i * n + j] + v->X[i * n + j]) + (v->C[j * n + i] + v->X[j * n + i]));
}

void rk_kept_add_back(rk_kept *kept, size_t value, double *m_bar, double *C_bar) {
    const rk_kept_value *own = rk_kept_find(kept, value);
    const size_t at = (size_t)(own - kept->slot), n = own->n;
    add_own(kept->work, own, kept->pairs, m_bar, C_bar);
    for (size_t i = 0; kept->pairs && i < kept->n_slots; i++) {
        if (i == at || kept->slot[i].n == 0) continue;
        bool transposed;
        const double *pair = pair_of(kept, at, i, &transposed);
        sum_pair(kept->work, n, kept->slot[i].n, pair, transposed, kept->slot[i].X);
    }
    kept->slot[at].n = 0;
}

typedef struct slopes_back {
    size_t k;
    const double *X, *slope;
    double *X_bar, *slope_bar;
} slopes_back;

static void back_rows(void *context, size_t first, size_t last) {
    const slopes_back *b = context;
    for (size_t i = first; i < last; i++) {
        double *X_bar = b->X_bar + i * b->k;
        b->slope_bar[i] += rk_dot(b->k, X_bar, b->X + i * b->k);
        for (size_t j = 0; j < b->k; j++)
            X_bar[j] *= b->slope[i];
    }
}

void rk_kept_activate_back(rk_kept *kept, const rk_stage *stage, double *slope_bar) {
    const size_t n = stage->layer->rows;
    for (size_t i = 0; i < kept->n_slots; i++) {
        const rk_kept_value *v = &kept->slot[i];
        if (v->n == 0) continue;
        slopes_back b = {.k = v->n,
                         .X = kept->crosses + cross_at(kept->chain, v->value, stage->l),
                         .slope = kept->slopes + slopes_at(kept->chain, stage->l),
                         .X_bar = v->X,
                         .slope_bar = slope_bar};
        if (rk_work_charge(kept->work, 3 * (uint64_t)n * v->n))
            rk_sweep(kept->work->pool, n, v->n, back_rows, &b);
    }
}

/* The adjoint of the covariance of slots `own` and i takes what X_bar of i says of it. */
static void add_to_pair(const rk_kept *kept, size_t own, size_t i) {
    const size_t n = kept->slot[own].n, k = kept->slot[i].n;
    bool transposed;
    double *pair = pair_of(kept, own, i, &transposed);
    sum_pair(kept->work, transposed ? k : n, transposed ? n : k, kept->slot[i].X, transposed, pair);
}

/* The sum's covariance takes X and X'. */
static void sum_back(rk_work *work, size_t n, const double *Z_bar, const rk_kept_value *v) {
    if (!rk_work_charge(work, 3 * (uint64_t)n * n)) return;
    for (size_t k = 0; k < n * n; k++) {
        v->C[k] += Z_bar[k];
        v->X[k] += 2 * Z_bar[k];
    }
}

void rk_kept_sum_back(rk_kept *kept, const rk_stage *stage, const double *mu_bar,
                      const double *Z_bar) {
    begin_values(kept, stage);
    const rk_kept_value *added = rk_kept_find(kept, stage->added);
    const size_t own = (size_t)(added - kept->slot), n = added->n;
    rk_add_strided(kept->work, n, 1, mu_bar, 1, added->m);
    if (!kept->pairs) rk_add_strided(kept->work, n, 1, Z_bar, 1, added->C);
    for (size_t i = 0; kept->pairs && i < kept->n_slots; i++) {
        const rk_kept_value *v = &kept->slot[i];
        if (v->n == 0) continue;
        add_to_pair(kept, own, i);
    }
    if (kept->pairs) sum_back(kept->work, n, Z_bar, added);
}

/* spare = diag(slope) X of layer l, what came out of its activation. */
static void behind_activation(const rk_kept *kept, size_t l, size_t value, size_t k) {
    const size_t n = kept->chain->net.layers[l].rows;
    const double *X = kept->crosses + cross_at(kept->chain, value, l);
    const double *slope = kept->slopes + slopes_at(kept->chain, l);
    if (!rk_work_charge(kept->work, (uint64_t)n * k)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            kept->spare[i * k + j] = slope[i] * X[i * k + j];
}

/* dW += X_bar Cov(u, v)', u what is read and v in its slot; C is u's own covariance. */
static void weights_back(const rk_kept *kept, const rk_stage *stage, const rk_kept_value *v,
                         const double *C, double *dW) {
    const size_t m = stage->layer->rows, n = stage->layer->cols, k = v->n, u = stage->read;
    const bool swapped = u < v->value;
    const double *cross = u == v->value ? C : kept->spare;
    if (u > v->value) behind_activation(kept, u - 1, v->value, k);
    if (swapped) behind_activation(kept, v->value - 1, u, n);
    if (cross)
        rk_gemm(kept->work, RK_NO_TRANS, swapped ? RK_NO_TRANS : RK_TRANS, m, n, k, 1, v->X, k,
                cross, swapped ? n : k, 1, dW, n);
    else
        sum_pair(kept->work, m, n, v->X, false, dW);
}

/* X_bar, of W Cov(u, v), becomes that of Cov(u, v). */
static void pull(const rk_kept *kept, const rk_stage *stage, const rk_kept_value *v) {
    const rk_layer *layer = stage->layer;
    const size_t m = layer->rows, n = layer->cols, k = v->n;
    if (!layer->weight) return;
    rk_gemm(kept->work, RK_TRANS, RK_NO_TRANS, n, k, m, 1, layer->weight, n, v->X, k, 0,
            kept->spare, k);
    copy(kept->work, false, n, k, kept->spare, v->X);
}

/* What was read was kept: all that came to it is its own, and the present value got nothing. */
static void give_back(const rk_kept *kept, const rk_stage *stage, double *m_bar,
                      const double *C_bar) {
    const rk_kept_value *read = rk_kept_find(kept, stage->read);
    const size_t own = (size_t)(read - kept->slot), n = read->n;
    const size_t present = rk_network_value_size(&kept->chain->net, stage->l);
    rk_add_strided(kept->work, n, 1, m_bar, 1, read->m);
    rk_set(kept->work, present, NULL, m_bar);
    rk_add_strided(kept->work, kept->pairs ? n * n : n, 1, C_bar, 1, read->C);
    for (size_t i = 0; kept->pairs && i < kept->n_slots; i++) {
        const rk_kept_value *v = &kept->slot[i];
        if (v->n == 0) continue;
        add_to_pair(kept, own, i);
        rk_set(kept->work, present * v->n, NULL, v->X);
    }
}

void rk_kept_affine_back(rk_kept *kept, const rk_stage *stage, const double *C, double *m_bar,
                         const double *C_bar, double *dW) {
    begin_values(kept, stage);
    for (size_t i = 0; kept->pairs && i < kept->n_slots; i++) {
        const rk_kept_value *v = &kept->slot[i];
        if (v->n == 0) continue;
        if (dW && stage->layer->weight) weights_back(kept, stage, v, C, dW);
        pull(kept, stage, v);
    }
    if (stage->is_kept) give_back(kept, stage, m_bar, C_bar);
}
