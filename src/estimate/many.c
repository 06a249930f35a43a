/* Many estimates in one call: jobs are blocks of the context's pool, and what a job runs in
 * parallel is done by whoever has nothing else to do. */
#include "base/size.h"
#include "estimate/context.h"
#include "estimate/words.h"
#include "linalg/blas.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct many {
    rk_job *jobs;
    size_t n;
    const size_t *order; /* those that may be under way at a time first */
    rk_options options;  /* of the call */
    pthread_t caller;
    atomic_size_t n_done;
    atomic_bool stop;
} many;

/* Only the caller talks to the user; `fraction` is of the job that it is with. */
static bool tell(many *m, double fraction) {
    const rk_options *o = &m->options;
    const double done = ((double)atomic_load(&m->n_done) + fraction) / (double)m->n;
    if (o->progress && pthread_equal(pthread_self(), m->caller) &&
        !o->progress(o->progress_context, done))
        atomic_store(&m->stop, true);
    return !atomic_load(&m->stop);
}

static bool hear_job(void *context, double fraction) {
    return tell(context, fraction);
}

static bool hear_pool(void *context) {
    return tell(context, 0);
}

static void do_job(void *context, size_t index) {
    many *m = context;
    rk_job *job = &m->jobs[m->order[index]];
    rk_options options = m->options;
    rk_status status = RK_OK;
    if (job->options) status = rk_options_accept(&options, job->options, &job->error);
    options.context = m->options.context;
    options.threads = m->options.threads;
    options.progress = hear_job;
    options.progress_context = m;
    if (status == RK_OK)
        status = rk_estimate(&job->answer, job->net, job->input, &options, &job->error);
    if (status == RK_OK) job->error = (rk_error){.offset = -1};
    atomic_fetch_add(&m->n_done, 1);
}

static bool counts_seconds(const many *m, const rk_job *job) {
    return (job->options ? job->options : &m->options)->budget_seconds > 0;
}

/* Answers how many may be under way at a time. */
static size_t put_in_order(const many *m, size_t *order) {
    size_t n = 0;
    for (int alone = 0; alone < 2; alone++)
        for (size_t i = 0; i < m->n; i++)
            if (counts_seconds(m, &m->jobs[i]) == alone) order[n++] = i;
    while (n > 0 && counts_seconds(m, &m->jobs[order[n - 1]]))
        n--;
    return n;
}

static rk_status do_all(many *m, size_t n_together, rk_error *error) {
    rk_pool *pool = NULL;
    const size_t threads = (size_t)m->options.threads;
    rk_status status =
        rk_blas_check_room((int)(n_together < threads ? n_together : threads), error);
    if (status == RK_OK) status = rk_context_pool(&pool, &m->options, error);
    if (status == RK_OK) {
        rk_pool_listen(pool, hear_pool, m);
        rk_blas_make_serial();
        rk_pool_run(pool, n_together, do_job, m);
        for (size_t i = n_together; i < m->n && tell(m, 0); i++)
            do_job(m, i);
        rk_blas_restore();
    }
    rk_pool_destroy(pool);
    return status;
}

rk_status rk_estimate_many(rk_job *jobs, size_t n_jobs, const rk_options *options,
                           rk_error *error) {
    if (!jobs && n_jobs > 0) return rk_fail(error, RK_ERROR_ARGUMENT, "no jobs");
    many m = {.jobs = jobs, .n = n_jobs, .caller = pthread_self()};
    rk_status status = rk_options_accept(&m.options, options, error);
    if (status != RK_OK) return status;
    atomic_init(&m.n_done, 0);
    atomic_init(&m.stop, false);
    for (size_t i = 0; i < n_jobs; i++) {
        jobs[i].answer = NULL;
        rk_fail(&jobs[i].error, RK_ERROR_INTERRUPTED, "interrupted before it began");
    }
    size_t *order = rk_alloc(n_jobs, 1, sizeof *order);
    if (!order) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu jobs", n_jobs);
    m.order = order;
    const size_t n_together = put_in_order(&m, order);
    rk_context *own = NULL;
    if (!m.options.context) {
        const rk_context_options asked = {.size = sizeof asked,
                                          .threads = m.options.threads,
                                          .memory_limit = m.options.memory_limit};
        status = rk_context_create(&own, &asked, error);
        m.options.context = own;
    }
    if (status == RK_OK) {
        rk_context_settle(&m.options);
        status = do_all(&m, n_together, error);
    }
    rk_context_destroy(own);
    free(order);
    return status;
}
