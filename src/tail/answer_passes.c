/* sample, importance, subset. */
#include "base/normal.h"
#include "base/size.h"
#include "tail/answers.h"
#include "tail/importance.h"
#include "tail/log_probability.h"
#include "tail/passes.h"
#include "tail/subset.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------- plain passes */

static size_t lanes_of(const rk_tail_job *job) {
    return (size_t)rk_pool_threads(job->pool);
}

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
        uint64_t hits = 0;
        for (size_t r = 0; r < block->n; r++) {
            double z = (double)block->z[r * n_out + q->row];
            hits += q->below ? z < q->t : z > q->t;
        }
        atomic_fetch_add(&step->hits[i], hits);
    }
}

static rk_status plain_passes(rk_work *work, void *context, rk_error *error) {
    (void)error;
    plain_step *step = context;
    rk_passes_spec spec = {.n = step->job->options->samples,
                           .lanes = lanes_of(step->job),
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

/* ---------------------------------------------------------------------------- weighted passes */

/* One query as "the only output of a network exceeds t". */
typedef struct weighted_step {
    const rk_tail_job *job;
    size_t event;
    rk_network net;
    double t;
    bool radial, found;
    bool smoothed; /* `smooth` is wanted, too */
    rk_weighted_mean mean, smooth;
} weighted_step;

static rk_stream stream_of(const weighted_step *step) {
    return (rk_stream){step->job->options->seed, RK_STREAM_TAIL + 256 * (uint64_t)step->event};
}

/* A round costs what about 15 n passes do: two, and more as long as they stay a small part. */
static int tilt_rounds(uint64_t samples, size_t n) {
    uint64_t affordable = samples / (45 * (uint64_t)n);
    return affordable < 2 ? 2 : affordable > 4 ? 4 : (int)affordable;
}

static rk_status weighted_passes(rk_work *work, void *context, rk_error *error) {
    (void)error;
    weighted_step *step = context;
    rk_proposal proposal;
    rk_work_step(work, "tilt");
    step->found = rk_proposal_find(
        work, &step->net, step->t,
        tilt_rounds(step->job->options->samples, rk_network_n_in(&step->net)), &proposal);
    if (!step->found) return RK_OK;
    rk_work_step(work, "passes");
    rk_importance_spec spec = {.t = step->t,
                               .radial = step->radial,
                               .proposal = &proposal,
                               .n = step->job->options->samples,
                               .stream = stream_of(step),
                               .lanes = lanes_of(step->job)};
    rk_importance(work, &step->net, &spec, &step->mean, step->smoothed ? &step->smooth : NULL);
    return RK_OK;
}

/* Enough levels of samples / SUBSET_LEVELS passes for probabilities down to 10^-SUBSET_LEVELS. */
enum { SUBSET_LEVELS = 10 };

static rk_status subset_passes(rk_work *work, void *context, rk_error *error) {
    (void)error;
    weighted_step *step = context;
    step->found = true;
    rk_work_step(work, "levels");
    rk_subset(work, &step->net, step->t, step->job->options->samples / SUBSET_LEVELS,
              stream_of(step), lanes_of(step->job), &step->mean);
    return RK_OK;
}

/* With fewer effective passes a standard error says little. */
#define ENOUGH 10

/* The 97.5 % quantile of Student's law, to 1 % from 3 degrees of freedom on. */
static double student(double degrees) {
    double x = 1 / fmax(degrees, 2);
    return 1.96 + x * (2.37 + x * (2.8 + x * 2.5));
}

/* 95 % on the scale of logarithms: weights are skewed, and so is their average. */
static void set_weighted(rk_tail_estimate *estimate, const char *name, const rk_weighted_mean *mean,
                         bool complement) {
    double width = student(mean->effective) * mean->cv;
    double low = mean->log_mean - width, high = mean->log_mean + width;
    double log_p = mean->log_mean;
    rk_tail_name(estimate, name);
    estimate->cv = mean->cv;
    estimate->samples = mean->n;
    estimate->effective_samples = mean->effective;
    if (complement) {
        double swap = low;
        low = rk_log_complement(fmin(high, 0));
        high = rk_log_complement(swap);
        estimate->cv *= exp(log_p - rk_log_complement(fmin(log_p, 0)));
        log_p = rk_log_complement(fmin(log_p, 0));
    }
    rk_tail_set(estimate, log_p);
    estimate->log10_low = low / RK_LOG_10;
    estimate->log10_high = fmin(high, 0) / RK_LOG_10;
    if (mean->log_mean == -INFINITY)
        rk_tail_warn(estimate, "no pass reached the event");
    else if (mean->effective < ENOUGH)
        rk_tail_warn(estimate, "%.0f effective passes: the error is uncertain", mean->effective);
}

/* Below this the weighted average needs no help; above, its own idea of its error is too uncertain
 * to choose by. */
#define SHARP     0.03
#define WORTHLESS 0.5

/* Two answers from the same passes: their saddlepoint, unless the unbiased one is sharp or
 * contradicts it. */
static void set_sharper(rk_tail_estimate *estimate, const weighted_step *step, bool complement) {
    double apart = fabs(step->smooth.log_mean - step->mean.log_mean);
    if (!(step->smooth.cv <= WORTHLESS && step->mean.cv > SHARP)) return;
    if (!(apart <= 3 * hypot(step->smooth.cv, step->mean.cv))) {
        rk_tail_warn(estimate, "the passes read as a law say %.2g times that",
                     exp(step->smooth.log_mean - step->mean.log_mean));
        return;
    }
    double log10_unbiased = estimate->log10_p, cv_unbiased = estimate->cv;
    set_weighted(estimate, "tilted saddlepoint", &step->smooth, complement);
    estimate->log10_unbiased = log10_unbiased;
    estimate->cv_unbiased = cv_unbiased;
}

/* The network with one output, `row` of the target's or its negative (in `negated`). */
static rk_network only_output(const rk_target *target, const rk_layer *layers, size_t row,
                              bool negative, double *negated) {
    rk_network net = target->net;
    net.layers = (rk_layer *)(uintptr_t)layers;
    rk_layer *last = &net.layers[net.n_layers - 1];
    const double *weight = target->net.layers[net.n_layers - 1].weight + row * last->cols;
    for (size_t j = 0; negative && j < last->cols; j++)
        negated[j] = -weight[j];
    last->weight = negative ? negated : weight;
    last->rows = 1;
    return net;
}

/* Of an event that is likely the complement is estimated. */
rk_status rk_tail_alone(rk_tail_job *job, const rk_query *q, double mean, rk_tail_passes passes,
                        rk_error *error) {
    const rk_target *target = job->target;
    bool complement = q->below ? mean < q->t : mean > q->t, negative = q->below != complement;
    size_t n_layers = target->net.n_layers, cols = target->net.layers[n_layers - 1].cols;
    rk_layer *layers = rk_alloc(n_layers, 1, sizeof *layers);
    double *negated = rk_alloc(cols, 1, sizeof *negated);
    rk_status status = RK_OK;
    if (!layers || !negated) status = rk_fail(error, RK_ERROR_MEMORY, "no memory for an event");
    if (status == RK_OK) {
        memcpy(layers, target->net.layers, n_layers * sizeof *layers);
        bool subset = passes == RK_TAIL_SUBSET;
        weighted_step step = {.job = job,
                              .event = q->event,
                              .t = negative ? -q->t : q->t,
                              .smoothed = passes == RK_TAIL_SHARPER};
        step.net = only_output(target, layers, q->row, negative, negated);
        step.radial =
            target->homogeneous && step.t >= 0 && rk_network_n_in(&step.net) >= RK_RADIAL_MIN;
        status = rk_tail_step(job, subset ? subset_passes : weighted_passes, &step, error);
        if (status == RK_OK && !step.found) {
            rk_tail_warn(q->estimate, "no tilt: the closure's mean has no finite gradient");
        } else if (status == RK_OK && !job->interrupted && !rk_tail_overflowed(job, q->estimate)) {
            job->samples += step.mean.n;
            set_weighted(q->estimate, subset ? "subset" : "importance", &step.mean, complement);
            if (step.smoothed) set_sharper(q->estimate, &step, complement);
        }
    }
    free(negated);
    free(layers);
    return status;
}

static rk_status run_alone(rk_tail_job *job, rk_tail_passes passes, rk_error *error) {
    rk_law *laws;
    rk_status status = rk_tail_laws(job, &laws, error);
    for (size_t i = 0; status == RK_OK && !job->interrupted && i < job->n; i++, job->n_done++)
        status =
            rk_tail_alone(job, &job->queries[i], laws[job->queries[i].row].kappa[1], passes, error);
    free(laws);
    return status;
}

rk_status rk_tail_importance(rk_tail_job *job, rk_error *error) {
    return run_alone(job, RK_TAIL_WEIGHTED, error);
}

rk_status rk_tail_subset(rk_tail_job *job, rk_error *error) {
    return run_alone(job, RK_TAIL_SUBSET, error);
}
