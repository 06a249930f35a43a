/* Unbiased probabilities from weighted passes (docs/MATH.md#importance). */
#ifndef RK_TAIL_IMPORTANCE_H
#define RK_TAIL_IMPORTANCE_H

#include "base/stream.h"
#include "tail/proposal.h"

/** The average of weights, in logarithms. */
typedef struct rk_weighted_mean {
    double log_mean;  /* -infinity if no weight is positive */
    double cv;        /* its standard error relative to it */
    double effective; /* (sum w)^2 / sum w^2 */
    uint64_t n;
} rk_weighted_mean;

/**
 * P(z > t) for the only output z of `net` under N(0, I), by `n` passes from `proposal`, weighted
 * with dN(0, I) / d(mixture). `radial` (homogeneous networks, n_in >= RK_RADIAL_MIN, t > 0): each
 * pass is a direction, and the length of x is integrated exactly. False if interrupted.
 */
bool rk_importance(rk_work *work, const rk_network *net, double t, bool radial,
                   const rk_proposal *proposal, uint64_t n, rk_stream stream, size_t lanes,
                   rk_weighted_mean *out);

/** Fewer entries and the integral over the length is not smooth enough for its rule. */
enum { RK_RADIAL_MIN = 16 };

#endif
