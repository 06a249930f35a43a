#include "tail/method.h"

#include "activation/activation.h"
#include "base/normal.h"
#include "base/size.h"
#include "estimate/method.h"
#include "propagate/gauge.h"
#include "tail/importance.h"
#include "tail/log_probability.h"
#include "tail/passes.h"
#include "tail/series.h"
#include "tail/subset.h"

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_10 2.30258509299404568402

/* ------------------------------------------------------------------------ dry, wet, the ledger */

static bool report_progress(void *context, double fraction) {
    const rk_tail_job *job = context;
    double done = ((double)job->n_done + fraction) / (double)job->n_events;
    return !job->options->progress || job->options->progress(job->options->progress_context, done);
}

rk_status rk_tail_step(rk_tail_job *job,
                       rk_status (*step)(rk_work *work, void *context, rk_error *error),
                       void *context, rk_error *error) {
    rk_work dry, wet = {.dry = false};
    rk_work_init_dry(&dry);
    rk_status status = step(&dry, context, error);
    if (status == RK_OK && (dry.overflow || dry.peak > job->memory_limit))
        status = rk_fail(error, RK_ERROR_TOO_LARGE,
                         "the events need %zu bytes of working memory; the limit is %llu", dry.peak,
                         (unsigned long long)job->memory_limit);
    if (status == RK_OK) status = rk_work_init_wet(&wet, &dry, job->pool, error);
    if (status == RK_OK) {
        wet.progress = report_progress;
        wet.progress_context = job;
        status = step(&wet, context, error);
    }
    job->flops += wet.flops;
    if (dry.peak > job->bytes) job->bytes = dry.peak;
    job->interrupted |= wet.interrupted;
    rk_work_finish(&wet);
    free(dry.steps);
    return status;
}

/* ------------------------------------------------------------------------------ the estimates */

void rk_tail_estimate_clear(rk_tail_estimate *estimate) {
    *estimate = (rk_tail_estimate){.p = (double)NAN,
                                   .log10_p = (double)NAN,
                                   .cv = (double)NAN,
                                   .log10_low = (double)NAN,
                                   .log10_high = (double)NAN,
                                   .log10_closure = (double)NAN,
                                   .effective_samples = (double)NAN};
}

static void name_method(rk_tail_estimate *estimate, const char *name) {
    snprintf(estimate->method, sizeof estimate->method, "%s", name);
}

static void set_log_p(rk_tail_estimate *estimate, double log_p) {
    estimate->p = exp(log_p);
    estimate->log10_p = log_p / LOG_10;
}

static void warn(rk_tail_estimate *estimate, const char *format, ...) RK_PRINTF(2, 3);
static void warn(rk_tail_estimate *estimate, const char *format, ...) {
    size_t used = strlen(estimate->warning), size = sizeof estimate->warning;
    va_list arguments;
    va_start(arguments, format);
    if (used && used + 3 < size) used += (size_t)snprintf(estimate->warning + used, 3, "; ");
    vsnprintf(estimate->warning + used, size - used, format, arguments);
    va_end(arguments);
}

/* --------------------------------------------------------------------------- from cumulants */

typedef struct laws_step {
    const rk_tail_job *job;
    rk_law *laws;
} laws_step;

static rk_status compute_laws(rk_work *work, void *context, rk_error *error) {
    const laws_step *step = context;
    return rk_laws(work, &step->job->target->net, step->job->source.closure,
                   &step->job->source.reference, step->laws, error);
}

/* The law of every output of the target; free() it. */
static rk_status laws_of(rk_tail_job *job, rk_law **laws, rk_error *error) {
    *laws = rk_alloc(rk_network_n_out(&job->target->net), 1, sizeof **laws);
    if (!*laws) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the laws of the functionals");
    return rk_tail_step(job, compute_laws, &(laws_step){job, *laws}, error);
}

typedef double series(const rk_law *law, double t, const rk_law_source *source,
                      rk_tail_estimate *estimate);

static double normal(const rk_law *law, double t, const rk_law_source *source,
                     rk_tail_estimate *estimate) {
    (void)source;
    (void)estimate;
    return rk_series_normal(law, t);
}

static double edgeworth(const rk_law *law, double t, const rk_law_source *source,
                        rk_tail_estimate *estimate) {
    double log_p = rk_series_edgeworth(law, source->budget, t);
    if (isnan(log_p))
        warn(estimate, "the Edgeworth series is negative here: out of its range");
    else if (log_p > 0)
        warn(estimate, "the Edgeworth series exceeds 1 here: out of its range");
    return log_p > 0 ? (double)NAN : log_p;
}

static double saddlepoint(const rk_law *law, double t, const rk_law_source *source,
                          rk_tail_estimate *estimate) {
    (void)source;
    int degree;
    double log_p = rk_series_saddlepoint(law, t, &degree);
    if (degree < 4)
        warn(estimate, "no saddlepoint with cumulants up to the fourth; up to degree %d used",
             degree);
    if (isnan(log_p)) warn(estimate, "the saddlepoint formula is negative here");
    return log_p;
}

/* A law without variance is a number: the event happens or it does not. */
static double series_of(series *formula, const rk_law *law, const rk_query *q,
                        const rk_law_source *source) {
    rk_law mirror = rk_law_mirror(law);
    const rk_law *seen = q->below ? &mirror : law;
    double t = q->below ? -q->t : q->t;
    if (seen->kappa[2] == 0) return seen->kappa[1] > t ? 0 : -INFINITY;
    if (!(seen->kappa[2] > RK_VARIANCE_FLOOR))
        warn(q->estimate, "the closure's variance is %.2g: raised to %g", seen->kappa[2],
             RK_VARIANCE_FLOOR);
    return formula(seen, t, source, q->estimate);
}

static rk_status run_series(rk_tail_job *job, const char *name, series *formula, rk_error *error) {
    rk_law *laws;
    rk_status status = laws_of(job, &laws, error);
    for (size_t i = 0; status == RK_OK && !job->interrupted && i < job->n; i++) {
        const rk_query *q = &job->queries[i];
        name_method(q->estimate, name);
        set_log_p(q->estimate, series_of(formula, &laws[q->row], q, &job->source));
    }
    free(laws);
    return status;
}

static rk_status run_normal(rk_tail_job *job, rk_error *error) {
    return run_series(job, "normal", normal, error);
}

static rk_status run_edgeworth(rk_tail_job *job, rk_error *error) {
    return run_series(job, "edgeworth", edgeworth, error);
}

static rk_status run_saddlepoint(rk_tail_job *job, rk_error *error) {
    return run_series(job, "saddlepoint", saddlepoint, error);
}

/* ------------------------------------------------------------------------------- plain passes */

static size_t lanes_of(const rk_tail_job *job) {
    return (size_t)rk_pool_threads(job->pool);
}

typedef struct plain_step {
    rk_tail_job *job;
    const bool *wanted; /* of the queries; NULL: all */
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
    name_method(estimate, "sample");
    rk_binomial_interval(hits, n, &low, &high);
    set_log_p(estimate, log(p));
    estimate->p = p;
    estimate->cv = sqrt((1 - p) / (p * (double)n));
    estimate->log10_low = log10(low);
    estimate->log10_high = log10(high);
    estimate->samples = n;
    estimate->effective_samples = (double)n;
    if (hits == 0) warn(estimate, "no pass reached the event: only the upper bound means anything");
}

/* Plain Monte Carlo for the wanted queries, all by the same passes. */
static rk_status sample_wanted(rk_tail_job *job, const bool *wanted, rk_error *error) {
    plain_step step = {.job = job, .hits = rk_alloc(job->n, 1, sizeof *step.hits)};
    if (!step.hits) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", job->n);
    rk_status status = rk_tail_step(job, plain_passes, &step, error);
    job->samples += job->options->samples;
    for (size_t i = 0; status == RK_OK && !job->interrupted && i < job->n; i++)
        if (!wanted || wanted[i])
            set_counted(job->queries[i].estimate, atomic_load(&step.hits[i]),
                        job->options->samples);
    free(step.hits);
    return status;
}

static rk_status run_sample(rk_tail_job *job, rk_error *error) {
    return sample_wanted(job, NULL, error);
}

/* ---------------------------------------------------------------------------- weighted passes */

/* One query as "the only output of a network exceeds t". */
typedef struct weighted_step {
    const rk_tail_job *job;
    size_t event;
    rk_network net;
    double t;
    bool radial, found;
    rk_weighted_mean mean;
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
    rk_importance(work, &step->net, step->t, step->radial, &proposal, step->job->options->samples,
                  stream_of(step), lanes_of(step->job), &step->mean);
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

/* 95 % on the scale of logarithms: weights are skewed, and so is their average. */
static void set_weighted(rk_tail_estimate *estimate, const char *name, const rk_weighted_mean *mean,
                         bool complement) {
    double low = mean->log_mean - 1.96 * mean->cv, high = mean->log_mean + 1.96 * mean->cv;
    double log_p = mean->log_mean;
    name_method(estimate, name);
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
    set_log_p(estimate, log_p);
    estimate->log10_low = low / LOG_10;
    estimate->log10_high = fmin(high, 0) / LOG_10;
    if (mean->log_mean == -INFINITY)
        warn(estimate, "no pass reached the event");
    else if (mean->effective < ENOUGH)
        warn(estimate, "%.0f effective passes: the error is uncertain", mean->effective);
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
static rk_status answer_alone(rk_tail_job *job, const rk_query *q, double mean, bool subset,
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
        weighted_step step = {.job = job, .event = q->event, .t = negative ? -q->t : q->t};
        step.net = only_output(target, layers, q->row, negative, negated);
        step.radial =
            target->homogeneous && step.t >= 0 && rk_network_n_in(&step.net) >= RK_RADIAL_MIN;
        status = rk_tail_step(job, subset ? subset_passes : weighted_passes, &step, error);
        if (status == RK_OK && !step.found) {
            warn(q->estimate, "no tilt: the closure's mean has no finite gradient");
        } else if (status == RK_OK && !job->interrupted) {
            job->samples += step.mean.n;
            set_weighted(q->estimate, subset ? "subset" : "importance", &step.mean, complement);
        }
    }
    free(negated);
    free(layers);
    return status;
}

static rk_status run_alone(rk_tail_job *job, bool subset, rk_error *error) {
    rk_law *laws;
    rk_status status = laws_of(job, &laws, error);
    for (size_t i = 0; status == RK_OK && !job->interrupted && i < job->n; i++, job->n_done++)
        status =
            answer_alone(job, &job->queries[i], laws[job->queries[i].row].kappa[1], subset, error);
    free(laws);
    return status;
}

static rk_status run_importance(rk_tail_job *job, rk_error *error) {
    return run_alone(job, false, error);
}

static rk_status run_subset(rk_tail_job *job, rk_error *error) {
    return run_alone(job, true, error);
}

/* ----------------------------------------------------------------------------------- automatic */

/* Above this, plain passes serve all events at once; below, each gets its own tilt. */
#define RARE 0.05

/* The closure is believed to this factor: it is a check, not an average. */
#define CLOSURE_FACTOR 10.0

static rk_status answer_rare(rk_tail_job *job, const rk_query *q, double mean, rk_error *error) {
    rk_tail_estimate *e = q->estimate;
    rk_status status = answer_alone(job, q, mean, false, error);
    if (status != RK_OK || job->interrupted) return status;
    if (!(e->effective_samples >= ENOUGH)) { /* the tilt has missed: subset simulation instead */
        uint64_t tilted = e->samples;
        double closure = e->log10_closure;
        rk_tail_estimate_clear(e);
        e->log10_closure = closure;
        status = answer_alone(job, q, mean, true, error);
        e->samples += tilted;
        warn(e, "the tilt does not describe this event");
    }
    double apart = fabs(e->log10_p - e->log10_closure) * LOG_10;
    if (apart > log(CLOSURE_FACTOR) + 3 * e->cv)
        warn(e, "the cumulants say %.2g: the network is outside their range, or passes miss a part",
             pow(10, e->log10_closure));
    return status;
}

static rk_status run_auto(rk_tail_job *job, rk_error *error) {
    rk_law *laws;
    rk_status status = laws_of(job, &laws, error);
    bool *common = rk_alloc(job->n, 1, sizeof *common), any = false;
    if (status == RK_OK && !common) status = rk_fail(error, RK_ERROR_MEMORY, "no memory");
    for (size_t i = 0; status == RK_OK && i < job->n; i++) {
        const rk_query *q = &job->queries[i];
        double log_p = series_of(saddlepoint, &laws[q->row], q, &job->source), p = exp(log_p);
        *q->estimate->warning = 0; /* of the closure: it is only the check here */
        q->estimate->log10_closure = log_p / LOG_10;
        common[i] = p > RARE && p < 1 - RARE;
        any = any || common[i];
    }
    if (status == RK_OK && any) status = sample_wanted(job, common, error);
    for (size_t i = 0; status == RK_OK && !job->interrupted && i < job->n; i++, job->n_done++)
        if (!common[i])
            status = answer_rare(job, &job->queries[i], laws[job->queries[i].row].kappa[1], error);
    free(common);
    free(laws);
    return status;
}

/* ----------------------------------------------------------------------------------- the table */

static const rk_tail_method table[] = {
    {{"auto", "cumulants first, checked without bias by plain or tilted passes", "CLOSURE"},
     "third",
     run_auto},
    {{"normal", "the tail of a normal with the propagated mean and variance", "CLOSURE"},
     "covariance",
     run_normal},
    {{"edgeworth", "the threshold as one more activation (the paper's)", "CLOSURE"},
     "third",
     run_edgeworth},
    {{"saddlepoint", "Lugannani and Rice's formula on the propagated cumulants", "CLOSURE"},
     "third",
     run_saddlepoint},
    {{"sample", "plain passes, counted; Clopper-Pearson interval", ""}, NULL, run_sample},
    {{"importance", "passes tilted towards the event, weighted; unbiased", ""},
     NULL,
     run_importance},
    {{"subset", "subset simulation: a chain of likely events", ""}, NULL, run_subset},
};
enum { N_METHODS = sizeof table / sizeof *table };

const rk_method_info *rk_tail_method_at(size_t index) {
    return index < N_METHODS ? &table[index].info : NULL;
}

/* The closures are those of rk_estimate. */
static rk_status parse_closure(const char *text, rk_law_source *source, char *canonical,
                               size_t size, rk_error *error) {
    const rk_method *method;
    rk_method_arguments arguments;
    rk_status status = rk_method_parse(text, &method, &arguments, canonical, size, error);
    if (status != RK_OK) return status;
    const char *name = method->info.name;
    *source = (rk_law_source){.closure = RK_LAW_REFERENCE};
    if (!strcmp(name, "covariance") && !arguments.angular) {
        source->closure = RK_LAW_COVARIANCE;
        source->budget = 1;
    } else if (!strcmp(name, "third") && arguments.gauge <= RK_GAUGE_NONE) {
        source->closure = RK_LAW_THIRD;
        source->budget = 2;
        arguments.gauge = RK_GAUGE_NONE; /* a gauge keeps means only */
        rk_method_spell(method, &arguments, canonical, size);
    } else if (!strcmp(name, "fourth")) {
        source->reference = (rk_reference_spec){.K = 4, .factored = true};
        source->budget = 3;
    } else if (!strcmp(name, "reference")) {
        source->reference = (rk_reference_spec){.K = arguments.K,
                                                .kind = (rk_reference_kind)arguments.kind,
                                                .factored = !arguments.dense,
                                                .metric = (rk_metric)arguments.metric};
        bool augment = arguments.kind == RK_REFERENCE_AUGMENT && arguments.K > 1;
        source->budget = augment ? arguments.K : arguments.K - 1;
        return rk_reference_check(&source->reference, NULL, false, error);
    } else {
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "tail probabilities need a law, not '%s'; closures: covariance, third, "
                       "fourth, reference:...",
                       text);
    }
    return RK_OK;
}

rk_status rk_tail_method_parse(const char *text, const rk_tail_method **method,
                               rk_law_source *source, char canonical[80], rk_error *error) {
    if (!text) text = "auto";
    size_t length = strcspn(text, ":");
    *method = NULL;
    for (size_t i = 0; i < N_METHODS; i++)
        if (strlen(table[i].info.name) == length && !strncmp(table[i].info.name, text, length))
            *method = &table[i];
    if (!*method) {
        char known[200] = "";
        for (size_t i = 0; i < N_METHODS; i++) {
            size_t used = strlen(known);
            snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", table[i].info.name);
        }
        return rk_fail(error, RK_ERROR_ARGUMENT, "unknown method '%.100s'; for events there are %s",
                       text, known);
    }
    const char *argument = text[length] ? text + length + 1 : (*method)->closure;
    if (text[length] && !(*method)->closure)
        return rk_fail(error, RK_ERROR_ARGUMENT, "method '%s' takes no arguments",
                       (*method)->info.name);
    size_t used =
        (size_t)snprintf(canonical, 80, "%s%s", (*method)->info.name, argument ? ":" : "");
    return parse_closure(argument ? argument : "covariance", source,
                         argument ? canonical + used : (char[80]){0}, 80 - used, error);
}
