#include "propagate/forward.h"

#include "base/simd.h"
#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"
#include "propagate/back.h"

void rk_affine_mean_forward(rk_work *work, const rk_layer *layer, const double *m,
                            const double *m_dot, const double *dW, const double *db,
                            double *mu_dot) {
    const size_t rows = layer->rows, cols = layer->cols;
    if (layer->weight)
        rk_gemv(work, rows, cols, layer->weight, m_dot, NULL, mu_dot);
    else
        rk_set(work, rows, m_dot, mu_dot);
    rk_add_strided(work, rows, 1, db, 1, mu_dot);
    if (m && dW && layer->weight)
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, rows, 1, cols, 1, dW, cols, m, 1, 1, mu_dot, 1);
}

/* A (m x n) = dW C + W C_dot / 2: what is left of W C W' is its transpose's. False: it is zero. */
static bool half(rk_work *work, const rk_layer *layer, const double *C, const double *C_dot,
                 const double *dW, double *A) {
    const size_t m = layer->rows, n = layer->cols;
    if (dW && C)
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 1, dW, n, C, n, 0, A, n);
    else if (dW)
        rk_set(work, m * n, dW, A);
    if (C_dot)
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 0.5, layer->weight, n, C_dot, n,
                dW ? 1 : 0, A, n);
    return dW || C_dot;
}

typedef struct square {
    size_t n;
    double *Z;
} square;

/* Z += Z': of a pair of entries the row of the later one writes both. */
static void add_transpose_rows(void *context, size_t first, size_t last) {
    const square *s = context;
    for (size_t i = first; i < last; i++)
        for (size_t j = 0; j <= i; j++) {
            double *a = &s->Z[i * s->n + j], *b = &s->Z[j * s->n + i];
            *a = *b = *a + *b;
        }
}

void rk_affine_covariance_forward(rk_work *work, const rk_layer *layer, const double *C,
                                  const double *C_dot, const double *dW, double *product,
                                  double *Z_dot) {
    const size_t m = layer->rows, n = layer->cols;
    if (!layer->weight || !half(work, layer, C, C_dot, dW, product)) {
        rk_set(work, m * m, layer->weight ? NULL : C_dot, Z_dot);
        return;
    }
    rk_gemm(work, RK_NO_TRANS, RK_TRANS, m, m, n, 1, product, n, layer->weight, n, 0, Z_dot, m);
    square s = {m, Z_dot};
    if (rk_work_charge(work, (uint64_t)m * m)) rk_sweep(work->pool, m, m, add_transpose_rows, &s);
}

typedef struct row_pairs {
    size_t n;
    const double *A, *W;
    double *out;
} row_pairs;

RK_HOT static void twice_dot_rows(void *context, size_t first, size_t last) {
    const row_pairs *p = context;
    for (size_t i = first; i < last; i++)
        p->out[i] = 2 * rk_dot(p->n, p->A + i * p->n, p->W + i * p->n);
}

void rk_variances_forward(rk_work *work, const rk_layer *layer, const double *C,
                          const double *C_dot, const double *dW, double *product, double *var_dot) {
    const size_t m = layer->rows, n = layer->cols;
    if (!layer->weight && C_dot) {
        rk_diagonal(work, n, C_dot, var_dot);
        return;
    }
    if (!layer->weight || !half(work, layer, C, C_dot, dW, product)) {
        rk_set(work, m, NULL, var_dot);
        return;
    }
    row_pairs p = {n, product, layer->weight, var_dot};
    if (rk_work_charge(work, 2 * (uint64_t)m * n)) rk_sweep(work->pool, m, n, twice_dot_rows, &p);
}

void rk_wick_moments_forward(rk_work *work, size_t n, int k_max, const double *w,
                             const double *mu_dot, const double *var_dot, double *m_dot,
                             double *var_h_dot) {
    if (!rk_work_charge(work, 10 * (uint64_t)n)) return;
    const double *w01 = w + rk_wick_at(n, k_max, 0, 1), *w11 = w + rk_wick_at(n, k_max, 1, 1);
    const double *w21 = w + rk_wick_at(n, k_max, 2, 1), *w12 = w + rk_wick_at(n, k_max, 1, 2);
    const double *w22 = w + rk_wick_at(n, k_max, 2, 2);
    for (size_t i = 0; i < n; i++) {
        const double mu = mu_dot[i], half = 0.5 * var_dot[i];
        m_dot[i] = w11[i] * mu + w21[i] * half;
        var_h_dot[i] = (w12[i] - 2 * w01[i] * w11[i]) * mu + (w22[i] - 2 * w01[i] * w21[i]) * half;
    }
}

typedef struct rescaling {
    size_t n;
    double lost;
    const double *mean, *m_dot;
    double *C_dot;
    bool pairs;
} rescaling;

static void rescale_rows(void *context, size_t first, size_t last) {
    const rescaling *x = context;
    const double *mean = x->mean, *m_dot = x->m_dot;
    for (size_t i = first; i < last; i++) {
        if (!x->pairs) x->C_dot[i] += 2 * x->lost * mean[i] * m_dot[i];
        for (size_t j = 0; x->pairs && j < x->n; j++)
            x->C_dot[i * x->n + j] += x->lost * (m_dot[i] * mean[j] + mean[i] * m_dot[j]);
    }
}

void rk_rescale_forward(rk_work *work, size_t n, double r, const double *mean, double *m_dot,
                        double *C_dot, bool pairs) {
    if (!rk_work_charge(work, 4 * (uint64_t)n * (C_dot && pairs ? n : 1))) return;
    /* mean is r times what it was made of */
    rescaling x = {n, (1 - r * r) / r, mean, m_dot, C_dot, pairs};
    if (C_dot) rk_sweep(work->pool, n, pairs ? n : 1, rescale_rows, &x);
    for (size_t i = 0; i < n; i++)
        m_dot[i] *= r;
}
