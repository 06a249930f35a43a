/* A small pthreads pool over fixed blocks.
 *
 * The caller cuts its work into blocks whose number depends on the problem alone, never on the
 * number of threads; threads merely claim blocks. Whoever sums over blocks does so in index order
 * afterwards. Hence the same bits for any thread count.
 *
 * A pool costs nothing until it has work: threads start when there are blocks for them. Nobody
 * waits for a thread that the system starts or wakes too late.
 *
 * Several pools may share their workers, one for each run that is under way. The caller of a run
 * claims blocks like anybody: where all workers are with other runs it does everything alone, so
 * runs never wait for each other, and a block may run blocks of another pool. In a child made by
 * fork, where the threads are gone, everything runs in the calling thread; only a fork in the midst
 * of rk_pool_run, from another thread, leaves a pool that the child must not use. */
#ifndef RK_BASE_POOL_H
#define RK_BASE_POOL_H

#include "base/status.h"

typedef struct rk_pool rk_pool;

enum { RK_MAX_THREADS = 4096 };

/** One per processor that the calling thread may run on, fewer under a quota (base/cgroup.h). */
int rk_pool_default_threads(void);

/** `threads` >= 1, including the caller of rk_pool_run; 0: rk_pool_default_threads(). Should the
 *  system refuse to start that many, the pool does with fewer. */
rk_status rk_pool_create(rk_pool **out, int threads, rk_error *error);
/** One more pool on the workers of `with`, which must outlive it: at most `threads` of them with
 *  the caller; 0: all. */
rk_status rk_pool_share(rk_pool **out, const rk_pool *with, int threads, rk_error *error);
void rk_pool_destroy(rk_pool *pool);
/** The most that run at a time. */
int rk_pool_threads(const rk_pool *pool);

/** From now on the caller of rk_pool_run asks `go_on` between its blocks, and now and then while it
 *  waits for those of others; once it says no, blocks that nobody has begun are left out. NULL:
 *  nobody is asked. */
void rk_pool_listen(rk_pool *pool, bool (*go_on)(void *context), void *context);

/** In how many blocks of at most `rows` rows n rows are done. */
static inline size_t rk_pool_blocks(size_t n, size_t rows) {
    return (n + rows - 1) / rows;
}

/** Calls function(context, b) once for every b in [0, n_blocks), from any thread, and returns when
 *  all are done. One run at a time of a pool. `pool` NULL runs in the calling thread. */
void rk_pool_run(rk_pool *pool, size_t n_blocks, void (*function)(void *context, size_t block),
                 void *context);

#endif
