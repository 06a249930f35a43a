/* An input that is a mixture of normal laws: a plan for each component, and one answer from all
 * (docs/METHODS.md#mixtures). */
#ifndef RK_ESTIMATE_MIXTURE_H
#define RK_ESTIMATE_MIXTURE_H

#include "estimate/plan.h"

/** The answer of a plan that has a mixture, not judged. */
rk_status rk_mixture_plan_answer(const rk_plan *plan, rk_answer **out, rk_error *error);

#endif
