/* Events in, probabilities out. */
#include "base/size.h"
#include "estimate/context.h"
#include "estimate/words.h"
#include "linalg/blas.h"
#include "tail/answer.h"
#include "tail/mixture.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------- one round */

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

static rk_status ask(rk_tail_job *job, const rk_tail_plan *plan, rk_tail_part *parts,
                     uint64_t passes, rk_error *error) {
    rk_status status = rk_tail_round(job, plan, parts, passes, error);
    for (size_t g = 0; status == RK_OK && g < plan->n_groups; g++)
        for (size_t i = 0; i < parts[g].n; i++) {
            const rk_query *q = &parts[g].queries[i];
            distrust(&plan->groups[g].target, q);
            const bool is_answered = *q->estimate->method || *q->estimate->warning;
            if (!is_answered && plan->flops_limit > 0 && !job->interrupted)
                rk_tail_warn(q->estimate, "the budget does not pay for this event");
        }
    return status;
}

/* --------------------------------------------------------------------------- further rounds */

static bool is_beyond(const rk_tail_estimate *e, double tolerance) {
    return !(e->cv <= tolerance);
}

/* Those whose error is above the tolerance come first; the others are left out. What no pass
 * reaches is given up after as many as would be done without a tolerance, and where the error is
 * beyond `hopeless`. */
static size_t keep_open(rk_tail_part *part, double tolerance, bool may_be_unreached,
                        double hopeless, double *worst) {
    size_t n = 0;
    for (size_t i = 0; i < part->n; i++) {
        const rk_query q = part->queries[i];
        const double cv = q.estimate->cv;
        if (isnan(cv) || !is_beyond(q.estimate, tolerance)) continue;
        if (isinf(cv) ? !may_be_unreached : cv > hopeless) continue;
        *worst = fmax(*worst, cv);
        part->queries[i] = part->queries[n];
        part->queries[n++] = q;
    }
    return part->n = n;
}

/* FLOPs that are left, as far as the seconds that are left pay for them. */
static double rest_of(const rk_tail_job *job, const rk_tail_plan *plan, double elapsed) {
    const double done = (double)job->ledger.flops;
    double rest = plan->flops_limit - done;
    if (plan->options.budget_seconds > 0)
        rest = fmin(rest, (plan->options.budget_seconds - elapsed) * done / elapsed / 1.4);
    return rest;
}

/* The error now that what is left would not bring down to the tolerance, after a round of so many
 * FLOPs. Whoever gave a budget wants it spent. */
static double hopeless_error(const rk_tail_job *job, const rk_tail_plan *plan, double round) {
    const rk_options *asked = &plan->options;
    if (asked->budget_flops > 0 || asked->budget_seconds > 0) return INFINITY;
    const double rest = plan->flops_limit - (double)job->ledger.flops;
    return asked->tolerance * sqrt(fmax(rest, 0) / round);
}

/* Passes, four times as many a round, for the events that are not there yet; an answer that a round
 * was too short for stays as it was. */
static rk_status ask_again(rk_tail_job *job, const rk_tail_plan *plan, rk_tail_part *parts,
                           double start, rk_error *error) {
    const double tolerance = plan->options.tolerance;
    rk_status status = RK_OK;
    uint64_t passes = plan->passes, spent = 0;
    rk_tail_estimate *before = rk_alloc(plan->n_events, 1, sizeof *before);
    if (!before) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", plan->n_events);
    while (status == RK_OK && !job->interrupted) {
        const double hopeless = hopeless_error(job, plan, (double)(job->ledger.flops - spent));
        double worst = 0;
        size_t open = 0;
        spent = job->ledger.flops;
        for (size_t g = 0; g < plan->n_groups; g++)
            open +=
                keep_open(&parts[g], tolerance, passes < plan->options.samples, hopeless, &worst);
        if (open == 0) break;
        const double factor = fmin(4, fmax(2, 1.3 * pow(worst / tolerance, 2)));
        const uint64_t wanted = (uint64_t)(factor * (double)passes);
        uint64_t paid;
        status = rk_tail_affordable(plan, parts, wanted,
                                    rest_of(job, plan, plan->seconds + rk_seconds() - start), &paid,
                                    error);
        if (status != RK_OK || (double)paid < 1.5 * (double)passes) break;
        passes = paid;
        job->n_done = plan->n_events - open;
        for (size_t g = 0; g < plan->n_groups; g++)
            for (size_t i = 0; i < parts[g].n; i++) {
                rk_tail_estimate *e = parts[g].queries[i].estimate;
                before[parts[g].queries[i].event] = *e;
                rk_tail_estimate_clear(e);
            }
        status = ask(job, plan, parts, passes, error);
        for (size_t g = 0; g < plan->n_groups; g++)
            for (size_t i = 0; i < parts[g].n; i++) {
                const rk_query *q = &parts[g].queries[i];
                if (isnan(q->estimate->cv)) *q->estimate = before[q->event];
            }
    }
    free(before);
    return status;
}

/* -------------------------------------------------------------------------------- the whole */

/* One a group, on queries of `copies`. */
static void fill_parts(const rk_tail_plan *plan, rk_tail_answer *answer, rk_query *copies,
                       rk_tail_part *parts) {
    for (size_t g = 0; g < plan->n_groups; g++) {
        const rk_tail_group *group = &plan->groups[g];
        parts[g] = (rk_tail_part){.queries = copies, .n = group->n};
        for (size_t i = 0; i < group->n; i++, copies++) {
            *copies = group->queries[i];
            copies->estimate = &answer->estimates[copies->event];
        }
    }
}

static rk_status answer_all(const rk_tail_plan *plan, rk_tail_job *job, rk_tail_answer *answer,
                            rk_error *error) {
    const double start = rk_seconds();
    rk_query *copies = rk_alloc(plan->n_events, 1, sizeof *copies);
    rk_tail_part *parts = rk_alloc(plan->n_groups, 1, sizeof *parts);
    rk_status status = RK_OK;
    if (!copies || !parts)
        status = rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", plan->n_events);
    if (status == RK_OK) {
        fill_parts(plan, answer, copies, parts);
        status = ask(job, plan, parts, plan->passes, error);
    }
    if (status == RK_OK && plan->options.tolerance > 0)
        status = ask_again(job, plan, parts, start, error);
    for (size_t g = 0; parts && g < plan->n_groups; g++)
        free(parts[g].laws);
    free(parts);
    free(copies);
    return status;
}

static void report(const rk_tail_plan *plan, const rk_tail_job *job, rk_tail_answer *answer,
                   double seconds) {
    rk_tail_data *data = &answer->data;
    rk_tail_answer_settle(answer, &job->ledger, plan->passes);
    data->samples = job->samples;
    data->threads = rk_pool_threads(job->pool);
    data->interrupted = job->interrupted;
    data->seconds = seconds;
    rk_tail_answer_judge(answer, &plan->options);
}

rk_status rk_tail_plan_answer(const rk_tail_plan *plan, rk_tail_answer **out, rk_error *error) {
    const double start = rk_seconds();
    *out = NULL;
    rk_tail_answer *answer = NULL;
    rk_pool *pool = NULL;
    rk_status status = rk_tail_answer_create(&answer, plan, error);
    if (status == RK_OK) status = rk_blas_check_room(plan->options.threads, error);
    if (status == RK_OK) status = rk_context_pool(&pool, &plan->options, error);
    rk_tail_job job = rk_tail_job_of(plan, RK_TAIL_WET, pool);
    job.flops_limit = plan->flops_limit;
    if (status == RK_OK) status = rk_tail_ledger_copy(&job.ledger, &plan->prepared, error);
    if (status == RK_OK) {
        rk_blas_make_serial();
        status = answer_all(plan, &job, answer, error);
        rk_blas_restore();
    }
    if (status == RK_OK)
        report(plan, &job, answer, plan->seconds + rk_seconds() - start);
    else
        rk_tail_ledger_clear(&job.ledger);
    rk_pool_destroy(pool);
    if (status != RK_OK) {
        rk_tail_destroy(answer);
        return status;
    }
    *out = answer;
    return RK_OK;
}

rk_status rk_tail_plan_execute(const rk_tail_plan *plan, rk_tail_answer **out, rk_error *error) {
    return plan->mixture ? rk_tail_mixture_execute(plan, out, error)
                         : rk_tail_plan_answer(plan, out, error);
}

rk_status rk_tail(rk_tail_answer **out, const rk_network *net, const rk_input *input,
                  const rk_event *events, size_t n_events, const rk_options *options,
                  rk_error *error) {
    *out = NULL;
    rk_tail_plan *plan;
    rk_status status = rk_tail_plan_create(&plan, net, input, events, n_events, options, error);
    if (status == RK_OK) status = rk_tail_plan_execute(plan, out, error);
    rk_tail_plan_destroy(plan);
    return status;
}
