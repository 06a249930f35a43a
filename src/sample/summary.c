#include "sample/summary.h"

#include "base/simd.h"
#include "linalg/blas.h"

#include <math.h>
#include <string.h>

rk_summary rk_summary_take(rk_work *work, size_t n_out, bool pairs, bool product) {
    rk_summary summary = {.n_out = n_out,
                          .mean = rk_work_doubles(work, n_out, 1),
                          .square = rk_work_doubles(work, n_out, 1),
                          .pairs = pairs ? rk_work_doubles(work, n_out, 1) : NULL,
                          .product = product ? rk_work_doubles(work, n_out, n_out) : NULL};
    if (!rk_work_charge(work, 0)) return summary;
    memset(summary.mean, 0, n_out * sizeof(double));
    memset(summary.square, 0, n_out * sizeof(double));
    if (pairs) memset(summary.pairs, 0, n_out * sizeof(double));
    if (product) memset(summary.product, 0, n_out * n_out * sizeof(double));
    return summary;
}

RK_HOT static void average_rows(size_t n, size_t n_out, const float *restrict y,
                                double *restrict mean) {
    memset(mean, 0, n_out * sizeof *mean);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < n_out; i++)
            mean[i] += (double)y[r * n_out + i];
    for (size_t i = 0; i < n_out; i++)
        mean[i] /= (double)n;
}

RK_HOT static void sum_squares(size_t n, size_t n_out, const float *restrict y,
                               const double *restrict mean, double *restrict square) {
    memset(square, 0, n_out * sizeof *square);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < n_out; i++) {
            double d = (double)y[r * n_out + i] - mean[i];
            square[i] += d * d;
        }
}

RK_HOT static void sum_pair_squares(size_t n, size_t n_out, const float *restrict y,
                                    const double *restrict mean, double *restrict pairs) {
    memset(pairs, 0, n_out * sizeof *pairs);
    const float *partner = y + n * n_out;
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < n_out; i++) {
            double d = ((double)y[r * n_out + i] + (double)partner[r * n_out + i]) / 2 - mean[i];
            pairs[i] += d * d;
        }
}

RK_HOT static void deviate(size_t n, size_t n_out, const float *restrict y,
                           const double *restrict mean, double *restrict deviations) {
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < n_out; i++)
            deviations[r * n_out + i] = (double)y[r * n_out + i] - mean[i];
}

void rk_summary_of_block(rk_summary *summary, size_t n, const float *y, double *deviations) {
    const size_t n_out = summary->n_out;
    summary->n = n;
    average_rows(n, n_out, y, summary->mean);
    sum_squares(n, n_out, y, summary->mean, summary->square);
    if (summary->pairs) sum_pair_squares(n / 2, n_out, y, summary->mean, summary->pairs);
    if (summary->product) {
        deviate(n, n_out, y, summary->mean, deviations);
        rk_block_dsyrk_tn(n_out, n, deviations, summary->product);
    }
}

void rk_summary_merge(rk_summary *total, const rk_summary *other) {
    const size_t n_out = total->n_out;
    const double n = (double)total->n, m = (double)other->n, weight = n * m / (n + m);
    const double *a = total->mean, *b = other->mean;
    for (size_t i = 0; i < n_out; i++) {
        double shift = b[i] - a[i], square = weight * shift * shift;
        total->square[i] += other->square[i] + square;
        if (total->pairs) total->pairs[i] += other->pairs[i] + square / 2; /* half as many */
    }
    for (size_t i = 0; total->product && i < n_out; i++)
        for (size_t j = 0; j <= i; j++)
            total->product[i * n_out + j] +=
                other->product[i * n_out + j] + weight * (b[i] - a[i]) * (b[j] - a[j]);
    for (size_t i = 0; i < n_out; i++)
        total->mean[i] += (b[i] - a[i]) * (m / (n + m));
    total->n += other->n;
}

/* 0 below a sum that is 0: NaN, for nothing is known. */
static double one_less(double n) {
    return n > 1 ? n - 1 : 0;
}

void rk_summary_variance(const rk_summary *summary, double *variance) {
    for (size_t i = 0; i < summary->n_out; i++)
        variance[i] = summary->square[i] / one_less((double)summary->n);
}

/* Few means tell their spread badly: by so much more two errors cover what they should, 95.4 %, by
 * Student's t with one degree of freedom less (Cornish and Fisher's series). */
static double widening(double n) {
    enum { FEW = 8 };
    const double x = 1 / one_less(n);
    return n > FEW ? 1 : 1 + x * (1.25 + x * (1.53 + x * 1.43));
}

void rk_summary_standard_error(const rk_summary *summary, double *standard_error) {
    const double n = (double)summary->n / (summary->pairs ? 2 : 1);
    const double *square = summary->pairs ? summary->pairs : summary->square;
    for (size_t i = 0; i < summary->n_out; i++)
        standard_error[i] = widening(n) * sqrt(square[i] / one_less(n) / n);
}

void rk_summary_covariance(const rk_summary *summary, double *covariance) {
    const size_t n_out = summary->n_out;
    for (size_t i = 0; i < n_out; i++)
        for (size_t j = 0; j <= i; j++)
            covariance[i * n_out + j] = covariance[j * n_out + i] =
                summary->product[i * n_out + j] / one_less((double)summary->n);
}
