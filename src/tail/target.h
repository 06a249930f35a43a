/* The one form of all events: an output of some network exceeds a threshold. */
#ifndef RK_TAIL_TARGET_H
#define RK_TAIL_TARGET_H

#include "network/normal_form.h"

/**
 * The network cut off at a layer, with linear functionals of that layer as its outputs and the law
 * of the input folded into its first layer: it takes N(0, I). Every method of tail/ sees this
 * only. Bias of the functionals is kept apart, for it belongs to the threshold.
 */
typedef struct rk_target {
    rk_network net;   /* in normal form; weights borrowed but for the first and the last layer */
    double *offset;   /* n_out: to be added to the outputs */
    bool homogeneous; /* a positive factor on the input comes out again */
    double *storage;
    rk_normal_form form;
} rk_target;

/** Output k is the functional of functionals[k]; all are of one layer. `root`
 *  (n_in x n_in, with root root' the covariance of the input) and `mean` may be NULL. */
rk_status rk_target_create(rk_target *out, const rk_network *net, const double *mean,
                           const double *root, const rk_event *const *functionals, size_t n,
                           rk_error *error);
void rk_target_destroy(rk_target *target);

#endif
