/* What error to expect of a closure (docs/METHODS.md#errors). */
#ifndef RK_ESTIMATE_ERROR_MODEL_H
#define RK_ESTIMATE_ERROR_MODEL_H

#include "propagate/propagate.h"

/** Mean square error of the means over the variance of the outputs, or of their covariance over its
 *  own mean square, =
 *
 *      factor * expansion^power * slenderness^slender_power * L^depth_power
 *
 *  for L hidden layers, where expansion and slenderness are what the closure met on its way
 *  (rk_regime). Where that is not what random weights would make of it, laws scatter more: up to
 *  `margin` times as much is stated. Beyond the limit of slenderness the closure fails on many
 *  networks. */
typedef struct rk_error_law {
    double factor, power, slender_power, depth_power, limit, margin;
} rk_error_law;

/** What a closure takes for granted. */
typedef struct rk_assumptions {
    bool one_variance; /**< one for all neurons of a layer, whose covariances it does not know */
    bool rows_alike;   /**< such a closure takes the rows of W for alike, too */
    bool average;      /**< something of each neuron is its layer's average: its variance, or the
                            trace of the fourth cumulant */
    bool knows_spread; /**< its errors are bounded where one direction is all there is */
} rk_assumptions;

/** How a method errs. A law with factor 0 is none: nobody has measured it. */
typedef struct rk_error_laws {
    rk_error_law means, covariances;
    rk_assumptions assumes;
} rk_error_laws;

/** Nothing can be said of this network: the closure diverged or is beyond its limit, whatever it
 *  errs by grows beyond all bounds on the way, or it takes neurons as alike that are not. `why` (of
 *  `size` bytes) says which; "" if none. */
bool rk_is_beyond(const rk_error_laws *laws, const rk_regime *met, char *why, size_t size);

/** Mean square error to expect over the outputs' variance; NaN where nothing can be said. `laws`
 *  NULL: NaN. */
double rk_expected_relative(const rk_error_laws *laws, const rk_regime *met);

/** The same of one pass of a method that samples, with the roughness that `mean` met in the
 *  place of the expansion. */
double rk_expected_of_pass(const rk_error_laws *laws, const rk_regime *met);

/** error[i] = root mean square error to expect of outputs->mean[i], i < n_out; NaN where nothing
 * can be said. */
void rk_expected_error(const rk_error_laws *laws, const rk_outputs *outputs, size_t n_out,
                       double *error);

/** Root mean square error to expect of an entry of outputs->covariance, which is wanted; NaN where
 *  nothing can be said. */
double rk_expected_covariance_error(const rk_error_laws *laws, const rk_outputs *outputs,
                                    size_t n_out);

#endif
