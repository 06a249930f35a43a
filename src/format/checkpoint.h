/* Checkpoints: dictionaries in dictionaries, one of which holds the network. */
#ifndef RK_FORMAT_CHECKPOINT_H
#define RK_FORMAT_CHECKPOINT_H

#include "format/torch_pickle.h"

/** What is done with a tensor: `name` is its path, "model.fc1.weight", the first `holder` bytes of
 *  which are of the dictionary that holds it. */
typedef rk_status rk_checkpoint_visit(void *to, const char *name, size_t holder,
                                      const rk_torch_view *view, rk_error *error);

/** Visits all tensors in dictionaries, lists and tuples, in their order. What else there is
 * (numbers, objects of any class, and what those hold) is passed over. Bounded, for a container may
 * hold itself. */
rk_status rk_checkpoint_walk(const rk_pickle *pickle, rk_checkpoint_visit *visit, void *to,
                             rk_error *error);

/** Keeps the tensors of the one dictionary that looks like a network's, and notes the others;
 *  RK_ERROR_FORMAT naming them if there are several. Dictionaries of one matrix each are layers of
 *  one network; those of optimisers are none. Without dictionaries all tensors stay. */
rk_status rk_checkpoint_choose(rk_tensors *tensors, rk_error *error);

#endif
