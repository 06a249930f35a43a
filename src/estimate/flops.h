/* FLOPs as the paper counts them (docs/METHODS.md#flops). */
#ifndef RK_ESTIMATE_FLOPS_H
#define RK_ESTIMATE_FLOPS_H

#include "estimate/method.h"

/** The polynomials of the public reference, to the output layer. Defined for ReLU networks whose
 *  widths are all equal; NaN otherwise. */
double rk_flops_of_mean(const rk_problem *problem);
double rk_flops_of_covariance(const rk_problem *problem);
double rk_flops_of_third(const rk_problem *problem);
/** N (sum of 2mn over the layers + one a hidden neuron): any network. */
double rk_flops_of_sample(const rk_problem *problem);

#endif
