/* What the fuzzers, the mutator and the replay of the corpus all run. */
#ifndef TEST_FUZZ_TARGET_H
#define TEST_FUZZ_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Reads the bytes as a model file, as an array and as a description. An answer must be usable, a
 *  refusal must explain itself: aborts otherwise. True if there was a network in them. */
bool target_read(const uint8_t *bytes, size_t size);

#endif
