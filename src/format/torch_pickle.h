/* What the pickles of torch.save mean: who may be named in them, and what is a tensor. */
#ifndef RK_FORMAT_TORCH_PICKLE_H
#define RK_FORMAT_TORCH_PICKLE_H

#include "format/pickle_tree.h"
#include "format/tensor.h"

typedef struct rk_torch_type {
    const char *storage, *dtype; /**< "FloatStorage", "float32"; "" for none */
    const char *label;           /**< "F32", as safetensors calls it */
    rk_element element;
    bool is_read;
} rk_torch_type;

/** A one-dimensional array outside the pickle; `key` is its name there. */
typedef struct rk_torch_storage {
    rk_pickle_text key;
    size_t bytes;
    const rk_torch_type *type;
} rk_torch_storage;

/** A tensor: element (i, j, ...) is number start + i stride[0] + j stride[1] + ... of its storage.
 */
typedef struct rk_torch_view {
    rk_torch_storage storage;
    const rk_torch_type *type;
    size_t start, n_dims, shape[RK_MAX_DIMS], stride[RK_MAX_DIMS];
} rk_torch_view;

/** Refuses pickled modules, and pickles that name what runs commands or code. Any other class is
 *  only a name. */
rk_status rk_torch_check_globals(const rk_pickle *pickle, rk_error *error);

/** What a PERSISTENT node says; RK_ERROR_FORMAT if it is no storage. */
rk_status rk_torch_storage_of(rk_torch_storage *out, const rk_pickle *pickle,
                              const rk_pickle_node *node, rk_error *error);

/** *is_tensor tells whether the node is one; then it is a view within its storage, or refused.
 * Arrays of other kinds (sparse, quantised, NumPy's) are tensors without dimensions of a type not
 * read. */
rk_status rk_torch_view_of(rk_torch_view *out, bool *is_tensor, const rk_pickle *pickle,
                           const rk_pickle_node *node, rk_error *error);

/** Where the first item of a list, a tuple or a dict is, UINT32_MAX for what is none of them. */
uint32_t rk_torch_first_item(const rk_pickle *pickle, const rk_pickle_node *node);

#endif
