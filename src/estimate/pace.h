/* How long a method takes, reckoned from what it does: nobody looks at a clock
 * (docs/METHODS.md#auto). */
#ifndef RK_ESTIMATE_PACE_H
#define RK_ESTIMATE_PACE_H

#include "estimate/method.h"

/** FLOPs a second of a large double product on two usual cores: theirs is the time that is reckoned
 *  where nobody asks for real seconds. */
#define RK_USUAL_SPEED 6e10

/** Seconds of `method` for these FLOPs, where double products run at `speed` FLOPs a second. */
double rk_pace_of_closure(const rk_problem *problem, const rk_method *method, double flops,
                          double speed);

/** Seconds of passes that cost these FLOPs: of the products and of all else a pass does, which is
 *  most of it in narrow networks. */
double rk_pace_of_passes(const rk_problem *problem, const rk_sample_spec *passes, double flops,
                         double speed);

#endif
