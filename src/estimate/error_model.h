/* What error to expect of a closure (docs/METHODS.md#errors). */
#ifndef RK_ESTIMATE_ERROR_MODEL_H
#define RK_ESTIMATE_ERROR_MODEL_H

#include "propagate/propagate.h"

/** Variance-normalised mean square error of the means = factor * expansion^power * L^depth_power
 *  for L hidden layers, where expansion is what the closure met on its way (rk_outputs). The
 *  constants are fitted by bench/accuracy. */
typedef struct rk_error_law {
    double factor, power, depth_power;
} rk_error_law;

/** error[i] = root mean square error to expect of outputs->mean[i], i < n_out. */
void rk_expected_error(const rk_error_law *law, const rk_outputs *outputs, size_t n_out,
                       double *error);

#endif
