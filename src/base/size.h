/* Sizes from files and users are multiplied here, or not at all. */
#ifndef RK_BASE_SIZE_H
#define RK_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** *out = a * b; false, leaving *out alone, if the product does not fit. */
static inline bool rk_size_mul(size_t a, size_t b, size_t *out) {
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

/** *out = a + b; false, leaving *out alone, if the sum does not fit. */
static inline bool rk_size_add(size_t a, size_t b, size_t *out) {
    if (a > SIZE_MAX - b) return false;
    *out = a + b;
    return true;
}

/** calloc(a * b, size) with every product checked; NULL on overflow or lack of memory. */
void *rk_alloc(size_t a, size_t b, size_t size);

/** Reads a structure that grows at its end: `out` (of `size` bytes) gets what `given` has, whose
 *  first member, a size_t, is its size; 0 stands for `least` bytes. False if it is shorter than
 *  that, or longer than `size` and not zero beyond. */
bool rk_read_sized(void *out, size_t size, size_t least, const void *given);

/** Writes such a structure: all that `out` has room for but its size. False if that is too short.
 */
bool rk_write_sized(void *out, const void *own, size_t size, size_t least);

/** Bytes that this process may use: of the machine, of its control groups (base/cgroup.h), and what
 *  its limits on address space and data leave it. */
uint64_t rk_usable_memory(void);

/** What the limits of the process (ulimit -v, -d) leave it beyond what it has; UINT64_MAX without
 *  any. */
uint64_t rk_left_by_limits(void);

#endif
