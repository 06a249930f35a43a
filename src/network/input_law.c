/* Laws of the input with memory of their own, from arrays as files have them. */
#include "base/size.h"
#include "base/status.h"
#include "linalg/blas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rk_input_law {
    rk_input input;      /* points to what follows */
    rk_mixture mixture;  /* of n components; or none */
    rk_input *component; /* [n] */
    double *weight;      /* n */
    double *mean;        /* (n or 1) x n_in */
    double *covariance;  /* (n or 1) x n_in x n_in */
    char text[120];
};

void rk_input_law_destroy(rk_input_law *law) {
    if (!law) return;
    free(law->component);
    free(law->weight);
    free(law->mean);
    free(law->covariance);
    free(law);
}

const rk_input *rk_input_law_view(const rk_input_law *law) {
    return &law->input;
}

const char *rk_input_law_text(const rk_input_law *law) {
    return law->text;
}

static rk_status create(rk_input_law **out, size_t components, size_t n_in, rk_error *error) {
    rk_input_law *law = *out = calloc(1, sizeof *law);
    if (law) {
        law->component = rk_alloc(components, 1, sizeof *law->component);
        law->weight = rk_alloc(components, 1, sizeof *law->weight);
        law->mean = rk_alloc(components, n_in, sizeof *law->mean);
        size_t entries;
        if (rk_size_mul(n_in, n_in, &entries))
            law->covariance = rk_alloc(components, entries, sizeof *law->covariance);
    }
    return law && law->component && law->weight && law->mean && law->covariance
               ? RK_OK
               : rk_fail(error, RK_ERROR_MEMORY, "no memory for a law of %zu inputs", n_in);
}

/* With *out, or nothing. */
static rk_status deliver(rk_input_law **out, rk_input_law *law, rk_status status) {
    *out = status == RK_OK ? law : NULL;
    if (status != RK_OK) rk_input_law_destroy(law);
    return status;
}

/* --------------------------------------------------------------------------------- shapes */

/* What an array says about n numbers. */
typedef enum rk_extent { NONE, ONE, VECTOR, MATRIX } rk_extent;

static size_t count_of(const rk_array *array) {
    size_t count = 1;
    for (size_t d = 0; d < array->n_dims; d++)
        count *= array->shape[d];
    return count;
}

static bool is_square(const rk_array *array, size_t n) {
    return array->n_dims == 2 && array->shape[0] == n && array->shape[1] == n;
}

/* (n), (n, 1), (1, n): at most one side that is not 1. */
static bool is_vector(const rk_array *array, size_t n) {
    size_t long_sides = 0;
    for (size_t d = 0; d < array->n_dims; d++)
        long_sides += array->shape[d] != 1;
    return long_sides <= 1 && count_of(array) == n;
}

static rk_extent extent_of(const rk_array *array, size_t n) {
    return is_square(array, n)    ? MATRIX
           : is_vector(array, n)  ? VECTOR
           : count_of(array) == 1 ? ONE
                                  : NONE;
}

static rk_status refuse_shape(const char *what, const rk_array *array, const char *wanted,
                              rk_error *error) {
    char shape[8 * 22] = "";
    size_t used = 0;
    for (size_t d = 0; d < array->n_dims; d++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, d ? "x%zu" : "%zu",
                                 array->shape[d]);
    return rk_fail(error, RK_ERROR_ARGUMENT, "%s: %s, where the network takes %s", what,
                   used ? shape : "a single number", wanted);
}

static void fill_mean(double *mean, size_t n, const double *given, bool is_one) {
    for (size_t i = 0; i < n; i++)
        mean[i] = given[is_one ? 0 : i];
}

/* Of one variance, n variances, or a matrix. */
static void fill_covariance(double *C, size_t n, const double *given, rk_extent extent) {
    if (extent == MATRIX) {
        memcpy(C, given, n * n * sizeof *C);
        return;
    }
    memset(C, 0, n * n * sizeof *C);
    for (size_t i = 0; i < n; i++)
        C[i * n + i] = given[extent == ONE ? 0 : i];
}

/* ----------------------------------------------------------------------------- one normal law */

rk_status rk_input_law_normal(rk_input_law **out, size_t n_in, const rk_array *mean,
                              const rk_array *covariance, rk_error *error) {
    *out = NULL;
    const rk_extent of_mean = mean ? extent_of(mean, n_in) : ONE;
    const rk_extent of_covariance = covariance ? extent_of(covariance, n_in) : ONE;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "%zu numbers, or one for all", n_in);
    if (of_mean == NONE || (of_mean == MATRIX && n_in > 1))
        return refuse_shape("mean", mean, wanted, error);
    snprintf(wanted, sizeof wanted, "%zux%zu, %zu variances, or one for all", n_in, n_in, n_in);
    if (of_covariance == NONE) return refuse_shape("covariance", covariance, wanted, error);
    rk_input_law *law;
    rk_status status = create(&law, 1, n_in, error);
    if (status == RK_OK && mean) {
        fill_mean(law->mean, n_in, mean->data, of_mean == ONE);
        law->input.mean = law->mean;
    }
    if (status == RK_OK && covariance) {
        fill_covariance(law->covariance, n_in, covariance->data, of_covariance);
        law->input.covariance = law->covariance;
    }
    return deliver(out, law, status);
}

/* -------------------------------------------------------------------------------- of points */

/* Takes the mean off the points; it is summed again from what is left, so that offsets cost no
 * digits. */
static void centre(double *x, size_t n, size_t n_in, double *mean) {
    memset(mean, 0, n_in * sizeof *mean);
    for (int again = 0; again < 2; again++)
        for (size_t j = 0; j < n_in; j++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++)
                sum += x[i * n_in + j] / (double)n;
            mean[j] += sum;
            for (size_t i = 0; i < n; i++)
                x[i * n_in + j] -= sum;
        }
}

/* Ledoit and Wolf's, towards the multiple of I with the same trace: the variance of the entries of
 * C, as the points tell it, over their distance from there. With C of divisor n both are sums over
 * the points: sum |x x' - C|^2 = sum |x|^4 - n |C|^2. */
static double least_loss(const double *x, size_t n, size_t n_in, const double *C) {
    const double to_n = (double)(n - 1) / (double)n;
    double trace = 0, squares = 0, fourths = 0;
    for (size_t i = 0; i < n_in; i++)
        trace += C[i * n_in + i] * to_n;
    for (size_t i = 0; i < n_in * n_in; i++)
        squares += C[i] * to_n * C[i] * to_n;
    for (size_t i = 0; i < n; i++) {
        double length = 0;
        for (size_t j = 0; j < n_in; j++)
            length += x[i * n_in + j] * x[i * n_in + j];
        fourths += length * length;
    }
    const double distance = squares - trace * trace / (double)n_in;
    const double variance = (fourths / (double)n - squares) / (double)n;
    return distance > 0 ? fmin(1, fmax(0, variance / distance)) : 1;
}

static void shrink(double *C, size_t n, double s) {
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += C[i * n + i];
    for (size_t i = 0; i < n * n; i++)
        C[i] *= 1 - s;
    for (size_t i = 0; i < n; i++)
        C[i * n + i] += s * trace / (double)n;
}

static rk_status check_points(const rk_array *points, size_t n_in, double shrinkage,
                              rk_error *error) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "points, n x %zu", n_in);
    if (points->n_dims != 2 || points->shape[1] != n_in)
        return refuse_shape("data", points, wanted, error);
    if (points->shape[0] < 2)
        return rk_fail(error, RK_ERROR_ARGUMENT, "data: a covariance takes two points, not %zu",
                       points->shape[0]);
    if (shrinkage < 0 || shrinkage > 1)
        return rk_fail(error, RK_ERROR_ARGUMENT, "shrinkage %g: from 0 to 1", shrinkage);
    for (size_t i = 0; i < count_of(points); i++)
        if (!isfinite(points->data[i]))
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "data: the value at [%zu, %zu] is not finite: leave such points out",
                           i / n_in, i % n_in);
    return RK_OK;
}

rk_status rk_input_law_of_points(rk_input_law **out, size_t n_in, const rk_array *points,
                                 double shrinkage, rk_error *error) {
    *out = NULL;
    rk_status status = check_points(points, n_in, shrinkage, error);
    if (status != RK_OK) return status;
    const size_t n = points->shape[0];
    rk_input_law *law;
    double *x = rk_alloc(n, n_in, sizeof *x);
    status = create(&law, 1, n_in, error);
    if (status == RK_OK && !x)
        status = rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu points", n);
    if (status == RK_OK) status = rk_blas_check_room(1, error);
    if (status == RK_OK) {
        memcpy(x, points->data, n * n_in * sizeof *x);
        centre(x, n, n_in, law->mean);
        rk_work work = {0};
        rk_blas_make_serial();
        rk_gemm_symmetric(&work, RK_TRANS, RK_NO_TRANS, n_in, n, 1 / (double)(n - 1), x, n_in, x,
                          n_in, 0, law->covariance, n_in);
        rk_blas_restore();
        const double s = isnan(shrinkage) ? least_loss(x, n, n_in, law->covariance) : shrinkage;
        if (s > 0) shrink(law->covariance, n_in, s);
        law->input = (rk_input){.mean = law->mean, .covariance = law->covariance};
        snprintf(law->text, sizeof law->text, "mean and covariance of %zu points, shrinkage %.3g%s",
                 n, s, isnan(shrinkage) ? " (Ledoit-Wolf)" : "");
    }
    free(x);
    return deliver(out, law, status);
}

/* --------------------------------------------------------------------------------- mixtures */

/* How covariances of k components are given: one by one, of what extent, or one for all. */
typedef struct given {
    rk_extent extent;
    size_t stride; /* between components */
} given;

/* scikit-learn calls them full, diag, tied and spherical. */
static rk_status read_covariances(given *out, const rk_array *array, size_t k, size_t n,
                                  rk_error *error) {
    const size_t *shape = array->shape;
    const bool full = array->n_dims == 3 && shape[0] == k && shape[1] == n && shape[2] == n;
    const bool diag = array->n_dims == 2 && shape[0] == k && shape[1] == n;
    const bool tied = is_square(array, n), spherical = array->n_dims == 1 && shape[0] == k;
    if (diag && tied && n > 1)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "covariances: %zux%zu may be one matrix for all of the %zu components or "
                       "variances of each: give (%zu, %zu, %zu)",
                       n, n, k, k, n, n);
    if (full) *out = (given){MATRIX, n * n};
    if (diag) *out = (given){VECTOR, n};
    if (tied) *out = (given){MATRIX, 0};
    if (spherical) *out = (given){ONE, 1};
    if (full || diag || tied || spherical) return RK_OK;
    char wanted[120];
    snprintf(wanted, sizeof wanted, "%zux%zux%zu, variances %zux%zu, %zux%zu for all, or %zu", k, n,
             n, k, n, n, n, k);
    return refuse_shape("covariances", array, wanted, error);
}

static void fill_components(rk_input_law *law, size_t n, const double *means,
                            const double *covariances, given how) {
    for (size_t k = 0; k < law->mixture.n; k++) {
        double *mean = law->mean + k * n, *C = law->covariance + k * n * n;
        memcpy(mean, means + k * n, n * sizeof *mean);
        fill_covariance(C, n, covariances + k * how.stride, how.extent);
        law->component[k] = (rk_input){.mean = mean, .covariance = C};
    }
}

rk_status rk_input_law_mixture(rk_input_law **out, size_t n_in, const rk_array *weights,
                               const rk_array *means, const rk_array *covariances,
                               rk_error *error) {
    *out = NULL;
    const size_t k = count_of(weights);
    if (k == 0 || !is_vector(weights, k))
        return refuse_shape("weights", weights, "one number a component", error);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%zux%zu", k, n_in);
    if (means->n_dims != 2 || means->shape[0] != k || means->shape[1] != n_in)
        return refuse_shape("means", means, wanted, error);
    given how = {NONE, 0};
    rk_status status = read_covariances(&how, covariances, k, n_in, error);
    if (status != RK_OK) return status;
    rk_input_law *law;
    status = create(&law, k, n_in, error);
    if (status == RK_OK) {
        memcpy(law->weight, weights->data, k * sizeof *law->weight);
        law->mixture = (rk_mixture){k, law->weight, law->component};
        law->input.mixture = &law->mixture;
        fill_components(law, n_in, means->data, covariances->data, how);
        snprintf(law->text, sizeof law->text, "a mixture of %zu normal laws", k);
    }
    return deliver(out, law, status);
}
