/* Slices that are sums of products of other slices.
 *
 * The three pointwise steps of the closure are such sums: slices of a radial tensor in its core and
 * the metric, power cumulants in cumulants and Wick coefficients (the diagram sum), and cumulants
 * in power cumulants. Each is compiled once into an rk_polynomial and evaluated row by row: what
 * does not depend on the index that varies is multiplied out once a row, so the inner loops are a
 * few products of contiguous rows. */
#ifndef RK_CUMULANT_POLYNOMIAL_H
#define RK_CUMULANT_POLYNOMIAL_H

#include "cumulant/slice.h"

enum { RK_MAX_OPERANDS = 16 };

/** A slice at some of the indices of the result: its block q is at index block[q]. */
typedef struct rk_operand {
    uint16_t source; /* position in the array of sources given to rk_polynomial_evaluate */
    uint8_t n_blocks;
    uint8_t block[RK_MAX_BLOCKS];
} rk_operand;

typedef struct rk_product {
    double coefficient;
    int n;
    rk_operand operand[RK_MAX_OPERANDS];
} rk_product;

typedef struct rk_polynomial rk_polynomial;

/** A polynomial for the slice `lambda`, without terms; NULL if out of memory. */
rk_polynomial *rk_polynomial_create(rk_vector lambda);
void rk_polynomial_destroy(rk_polynomial *polynomial);
/** Adds a term. False if out of memory. */
bool rk_polynomial_add(rk_polynomial *polynomial, const rk_product *product);

/** Multiplies by the cumulant v at the result's indices: the slice of sorted v, whose number is the
 *  source. */
void rk_product_cumulant(rk_product *product, rk_vector v);
/** Multiplies by a slice with one index, at `block`. */
void rk_product_vector(rk_product *product, int source, int block);

/** Fills `out`, whose data may be a source with the same partition. Terms with an untracked source
 *  (data NULL) count as zero. Runs over the pool. */
void rk_polynomial_evaluate(rk_work *work, const rk_polynomial *polynomial, const rk_slice *sources,
                            rk_slice *out);

#endif
