/* Subset simulation: a rare event as a chain of likely ones (Au and Beck 2001). It needs nothing
 * but forward passes, so it is what is left where no tilt describes the event, and it is an
 * independent look at what a tilt has found. */
#ifndef RK_TAIL_SUBSET_H
#define RK_TAIL_SUBSET_H

#include "base/stream.h"
#include "tail/sampled_saddlepoint.h"

typedef struct rk_subset_spec {
    double t;
    uint64_t n; /* passes a level */
    rk_stream stream;
    size_t lanes;
    bool centred;  /* of passes.h */
    float *points; /* if not NULL, receives points of the event: max_points x n_in */
    size_t max_points;
} rk_subset_spec;

/**
 * P(z > t) for the only output z of `net` under N(0, I). A level keeps the tenth of its points that
 * are highest, and starts from each a Markov chain of ten that stays above the lowest of them
 * (preconditioned Crank-Nicolson steps, half of which are accepted). The estimate is biased by a
 * few times cv^2; cv counts the chains' correlation, and `effective` is 1 / cv^2. `n_points` of the
 * event's points are given, 0 where nothing leads to it: log_mean is -infinity there. False if
 * interrupted. The dry run charges as many levels as there may be, 60.
 */
bool rk_subset(rk_work *work, const rk_network *net, const rk_subset_spec *spec,
               rk_weighted_mean *out, size_t *n_points);

#endif
