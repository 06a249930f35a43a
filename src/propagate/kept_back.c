#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"
#include "propagate/back.h"
#include "propagate/kept.h"

void rk_kept_clear(rk_kept *kept) {
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
            rk_set(kept->work, n * kept->slot[i].n, NULL,
                   rk_kept_pair_of(kept, own, i, &transposed));
    }
}

/* The twin of `forget`. */
static void begin_values(rk_kept *kept, const rk_stage *stage) {
    const rk_chain *chain = kept->chain;
    for (size_t value = 0; value <= stage->l; value++)
        if (rk_network_keeps(&chain->net, value) && rk_kept_last_use(chain, value) == stage->l &&
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
        const double *pair = rk_kept_pair_of(kept, at, i, &transposed);
        rk_kept_sum_pair(kept->work, n, kept->slot[i].n, pair, transposed, kept->slot[i].X);
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
                         .X = kept->crosses + rk_kept_cross_at(kept->chain, v->value, stage->l),
                         .slope = kept->slopes + rk_kept_slopes_at(kept->chain, stage->l),
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
    double *pair = rk_kept_pair_of(kept, own, i, &transposed);
    rk_kept_sum_pair(kept->work, transposed ? k : n, transposed ? n : k, kept->slot[i].X,
                     transposed, pair);
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

/* dW += X_bar Cov(u, v)'. */
static void weights_back(const rk_kept *kept, const rk_stage *stage, const rk_kept_value *v,
                         const double *C, double *dW) {
    const size_t m = stage->layer->rows, n = stage->layer->cols, k = v->n;
    bool swapped;
    const double *cross = rk_kept_cross_of(kept, stage, v, C, &swapped);
    if (cross)
        rk_gemm(kept->work, RK_NO_TRANS, swapped ? RK_NO_TRANS : RK_TRANS, m, n, k, 1, v->X, k,
                cross, swapped ? n : k, 1, dW, n);
    else
        rk_kept_sum_pair(kept->work, m, n, v->X, false, dW);
}

/* X_bar, of W Cov(u, v), becomes that of Cov(u, v). */
static void pull(const rk_kept *kept, const rk_stage *stage, const rk_kept_value *v) {
    const rk_layer *layer = stage->layer;
    const size_t m = layer->rows, n = layer->cols, k = v->n;
    if (!layer->weight) return;
    rk_gemm(kept->work, RK_TRANS, RK_NO_TRANS, n, k, m, 1, layer->weight, n, v->X, k, 0,
            kept->spare, k);
    rk_kept_copy(kept->work, false, n, k, kept->spare, v->X);
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
