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
    atomic_uint_fast64_t *hits;
} plain_step;

static void draw_plain(void *context, uint64_t pass, float *y) {
    const plain_step *step = context;
    rk_stream stream = {step->job->options->seed, RK_STREAM_TAIL};
    rk_normal_floats(stream, pass, rk_network_n_in(&step->job->target->net), y);
}

static void count_hits(void *context, const rk_pass_block *block) {
    const plain_step *step = context;
    size_t n_out = rk_network_n_out(&step->job->target->net);
    for (size_t i = 0; i < step->job->n; i++) {
        const rk_query *q = &step->job->queries[i];
        const double sign = q->below ? -1 : 1, t = rk_query_threshold(sign * q->t, q->inclusive);
        uint64_t hits = 0;
        for (size_t r = 0; r < block->n; r++)
            hits += sign * (double)block->z[r * n_out + q->row] > t;
        atomic_fetch_add(&step->hits[i], hits);
    }
}

static rk_status plain_passes(rk_work *work, void *context, rk_error *error) {
    (void)error;
    plain_step *step = context;
    rk_passes_spec spec = {.n = step->job->options->samples,
                           .lanes = (size_t)rk_pool_threads(step->job->pool),
                           .draw = draw_plain,
                           .score = count_hits,
                           .context = step};
    rk_passes(work, &step->job->target->net, &spec);
    return RK_OK;
}

static void set_counted(rk_tail_estimate *estimate, uint64_t hits, uint64_t n) {
    double p = (double)hits / (double)n, low, high;
    rk_tail_name(estimate, "sample");
    rk_binomial_interval(hits, n, &low, &high);
    rk_tail_set(estimate, log(p));
    estimate->p = p;
    estimate->cv = sqrt((1 - p) / (p * (double)n));
    estimate->log10_low = log10(low);
    estimate->log10_high = log10(high);
    estimate->samples = n;
    estimate->effective_samples = (double)n;
    if (hits == 0)
        rk_tail_warn(estimate, "no pass reached the event: only the upper bound means anything");
}

/* Plain Monte Carlo for the wanted queries, all by the same passes. */
rk_status rk_tail_plain(rk_tail_job *job, const bool *wanted, rk_error *error) {
    plain_step step = {.job = job, .hits = rk_alloc(job->n, 1, sizeof *step.hits)};
    if (!step.hits) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", job->n);
    rk_status status = rk_tail_step(job, plain_passes, &step, error);
    if (!job->interrupted) job->samples += job->options->samples;
    for (size_t i = 0; status == RK_OK && !job->interrupted && i < job->n; i++) {
        rk_tail_estimate *estimate = job->queries[i].estimate;
        if (wanted && !wanted[i]) continue;
        if (!rk_tail_overflowed(job, estimate))
            set_counted(estimate, atomic_load(&step.hits[i]), job->options->samples);
    }
    free(step.hits);
    return status;
}

rk_status rk_tail_sample(rk_tail_job *job, rk_error *error) {
    return rk_tail_plain(job, NULL, error);
}

