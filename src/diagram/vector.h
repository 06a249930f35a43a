/* Small vectors of non-negative integers: how often each of a few neurons occurs.
 *
 * A cumulant or power cumulant kappa(X_i, X_i, X_j) is written as the vector (2, 1) at the indices
 * (i, j). Partitions of an integer are vectors with non-increasing positive parts. */
#ifndef RK_DIAGRAM_VECTOR_H
#define RK_DIAGRAM_VECTOR_H

#include <stdbool.h>
#include <stdint.h>

enum { RK_MAX_BLOCKS = 8 };

typedef struct rk_vector {
    uint8_t size;
    uint8_t at[RK_MAX_BLOCKS]; /* zero beyond `size` */
} rk_vector;

/** |v|: the degree. */
static inline int rk_vector_sum(rk_vector v) {
    int sum = 0;
    for (int a = 0; a < v.size; a++)
        sum += v.at[a];
    return sum;
}

/** Bit a is set where v_a > 0. */
static inline unsigned rk_vector_support(rk_vector v) {
    unsigned support = 0;
    for (int a = 0; a < v.size; a++)
        if (v.at[a] > 0) support |= 1u << a;
    return support;
}

static inline bool rk_vector_all_even(rk_vector v) {
    for (int a = 0; a < v.size; a++)
        if (v.at[a] % 2) return false;
    return true;
}

/** Lexicographic: negative, 0 or positive, like memcmp. Sizes must agree. */
static inline int rk_vector_compare(rk_vector u, rk_vector v) {
    for (int a = 0; a < u.size; a++)
        if (u.at[a] != v.at[a]) return (int)u.at[a] - (int)v.at[a];
    return 0;
}

/** The product of all v_a!. */
static inline int64_t rk_vector_factorial(rk_vector v) {
    int64_t product = 1;
    for (int a = 0; a < v.size; a++)
        for (int k = 2; k <= v.at[a]; k++)
            product *= k;
    return product;
}

/** Steps `v` through all vectors of its size with v_a <= bound_a, the last entry fastest, starting
 *  from 0. False when it wraps around to 0. */
static inline bool rk_vector_next(rk_vector *v, rk_vector bound) {
    for (int a = v->size - 1; a >= 0; a--) {
        if (v->at[a] < bound.at[a]) {
            v->at[a]++;
            return true;
        }
        v->at[a] = 0;
    }
    return false;
}

#endif
