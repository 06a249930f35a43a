/* Data that callers give: read and checked. */
#ifndef RK_GRADIENT_DATASET_H
#define RK_GRADIENT_DATASET_H

#include "gradient/sampled_loss.h"

/** As samples of `net`; borrows `given`. RK_ERROR_ARGUMENT, naming sample and way out: what does
 *  not fit the network, is not finite, or is neither values nor labels alone. */
rk_status rk_dataset_accept(rk_examples *out, const rk_dataset *given, const rk_network *net,
                            rk_error *error);

#endif
