/* The table of the methods, and what they share. */
#ifndef RK_ESTIMATE_METHODS_H
#define RK_ESTIMATE_METHODS_H

#include "estimate/method.h"
#include "reference/reference.h"
#include "third/third.h"

extern const rk_method rk_method_auto, rk_method_mean, rk_method_covariance, rk_method_gain,
    rk_method_third, rk_method_fourth, rk_method_reference, rk_method_sample;

/** The method of a spec that rk_method_accept has accepted. */
const rk_method *rk_method_of(const rk_method_spec *spec);

/** Variant `index` of all methods', in the order of the table; NULL past the end. */
const rk_variant *rk_variant_at(size_t index);

/** How the method errs; NULL: nobody has measured it. A `third` must have been resolved. */
const rk_error_laws *rk_error_laws_of(const rk_method_spec *spec);

rk_reference_spec rk_reference_spec_of(const rk_method_spec *spec);

/** The third order with all its arguments resolved. */
rk_third_spec rk_third_spec_of(const rk_method_spec *spec, const rk_roles *roles);

/** Runs the reference, and leaves the cumulants of the output where the report wants them. */
rk_status rk_run_reference(rk_work *work, const rk_problem *problem, const rk_reference_spec *spec,
                           rk_report *report, rk_error *error);

/** Fills problem->roles for a third order of `net`. */
rk_status rk_guess_roles(rk_problem *problem, const rk_network *net, rk_error *error);

#endif
