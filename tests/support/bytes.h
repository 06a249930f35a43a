/* Files of tests/data, in memory. */
#ifndef TEST_BYTES_H
#define TEST_BYTES_H

#include <stddef.h>

/** The whole file tests/data/NAME, to be freed; the test fails if it cannot be read. */
unsigned char *read_data(const char *name, size_t *size);

#endif
