/* From a chain of tensors to a network: the one place where weights are decoded, each once. */
#ifndef RK_FORMAT_LOWER_H
#define RK_FORMAT_LOWER_H

#include "format/chain.h"
#include "format/description.h"

/** The network of a chain, with the activations and scales that the sources give; its notes say
 *  what was inferred. Refuses, naming the place, values that are not finite. */
rk_status rk_chain_lower(rk_network **out, const rk_tensor_chain *chain, const rk_tensors *tensors,
                         const rk_description *sources, size_t n_sources, rk_error *error);

#endif
