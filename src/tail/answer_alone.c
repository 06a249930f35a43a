/* importance, subset: one event by its own passes. */
#include "base/size.h"
#include "tail/answers.h"
#include "tail/design.h"
#include "tail/importance.h"
#include "tail/log_probability.h"
#include "tail/subset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One query as "the only output of a network exceeds t". */
typedef struct alone {
    const rk_tail_job *job;
    uint64_t key;
    rk_network net;
    double t;
    bool radial, complement;
    bool smoothed;  /* `smooth` is wanted, too */
    bool looked;    /* `levels` says what subset simulation did */
    bool scattered; /* the search for design points has seen too few of them twice */
    rk_weighted_mean mean, smooth, levels;
    uint64_t passes; /* all of them */
} alone;

static rk_stream stream_of(const alone *a, uint64_t stream) {
    return (rk_stream){a->job->options->seed, stream + 256 * a->key};
}

/* Below this the weighted average needs no help; above, its own idea of its error is too uncertain
 * to choose by. */
#define SHARP     0.03
#define WORTHLESS 0.5

/* ---------------------------------------------------------------------------- weighted passes */

/* Of all passes: those of a level of the subset simulation that looks at the event by itself, and
 * of a width in the search for design points, together LOOK_LEVELS times that or less; with fewer
 * than LOOK_LEAST or than inputs they see little. And how many passes there are for a start. */
enum { LOOK_PART = 100, LOOK_LEAST = 100, LOOK_LEVELS = 25 };
enum { START_PART = 800, LEAST_STARTS = 8, MOST_STARTS = 24 };

static size_t starts_for(uint64_t samples) {
    uint64_t starts = samples / START_PART;
    return starts < LEAST_STARTS ? LEAST_STARTS : starts > MOST_STARTS ? MOST_STARTS : starts;
}

static uint64_t look_passes(uint64_t samples, size_t n) {
    uint64_t least = n > LOOK_LEAST ? n : LOOK_LEAST, look = samples / LOOK_PART;
    if (look < least) look = least;
    return LOOK_LEVELS * look <= samples ? look : 0;
}

/* Subset simulation, and the design points its points and wide passes lead to. */
static size_t look_around(rk_work *work, alone *a, uint64_t n, double *designs, float *points,
                          size_t *n_points, uint64_t *passes) {
    size_t starts = starts_for(a->job->passes);
    size_t found = 0;
    uint64_t searched = 0;
    size_t mark = rk_work_mark(work);
    rk_work_step(work, "levels");
    rk_subset_spec levels = {.t = a->t,
                             .n = n,
                             .stream = stream_of(a, RK_STREAM_LEVELS),
                             .lanes = a->job->lanes,
                             .centred = a->job->target->centred,
                             .points = points,
                             .max_points = starts};
    bool go_on = rk_subset(work, &a->net, &levels, &a->levels, n_points);
    if (work->dry) *n_points = starts;
    rk_design_spec spec = {.t = a->t,
                           .n = n,
                           .stream = stream_of(a, RK_STREAM_WIDE),
                           .lanes = a->job->lanes,
                           .centred = a->job->target->centred,
                           .known = levels.points,
                           .n_known = *n_points,
                           .starts = starts};
    rk_work_step(work, "design points");
    if (go_on) found = rk_design_points(work, &a->net, &spec, designs, &searched, &a->scattered);
    if (rk_work_charge(work, 0)) *passes += a->levels.n + searched;
    rk_work_release(work, mark);
    return found;
}

/* With fewer directions the passes under the tilt are no law: z is not nearly normal there, and the
 * tilt does not know all parts of the event. */
#define MANY_DIRECTIONS 24

/* A round costs what about 15 n passes do: two, and more as long as they stay a small part. */
static int tilt_rounds(uint64_t samples, size_t n) {
    uint64_t affordable = samples / (45 * (uint64_t)n);
    return affordable < 2 ? 2 : affordable > 4 ? 4 : (int)affordable;
}

/* The tilt, or N(0, I) if there is none. */
static void find_tilt(rk_work *work, const alone *a, rk_proposal *out) {
    size_t mark = rk_work_mark(work), n_in = rk_network_n_in(&a->net);
    int rounds = tilt_rounds(a->job->passes, n_in);
    if (rk_proposal_find(work, &a->net, a->t, rounds, out)) return;
    rk_work_release(work, mark);
    *out = rk_proposal_standard(work, n_in);
}

static rk_status weighted_passes(rk_work *work, void *context, rk_error *error) {
    (void)error;
    alone *a = context;
    size_t n_in = rk_network_n_in(&a->net), n_designs = 0;
    uint64_t samples = a->job->passes, look = look_passes(samples, n_in), spent = 0;
    double *designs = rk_work_doubles(work, MOST_STARTS, n_in);
    a->looked = look > 0;
    float *points = rk_work_floats(work, MOST_STARTS, n_in);
    size_t n_points = 0;
    if (a->looked) n_designs = look_around(work, a, look, designs, points, &n_points, &spent);
    if (work->interrupted || work->overflowed) return RK_OK;
    if (work->dry && a->looked) n_designs = starts_for(samples); /* at most */
    rk_work_step(work, "tilt");
    rk_proposal proposal;
    find_tilt(work, a, &proposal);
    rk_proposal_add(work, &proposal, designs, n_designs);
    if (work->dry) proposal.n_parts = RK_MAX_PARTS;
    if (a->looked && !work->dry && !(proposal.directions >= MANY_DIRECTIONS)) a->smoothed = false;
    rk_work_step(work, "passes");
    uint64_t left = samples - (spent < samples / 2 ? spent : samples / 2);
    rk_importance_spec spec = {.t = a->t,
                               .radial = a->radial,
                               .proposal = &proposal,
                               .n = work->dry ? samples : left,
                               .stream = stream_of(a, RK_STREAM_TAIL),
                               .lanes = a->job->lanes,
                               .centred = a->job->target->centred,
                               .sharp = SHARP};
    rk_importance(work, &a->net, &spec, &a->mean, a->smoothed ? &a->smooth : NULL);
    a->passes = spent + spec.n;
    return RK_OK;
}

/* Enough levels of samples / SUBSET_LEVELS passes for probabilities down to 10^-SUBSET_LEVELS. */
enum { SUBSET_LEVELS = 10 };

static rk_status subset_passes(rk_work *work, void *context, rk_error *error) {
    (void)error;
    alone *a = context;
    rk_work_step(work, "levels");
    rk_subset_spec spec = {.t = a->t,
                           .n = a->job->passes / SUBSET_LEVELS,
                           .stream = stream_of(a, RK_STREAM_TAIL),
                           .lanes = a->job->lanes,
                           .centred = a->job->target->centred};
    size_t no_points;
    rk_subset(work, &a->net, &spec, &a->mean, &no_points);
    a->passes = a->mean.n;
    return RK_OK;
}

/* ---------------------------------------------------------------------------------- the answer */

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
    estimate->effective_samples = mean->effective;
    if (complement) {
        double swap = low;
        low = rk_log_complement(fmin(high, 0));
        high = rk_log_complement(fmin(swap, 0));
        estimate->cv *= exp(log_p - rk_log_complement(fmin(log_p, 0)));
        log_p = rk_log_complement(fmin(log_p, 0));
    }
    rk_tail_set(estimate, log_p);
    estimate->log10_low = low / RK_LOG_10;
    estimate->log10_high = fmin(high, 0) / RK_LOG_10;
    if (mean->effective < ENOUGH)
        rk_tail_warn(estimate, "%.0f effective passes: the error is uncertain", mean->effective);
}

/* Two answers from the same passes: their saddlepoint, unless the unbiased one is sharp or
 * contradicts it: then the answer is false, and stays. */
static bool set_sharper(rk_tail_estimate *estimate, const alone *a) {
    if (!(a->smooth.cv <= WORTHLESS)) return true;
    if (a->looked && a->smooth.cv >= a->mean.cv) return true;
    double apart = fabs(a->smooth.log_mean - a->mean.log_mean);
    if (!(apart <= 3 * hypot(a->smooth.cv, a->mean.cv))) return false;
    double log10_unbiased = estimate->log10_p, cv_unbiased = estimate->cv;
    set_weighted(estimate, "tilted saddlepoint", &a->smooth, a->complement);
    estimate->log10_unbiased = log10_unbiased;
    estimate->cv_unbiased = cv_unbiased;
    return true;
}

/* What the look around says of the answer. It does not know where the passes went: where the two
 * contradict each other neither is believed, and the interval holds both. True if they agree and
 * that means something. */
static bool cross_check(rk_tail_estimate *estimate, const alone *a) {
    if (!a->looked) {
        rk_tail_warn(estimate, "too few passes to look for other parts of the event");
        return false;
    }
    if (a->scattered)
        rk_tail_warn(estimate, "the event has more parts than the search could tell apart");
    if (!(a->levels.log_mean > -INFINITY)) return false;
    rk_tail_estimate other;
    rk_tail_estimate_clear(&other);
    set_weighted(&other, "subset", &a->levels, a->complement);
    double apart = fabs(other.log10_p - estimate->log10_p) * RK_LOG_10;
    if (apart <= 3 * hypot(other.cv, estimate->cv)) return other.cv <= WORTHLESS && !a->scattered;
    rk_tail_warn(estimate, "subset simulation says %.2g: the interval holds both", other.p);
    estimate->log10_low = fmin(estimate->log10_low, other.log10_low);
    estimate->log10_high = fmax(estimate->log10_high, other.log10_high);
    return false;
}

static rk_tail_finding set_answer(rk_tail_estimate *estimate, const alone *a,
                                  rk_tail_passes passes) {
    bool subset = passes == RK_TAIL_SUBSET;
    estimate->samples = a->passes;
    if (a->mean.log_mean == -INFINITY) {
        if (a->looked) cross_check(estimate, a);
        return RK_TAIL_UNREACHED;
    }
    set_weighted(estimate, subset ? "subset" : "importance", &a->mean, a->complement);
    bool one_voice = !a->smoothed || set_sharper(estimate, a);
    bool confirmed = subset || cross_check(estimate, a);
    if (!one_voice && !confirmed)
        rk_tail_warn(estimate, "the passes read as a law say %.2g times that",
                     exp(a->smooth.log_mean - a->mean.log_mean));
    return confirmed ? RK_TAIL_CONFIRMED : RK_TAIL_FOUND;
}

/* ------------------------------------------------------------------------------- the one event */

/* The network with one output, `row` of the target's or its negative (in `negated`: its weights,
 * its bias). */
static rk_network only_output(const rk_target *target, const rk_layer *layers, size_t row,
                              bool negative, double *negated) {
    rk_network net = target->net;
    net.layers = (rk_layer *)(uintptr_t)layers;
    rk_layer *last = &net.layers[net.n_layers - 1];
    const double *weight = target->net.layers[net.n_layers - 1].weight + row * last->cols;
    for (size_t j = 0; negative && j < last->cols; j++)
        negated[j] = -weight[j];
    if (last->bias) {
        negated[last->cols] = negative ? -last->bias[row] : last->bias[row];
        last->bias = &negated[last->cols];
    }
    last->weight = negative ? negated : weight;
    last->rows = 1;
    return net;
}

rk_status rk_tail_alone(rk_tail_job *job, const rk_query *q, bool likely, rk_tail_passes passes,
                        rk_tail_finding *finding, rk_error *error) {
    const rk_target *target = job->target;
    bool complement = likely, negative = q->below != complement;
    size_t n_layers = target->net.n_layers, cols = target->net.layers[n_layers - 1].cols;
    rk_layer *layers = rk_alloc(n_layers, 1, sizeof *layers);
    double *negated = rk_alloc(cols + 1, 1, sizeof *negated);
    rk_status status = RK_OK;
    *finding = RK_TAIL_FOUND;
    if (!layers || !negated) status = rk_fail(error, RK_ERROR_MEMORY, "no memory for an event");
    if (status == RK_OK) {
        memcpy(layers, target->net.layers, n_layers * sizeof *layers);
        alone a = {.job = job,
                   .key = q->key,
                   .complement = complement,
                   .smoothed = passes == RK_TAIL_SHARPER};
        a.t = rk_query_threshold(negative ? -q->t : q->t, q->rounding, q->inclusive != complement);
        a.net = only_output(target, layers, q->row, negative, negated);
        a.radial = target->homogeneous && a.t >= 0 && rk_network_n_in(&a.net) >= RK_RADIAL_MIN;
        const bool subset = passes == RK_TAIL_SUBSET;
        status = rk_tail_step(job, q->text, subset ? "subset simulation" : "tilted passes",
                              subset ? subset_passes : weighted_passes, &a, error);
        if (status == RK_OK && rk_tail_goes_on(job) && !rk_tail_overflowed(job, q->estimate)) {
            *finding = set_answer(q->estimate, &a, passes);
            job->samples += q->estimate->samples;
        }
    }
    free(negated);
    free(layers);
    return status;
}

static rk_status run_alone(rk_tail_job *job, rk_tail_passes passes, rk_error *error) {
    double *share = rk_alloc(job->n, 1, sizeof *share);
    bool *unreached = rk_alloc(job->n, 1, sizeof *unreached);
    rk_status status = share && unreached
                           ? rk_tail_glance(job, share, error)
                           : rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", job->n);
    for (size_t i = 0; status == RK_OK && !rk_tail_is_stopped(job) && i < job->n;
         i++, job->n_done++) {
        rk_tail_finding finding;
        status = rk_tail_alone(job, &job->queries[i], share[i] > 0.5, passes, &finding, error);
        unreached[i] = finding == RK_TAIL_UNREACHED;
    }
    if (status == RK_OK && !rk_tail_is_stopped(job))
        status = rk_tail_plain(job, unreached, 0, error);
    free(unreached);
    free(share);
    return status;
}

rk_status rk_tail_importance(rk_tail_job *job, rk_error *error) {
    return run_alone(job, RK_TAIL_WEIGHTED, error);
}

rk_status rk_tail_subset(rk_tail_job *job, rk_error *error) {
    return run_alone(job, RK_TAIL_SUBSET, error);
}
