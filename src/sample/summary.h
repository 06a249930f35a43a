/* Means and second moments of many passes, block by block, without cancellation.
 *
 * A block's deviations are taken from the block's own mean; two summaries are merged by the
 * formula of Chan, Golub and LeVeque. Everything is in double. */
#ifndef RK_SAMPLE_SUMMARY_H
#define RK_SAMPLE_SUMMARY_H

#include "base/work.h"

typedef struct rk_summary {
    size_t n_out;
    uint64_t n;     /* passes */
    double *mean;   /* n_out */
    double *square; /* n_out: sum (y - mean)^2 */
    double *pairs;  /* n_out: sum over pairs (pair's average - mean)^2; NULL: there are no pairs */
    double
        *product; /* n_out x n_out, lower triangle: sum (y - mean)(y - mean)'; NULL: not wanted */
} rk_summary;

/** An empty summary of outputs with n_out entries, in memory of `work`. */
rk_summary rk_summary_take(rk_work *work, size_t n_out, bool pairs, bool product);

/** Replaces `summary` by that of the rows of y (n x n_out, n >= 1). Of pairs, row r's partner is
 *  row r + n / 2. `deviations` (n x n_out) is scratch for `product`, otherwise not used. */
void rk_summary_of_block(rk_summary *summary, size_t n, const float *y, double *deviations);

/** Adds `other` to `total`. */
void rk_summary_merge(rk_summary *total, const rk_summary *other);

/** Variance of a pass, n_out entries. The n - 1 below the sum makes that of independent passes
 *  unbiased, that of pairs up to a relative 1/n. */
void rk_summary_variance(const rk_summary *summary, double *variance);

/** Standard error of the mean, n_out entries, over passes or pairs; of no more than 8 so much
 * larger that twice it covers as often as of many. */
void rk_summary_standard_error(const rk_summary *summary, double *standard_error);

/** The full covariance of a pass from `product`; the same holds. */
void rk_summary_covariance(const rk_summary *summary, double *covariance);

#endif
