/* sample: plain passes, counted. */
#include "base/normal.h"
#include "base/size.h"
#include "tail/answers.h"
#include "tail/log_probability.h"
#include "tail/passes.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct plain_step {
    rk_tail_job *job;
    uint64_t n;
    rk_stream stream;
    atomic_uint_fast64_t *hits;
} plain_step;

static void draw_plain(void *context, uint64_t pass, float *y) {
    const plain_step *step = context;
    rk_normal_floats(step->stream, pass, rk_network_n_in(&step->job->target->net), y);
}

static void count_hits(void *context, const rk_scored_block *block) {
    const plain_step *step = context;
    size_t n_out = rk_network_n_out(&step->job->target->net);
    for (size_t i = 0; i < step->job->n; i++) {
        const rk_query *q = &step->job->queries[i];
        const double sign = q->below ? -1 : 1,
                     t = rk_query_threshold(sign * q->t, q->rounding, q->inclusive);
        uint64_t hits = 0;
        for (size_t r = 0; r < block->n; r++)
            hits += sign * (double)block->z[r * n_out + q->row] > t;
        atomic_fetch_add(&step->hits[i], hits);
    }
}

static rk_status plain_passes(rk_work *work, void *context, rk_error *error) {
    (void)error;
    plain_step *step = context;
    rk_scored_spec spec = {.n = step->n,
                           .lanes = step->job->lanes,
                           .centred = step->job->target->centred,
                           .draw = draw_plain,
                           .score = count_hits,
                           .context = step};
    rk_score_passes(work, &step->job->target->net, &spec);
    return RK_OK;
}

/* How many of n plain passes are in the event of each query. */
static rk_status count(rk_tail_job *job, const char *what, uint64_t n, uint64_t stream,
                       uint64_t *hits, rk_error *error) {
    plain_step step = {.job = job,
                       .n = n,
                       .stream = {job->options->seed, stream},
                       .hits = rk_alloc(job->n, 1, sizeof *step.hits)};
    if (!step.hits) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", job->n);
    rk_status status = rk_tail_step(job, NULL, what, plain_passes, &step, error);
    if (rk_tail_goes_on(job)) job->samples += n;
    for (size_t i = 0; i < job->n; i++)
        hits[i] = atomic_load(&step.hits[i]);
    free(step.hits);
    return status;
}

/* A hundredth of the passes for an event, but some hundred. */
enum { GLANCE_PART = 100, GLANCE_LEAST = 200, GLANCE_MOST = 2000 };

rk_status rk_tail_glance(rk_tail_job *job, double *share, rk_error *error) {
    uint64_t n = job->passes / GLANCE_PART;
    n = n < GLANCE_LEAST ? GLANCE_LEAST : n > GLANCE_MOST ? GLANCE_MOST : n;
    uint64_t *hits = rk_alloc(job->n, 1, sizeof *hits);
    if (!hits) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", job->n);
    rk_status status = count(job, "a glance", n, RK_STREAM_WIDE, hits, error);
    for (size_t i = 0; i < job->n; i++)
        share[i] = (double)hits[i] / (double)n;
    free(hits);
    return status;
}

static void set_counted(rk_tail_estimate *estimate, uint64_t hits, uint64_t n) {
    double p = (double)hits / (double)n, low, high;
    rk_tail_name(estimate, "sample");
    rk_binomial_interval(hits, n, &low, &high);
    rk_tail_set(estimate, log(p));
    estimate->p = p;
    estimate->cv = sqrt((1 - p) / (p * (double)n));
    estimate->log10_low = fmin(estimate->log10_low, log10(low));
    estimate->log10_high = fmax(estimate->log10_high, log10(high));
    estimate->samples += n;
    estimate->effective_samples = (double)n;
    if (hits == 0)
        rk_tail_warn(estimate, "no pass reached the event: only the upper bound means anything");
}

rk_status rk_tail_plain(rk_tail_job *job, bool *wanted, uint64_t least, rk_error *error) {
    bool any = !wanted || job->mode != RK_TAIL_WET; /* dry: nobody knows */
    for (size_t i = 0; i < job->n; i++)
        any = any || wanted[i];
    if (!any) return RK_OK;
    uint64_t n = job->passes, *hits = rk_alloc(job->n, 1, sizeof *hits);
    if (!hits) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", job->n);
    rk_status status = count(job, "plain passes", n, RK_STREAM_TAIL, hits, error);
    for (size_t i = 0; status == RK_OK && rk_tail_goes_on(job) && i < job->n; i++) {
        rk_tail_estimate *estimate = job->queries[i].estimate;
        if (wanted && wanted[i]) wanted[i] = hits[i] >= least && n - hits[i] >= least;
        if (wanted && !wanted[i]) continue;
        if (!rk_tail_overflowed(job, estimate)) set_counted(estimate, hits[i], n);
    }
    free(hits);
    return status;
}

rk_status rk_tail_sample(rk_tail_job *job, rk_error *error) {
    return rk_tail_plain(job, NULL, 0, error);
}
