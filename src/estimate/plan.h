/* Plan, execute, report: the same for every method. plan.c makes it, execute.c follows it. */
#ifndef RK_ESTIMATE_PLAN_H
#define RK_ESTIMATE_PLAN_H

#include "estimate/answer.h"
#include "estimate/auto.h"
#include "network/normal_form.h"

struct rk_plan {
    const rk_network *net; /* as it was given */
    rk_normal_form form;
    rk_problem problem;
    double *symmetric; /* an input covariance of our own, or NULL */
    const rk_method *method;
    char canonical[sizeof((rk_answer *)0)->method];
    rk_work dry;
    rk_choice choice; /* among no candidates if the method was given */
    double seconds;   /* it took to make */
};

/** rk_plan_create for a law of the input that rk_input_accept has accepted. */
rk_status rk_plan_create_accepted(rk_plan **out, const rk_network *net, const rk_input *law,
                                  const rk_options *options, rk_error *error);

/** Of a problem whose method is known, `plan` otherwise zero: checks that the method applies,
 *  resolves its arguments, and runs it dry. Clear after success and failure alike. */
rk_status rk_plan_prepare(rk_plan *plan, rk_error *error);
void rk_plan_clear(rk_plan *plan);

/** The method and the receipt, dry or wet. */
rk_status rk_plan_run(const rk_plan *plan, rk_work *work, rk_report *report, rk_receipt *receipt,
                      rk_error *error);

/** What `work`, dry or wet, has counted. */
rk_cost rk_plan_cost_of(const rk_plan *plan, const rk_work *work);

#endif
