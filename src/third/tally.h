/* Sums over the rows of a matrix, made while blocks of rows are swept: each block sums in a place
 * of its own, and the blocks are added in their order, so that any number of threads makes the same
 * bits. */
#ifndef RK_THIRD_TALLY_H
#define RK_THIRD_TALLY_H

#include "base/work.h"

typedef struct rk_tally {
    double *room; /* n_blocks x entries */
    size_t n_blocks, entries;
} rk_tally;

rk_tally rk_tally_take(rk_work *work, size_t n_blocks, size_t entries);

/** Where block b sums, zeroed: for the block itself. */
double *rk_tally_open(const rk_tally *tally, size_t b);

/** total += all blocks' sums from entry `first` on, `count` of them. */
void rk_tally_add(rk_work *work, const rk_tally *tally, size_t first, size_t count, double *total);

#endif
