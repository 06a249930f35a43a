/* The tall matrices of the third order: stored in float unless asked otherwise, computed in double.
 *
 * The legs are all of the memory and all of the n^3 work of rk_propagate_third, and float costs
 * them no accuracy that shows. Here is the only place that knows their type: products run in it,
 * and everything else reads and writes rows of doubles. */
#ifndef RK_THIRD_LEGS_H
#define RK_THIRD_LEGS_H

#include "linalg/blas.h"

typedef struct rk_legs {
    size_t stride; /* entries between rows */
    float *f;      /* one of these is NULL */
    double *d;
} rk_legs;

/** Uninitialised, rows x cols. */
rk_legs rk_legs_take(rk_work *work, bool in_double, size_t rows, size_t cols);

/** The same memory from entry `offset` on, with rows of `stride` entries. */
rk_legs rk_legs_view(rk_legs legs, size_t offset, size_t stride);

/** `count` entries from (row, col) as doubles: in place if they are, else copied to `buffer`. */
const double *rk_legs_read(const rk_legs *legs, size_t row, size_t col, size_t count,
                           double *buffer);
void rk_legs_write(const rk_legs *legs, size_t row, size_t col, size_t count, const double *x);

/** rows x cols zeros. */
void rk_legs_zero(rk_work *work, size_t rows, size_t cols, const rk_legs *legs);

/** How many of the `count` columns from `col` on there are, of `cols`. */
static inline size_t rk_legs_within(size_t cols, size_t col, size_t count) {
    size_t left = col < cols ? cols - col : 0;
    return count < left ? count : left;
}

/** C (m x n) = A op(B) + beta C, A m x k, op(B) k x n. */
void rk_legs_product(rk_work *work, rk_trans trans_b, size_t m, size_t n, size_t k, rk_legs a,
                     rk_legs b, double beta, rk_legs c);

#endif
