/* NumPy's .npz: a ZIP archive of .npy members. */
#ifndef RK_FORMAT_NPZ_H
#define RK_FORMAT_NPZ_H

#include "format/tensor.h"

/** The member that says what arrays cannot (docs/FORMATS.md#description). */
#define RK_NPZ_DESCRIPTION "reckon.json"

/** True if `bytes` begin like a ZIP archive. */
bool rk_npz_recognise(const unsigned char *bytes, size_t size);

/** Appends every member NAME.npy as tensor NAME, in the archive's order. The text of a member
 *  RK_NPZ_DESCRIPTION goes to *description (NUL-terminated, free it), NULL if there is none; any
 *  other member is refused. On failure the list keeps what had been read. */
rk_status rk_npz_read(rk_tensors *tensors, char **description, const unsigned char *bytes,
                      size_t size, rk_error *error);

#endif
