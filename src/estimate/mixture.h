/* An input that is a mixture of normal laws: a plan for each component, and one answer from all
 * (docs/METHODS.md#mixtures). */
#ifndef RK_ESTIMATE_MIXTURE_H
#define RK_ESTIMATE_MIXTURE_H

#include "estimate/answer.h"

typedef struct rk_mixture_plan {
    size_t n;       /* components of weight > 0 */
    double *weight; /* n, with sum 1 */
    size_t *number; /* n: which of all it is, from 0 */
    rk_plan **part; /* n */
    rk_cost cost;   /* of all, with steps of its own */
} rk_mixture_plan;

/** rk_plan_create for an input that is a mixture. Samples, budgets and receipts are shared by the
 *  weights. RK_ERROR_UNSUPPORTED: cumulants of outputs beyond the second. */
rk_status rk_mixture_plan_create(rk_plan **out, const rk_network *net, const rk_input *input,
                                 const rk_options *options, rk_error *error);
void rk_mixture_plan_destroy(rk_mixture_plan *mixture);

/** The answer of a plan that has a mixture, not judged. */
rk_status rk_mixture_plan_answer(const rk_plan *plan, rk_answer **out, rk_error *error);

#endif
