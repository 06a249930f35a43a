/* rk_tail: events in, probabilities out. */
#include "base/size.h"
#include "estimate/words.h"
#include "linalg/blas.h"
#include "network/input.h"
#include "tail/event.h"
#include "tail/method.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rk_tail_answer {
    rk_tail_data data;
    rk_tail_estimate *estimates;
    rk_tail_spec spec;
    char method[RK_METHOD_TEXT];
};

const rk_tail_data *rk_tail_view(const rk_tail_answer *answer) {
    return &answer->data;
}

void rk_tail_destroy(rk_tail_answer *answer) {
    if (!answer) return;
    free(answer->estimates);
    free(answer);
}

static rk_status answer_create(rk_tail_answer **out, size_t n_events, rk_error *error) {
    *out = NULL;
    rk_tail_answer *answer = calloc(1, sizeof *answer);
    rk_tail_estimate *estimates = rk_alloc(n_events, 1, sizeof *estimates);
    if (!answer || !estimates) {
        free(estimates);
        free(answer);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", n_events);
    }
    for (size_t i = 0; i < n_events; i++)
        rk_tail_estimate_clear(&estimates[i]);
    answer->estimates = estimates;
    answer->data = (rk_tail_data){.n_events = n_events,
                                  .estimates = estimates,
                                  .method = answer->method,
                                  .spec = &answer->spec};
    *out = answer;
    return RK_OK;
}

/* ---------------------------------------------------------------------------------- one layer */

typedef struct group {
    const rk_event **functionals; /* distinct ones */
    rk_query *queries;
    size_t n_functionals, n_queries;
    size_t *slots, n_slots; /* a hash table of 1 + index of a functional, a power of two */
} group;

static size_t slots_for(size_t n) {
    size_t slots = 4;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

static uint64_t hash_of(const rk_event *event) {
    uint64_t hash = 1469598103934665603U, bits; /* FNV */
    for (size_t k = 0; k < event->n_terms; k++) {
        const double coefficient = event->terms[k].coefficient + 0.; /* -0 is 0 */
        memcpy(&bits, &coefficient, sizeof bits);
        hash = (hash ^ bits) * 1099511628211U;
        hash = (hash ^ event->terms[k].index) * 1099511628211U;
    }
    return hash ^ hash >> 32;
}

/* The same for all thresholds, an event and its complement, in whatever units. */
static uint64_t key_of(const rk_event *event) {
    uint64_t hash = (hash_of(event) ^ event->layer) * 1099511628211U;
    return (hash ^ hash >> 29) >> 8; /* streams are numbered in steps of 256 */
}

/* The output of the target that is this functional, a new one if there is none. */
static size_t row_of(const rk_event *event, group *g) {
    size_t slot = (size_t)hash_of(event) & (g->n_slots - 1);
    while (g->slots[slot] > 0 &&
           !rk_event_same_functional(g->functionals[g->slots[slot] - 1], event))
        slot = (slot + 1) & (g->n_slots - 1);
    if (g->slots[slot] == 0) {
        g->functionals[g->n_functionals++] = event;
        g->slots[slot] = g->n_functionals;
    }
    return g->slots[slot] - 1;
}

/* The queries of one layer; equal functionals share an output of the target. */
static void collect(const rk_event *events, size_t n, size_t layer, rk_tail_estimate *estimates,
                    group *g) {
    g->n_functionals = g->n_queries = 0;
    memset(g->slots, 0, g->n_slots * sizeof *g->slots);
    for (size_t i = 0; i < n; i++) {
        if (events[i].layer != layer) continue;
        g->queries[g->n_queries++] = (rk_query){.row = row_of(&events[i], g),
                                                .below = events[i].below,
                                                .inclusive = events[i].inclusive,
                                                .t = events[i].threshold,
                                                .key = key_of(&events[i]),
                                                .estimate = &estimates[i]};
    }
}

typedef struct standard_step {
    rk_target *target;
    const double *covariance;
} standard_step;

static rk_status standardise(rk_work *work, void *context, rk_error *error) {
    const standard_step *step = context;
    return rk_target_standardise(work, step->target, step->covariance, error);
}

static rk_status centre(rk_work *work, void *context, rk_error *error) {
    (void)error;
    rk_target_centre(work, context);
    return RK_OK;
}

/* Of a deviation: what passes blur more is not seen by them. */
#define BLURRED 0.01

/* Passes that round away what they count are no answer. */
static void distrust(const rk_target *target, const rk_query *q) {
    const double blur = target->blur[q->row];
    rk_tail_estimate *e = q->estimate;
    if (blur <= BLURRED || e->samples == 0) return;
    const rk_tail_estimate before = *e;
    rk_tail_estimate_clear(e);
    e->samples = before.samples;
    e->log10_closure = before.log10_closure;
    rk_tail_name(e, before.method);
    rk_tail_warn(e, "rounding in the passes is %.2g of the deviation: no answer", blur);
}

static rk_status answer_layer(rk_tail_job *job, const rk_network *net, const rk_input *input,
                              const group *g, const rk_tail_method *method, rk_error *error) {
    rk_target target;
    rk_status status =
        rk_target_create(&target, net, input->mean, g->functionals, g->n_functionals, error);
    if (status == RK_OK)
        status =
            rk_tail_step(job, standardise, &(standard_step){&target, input->covariance}, error);
    if (status == RK_OK) status = rk_target_finish(&target, error);
    if (status == RK_OK) status = rk_tail_step(job, centre, &target, error);
    job->target = &target;
    job->queries = g->queries;
    job->n = g->n_queries;
    for (size_t i = 0; status == RK_OK && i < job->n; i++) {
        rk_query *q = &job->queries[i];
        q->t -= target.offset[q->row];
        q->rounding = target.rounding[q->row];
    }
    if (status == RK_OK) status = method->run(job, error);
    for (size_t i = 0; status == RK_OK && i < job->n; i++)
        distrust(&target, &job->queries[i]);
    rk_target_destroy(&target);
    return status;
}

/* ------------------------------------------------------------------------------------ the whole */

static rk_status answer_all(rk_tail_job *job, const rk_network *net, const rk_input *input,
                            const rk_event *events, size_t n, rk_tail_answer *answer,
                            rk_error *error) {
    const rk_tail_method *method = rk_tail_method_of(&answer->spec);
    group g = {.functionals = rk_alloc(n, 1, sizeof *g.functionals),
               .queries = rk_alloc(n, 1, sizeof *g.queries),
               .n_slots = slots_for(n)};
    g.slots = rk_alloc(g.n_slots, 1, sizeof *g.slots);
    rk_status status = RK_OK;
    if (!g.functionals || !g.queries || !g.slots)
        status = rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", n);
    for (size_t layer = 0; status == RK_OK && !job->interrupted && layer <= net->n_layers;
         layer++) {
        collect(events, n, layer, answer->estimates, &g);
        if (g.n_queries) status = answer_layer(job, net, input, &g, method, error);
    }
    free(g.slots);
    free(g.queries);
    free(g.functionals);
    return status;
}

static rk_status check(const rk_network *net, const rk_input *input, const rk_event *events,
                       size_t n, const rk_options *options, rk_error *error) {
    if (!net || (n > 0 && !events))
        return rk_fail(error, RK_ERROR_ARGUMENT, net ? "no events" : "no network");
    if (options->samples == 0) return rk_fail(error, RK_ERROR_ARGUMENT, "no samples");
    if (input && input->third_cumulant)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "events take normal inputs only");
    rk_status status = RK_OK;
    for (size_t i = 0; status == RK_OK && i < n; i++)
        status = rk_event_check(&events[i], net, error);
    return status;
}

rk_status rk_tail(rk_tail_answer **out, const rk_network *net, const rk_input *input,
                  const rk_event *events, size_t n_events, const rk_options *options,
                  rk_error *error) {
    *out = NULL;
    rk_options own;
    rk_tail_job job = {.options = &own, .n_events = n_events};
    rk_tail_answer *answer = NULL;
    rk_input law;
    double *symmetric = NULL;
    rk_status status = rk_options_accept(&own, options, error);
    if (status == RK_OK) status = check(net, input, events, n_events, job.options, error);
    if (status == RK_OK)
        status = rk_input_accept(&law, &symmetric, input, rk_network_n_in(net), error);
    if (status == RK_OK) status = answer_create(&answer, n_events, error);
    if (status == RK_OK)
        status = rk_tail_method_accept(&answer->spec, own.tail, &job.source, error);
    if (status == RK_OK)
        rk_tail_method_spell(&answer->spec, answer->method, sizeof answer->method);
    if (status == RK_OK && job.source.closure != RK_LAW_COVARIANCE)
        status = rk_network_check_plain(net, answer->method, error);
    if (status == RK_OK) {
        job.memory_limit = own.memory_limit ? own.memory_limit : rk_usable_memory();
        status = rk_blas_check_room(
            job.options->threads ? job.options->threads : rk_pool_default_threads(), error);
    }
    if (status == RK_OK) status = rk_pool_create(&job.pool, job.options->threads, error);
    if (status == RK_OK) {
        rk_blas_make_serial();
        double start = rk_seconds();
        status = answer_all(&job, net, &law, events, n_events, answer, error);
        answer->data.seconds = rk_seconds() - start;
        rk_blas_restore();
    }
    if (status == RK_OK) {
        answer->data.flops_executed = job.flops;
        answer->data.bytes = job.bytes;
        answer->data.samples = job.samples;
        answer->data.seed = job.options->seed;
        answer->data.threads = rk_pool_threads(job.pool);
        answer->data.interrupted = job.interrupted;
    }
    rk_pool_destroy(job.pool);
    free(symmetric);
    if (status != RK_OK) {
        rk_tail_destroy(answer);
        return status;
    }
    *out = answer;
    return RK_OK;
}
