/* FLOPs as the paper counts them (docs/METHODS.md#flops). */
#ifndef RK_ESTIMATE_FLOPS_H
#define RK_ESTIMATE_FLOPS_H

#include "reference/reference.h"

/** To the output layer, for ReLU networks whose widths are all equal; NaN for others, and for kinds
 *  nobody counted. */
double rk_flops_of_reference(const rk_network *net, const rk_reference_spec *spec);

/** N (sum of 2mn over the layers + one an activation): any network. */
double rk_flops_of_sample(const rk_network *net, uint64_t samples);

#endif
