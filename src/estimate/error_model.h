/* What error to expect of a closure (docs/METHODS.md#errors). */
#ifndef RK_ESTIMATE_ERROR_MODEL_H
#define RK_ESTIMATE_ERROR_MODEL_H

#include "propagate/propagate.h"

/** Mean square error of the means over the variance of the outputs =
 *  factor * expansion^power * slenderness^slender_power * L^depth_power for L hidden layers, where
 *  expansion and slenderness are what the closure met on its way (rk_outputs). Beyond the limit of
 *  slenderness the closure fails on many networks. */
typedef struct rk_error_law {
    const char *method; /**< "name" or "name:words", the words being among its arguments */
    double factor, power, slender_power, depth_power, limit;
} rk_error_law;

/** Law `index` of the table, or NULL past its end. */
const rk_error_law *rk_error_law_at(size_t index);

/** The law of a method with all its arguments spelled out; NULL: nobody has measured it. */
const rk_error_law *rk_error_law_of(const char *canonical);

/** Nothing can be said of this network: the closure is beyond its limit, or whatever it errs by
 *  grows beyond all bounds on the way. `why` (of `size` bytes) says which; "" if neither. */
bool rk_is_beyond(const rk_error_law *law, const rk_outputs *outputs, char *why, size_t size);

/** Mean square error to expect over the outputs' variance: beyond the limit at least 1. `law` NULL:
 *  NaN. */
double rk_expected_relative(const rk_error_law *law, const rk_outputs *outputs);

/** The same of one pass of a method that samples, with the roughness of `mean`'s outputs in the
 * place of the expansion. */
double rk_expected_of_pass(const rk_error_law *law, const rk_outputs *outputs);

/** error[i] = root mean square error to expect of outputs->mean[i], i < n_out. */
void rk_expected_error(const rk_error_law *law, const rk_outputs *outputs, size_t n_out,
                       double *error);

#endif
