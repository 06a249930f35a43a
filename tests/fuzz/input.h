/* Files given on the command line. */
#ifndef TEST_FUZZ_INPUT_H
#define TEST_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

typedef struct input {
    uint8_t *bytes; /* exactly `size` of them, so that a sanitizer sees a read too far */
    size_t size;
} input;

/** Reads a whole file; ends the program with status 2 if it cannot. */
input input_read(const char *path);

#endif
