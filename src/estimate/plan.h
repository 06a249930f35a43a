/* Plan, execute, report: the same for every method. plan.c makes it, execute.c follows it. */
#ifndef RK_ESTIMATE_PLAN_H
#define RK_ESTIMATE_PLAN_H

#include "estimate/auto.h"
#include "estimate/prepare.h"
#include "network/normal_form.h"

/** Plans for the components of a mixture. */
typedef struct rk_mixture_plan {
    size_t n;       /**< components of weight > 0 */
    double *weight; /**< n, with sum 1 */
    size_t *number; /**< n: which of all it is, from 0 */
    rk_plan **part; /**< n */
    rk_cost cost;   /**< of all, with steps of its own */
} rk_mixture_plan;

struct rk_plan {
    const rk_network *net; /* as it was given */
    rk_normal_form form;
    rk_problem problem;
    double *symmetric;       /* an input covariance of our own, or NULL */
    const rk_method *method; /* of problem.spec */
    rk_work dry;
    rk_choice choice; /* among no candidates if the method was given */
    double seconds;   /* it took to make */
    /* of a mixture: a plan for each component, and nothing above but net, options and seconds */
    rk_mixture_plan *mixture;
};

/** rk_plan_create for a law of the input that rk_input_accept has accepted. */
rk_status rk_plan_create_accepted(rk_plan **out, const rk_network *net, const rk_input *law,
                                  const rk_options *options, rk_error *error);

/** rk_plan_create for an input that is no mixture; if it `goes_back`, among the methods with
 *  derivatives and without a receipt. */
rk_status rk_plan_create_for(rk_plan **out, bool goes_back, const rk_network *net,
                             const rk_input *input, const rk_options *options, rk_error *error);

/** Threads for so many FLOPs, *out NULL if they are not worth any but the caller's. */
rk_status rk_plan_pool(const rk_plan *plan, uint64_t flops, rk_pool **out, rk_error *error);

/** The plan's method in `work`, which is wet: fills `answer`, whose own its steps become. */
rk_status rk_plan_run(const rk_plan *plan, rk_work *work, rk_answer *answer, rk_error *error);

/** rk_plan_execute without a look at what was asked for. */
rk_status rk_plan_answer(const rk_plan *plan, rk_answer **out, rk_error *error);

/** What `work`, dry or wet, has counted. */
rk_cost rk_plan_cost_of(const rk_plan *plan, const rk_work *work);

#endif
