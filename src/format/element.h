/* Numbers as files store them: any width, any byte order, decoded to double. */
#ifndef RK_FORMAT_ELEMENT_H
#define RK_FORMAT_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum rk_element_kind { RK_FLOAT, RK_BFLOAT, RK_SIGNED, RK_UNSIGNED } rk_element_kind;

/** FLOAT: IEEE 754 of 2, 4 or 8 bytes; BFLOAT: the upper 2 bytes of a float; SIGNED (two's
 *  complement) and UNSIGNED: 1, 2, 4 or 8 bytes. */
typedef struct rk_element {
    rk_element_kind kind;
    size_t size; /**< bytes */
    bool big_endian;
} rk_element;

/** out[i] = the i-th of `count` elements at `bytes`, which need no alignment. Exact, except that
 *  integers beyond 2^53 are rounded. */
void rk_element_decode(rk_element element, const unsigned char *bytes, size_t count, double *out);

/** Stores x as 8 little-endian bytes. */
void rk_store_double(unsigned char bytes[8], double x);

#endif
