/* Events under a mixture of normal laws: P = sum of weight times P under each component
 * (docs/METHODS.md#mixtures). */
#ifndef RK_TAIL_MIXTURE_H
#define RK_TAIL_MIXTURE_H

#include "tail/plan.h"

/** rk_tail_plan_execute for a plan that has a mixture. */
rk_status rk_tail_mixture_execute(const rk_tail_plan *plan, rk_tail_answer **out, rk_error *error);

#endif
