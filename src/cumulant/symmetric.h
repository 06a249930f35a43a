/* Packed symmetric tensors.
 *
 * A symmetric tensor of order s over n indices is stored once per multiset, written in
 * non-increasing order i_1 >= i_2 >= ... >= i_s; the address counts the tuples before it in
 * lexicographic order, so the last index is contiguous and the tensor over fewer indices is a
 * prefix. Order 0 is one number. */
#ifndef RK_CUMULANT_SYMMETRIC_H
#define RK_CUMULANT_SYMMETRIC_H

#include "base/work.h"

enum { RK_MAX_ORDER = 4 };

/** The number of non-increasing s-tuples below n: C(n + s - 1, s). Also the address of the tuple
 *  (n, 0, .., 0). Does not check for overflow. */
static inline size_t rk_simplex(size_t n, int s) {
    switch (s) {
    case 0:
        return 1;
    case 1:
        return n;
    case 2:
        return n * (n + 1) / 2;
    case 3:
        return n * (n + 1) / 2 * (n + 2) / 3;
    default:
        return rk_simplex(n, s - 1) * (n + (size_t)s - 1) / (size_t)s;
    }
}

/** The same for sizes that come from outside: SIZE_MAX if it does not fit. */
size_t rk_symmetric_count(size_t n, int s);

/** Address of a non-increasing tuple. */
static inline size_t rk_symmetric_at(const size_t *index, int s) {
    size_t at = 0;
    for (int t = 0; t < s; t++)
        at += rk_simplex(index[t], s - t);
    return at;
}

/** Steps through the non-increasing s-tuples below n in the order of their addresses, starting from
 *  zeros. False after the last; at once for s = 0. */
bool rk_symmetric_next(size_t *index, int s, size_t n);

/** row[j] = the entry at the multiset {fixed} + {j}, j < limit; `fixed` holds s - 1 indices in
 *  non-increasing order. Entries lie `stride` apart. */
void rk_symmetric_row(const double *tensor, size_t stride, int s, const size_t *fixed, size_t limit,
                      double *row);

/** out (order s over m) = `tensor` (over n) with W (m x n) applied to every leg, 1 <= s <=
 *  RK_MAX_ORDER: one leg after another by matrix products, and only i_1 >= i_2 >= ... of the
 *  result. For m = n that is 2 (2^s - 1)/s! n^(s+1) FLOPs, the paper's discount beta_s on
 *  2 s n^(s+1) (App. J), plus the corners of small diagonal blocks. Takes n^s/(s-1)! doubles and
 * more for the rows under way; runs over the pool. */
void rk_symmetric_transform(rk_work *work, int s, size_t m, size_t n, const double *W,
                            const double *tensor, double *out);

/** out = W W', packed of order 2, W m x n: the transform of the identity for a third of its FLOPs.
 */
void rk_symmetric_gram(rk_work *work, size_t m, size_t n, const double *W, double *out);

/** diagonal_i = the entry (i, i) of a tensor of order 2 over n. */
void rk_symmetric_diagonal(rk_work *work, size_t n, const double *tensor, double *diagonal);

#endif
