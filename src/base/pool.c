#define _GNU_SOURCE /* sched_getaffinity */
#include "base/pool.h"

#include "base/cgroup.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Blocks to be done; lives with the call of rk_pool_run. */
typedef struct run {
    void (*function)(void *context, size_t block);
    void *context;
    size_t n_blocks;
    atomic_size_t next;
    int tickets; /* how many workers are still welcome */
    int busy;    /* tickets, and workers that have taken one and not finished */
    struct run *following;
} run;

/* Worker threads, and the runs where they are welcome. */
typedef struct crew {
    pthread_t *workers;
    int n_workers, most; /* started so far, and ever */
    pid_t process;       /* where they live */
    pthread_mutex_t mutex;
    pthread_cond_t wake, idle;
    run *first;
    bool stop;
} crew;

struct rk_pool {
    crew *crew;
    bool is_owner;
    int threads; /* at most so many, with the caller of rk_pool_run */
    bool (*go_on)(void *);
    void *listener;
};

/* ------------------------------------------------------------------------------- the workers */

/* The next run to work for, or NULL: it is time to leave. */
static run *take_ticket(crew *c) {
    while (!c->stop && !c->first)
        pthread_cond_wait(&c->wake, &c->mutex);
    if (c->stop) return NULL;
    run *r = c->first;
    if (--r->tickets == 0) c->first = r->following;
    return r;
}

static void *work(void *argument) {
    crew *c = argument;
    run *r;
    pthread_mutex_lock(&c->mutex);
    while ((r = take_ticket(c))) {
        pthread_mutex_unlock(&c->mutex);
        size_t block;
        while ((block = atomic_fetch_add(&r->next, 1)) < r->n_blocks)
            r->function(r->context, block);
        pthread_mutex_lock(&c->mutex);
        if (--r->busy == 0) pthread_cond_broadcast(&c->idle); /* whoever waits for whatever run */
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

static crew *crew_create(int threads) {
    crew *c = calloc(1, sizeof *c);
    pthread_t *workers = calloc((size_t)threads, sizeof *workers);
    if (!c || !workers) {
        free(workers);
        free(c);
        return NULL;
    }
    c->workers = workers;
    c->most = threads - 1;
    c->process = getpid();
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->wake, NULL);
    pthread_cond_init(&c->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return c;
}

static void crew_destroy(crew *c) {
    if (c->process == getpid()) {
        pthread_mutex_lock(&c->mutex);
        c->stop = true;
        pthread_cond_broadcast(&c->wake);
        pthread_mutex_unlock(&c->mutex);
        for (int i = 0; i < c->n_workers; i++)
            pthread_join(c->workers[i], NULL);
        pthread_cond_destroy(&c->idle);
        pthread_cond_destroy(&c->wake);
        pthread_mutex_destroy(&c->mutex);
    }
    free(c->workers);
    free(c);
}

/* Workers enough, as far as the system gives them. */
static int start_workers(crew *c, size_t wanted) {
    while (c->n_workers < c->most && (size_t)c->n_workers < wanted) {
        if (pthread_create(&c->workers[c->n_workers], NULL, work, c) != 0)
            c->most = c->n_workers;
        else
            c->n_workers++;
    }
    return (size_t)c->n_workers < wanted ? c->n_workers : (int)wanted;
}

/* ---------------------------------------------------------------------------------- the pool */

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

static rk_status check(int threads, rk_error *error) {
    if (threads >= 0 && threads <= RK_MAX_THREADS) return RK_OK;
    return rk_fail(error, RK_ERROR_ARGUMENT, "%d threads: expected 0 to %d", threads,
                   RK_MAX_THREADS);
}

static rk_pool *pool_of(crew *workers, int threads) {
    rk_pool *pool = calloc(1, sizeof *pool);
    if (pool) *pool = (rk_pool){.crew = workers, .threads = threads};
    return pool;
}

rk_status rk_pool_create(rk_pool **out, int threads, rk_error *error) {
    *out = NULL;
    rk_status status = check(threads, error);
    if (status != RK_OK) return status;
    if (threads == 0) threads = rk_pool_default_threads();
    crew *workers = crew_create(threads);
    if (!workers) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %d threads", threads);
    rk_pool *pool = pool_of(workers, threads);
    if (!pool) {
        crew_destroy(workers);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for a pool");
    }
    pool->is_owner = true;
    *out = pool;
    return RK_OK;
}

rk_status rk_pool_share(rk_pool **out, const rk_pool *with, int threads, rk_error *error) {
    *out = NULL;
    rk_status status = check(threads, error);
    if (status != RK_OK) return status;
    *out = pool_of(with->crew, threads && threads < with->threads ? threads : with->threads);
    return *out ? RK_OK : rk_fail(error, RK_ERROR_MEMORY, "no memory for a pool");
}

void rk_pool_destroy(rk_pool *pool) {
    if (pool && pool->is_owner) crew_destroy(pool->crew);
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

/* ------------------------------------------------------------------------------------ one run */

/* Tickets for as many workers as have something to do. */
static void invite(rk_pool *pool, run *r) {
    crew *c = pool->crew;
    const size_t most = (size_t)pool->threads - 1;
    const size_t wanted = r->n_blocks - 1 < most ? r->n_blocks - 1 : most;
    pthread_mutex_lock(&c->mutex);
    const int helpers = start_workers(c, wanted);
    if ((size_t)helpers < wanted) pool->threads = helpers + 1;
    r->tickets = r->busy = helpers;
    run **last = &c->first;
    while (*last)
        last = &(*last)->following;
    if (helpers > 0) *last = r;
    for (int i = 0; i < helpers; i++)
        pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
}

static void ask_listener(const rk_pool *pool, run *r) {
    if (pool && pool->go_on && !pool->go_on(pool->listener)) atomic_store(&r->next, r->n_blocks);
}

/* How long the listener is not asked while others finish their blocks. */
enum { PATIENCE_NS = 100000000, SECOND_NS = 1000000000 };

static bool is_done_soon(crew *c) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PATIENCE_NS;
    until.tv_sec += until.tv_nsec / SECOND_NS;
    until.tv_nsec %= SECOND_NS;
    return pthread_cond_timedwait(&c->idle, &c->mutex, &until) != ETIMEDOUT;
}

/* Takes back the tickets nobody has come for, for nothing is left to claim, and waits for the
 * others. */
static void dismiss(const rk_pool *pool, run *r) {
    crew *c = pool->crew;
    pthread_mutex_lock(&c->mutex);
    run **at = &c->first;
    while (*at && *at != r)
        at = &(*at)->following;
    if (*at) *at = r->following;
    r->busy -= r->tickets;
    while (r->busy > 0) {
        if (!pool->go_on) {
            pthread_cond_wait(&c->idle, &c->mutex);
        } else if (!is_done_soon(c)) {
            pthread_mutex_unlock(&c->mutex);
            ask_listener(pool, r);
            pthread_mutex_lock(&c->mutex);
        }
    }
    pthread_mutex_unlock(&c->mutex);
}

void rk_pool_run(rk_pool *pool, size_t n_blocks, void (*function)(void *context, size_t block),
                 void *context) {
    run r = {.function = function, .context = context, .n_blocks = n_blocks};
    atomic_init(&r.next, 0);
    const bool shares =
        pool && n_blocks > 1 && pool->threads > 1 && pool->crew->process == getpid();
    if (shares) invite(pool, &r);
    size_t block;
    while ((block = atomic_fetch_add(&r.next, 1)) < n_blocks) {
        function(context, block);
        ask_listener(pool, &r);
    }
    if (shares) dismiss(pool, &r);
}
