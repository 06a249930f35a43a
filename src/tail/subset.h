/* Subset simulation: a rare event as a chain of likely ones (Au and Beck 2001). It needs nothing
 * but forward passes, so it is what is left where no tilt describes the event. */
#ifndef RK_TAIL_SUBSET_H
#define RK_TAIL_SUBSET_H

#include "tail/importance.h"

/**
 * P(z > t) for the only output z of `net` under N(0, I): `n` passes a level. A level keeps the
 * tenth of its points that are highest, and starts from each a Markov chain of ten that stays above
 * the lowest of them (preconditioned Crank-Nicolson steps, half of which are accepted). The
 * estimate is biased by a few times cv^2; cv counts the chains' correlation, and `effective` is 1 /
 * cv^2. False if interrupted.
 */
bool rk_subset(rk_work *work, const rk_network *net, double t, uint64_t n, rk_stream stream,
               size_t lanes, rk_weighted_mean *out);

#endif
