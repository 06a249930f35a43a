#include "train/readout.h"

#include "base/sum.h"
#include "linalg/blas.h"
#include "linalg/lapack.h"

#include <math.h>
#include <string.h>

/* Of the average second moment: far below what a student may gain by, far above rounding. */
static const double RIDGE = 1e-9;

size_t rk_readout_scratch(size_t n, size_t k) {
    return n * (n + k);
}

/* M = C (+ m m') + ridge, right = N (+ m y'). */
static void normal_equations(rk_work *work, const rk_regression *r, bool centred, double *M,
                             double *right) {
    const size_t n = r->n, k = r->k;
    if (!rk_work_charge(work, centred ? 0 : 2 * (uint64_t)n * (n + k))) return;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double own = centred ? 0 : r->m[i];
        for (size_t j = 0; j < n; j++)
            M[i * n + j] = r->C[i * n + j] + (centred ? 0 : own * r->m[j]);
        for (size_t j = 0; j < k; j++)
            right[i * k + j] = r->N[i * k + j] + (centred ? 0 : own * r->y[j]);
        sum += M[i * n + i];
    }
    for (size_t i = 0; i < n; i++)
        M[i * n + i] += sum > 0 ? RIDGE * sum / (double)n : 1;
}

/* W = right' transposed, <right, before>. */
static double deliver(rk_work *work, const rk_regression *r, const double *solved, bool centred,
                      double *W) {
    const size_t n = r->n, k = r->k;
    double sum = 0;
    if (!rk_work_charge(work, 2 * (uint64_t)n * k)) return 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++) {
            const double w = solved[i * k + j];
            W[j * n + i] = w;
            sum += w * (r->N[i * k + j] + (centred ? 0 : r->m[i] * r->y[j]));
        }
    return sum;
}

void rk_readout_residual(rk_work *work, const rk_regression *of, const double *W, const double *b,
                         double *d) {
    if (!rk_work_charge(work, 2 * (uint64_t)of->n * of->k)) return;
    for (size_t j = 0; j < of->k; j++)
        d[j] = of->y[j] - rk_dot(of->n, W + j * of->n, of->m) - (b ? b[j] : 0);
}

double rk_readout_fit(rk_work *work, const rk_regression *of, double *scratch, double *W,
                      double *b) {
    const size_t n = of->n, k = of->k;
    double *M = scratch, *right = scratch + n * n;
    normal_equations(work, of, b != NULL, M, right);
    /* a covariance that a ridge of 1e-9 does not make definite is none: NaN says so */
    if (!rk_cholesky(work, n, M)) {
        if (rk_work_charge(work, 0)) memset(W, 0, n * k * sizeof *W);
        return (double)NAN;
    }
    rk_solve_lower(work, RK_NO_TRANS, n, k, M, right);
    rk_solve_lower(work, RK_TRANS, n, k, M, right);
    const double gain = deliver(work, of, right, b != NULL, W);
    if (b) rk_readout_residual(work, of, W, NULL, b);
    return gain;
}

/* <W, P - 2 N'> + |d|^2, P = W C. */
static double combine(rk_work *work, const rk_regression *r, const double *W, const double *P,
                      const double *d) {
    double sum = 0;
    if (!rk_work_charge(work, 4 * (uint64_t)r->n * r->k)) return 0;
    for (size_t j = 0; j < r->k; j++) {
        for (size_t i = 0; i < r->n; i++)
            sum += W[j * r->n + i] * (P[j * r->n + i] - 2 * r->N[i * r->k + j]);
        sum += d[j] * d[j];
    }
    return sum;
}

double rk_readout_loss(rk_work *work, const rk_regression *of, const double *W, const double *d,
                       double *scratch) {
    const size_t n = of->n, k = of->k;
    rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, k, n, n, 1, W, n, of->C, n, 0, scratch, n);
    return combine(work, of, W, scratch, d);
}

static void add_cross(rk_work *work, const rk_regression *r, const double *d, double *W_bar,
                      double *b_bar) {
    if (!rk_work_charge(work, 4 * (uint64_t)r->n * r->k)) return;
    for (size_t j = 0; j < r->k; j++) {
        for (size_t i = 0; i < r->n; i++)
            W_bar[j * r->n + i] -= 2 * (r->N[i * r->k + j] + d[j] * r->m[i]);
        if (b_bar) b_bar[j] -= 2 * d[j];
    }
}

void rk_readout_back(rk_work *work, const rk_regression *of, const double *W, const double *d,
                     double *W_bar, double *b_bar) {
    const size_t n = of->n, k = of->k;
    rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, k, n, n, 2, W, n, of->C, n, 1, W_bar, n);
    add_cross(work, of, d, W_bar, b_bar);
}
