#include "sample/root.h"

#include "linalg/blas.h"
#include "linalg/lapack.h"

#include <float.h>
#include <math.h>

static double deviation_of(const double *covariance, size_t n, size_t i) {
    return sqrt(covariance[i * n + i]);
}

/* Of a constant: itself with itself. */
static void correlate(size_t n, const double *covariance, double *out) {
    for (size_t i = 0; i < n; i++) {
        const double s = deviation_of(covariance, n, i);
        for (size_t j = 0; j < n; j++) {
            const double t = deviation_of(covariance, n, j);
            const bool both = s > 0 && t > 0;
            out[i * n + j] = i == j ? 1 : both ? covariance[i * n + j] / s / t : 0;
        }
    }
}

/* D R from R. */
static void scale_rows(rk_work *work, size_t n, const double *covariance, double *root) {
    if (!rk_work_charge(work, (uint64_t)n * n)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            root[i * n + j] *= deviation_of(covariance, n, i);
}

rk_status rk_input_root(rk_work *work, size_t n, const double *covariance, double *root,
                        rk_error *error) {
    double *vectors = rk_work_doubles(work, n, n), *values = rk_work_doubles(work, n, 1);
    if (rk_work_charge(work, 0)) correlate(n, covariance, vectors);
    if (!rk_eigen_symmetric(work, n, vectors, values))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "the input covariance of %zu inputs is too large for its eigenvalues", n);
    if (rk_work_charge(work, (uint64_t)n * n)) {
        for (size_t k = 0; k < n; k++) { /* below zero: rounding, or network/input.c had refused */
            double scale = values[k] > 0 ? sqrt(sqrt(values[k])) : 0;
            for (size_t j = 0; j < n; j++)
                vectors[k * n + j] *= scale;
        }
    }
    rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, n, n, 1, vectors, n, vectors, n, 0, root, n);
    scale_rows(work, n, covariance, root);
    return RK_OK;
}

/* ---------------------------------------------------------------------------------------- back */

/* (A + A') / 4: of a root of the identity, dC = 2 dR. */
static void add_of_identity(rk_work *work, size_t n, const double *root_adjoint, double *adjoint) {
    if (!rk_work_charge(work, 2 * (uint64_t)n * n)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            adjoint[i * n + j] += (root_adjoint[i * n + j] + root_adjoint[j * n + i]) / 4;
}

/* In the axes of R, whose eigenvalues are r: X (r_i + r_j) = Rbar. `values` are those of R^2; what
 * is below zero by rounding, or as little above, is zero. */
static void solve_in_axes(rk_work *work, size_t n, const double *values, double *X) {
    if (!rk_work_charge(work, 2 * (uint64_t)n * n)) return;
    const double least = (double)n * DBL_EPSILON * values[n - 1];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const double r_i = values[i] > least ? sqrt(values[i]) : 0;
            const double r_j = values[j] > least ? sqrt(values[j]) : 0;
            X[i * n + j] = r_i + r_j > 0 ? X[i * n + j] / (r_i + r_j) : 0;
        }
}

/* out = V A V' or, of transposed V, V' A V, rows of V being axes. */
static void turn(rk_work *work, rk_trans trans, size_t n, const double *V, const double *A,
                 double *scratch, double *out) {
    const rk_trans other = trans == RK_TRANS ? RK_NO_TRANS : RK_TRANS;
    rk_gemm(work, trans, RK_NO_TRANS, n, n, n, 1, V, n, A, n, 0, scratch, n);
    rk_gemm(work, RK_NO_TRANS, other, n, n, n, 1, scratch, n, V, n, 0, out, n);
}

/* Rbar = D Sbar, symmetrised: only symmetric dR are there. */
static void start_back(rk_work *work, size_t n, const double *covariance,
                       const double *root_adjoint, double *out) {
    if (!rk_work_charge(work, 4 * (uint64_t)n * n)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            out[i * n + j] = (deviation_of(covariance, n, i) * root_adjoint[i * n + j] +
                              deviation_of(covariance, n, j) * root_adjoint[j * n + i]) /
                             2;
}

/* From the adjoint X of correlations, and of D in S = D R, to that of D X D. */
static void add_with_units(rk_work *work, size_t n, const double *covariance, const double *root,
                           const double *root_adjoint, const double *X, double *adjoint) {
    if (!rk_work_charge(work, 7 * (uint64_t)n * n)) return;
    for (size_t i = 0; i < n; i++) {
        const double s = deviation_of(covariance, n, i);
        double along = 0; /* df / d log s_i */
        for (size_t j = 0; j < n && s > 0; j++) {
            const double t = deviation_of(covariance, n, j);
            along += root_adjoint[i * n + j] * root[i * n + j];
            if (i == j || !(t > 0)) continue;
            const double x = X[i * n + j] / s / t;
            along -= 2 * x * covariance[i * n + j];
            adjoint[i * n + j] += x;
        }
        if (s > 0) adjoint[i * n + i] += along / s / s / 2;
    }
}

rk_status rk_input_root_back(rk_work *work, size_t n, const double *covariance,
                             const double *root_adjoint, double *adjoint, rk_error *error) {
    if (!covariance) {
        add_of_identity(work, n, root_adjoint, adjoint);
        return RK_OK;
    }
    const size_t mark = rk_work_mark(work);
    double *root = rk_work_doubles(work, n, n), *X = rk_work_doubles(work, n, n);
    double *turned = rk_work_doubles(work, n, n), *scratch = rk_work_doubles(work, n, n);
    double *vectors = rk_work_doubles(work, n, n), *values = rk_work_doubles(work, n, 1);
    rk_status status = rk_input_root(work, n, covariance, root, error);
    if (status == RK_OK) {
        if (rk_work_charge(work, 0)) correlate(n, covariance, vectors);
        rk_eigen_symmetric(work, n, vectors, values);
        start_back(work, n, covariance, root_adjoint, X);
        turn(work, RK_NO_TRANS, n, vectors, X, scratch, turned);
        solve_in_axes(work, n, values, turned);
        turn(work, RK_TRANS, n, vectors, turned, scratch, X);
        add_with_units(work, n, covariance, root, root_adjoint, X, adjoint);
    }
    rk_work_release(work, mark);
    return status;
}
