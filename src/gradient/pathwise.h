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

/** Adds derivatives of f, which depends on mean, variance, covariance and hidden means as `f` says
 *  (and on nothing else), to what `to` wants; mean (n_out): the estimate itself, NULL: not wanted.
 *  One pass over the samples forward and back, and where f depends on second moments one more
 *  forward, for the mean. RK_ERROR_UNSUPPORTED as rk_batch_check, and as rk_inputs_take;
 *  RK_ERROR_ARGUMENT for second moments of fewer than two samples. */
rk_status rk_pathwise(rk_work *work, const rk_network *net, const rk_input *input,
                      const rk_pathwise_spec *spec, const rk_cotangent *f, const rk_adjoint *to,
                      double *mean, rk_error *error);

#endif
