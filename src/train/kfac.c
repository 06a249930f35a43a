#include "train/kfac.h"

#include "linalg/blas.h"
#include "linalg/lapack.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------------------- where things are */

size_t rk_kfac_inputs(const rk_kfac *kfac, size_t l) {
    const rk_layer *layer = &kfac->net->layers[l];
    return (layer->weight ? layer->cols : 0) + (layer->bias ? 1 : 0);
}

static size_t outputs_of(const rk_kfac *kfac, size_t l) {
    return rk_kfac_inputs(kfac, l) ? kfac->net->layers[l].rows : 0;
}

static size_t entries_of(const rk_kfac *kfac, size_t l) {
    const size_t n = rk_kfac_inputs(kfac, l), m = outputs_of(kfac, l);
    return n * n + m * m;
}

double *rk_kfac_A(const rk_kfac *kfac, size_t l) {
    size_t before = 0;
    for (size_t k = 0; k < l; k++)
        before += entries_of(kfac, k);
    return rk_kfac_inputs(kfac, l) ? kfac->factors + before : NULL;
}

double *rk_kfac_G(const rk_kfac *kfac, size_t l) {
    const size_t n = rk_kfac_inputs(kfac, l);
    return n ? rk_kfac_A(kfac, l) + n * n : NULL;
}

static size_t larger(size_t x, size_t y) {
    return x > y ? x : y;
}

rk_kfac rk_kfac_take(rk_work *work, const rk_network *net, size_t n_layers) {
    rk_kfac kfac = {.net = net, .n_layers = n_layers};
    size_t entries = 0, parameters = 0, square = 0;
    for (size_t l = 0; l < n_layers; l++) {
        const size_t n = rk_kfac_inputs(&kfac, l), m = outputs_of(&kfac, l);
        entries += entries_of(&kfac, l);
        parameters = larger(parameters, n * m);
        square = larger(square, larger(n, m) * larger(n, m));
    }
    kfac.factors = rk_work_doubles(work, entries, 1);
    kfac.vector = rk_work_doubles(work, parameters, 1);
    kfac.product = rk_work_doubles(work, parameters, 1);
    kfac.scratch = rk_work_doubles(work, square, 1);
    return kfac;
}

/* ------------------------------------------------------------------------------------- factors */

void rk_kfac_set_inputs(rk_work *work, rk_kfac *kfac, size_t l, const double *mean,
                        const double *covariance) {
    const rk_layer *layer = &kfac->net->layers[l];
    const size_t n = rk_kfac_inputs(kfac, l), cols = layer->weight ? layer->cols : 0;
    double *A = rk_kfac_A(kfac, l);
    if (n == 0 || !rk_work_charge(work, 2 * (uint64_t)n * n)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const double u = i == cols ? 1 : mean ? mean[i] : 0;
            const double v = j == cols ? 1 : mean ? mean[j] : 0;
            const double C = i == cols || j == cols ? 0
                             : covariance           ? covariance[i * cols + j]
                                                    : i == j;
            A[i * n + j] = C + u * v;
        }
}

/* The first `count` of n entries together, the others, if any, each by itself: a bias has units of
 * its own. False if something is not finite. */
static bool damp(size_t n, size_t count, double weight, double *a) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += a[i * n + i];
    for (size_t i = 0; i < n; i++) {
        const double own = i < count ? sum / (double)count : a[i * n + i];
        a[i * n + i] += own == 0 ? 1 : weight * own;
        if (!isfinite(a[i * n + i])) return false;
    }
    return true;
}

/* (L L')^-1 = L^-1' L^-1. What fails goes on, for the ledger's sake. */
static bool invert(rk_work *work, size_t n, size_t damped_together, double weight, double *scratch,
                   double *a) {
    bool is_right = true;
    if (rk_work_charge(work, 2 * (uint64_t)n)) is_right = damp(n, damped_together, weight, a);
    is_right = rk_cholesky(work, n, a) && is_right;
    if (rk_work_charge(work, 0))
        for (size_t i = 0; i < n * n; i++)
            scratch[i] = i % (n + 1) == 0;
    rk_solve_lower(work, RK_NO_TRANS, n, n, a, scratch);
    rk_gemm_symmetric(work, RK_TRANS, RK_NO_TRANS, n, n, 1, scratch, n, scratch, n, 0, a, n);
    return is_right;
}

bool rk_kfac_invert(rk_work *work, rk_kfac *kfac, double lambda) {
    const double weight = sqrt(lambda);
    bool is_right = true;
    for (size_t l = 0; l < kfac->n_layers; l++) {
        const rk_layer *layer = &kfac->net->layers[l];
        const size_t n = rk_kfac_inputs(kfac, l), m = outputs_of(kfac, l);
        const size_t cols = layer->weight ? layer->cols : 0;
        if (n == 0) continue;
        is_right = invert(work, n, cols, weight, kfac->scratch, rk_kfac_A(kfac, l)) && is_right;
        is_right = invert(work, m, m, weight, kfac->scratch, rk_kfac_G(kfac, l)) && is_right;
    }
    return is_right;
}

/* ----------------------------------------------------------------------------------- the vector */

/* Biases behind the rows of weights, and back. */
static void gather(rk_work *work, size_t m, size_t cols, const double *in, double *V) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < m; i++) {
        memcpy(V + i * (cols + 1), in + i * cols, cols * sizeof *V);
        V[i * (cols + 1) + cols] = in[m * cols + i];
    }
}

static void scatter(rk_work *work, size_t m, size_t cols, const double *V, double *out) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < m; i++) {
        memcpy(out + i * cols, V + i * (cols + 1), cols * sizeof *V);
        out[m * cols + i] = V[i * (cols + 1) + cols];
    }
}

void rk_kfac_apply(rk_work *work, const rk_kfac *kfac, const double *in, double *out) {
    for (size_t l = 0; l < kfac->n_layers; l++) {
        const rk_layer *layer = &kfac->net->layers[l];
        const size_t n = rk_kfac_inputs(kfac, l), m = outputs_of(kfac, l);
        const size_t cols = layer->weight ? layer->cols : 0;
        if (n == 0) continue;
        if (layer->bias) gather(work, m, cols, in, kfac->vector);
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 0.5, layer->bias ? kfac->vector : in, n,
                rk_kfac_A(kfac, l), n, 0, kfac->product, n);
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, m, 1, rk_kfac_G(kfac, l), m, kfac->product, n,
                0, layer->bias ? kfac->vector : out, n);
        if (layer->bias) scatter(work, m, cols, kfac->vector, out);
        in += m * n;
        out += m * n;
    }
}
