/* A small pthreads pool over fixed blocks.
 *
 * The caller cuts its work into blocks whose number depends on the problem alone, never on the
 * number of threads; threads merely claim blocks. Whoever sums over blocks does so in index order
 * afterwards. Hence the same bits for any thread count. */
#ifndef RK_BASE_POOL_H
#define RK_BASE_POOL_H

#include "base/status.h"

typedef struct rk_pool rk_pool;

enum { RK_MAX_THREADS = 4096 };

/** One per online processor. */
int rk_pool_default_threads(void);

/** `threads` >= 1, including the caller of rk_pool_run; 0: one per online processor. */
rk_status rk_pool_create(rk_pool **out, int threads, rk_error *error);
void rk_pool_destroy(rk_pool *pool);
int rk_pool_threads(const rk_pool *pool);

/** In how many blocks of at most `rows` rows n rows are done. */
static inline size_t rk_pool_blocks(size_t n, size_t rows) {
    return (n + rows - 1) / rows;
}

/** Calls function(context, b) once for every b in [0, n_blocks), from any thread, and returns when
 *  all are done. One run at a time; not reentrant. `pool` NULL runs in the calling thread. */
void rk_pool_run(rk_pool *pool, size_t n_blocks, void (*function)(void *context, size_t block),
                 void *context);

#endif
