/* How a propagated mean moves with the law of the input: one reverse pass of `covariance`. */
#ifndef RK_GRADIENT_MEAN_GRADIENT_H
#define RK_GRADIENT_MEAN_GRADIENT_H

#include "propagate/propagate.h"

typedef struct rk_mean_gradient {
    double value;       /**< f = seed . E[y] by covariance propagation */
    double variance;    /**< seed' Cov[y] seed */
    double *mean;       /**< n_in: df / d mean */
    double *covariance; /**< n_in x n_in, symmetric: df = sum_ij G_ij dS_ij */
} rk_mean_gradient;

/**
 * Fills `gradient` (its arrays are the caller's) at the input N(mean, covariance) of `input`;
 * `seed` has n_out entries. docs/MATH.md#gradient. About 3 n^3 FLOPs a layer there and as many
 * back; memory n^2 a layer and 4 n^2. Results are written in the wet run only.
 */
void rk_gradient_of_mean(rk_work *work, const rk_network *net, const rk_input *input,
                         const double *seed, rk_mean_gradient *gradient);

#endif
