/* Events under a mixture of normal laws: P = sum of weight times P under each component
 * (docs/METHODS.md#mixtures). */
#ifndef RK_TAIL_MIXTURE_H
#define RK_TAIL_MIXTURE_H

#include "tail/plan.h"

typedef struct rk_tail_mixture {
    size_t n;             /* components of weight > 0 */
    double *log10_weight; /* n */
    size_t *number;       /* n: which of all it is, from 0 */
    rk_tail_plan **part;  /* n */
} rk_tail_mixture;

/** rk_tail_plan_create for an input that is a mixture. Samples and budgets are shared evenly: where
 *  a rare event happens is not known before. */
rk_status rk_tail_mixture_create(rk_tail_plan **out, const rk_network *net, const rk_input *input,
                                 const rk_event *events, size_t n_events, const rk_options *options,
                                 rk_error *error);
void rk_tail_mixture_destroy(rk_tail_mixture *mixture);

/** rk_tail_plan_execute for a plan that has a mixture. */
rk_status rk_tail_mixture_execute(const rk_tail_plan *plan, rk_tail_answer **out, rk_error *error);

#endif
