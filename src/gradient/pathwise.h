/* Derivatives of what samples say of the output: of their mean and covariance, along the paths of
 * the samples. Without bias where no activation jumps; docs/MATH.md#pathwise. */
#ifndef RK_GRADIENT_PATHWISE_H
#define RK_GRADIENT_PATHWISE_H

#include "gradient/batch.h"
#include "gradient/inputs.h"

typedef struct rk_pathwise_spec {
    uint64_t n_samples; /**< rounded up as rk_inputs_block has it */
    rk_point_set points;
    rk_stream stream; /**< iid and antithetic points: with rk_sample's, of the same samples */
    size_t block;     /**< samples that pass at once: memory; its bits depend on it */
} rk_pathwise_spec;

/** Adjoints of what is estimated, of the caller; NULL: 0. */
typedef struct rk_pathwise_seed {
    const double *mean;               /**< n_out */
    const double *covariance;         /**< n_out x n_out, symmetric */
    const double *const *hidden_mean; /**< [n_layers - 1][rows of layer l], entries NULL: 0 */
} rk_pathwise_seed;

/** Whatever is NULL is not wanted. */
typedef struct rk_pathwise_result {
    double *mean;             /**< n_out: the estimate itself */
    rk_adjoints gradient;     /**< added to; `weight` NULL: none are wanted */
    double *input_mean;       /**< n_in, added to */
    double *input_covariance; /**< n_in x n_in, symmetric, added to */
} rk_pathwise_result;

/** One pass over the samples forward and back, and if there is an adjoint of the covariance one
 *  more forward, for the mean. RK_ERROR_UNSUPPORTED as rk_batch_check, and as rk_inputs_take;
 *  RK_ERROR_ARGUMENT for a covariance of fewer than two samples. */
rk_status rk_pathwise(rk_work *work, const rk_network *net, const rk_input *input,
                      const rk_pathwise_spec *spec, const rk_pathwise_seed *seed,
                      rk_pathwise_result *result, rk_error *error);

#endif
