/* NumPy's .npz: a ZIP archive of .npy members. */
#ifndef RK_FORMAT_NPZ_H
#define RK_FORMAT_NPZ_H

#include "format/description.h"
#include "format/tensor.h"

/** The member that says what arrays cannot (docs/FORMATS.md#description). */
#define RK_NPZ_DESCRIPTION "reckon.json"

/** True if `bytes` begin like a ZIP archive. */
bool rk_npz_recognise(const unsigned char *bytes, size_t size);

/** Appends every member NAME.npy as tensor NAME, in the archive's order, whose values stay there
 *  packed; and reads a member RK_NPZ_DESCRIPTION into `description` (zero-initialised); any other
 *  member is refused. On failure both keep what had been read. */
rk_status rk_npz_read(rk_tensors *tensors, rk_description *description, const rk_file *file,
                      rk_error *error);

/** The weights as members "0.weight.npy", "0.bias.npy", "2.weight.npy" ... and a description, in
 *  bytes to be freed. The same network gives the same bytes. */
rk_status rk_npz_write(unsigned char **out, size_t *size, const rk_network *net, rk_error *error);

#endif
