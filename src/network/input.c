#include "network/input.h"

#include "base/size.h"
#include "linalg/blas.h"
#include "linalg/lapack.h"

#include <math.h>
#include <stdlib.h>

/* What single precision may do to a covariance, entry by entry in units of the two deviations:
 * storing it costs 6e-8, computing it in single precision some times that. */
#define ROUNDING 1e-6

/* Eigenvalues of more inputs than this would take longer than a refusal may. */
enum { MOST_EIGENVALUES = 2048 };

static const char way_out[] = "; the nearest that is, in NumPy: w, V = numpy.linalg.eigh(C); "
                              "C = (V * w.clip(0)) @ V.T";

static rk_status check_entries(const double *C, size_t n, bool *is_symmetric, rk_error *error) {
    *is_symmetric = true;
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(C[i]))
            return rk_fail(error, RK_ERROR_ARGUMENT, "input covariance [%zu, %zu] is not finite",
                           i / n, i % n);
    for (size_t i = 0; i < n; i++)
        if (C[i * n + i] < 0)
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "input covariance [%zu, %zu] is %g: a variance is not negative", i, i,
                           C[i * n + i]);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            const double a = C[i * n + j], b = C[j * n + i];
            const double scale = sqrt(C[i * n + i]) * sqrt(C[j * n + j]);
            *is_symmetric = *is_symmetric && a == b;
            if (!(fabs(a - b) <= ROUNDING * scale))
                return rk_fail(error, RK_ERROR_ARGUMENT,
                               "input covariance [%zu, %zu] is %g, but [%zu, %zu] is %g: not "
                               "symmetric; (C + C.T) / 2 is, if that is meant",
                               i, j, a, j, i, b);
            if (!(fabs(a) <= scale * (1 + ROUNDING)))
                return rk_fail(error, RK_ERROR_ARGUMENT,
                               "input covariance [%zu, %zu] is %g, more than the variances %g and "
                               "%g allow: not positive semidefinite%s",
                               i, j, a, C[i * n + i], C[j * n + j], way_out);
        }
    return RK_OK;
}

static double *symmetrised(const double *C, size_t n) {
    double *S = rk_alloc(n, n, sizeof *S);
    for (size_t i = 0; S && i < n; i++)
        for (size_t j = 0; j < n; j++)
            S[i * n + j] = C[i * n + j] / 2 + C[j * n + i] / 2;
    return S;
}

/* R = D^-1/2 C D^-1/2: what is semidefinite does not depend on units. An input without variance is
 * one alone. */
static double *correlations(const double *C, size_t n) {
    double *R = rk_alloc(n, n, sizeof *R);
    for (size_t i = 0; R && i < n; i++) {
        const double s = sqrt(C[i * n + i]);
        for (size_t j = 0; j < n; j++)
            R[i * n + j] = i == j                      ? 1
                           : s > 0 && C[j * n + j] > 0 ? C[i * n + j] / s / sqrt(C[j * n + j])
                                                       : 0;
    }
    return R;
}

/* The largest sum of a row's absolute values: no eigenvalue is beyond it, nor moved further than
 * by ROUNDING of it where every entry is off by ROUNDING of itself. */
static double largest_row(const double *R, size_t n) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += fabs(R[i * n + j]);
        largest = fmax(largest, sum);
    }
    return largest;
}

static rk_status smallest_eigenvalue(double *a, size_t n, double *out, rk_error *error) {
    double *values = rk_alloc(n, 1, sizeof *values);
    rk_work dry, wet;
    rk_work_init_dry(&dry);
    rk_eigenvalues_symmetric(&dry, n, a, values);
    rk_status status = values ? rk_work_init_wet(&wet, &dry, NULL, error)
                              : rk_fail(error, RK_ERROR_MEMORY, "no memory for eigenvalues");
    if (status == RK_OK) {
        *out = rk_eigenvalues_symmetric(&wet, n, a, values) ? values[0] : NAN;
        rk_work_finish(&wet);
    }
    free(values);
    return status;
}

/* In the user's units if they let rounding see it, else in those of the deviations. */
static rk_status refuse_indefinite(const double *C, size_t n, double bound, rk_error *error) {
    static const char *const whose[] = {"", " in units of the deviations"};
    for (int units = 0; n <= MOST_EIGENVALUES && units < 2; units++) {
        double value, *matrix = units ? correlations(C, n) : symmetrised(C, n);
        if (!matrix) return rk_fail(error, RK_ERROR_MEMORY, "no memory for eigenvalues");
        const double scale = largest_row(matrix, n);
        rk_status status = smallest_eigenvalue(matrix, n, &value, error);
        free(matrix);
        if (status != RK_OK) return status;
        if (value < -1e-12 * scale)
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "the input covariance is not positive semidefinite: its smallest "
                           "eigenvalue%s is %.4g%s",
                           whose[units], value, way_out);
    }
    return rk_fail(error, RK_ERROR_ARGUMENT,
                   "the input covariance is not positive semidefinite: in units of the deviations "
                   "an eigenvalue is below %.2g%s",
                   -bound, way_out);
}

/* Gershgorin's circles, then a factorisation; eigenvalues only to say what is wrong. */
static rk_status check_definite(const double *C, size_t n, rk_error *error) {
    double *R = correlations(C, n);
    if (!R) return rk_fail(error, RK_ERROR_MEMORY, "no memory to check a covariance of %zu", n);
    const double row = largest_row(R, n), slack = ROUNDING * row;
    bool is_definite = row <= 2;
    rk_status status = is_definite ? RK_OK : rk_blas_check_room(1, error);
    if (status != RK_OK) {
        free(R);
        return status;
    }
    if (!is_definite) {
        for (size_t i = 0; i < n; i++)
            R[i * n + i] += slack;
        rk_work work = {0};
        rk_blas_make_serial();
        is_definite = rk_cholesky(&work, n, R);
        rk_blas_restore();
    }
    free(R);
    return is_definite ? RK_OK : refuse_indefinite(C, n, slack, error);
}

/* T[i, j, k] beside T[j, i, k] and T[i, k, j], from which all orders follow. */
static rk_status check_third(const double *T, const double *C, size_t n, rk_error *error) {
    for (size_t i = 0; i < n * n * n; i++)
        if (!isfinite(T[i]))
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "input third cumulant [%zu, %zu, %zu] is not finite", i / n / n,
                           i / n % n, i % n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < n; k++) {
                const double a = T[(i * n + j) * n + k];
                const double b = T[(j * n + i) * n + k], c = T[(i * n + k) * n + j];
                const double deviations =
                    C ? sqrt(C[i * n + i]) * sqrt(C[j * n + j]) * sqrt(C[k * n + k]) : 1;
                const double scale = fmax(deviations, fmax(fabs(a), fmax(fabs(b), fabs(c))));
                if (!(fmax(fabs(a - b), fabs(a - c)) <= ROUNDING * scale))
                    return rk_fail(error, RK_ERROR_ARGUMENT,
                                   "input third cumulant [%zu, %zu, %zu] is %g, but in other "
                                   "orders of these %g and %g: not symmetric",
                                   i, j, k, a, b, c);
            }
    return RK_OK;
}

rk_status rk_input_accept(rk_input *law, double **copy, const rk_input *given, size_t n,
                          rk_error *error) {
    *law = given ? *given : (rk_input){0};
    *copy = NULL;
    bool is_symmetric = true;
    if (law->mixture)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "a mixture is no input here: give its components one by one");
    for (size_t i = 0; law->mean && i < n; i++)
        if (!isfinite(law->mean[i]))
            return rk_fail(error, RK_ERROR_ARGUMENT, "input mean [%zu] is not finite", i);
    rk_status status = RK_OK;
    if (law->covariance) status = check_entries(law->covariance, n, &is_symmetric, error);
    if (status == RK_OK && law->covariance) status = check_definite(law->covariance, n, error);
    if (status == RK_OK && law->third_cumulant)
        status = check_third(law->third_cumulant, law->covariance, n, error);
    if (status != RK_OK || is_symmetric) return status;
    *copy = symmetrised(law->covariance, n);
    if (!*copy) return rk_fail(error, RK_ERROR_MEMORY, "no memory for a covariance of %zu", n);
    law->covariance = *copy;
    return RK_OK;
}

rk_status rk_mixture_check(const rk_input *input, rk_error *error) {
    const rk_mixture *of = input->mixture;
    if (input->mean || input->covariance || input->third_cumulant)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "a mixture has its means and covariances in its components");
    if (of->n == 0 || !of->weights || !of->components)
        return rk_fail(error, RK_ERROR_ARGUMENT, "a mixture without components");
    double sum = 0;
    for (size_t k = 0; k < of->n; k++) {
        if (!(of->weights[k] >= 0) || isinf(of->weights[k]))
            return rk_fail(error, RK_ERROR_ARGUMENT, "weight [%zu] of the mixture is %g", k,
                           of->weights[k]);
        if (of->components[k].mixture)
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "component [%zu] of the mixture is a mixture itself: multiply its "
                           "weights out",
                           k);
        sum += of->weights[k];
    }
    if (!(fabs(sum - 1) <= ROUNDING))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "the weights of the mixture have the sum %.9g, and not 1", sum);
    return RK_OK;
}

double rk_input_variance(const rk_input *input, size_t n) {
    if (!input->covariance) return 1;
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += input->covariance[i * n + i];
    return trace / (double)n;
}
