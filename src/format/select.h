/* Which of a file's tensors are the network: one network of many, without counters and masks. */
#ifndef RK_FORMAT_SELECT_H
#define RK_FORMAT_SELECT_H

#include "format/tensor.h"

/** Drops the tensors that `globs` do not name: patterns of a shell between commas,
 * "actor.*,!*.step", of which the last that fits a name decides, '!' leaving it out; if all leave
 * out, everything else stays. RK_ERROR_FORMAT, naming it, for a pattern that fits nothing. NULL:
 * all stay. */
rk_status rk_tensors_select(rk_tensors *tensors, const char *globs, rk_error *error);

/** The place in such a list of the first pattern that fits the name; false if none does. */
bool rk_name_rank(const char *name, const char *globs, size_t *out);

#endif
