#include "estimate/context.h"

#include "base/size.h"
#include "estimate/words.h"
#include "linalg/blas.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct rk_context {
    rk_pool *pool; /* its workers are shared; it runs nothing itself */
    uint64_t memory_limit;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t released;
    uint64_t bytes; /* claimed */
    double speed;   /* with so many threads; 0: not measured */
    int speed_threads;
};

rk_status rk_context_create(rk_context **out, const rk_context_options *options, rk_error *error) {
    *out = NULL;
    rk_context_options asked = {.size = sizeof asked};
    if (options && !rk_read_sized(&asked, sizeof asked, sizeof asked, options))
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_context_options",
                       options->size, sizeof asked);
    rk_context *context = calloc(1, sizeof *context);
    if (!context) return rk_fail(error, RK_ERROR_MEMORY, "no memory for a context");
    rk_status status = rk_pool_create(&context->pool, asked.threads, error);
    if (status != RK_OK) {
        free(context);
        return status;
    }
    context->memory_limit = asked.memory_limit ? asked.memory_limit : rk_usable_memory();
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&context->mutex, NULL);
    pthread_cond_init(&context->released, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = context;
    return RK_OK;
}

void rk_context_destroy(rk_context *context) {
    if (!context) return;
    rk_pool_destroy(context->pool);
    pthread_cond_destroy(&context->released);
    pthread_mutex_destroy(&context->mutex);
    free(context);
}

void rk_context_settle(rk_options *options) {
    const rk_context *context = options->context;
    if (!context) return;
    const int threads = rk_pool_threads(context->pool);
    const uint64_t limit = context->memory_limit;
    if (options->threads == 0 || options->threads > threads) options->threads = threads;
    if (options->memory_limit == 0 || options->memory_limit > limit) options->memory_limit = limit;
}

rk_status rk_context_pool(rk_pool **out, const rk_options *options, rk_error *error) {
    return options->context ? rk_pool_share(out, options->context->pool, options->threads, error)
                            : rk_pool_create(out, options->threads, error);
}

/* ------------------------------------------------------------------------------------- memory */

static bool goes_on(const rk_options *options) {
    return !options->progress || options->progress(options->progress_context, 0);
}

/* Some other run is over, or it is time to ask whether to go on. */
static void wait_a_while(rk_context *context) {
    enum { WHILE_NS = 100000000, SECOND_NS = 1000000000 };
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WHILE_NS;
    until.tv_sec += until.tv_nsec / SECOND_NS;
    until.tv_nsec %= SECOND_NS;
    pthread_cond_timedwait(&context->released, &context->mutex, &until);
}

rk_status rk_context_claim(const rk_options *options, uint64_t bytes, rk_error *error) {
    rk_context *context = options->context;
    if (!context) return RK_OK;
    rk_status status = RK_OK;
    pthread_mutex_lock(&context->mutex);
    while (context->bytes > 0 && bytes > context->memory_limit - context->bytes) {
        wait_a_while(context);
        pthread_mutex_unlock(&context->mutex);
        if (!goes_on(options))
            status =
                rk_fail(error, RK_ERROR_INTERRUPTED, "interrupted while other runs had the memory");
        pthread_mutex_lock(&context->mutex);
        if (status != RK_OK) break;
    }
    if (status == RK_OK) context->bytes += bytes;
    pthread_mutex_unlock(&context->mutex);
    return status;
}

void rk_context_release(const rk_options *options, uint64_t bytes) {
    rk_context *context = options->context;
    if (!context) return;
    pthread_mutex_lock(&context->mutex);
    context->bytes -= bytes;
    pthread_cond_broadcast(&context->released);
    pthread_mutex_unlock(&context->mutex);
}

/* -------------------------------------------------------------------------------------- speed */

static double measure(const rk_options *options) {
    enum { N = 192 };
    static const double long_enough = 4e-3;
    rk_work work = {.dry = false};
    double *matrix = calloc(3 * N * N, sizeof *matrix), best = (double)NAN;
    if (matrix && rk_context_pool(&work.pool, options, NULL) == RK_OK) {
        rk_blas_make_serial();
        for (double first = rk_seconds(), start = first; start < first + long_enough;) {
            rk_gemm(&work, RK_NO_TRANS, RK_NO_TRANS, N, N, N, 1, matrix, N, matrix + N * N, N, 0,
                    matrix + 2 * N * N, N);
            double end = rk_seconds();
            best = fmax(best, 2.0 * N * N * N / (end - start));
            start = end;
        }
        rk_blas_restore();
        rk_pool_destroy(work.pool);
    }
    free(matrix);
    return best;
}

double rk_context_speed(const rk_options *options) {
    rk_context *context = options->context;
    if (!context) return measure(options);
    pthread_mutex_lock(&context->mutex);
    if (!(context->speed > 0) || context->speed_threads != options->threads) {
        context->speed = measure(options);
        context->speed_threads = options->threads;
    }
    const double speed = context->speed;
    pthread_mutex_unlock(&context->mutex);
    return speed;
}
