/* Why tensors are no chain of linear layers, as far as their names tell. */
#ifndef RK_FORMAT_DIAGNOSIS_H
#define RK_FORMAT_DIAGNOSIS_H

#include "format/tensor.h"

/** RK_ERROR_FORMAT if the tensors' names tell that one belongs to something that is not read, such
 * as a batch normalisation, or that they are several networks, such as an actor and a critic. */
rk_status rk_diagnose_names(const rk_tensors *tensors, rk_error *error);

/** Adds to the refusal in `error` (may be NULL) the groups of tensors there are, if several look
 * like networks of their own. */
void rk_diagnose_groups(const rk_tensors *tensors, rk_error *error);

#endif
