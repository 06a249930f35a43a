/* The receipt: an unbiased Monte Carlo check of any estimate. */
#ifndef RK_ESTIMATE_RECEIPT_H
#define RK_ESTIMATE_RECEIPT_H

#include "estimate/method.h"

/** Independent groups of samples the receipt is made from. */
enum { RK_RECEIPT_GROUPS = 16 };

/**
 * Unbiased estimate of mean_i (estimate_i - E y_i)^2 from `samples` forward passes, and its
 * standard error. With group means x_1 .. x_R of R independent groups it is the average of
 * (p - x_r).(p - x_s) / n over all pairs r != s: the two-half check of two groups, with half its
 * variance for many. So errors far below the noise of the sample mean itself can be seen, and the
 * answer may be negative. RK_ERROR_INTERRUPTED if the options' progress callback says so.
 */
rk_status rk_receipt(const rk_problem *problem, const double *estimate, rk_pool *pool, double *mse,
                     double *standard_error, rk_error *error);

/** Bytes that takes; 0 if no receipt is wanted. */
rk_status rk_receipt_bytes(const rk_problem *problem, size_t *bytes, rk_error *error);

#endif
