/* What error to expect of a closure (docs/METHODS.md#errors). */
#ifndef RK_ESTIMATE_ERROR_MODEL_H
#define RK_ESTIMATE_ERROR_MODEL_H

#include "estimate/method.h"

/** Fills report->error_per_output with the root mean square error to expect of order-K cumulant
 *  propagation, from the effective widths it met on its way. */
void rk_error_of_mean(const rk_problem *problem, rk_report *report);
void rk_error_of_covariance(const rk_problem *problem, rk_report *report);
void rk_error_of_third(const rk_problem *problem, rk_report *report);

#endif
