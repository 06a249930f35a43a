/* Light passes over matrices: a few operations an entry, spread over the pool. */
#ifndef RK_BASE_SWEEP_H
#define RK_BASE_SWEEP_H

#include "base/pool.h"

/** Does what is independent among `m` rows (or columns) of `n` entries: calls function(context,
 *  first, last) for [first, last), again and again until all of [0, m) is done, from any thread.
 *  So many at a time, by their length alone, that they are worth waking a thread for; `first` is a
 *  multiple of 8, a cache line of columns. */
void rk_sweep(rk_pool *pool, size_t m, size_t n,
              void (*function)(void *context, size_t first, size_t last), void *context);

#endif
