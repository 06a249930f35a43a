/* Subset simulation: a rare event as a chain of likely ones (Au and Beck 2001). It needs nothing
 * but forward passes, so it is what is left where no tilt describes the event, and it is an
 * independent look at what a tilt has found. */
#ifndef RK_TAIL_SUBSET_H
#define RK_TAIL_SUBSET_H

#include "base/stream.h"
#include "tail/sampled_saddlepoint.h"

enum { RK_SUBSET_CHAIN = 10 }; /**< points of a chain */

typedef struct rk_subset_spec {
    double t;
    uint64_t n; /* passes a level, a multiple of RK_SUBSET_CHAIN */
    rk_stream stream;
    size_t lanes;
    /* If not NULL, these receive n points of the event, drawn from N(0, I) in it, and their z: step
     * s of chain c is point s n / RK_SUBSET_CHAIN + c. */
    float *points, *heights;
} rk_subset_spec;

/**
 * P(z > t) for the only output z of `net` under N(0, I), by laws N(0, width^2 I) where z > height:
 * first the width at which the event is likely, so that parts of it that few points of N(0, I) come
 * near are seen; then heights, up to t, that a tenth of the points exceed; then widths back to 1.
 * A law starts from points of the last one, a tenth as many, each the first of a Markov chain of ten
 * (preconditioned Crank-Nicolson steps, half of which are accepted). The estimate is biased by a few
 * times cv^2; cv counts the chains' correlation, and `effective` is 1 / cv^2. log_mean is -infinity
 * where nothing leads to the event: there are no points then. False if interrupted.
 */
bool rk_subset(rk_work *work, const rk_network *net, const rk_subset_spec *spec,
               rk_weighted_mean *out);

#endif
