/* Files of tests/data, in memory. */
#ifndef TEST_BYTES_H
#define TEST_BYTES_H

#include "format/tensor.h"

/** The whole file tests/data/NAME, to be freed; the test fails if it cannot be read. */
unsigned char *read_data(const char *name, size_t *size);

/** Decodes the values of all tensors into their arrays. */
rk_status load_all(rk_tensors *tensors, rk_error *error);

#endif
