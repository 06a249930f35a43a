/* safetensors: an 8-byte length, a JSON header, the values. */
#ifndef RK_FORMAT_SAFETENSORS_H
#define RK_FORMAT_SAFETENSORS_H

#include "format/description.h"
#include "format/tensor.h"

/** True if `bytes` begin like a safetensors file, perhaps one that is cut short. */
bool rk_safetensors_recognise(const unsigned char *bytes, size_t size);

/** Appends every tensor, in the order of their values, which stay in the file, and reads
 * `__metadata__` into `description` (zero-initialised). Strict: the values must fill the file
 * without gap, overlap or remainder. Values of other types than F64, F32, F16 and BF16 stay where
 * they are: such a tensor has no data and says its type. On failure both keep what had been read.
 */
rk_status rk_safetensors_read(rk_tensors *tensors, rk_description *description, rk_file *file,
                              rk_error *error);

/** The weights as F64 tensors "0.weight", "0.bias", "2.weight" ..., the names that an nn.Sequential
 *  of linear layers and activations gives them, in bytes to be freed. The same network gives the
 *  same bytes. */
rk_status rk_safetensors_write(unsigned char **out, size_t *size, const rk_network *net,
                               rk_error *error);

#endif
