/* The receipt: an unbiased Monte Carlo check of any estimate. */
#ifndef RK_ESTIMATE_RECEIPT_H
#define RK_ESTIMATE_RECEIPT_H

#include "estimate/method.h"

/** Independent groups of samples the receipt is made from. */
enum { RK_RECEIPT_GROUPS = 16 };

/** What the groups came to: memory of the caller, filled by the wet run. */
typedef struct rk_receipt {
    uint64_t samples; /**< passes; 0: there is no receipt */
    uint64_t flops;   /**< they cost */
    bool begun;       /**< the estimate itself was complete */
    double *group;    /**< RK_RECEIPT_GROUPS x n_out: their means */
    double *mean;     /**< n_out: of all of them */
    double *error;    /**< n_out: its standard error, rounding included */
    double *variance; /**< n_out: of the outputs */
} rk_receipt;

/** Numbers in it. */
#define RK_RECEIPT_ROWS (RK_RECEIPT_GROUPS + 3)

/** The passes of a receipt of about `samples`: the points that see most for that, of those without
 *  bias. n_samples 0: none. */
rk_sample_spec rk_receipt_spec(const rk_problem *problem, uint64_t samples);

/** The largest receipt that costs at most `flops`, takes at most `seconds` where double products
 * run at `speed` (pace.h), and fits into the memory, or none. */
rk_sample_spec rk_receipt_within(const rk_problem *problem, double flops, double seconds,
                                 double speed);

/** Takes problem->receipt: dry or wet. */
rk_status rk_receipt_run(rk_work *work, const rk_problem *problem, rk_receipt *receipt,
                         rk_error *error);

/** What a receipt says of an estimate. */
typedef struct rk_finding {
    double mse;            /**< unbiased estimate of mean_i (estimate_i - E y_i)^2 */
    double standard_error; /**< of it */
    double noise;          /**< mean square of the standard errors of the receipt's own means */
    double directions;     /**< effective number of independent outputs, at least 1 */
} rk_finding;

/**
 * With group means x_1 .. x_R it is the average of (p - x_r).(p - x_s) / n over all pairs r != s:
 * the two-half check of two groups, with half its variance for many. So errors far below the noise
 * of the sample mean itself can be seen, and the answer may be negative.
 */
rk_finding rk_receipt_check(const rk_receipt *receipt, size_t n_out, const double *estimate);

#endif
