/* From named tensors to a chain of layers: which is a weight, whose bias is it, who comes next. */
#ifndef RK_FORMAT_CHAIN_H
#define RK_FORMAT_CHAIN_H

#include "format/tensor.h"

/** One layer's tensors, borrowed. */
typedef struct rk_link {
    const rk_tensor *weight, *bias; /**< each may be NULL */
    size_t slice;                   /**< of a stack (layer, out, in); else 0 */
    size_t reads, adds;             /**< as in rk_layer */
} rk_link;

typedef struct rk_tensor_chain {
    rk_link *links;
    size_t count;
    bool by_shape; /**< the names did not tell the order, the shapes did */
} rk_tensor_chain;

/**
 * Chains the tensors into layers, using every one of them, or refuses, naming the tensor in the
 * way. docs/FORMATS.md#chain has the rules; where two readings are possible it refuses. Free with
 * rk_tensor_chain_destroy.
 */
rk_status rk_tensor_chain_create(rk_tensor_chain *out, const rk_tensors *tensors, rk_error *error);
void rk_tensor_chain_destroy(rk_tensor_chain *chain);

/** RK_ERROR_FORMAT if the tensor is empty, or its values are of a type that is not read. */
rk_status rk_chain_check_tensor(const rk_tensor *tensor, rk_error *error);

#endif
