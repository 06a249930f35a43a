/* K = 1: a mean for every neuron and one variance for all of them. */
#ifndef RK_PROPAGATE_MEAN_H
#define RK_PROPAGATE_MEAN_H

#include "propagate/chain.h"

typedef struct rk_mean_spec {
    rk_metric metric;
    bool unit_variance; /**< ablation ("base"): every pre-activation has variance 1 */
} rk_mean_spec;

/**
 * Mean propagation (arXiv:2605.05179, Algorithm 1): 4 n^2 FLOPs a layer with the exact metric,
 * 2 n^2 otherwise; 2 n^2 less in the first layer if the input's mean is zero. A last layer without
 * activation has the exact metric only if the covariance is wanted. A covariance of the input is
 * replaced by its average variance, a covariance of the output is diagonal.
 *
 * `tape` not NULL: keeps the run for rk_tape_back, which takes 10 n^2 a layer with the exact metric
 * and 6 n^2 otherwise. Memory 2 n a layer and 11 n more.
 */
void rk_propagate_mean(rk_work *work, const rk_network *net, const rk_input *input,
                       const rk_mean_spec *spec, rk_outputs *outputs, rk_tape *tape);

#endif
