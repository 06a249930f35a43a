#define _GNU_SOURCE /* sched_getaffinity */
#include "base/pool.h"

#include "base/cgroup.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct rk_pool {
    int threads; /* at most so many, with the caller of rk_pool_run */
    pthread_t *workers;
    int n_workers; /* started so far */
    pid_t process; /* where they live */
    pthread_mutex_t mutex;
    pthread_cond_t wake, idle;
    int tickets; /* how many workers are still welcome to the current run */
    int busy;    /* tickets, and workers that have taken one and not finished */
    bool stop;
    void (*function)(void *, size_t);
    void *context;
    size_t n_blocks;
    atomic_size_t next;
    bool (*go_on)(void *);
    void *listener;
};

static void claim_blocks(rk_pool *pool, bool listens) {
    size_t block;
    while ((block = atomic_fetch_add(&pool->next, 1)) < pool->n_blocks) {
        pool->function(pool->context, block);
        if (listens && pool->go_on && !pool->go_on(pool->listener))
            atomic_store(&pool->next, pool->n_blocks);
    }
}

static void *work(void *argument) {
    rk_pool *pool = argument;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!pool->stop && pool->tickets == 0)
            pthread_cond_wait(&pool->wake, &pool->mutex);
        if (pool->stop) break;
        pool->tickets--;
        pthread_mutex_unlock(&pool->mutex);
        claim_blocks(pool, false);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->busy == 0) pthread_cond_signal(&pool->idle);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* In sets of growing size: the kernel refuses one that is smaller than its own. */
static int processors_by_affinity(void) {
    for (int most = 1024; most <= 1 << 20; most *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)most);
        if (!set) break;
        size_t size = CPU_ALLOC_SIZE((size_t)most);
        bool known = sched_getaffinity(0, size, set) == 0;
        int count = known ? CPU_COUNT_S(size, set) : 0;
        bool larger = !known && errno == EINVAL;
        CPU_FREE(set);
        if (known) return count;
        if (!larger) break;
    }
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int rk_pool_default_threads(void) {
    int allowed = processors_by_affinity(), quota = rk_cgroup_processors("");
    int threads = allowed < quota ? allowed : quota;
    return threads < 1 ? 1 : threads > RK_MAX_THREADS ? RK_MAX_THREADS : threads;
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
    pool->threads = threads;
    pool->workers = workers;
    pool->process = getpid();
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->idle, NULL);
    *out = pool;
    return RK_OK;
}

void rk_pool_destroy(rk_pool *pool) {
    if (!pool) return;
    if (pool->n_workers > 0 && pool->process == getpid()) {
        pthread_mutex_lock(&pool->mutex);
        pool->stop = true;
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
        for (int i = 0; i < pool->n_workers; i++)
            pthread_join(pool->workers[i], NULL);
        pthread_cond_destroy(&pool->idle);
        pthread_cond_destroy(&pool->wake);
        pthread_mutex_destroy(&pool->mutex);
    }
    free(pool->workers);
    free(pool);
}

int rk_pool_threads(const rk_pool *pool) {
    return pool ? pool->threads : 1;
}

void rk_pool_listen(rk_pool *pool, bool (*go_on)(void *context), void *context) {
    if (!pool) return;
    pool->go_on = go_on;
    pool->listener = context;
}

/* Workers enough for n blocks, as far as the system gives them. */
static int helpers_for(rk_pool *pool, size_t n_blocks) {
    size_t most = (size_t)pool->threads - 1, wanted = n_blocks - 1 < most ? n_blocks - 1 : most;
    while ((size_t)pool->n_workers < wanted) {
        if (pthread_create(&pool->workers[pool->n_workers], NULL, work, pool) != 0) {
            pool->threads = pool->n_workers + 1;
            return pool->n_workers;
        }
        pool->n_workers++;
    }
    return (int)wanted;
}

void rk_pool_run(rk_pool *pool, size_t n_blocks, void (*function)(void *context, size_t block),
                 void *context) {
    rk_pool alone = {.threads = 1};
    if (!pool) pool = &alone;
    bool shares = n_blocks > 1 && pool->threads > 1 && pool->process == getpid();
    int helpers = shares ? helpers_for(pool, n_blocks) : 0;
    if (helpers > 0) pthread_mutex_lock(&pool->mutex);
    pool->function = function;
    pool->context = context;
    pool->n_blocks = n_blocks;
    atomic_store(&pool->next, 0);
    if (helpers > 0) {
        pool->tickets = pool->busy = helpers;
        for (int i = 0; i < helpers; i++)
            pthread_cond_signal(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
    }
    claim_blocks(pool, true);
    if (helpers == 0) return;
    pthread_mutex_lock(&pool->mutex);
    pool->busy -= pool->tickets; /* too late: nothing is left to claim */
    pool->tickets = 0;
    while (pool->busy > 0)
        pthread_cond_wait(&pool->idle, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}
