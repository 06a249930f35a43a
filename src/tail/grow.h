/* More parts for a proposal where the event has more than the tilt describes. */
#ifndef RK_TAIL_GROW_H
#define RK_TAIL_GROW_H

#include "tail/proposal.h"

/** Points of the event, drawn from N(0, I) in it: point s * chains + c is step s of Markov chain c,
 *  of which half is fitted to and half is judged by. */
typedef struct rk_population {
    uint64_t n, chains;
    const float *x; /* n x n_in */
    const float *z; /* n: the heights */
    float *y;       /* n x n_in: in the axes of the proposal, made by rk_proposal_grow */
} rk_population;

/**
 * Adds normals with the proposal's axes, as many as lower the weights' second moment over the
 * population, each begun where weights are heaviest and fitted together with the others by
 * expectation and maximisation (docs/MATH.md#importance). The shares of all parts are fitted, too;
 * the first, and part 1 as long as no part is added, keep enough to be seen.
 */
void rk_proposal_grow(rk_work *work, rk_proposal *proposal, rk_population *population);

#endif
