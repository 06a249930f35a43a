/* Closures: each propagates the law of the activations through the network layer by layer.
 *
 * A closure is one function over rk_work (run dry for the plan, then wet): it takes all its memory
 * from `work`, opens one rk_work_step a layer, and returns early when a step says it was
 * interrupted. It writes its results, in the wet run only, where rk_outputs says. */
#ifndef RK_PROPAGATE_PROPAGATE_H
#define RK_PROPAGATE_PROPAGATE_H

#include "base/work.h"
#include "network/network.h"

/** Where a closure delivers; owned by the caller, filled by the wet run. */
typedef struct rk_outputs {
    double *mean;         /**< n_out */
    double *covariance;   /**< n_out x n_out, or NULL if not wanted */
    double **hidden_mean; /**< [n_layers - 1][rows of layer l], or NULL if not wanted */
} rk_outputs;

/** Metric of radial parts after a linear map (docs/MATH.md#metric). */
typedef enum rk_metric {
    RK_METRIC_EXACT,  /**< W W' */
    RK_METRIC_AVERAGE /**< cols Var(W) times the identity, except at the last layer */
} rk_metric;

#endif
