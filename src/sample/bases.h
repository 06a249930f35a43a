/* Mutually unbiased bases of R^N, N = 4^m: N/2 + 1 orthonormal bases, any two vectors of different
 * ones at the same angle, <u, v> = +-1/sqrt(N). With their mirror images they are a spherical
 * 5-design: N (N + 2) directions over which every polynomial of degree 5 has the average that it
 * has over the sphere (docs/MATH.md#structured-sampling).
 *
 * Basis a < N/2 is D_a H / sqrt(N): Walsh and Hadamard's matrix H after signs D_a = (-1)^(Q_a(x)),
 * Kerdock's quadratic forms; the last one is the standard basis. */
#ifndef RK_SAMPLE_BASES_H
#define RK_SAMPLE_BASES_H

#include <stddef.h>

enum { RK_BASES_MIN = 16, RK_BASES_MAX = 16384 }; /* of N */

/** The smallest usable N of at least n <= RK_BASES_MAX. */
size_t rk_bases_dimension(size_t n);

/** N/2 + 1. */
static inline size_t rk_bases_count(size_t dimension) {
    return dimension / 2 + 1;
}

/** Bytes of the table that `rk_bases_fill` makes: N/2. */
static inline size_t rk_bases_table(size_t dimension) {
    return dimension / 2;
}

/** Tabulates Kerdock's form for one N. */
void rk_bases_fill(size_t dimension, unsigned char *table);

/** out (rows x m) = sqrt(N) times the products of vectors first .. first + rows - 1 of a basis with
 *  the columns of A (N x m), by the fast transform: about m (N + rows log2 rows) additions for
 *  `rows`, a power of 4 up to N that divides `first`. */
void rk_bases_products(size_t dimension, const unsigned char *table, size_t basis, size_t first,
                       size_t rows, size_t m, const float *a, float *out);

#endif
