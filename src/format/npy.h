/* NumPy's .npy, versions 1 to 3: a preamble, a Python dictionary in ASCII, the values. */
#ifndef RK_FORMAT_NPY_H
#define RK_FORMAT_NPY_H

#include "format/tensor.h"

/** No header we accept is longer, preamble included. */
enum { RK_NPY_MAX_HEADER = 1 << 16 };

typedef struct rk_npy_header {
    rk_element element;
    bool fortran_order;
    size_t n_dims, shape[RK_MAX_DIMS];
    size_t data_offset, data_bytes; /**< the file is exactly their sum */
} rk_npy_header;

/** True if `bytes` begin like a .npy file. */
bool rk_npy_recognise(const unsigned char *bytes, size_t size);

/** Parses the header, which must lie within the `size` bytes given; the values may lie beyond.
 *  Refuses complex, boolean, text, object and structured arrays. `name` is for messages. */
rk_status rk_npy_read_header(rk_npy_header *out, const char *name, const unsigned char *bytes,
                             size_t size, rk_error *error);

/** Fills in what the header says of a tensor that has a name, its values beginning at
 *  header->data_offset. */
void rk_npy_announce(rk_tensor *tensor, const rk_npy_header *header);

/** Appends the array of a whole file as tensor "array", whose values stay there. `name` is for
 *  messages. */
rk_status rk_npy_read(rk_tensors *tensors, const char *name, rk_file *file, rk_error *error);

/** A version 1 file of float64 in C order, in bytes to be freed; NULL without memory. */
unsigned char *rk_npy_write(const double *data, const size_t *shape, size_t n_dims, size_t *size);

#endif
