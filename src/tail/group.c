#include "tail/group.h"

#include "base/size.h"
#include "tail/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t rk_tail_group_count(const rk_event *events, size_t n_events, size_t layer) {
    size_t count = 0;
    for (size_t i = 0; i < n_events; i++)
        count += events[i].layer == layer;
    return count;
}

/* ------------------------------------------------------------------------------ functionals */

/* Distinct ones, and a hash table of 1 + index of each. */
typedef struct functionals {
    const rk_event **list;
    size_t n;
    size_t *slots, n_slots; /* a power of two */
} functionals;

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
static size_t row_of(const rk_event *event, functionals *of) {
    size_t slot = (size_t)hash_of(event) & (of->n_slots - 1);
    while (of->slots[slot] > 0 && !rk_event_same_functional(of->list[of->slots[slot] - 1], event))
        slot = (slot + 1) & (of->n_slots - 1);
    if (of->slots[slot] == 0) {
        of->list[of->n++] = event;
        of->slots[slot] = of->n;
    }
    return of->slots[slot] - 1;
}

/* Events of one layer to queries. */
static void collect(const rk_event *events, size_t n_events, size_t layer, functionals *of,
                    rk_tail_group *group) {
    for (size_t i = 0; i < n_events; i++) {
        if (events[i].layer != layer) continue;
        group->queries[group->n++] = (rk_query){.event = i,
                                                .text = events[i].text,
                                                .row = row_of(&events[i], of),
                                                .below = events[i].below,
                                                .inclusive = events[i].inclusive,
                                                .t = events[i].threshold,
                                                .key = key_of(&events[i])};
    }
}

/* ----------------------------------------------------------------------------------- target */

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

static rk_status make_target(rk_tail_group *group, rk_tail_job *job, const rk_network *net,
                             const rk_input *input, const functionals *of, rk_error *error) {
    rk_target *target = &group->target;
    rk_status status = rk_target_create(target, net, input->mean, of->list, of->n, error);
    if (status == RK_OK)
        status = rk_tail_step(job, NULL, "inputs", standardise,
                              &(standard_step){target, input->covariance}, error);
    if (status == RK_OK) status = rk_target_finish(target, error);
    if (status == RK_OK) status = rk_tail_step(job, NULL, "units", centre, target, error);
    for (size_t i = 0; status == RK_OK && i < group->n; i++) {
        rk_query *q = &group->queries[i];
        q->t -= target->offset[q->row];
        q->rounding = target->rounding[q->row];
    }
    return status;
}

rk_status rk_tail_group_create(rk_tail_group *out, rk_tail_job *job, const rk_network *net,
                               const rk_input *input, const rk_event *events, size_t n_events,
                               size_t layer, rk_error *error) {
    *out = (rk_tail_group){.n = 0};
    if (layer)
        snprintf(out->name, sizeof out->name, "layer %zu", layer);
    else
        snprintf(out->name, sizeof out->name, "outputs");
    const size_t n = rk_tail_group_count(events, n_events, layer);
    functionals of = {.list = rk_alloc(n, 1, sizeof *of.list), .n_slots = slots_for(n)};
    of.slots = rk_alloc(of.n_slots, 1, sizeof *of.slots);
    out->queries = rk_alloc(n, 1, sizeof *out->queries);
    rk_status status = RK_OK;
    if (!of.list || !of.slots || !out->queries)
        status = rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", n);
    if (status == RK_OK) {
        collect(events, n_events, layer, &of, out);
        job->name = out->name;
        status = make_target(out, job, net, input, &of, error);
    }
    free(of.slots);
    free(of.list);
    return status;
}

void rk_tail_group_clear(rk_tail_group *group) {
    rk_target_destroy(&group->target);
    free(group->queries);
    *group = (rk_tail_group){.n = 0};
}
