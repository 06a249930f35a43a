#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct rk_pool {
    pthread_t *workers;
    int n_workers; /* the caller of rk_pool_run is one more */
    pthread_mutex_t mutex;
    pthread_cond_t wake, idle;
    unsigned generation; /* of the current run */
    int busy;            /* workers that have not finished the current generation */
    bool stop;
    void (*function)(void *, size_t);
    void *context;
    size_t n_blocks;
    atomic_size_t next;
};

static void claim_blocks(rk_pool *pool) {
    size_t block;
    while ((block = atomic_fetch_add(&pool->next, 1)) < pool->n_blocks)
        pool->function(pool->context, block);
}

static void *work(void *argument) {
    rk_pool *pool = argument;
    unsigned seen = 0;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!pool->stop && pool->generation == seen)
            pthread_cond_wait(&pool->wake, &pool->mutex);
        if (pool->stop) break;
        seen = pool->generation;
        pthread_mutex_unlock(&pool->mutex);
        claim_blocks(pool);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->busy == 0) pthread_cond_signal(&pool->idle);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

int rk_pool_default_threads(void) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

rk_status rk_pool_create(rk_pool **out, int threads, rk_error *error) {
    *out = NULL;
    if (threads < 0 || threads > RK_MAX_THREADS)
        return rk_fail(error, RK_ERROR_ARGUMENT, "%d threads: expected 0 to %d", threads,
                       RK_MAX_THREADS);
    if (threads == 0) threads = rk_pool_default_threads();
    rk_pool *pool = calloc(1, sizeof *pool);
    pthread_t *workers = calloc((size_t)threads, sizeof *workers);
    if (!pool || !workers) {
        free(workers);
        free(pool);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %d threads", threads);
    }
    pool->workers = workers;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->idle, NULL);
    while (pool->n_workers < threads - 1) {
        if (pthread_create(&workers[pool->n_workers], NULL, work, pool) != 0) {
            rk_pool_destroy(pool);
            return rk_fail(error, RK_ERROR_MEMORY, "the system refused to start %d threads",
                           threads);
        }
        pool->n_workers++;
    }
    *out = pool;
    return RK_OK;
}

void rk_pool_destroy(rk_pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->n_workers; i++)
        pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool);
}

int rk_pool_threads(const rk_pool *pool) {
    return pool ? pool->n_workers + 1 : 1;
}

void rk_pool_run(rk_pool *pool, size_t n_blocks, void (*function)(void *context, size_t block),
                 void *context) {
    if (!pool || pool->n_workers == 0 || n_blocks <= 1) { /* not worth waking anyone */
        for (size_t block = 0; block < n_blocks; block++)
            function(context, block);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->function = function;
    pool->context = context;
    pool->n_blocks = n_blocks;
    atomic_store(&pool->next, 0);
    pool->busy = pool->n_workers;
    pool->generation++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    claim_blocks(pool);
    pthread_mutex_lock(&pool->mutex);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->idle, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}
