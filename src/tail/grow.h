/* More parts for a proposal where the event has more than the tilt describes. */
#ifndef RK_TAIL_GROW_H
#define RK_TAIL_GROW_H

#include "tail/proposal.h"

/** Points of the event in the axes of a proposal. With their weights they are N(0, I) in it. */
typedef struct rk_population {
    uint64_t n;
    float *y;       /* n x n_in */
    float *z;       /* n: what the network makes of them */
    double *weight; /* n, 1 on average */
} rk_population;

/** Adds N(points[k], I) for each design point (count x n), nearest first, the more passes the
 * nearer to the origin; the parts that are there share about half. */
void rk_proposal_add(rk_work *work, rk_proposal *proposal, const double *points, size_t count);

/**
 * Fits the parts from `first` on, and the shares of all, to half of the population, and adds parts
 * where weights are heaviest, as long as that lowers the weights' second moment over the other half
 * (docs/MATH.md#importance). Every part keeps enough passes to be seen.
 */
void rk_proposal_grow(rk_work *work, rk_proposal *proposal, size_t first,
                      const rk_population *population);

#endif
