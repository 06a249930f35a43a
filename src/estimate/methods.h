/* The entries of the table in method.c, and what they share. */
#ifndef RK_ESTIMATE_METHODS_H
#define RK_ESTIMATE_METHODS_H

#include "estimate/method.h"
#include "propagate/reference.h"
#include "propagate/third.h"

extern const rk_method rk_method_mean, rk_method_covariance, rk_method_gain, rk_method_third,
    rk_method_fourth, rk_method_reference, rk_method_sample;

#define RK_WORD(text, field, value)                                                                \
    { text, offsetof(rk_method_arguments, field), value }

rk_reference_spec rk_reference_spec_of(const rk_method_arguments *arguments);

/** Runs the reference, and leaves the cumulants of the output where the report wants them. */
rk_status rk_run_reference(rk_work *work, const rk_problem *problem, const rk_reference_spec *spec,
                           rk_report *report, rk_error *error);

/** Fills problem->roles for a third order of `net`. */
rk_status rk_guess_roles(rk_problem *problem, const rk_network *net, rk_error *error);

/** What `third:gauge=full` does without being told more. */
rk_third_spec rk_third_full(const rk_role *roles);

#endif
