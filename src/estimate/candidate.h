/* What a method is expected to achieve on a network, and what it costs (docs/METHODS.md#auto). */
#ifndef RK_ESTIMATE_CANDIDATE_H
#define RK_ESTIMATE_CANDIDATE_H

#include "estimate/method.h"

/** What is asked of a run; 0: nothing. */
typedef struct rk_goal {
    double flops, seconds; /**< at most */
    double tolerance;      /**< the root mean square error, at most */
} rk_goal;

/** What is known of network and machine without a dear run. */
typedef struct rk_scout {
    rk_regime regime; /**< that `mean` met */
    double variance;  /**< of the outputs, averaged */
    double speed;     /**< FLOPs a second of a double product; NaN: there was no memory for one */
    rk_roles *roles;  /**< of the network's layers if it has a gauge, or NULL; to be freed */
} rk_scout;

/** Runs `mean` (4 n^2 L FLOPs), guesses roles (as much) and, for a goal in seconds, times small
 *  products for 4 ms: otherwise the speed is that of two usual cores. */
rk_status rk_scout_take(rk_scout *scout, const rk_problem *problem, rk_error *error);

/** Fills `candidate` with what the method is expected to do for the goal; if it samples, with as
 * many passes as the goal wants and pays for. What is wrong with it is its verdict; "" if nothing
 * is.
 */
void rk_candidate_assess(const rk_scout *scout, const rk_problem *problem,
                         const rk_method_spec *spec, const rk_goal *goal, rk_candidate *candidate);

/** With a control variate that takes the mean of a hidden layer from a closure. */
bool rk_candidate_is_anchored(const rk_candidate *candidate);

#endif
