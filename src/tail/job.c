#include "tail/job.h"

#include "base/size.h"
#include "estimate/context.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool report_progress(void *context, double fraction) {
    const rk_tail_job *job = context;
    double done = ((double)job->n_done + fmin(fraction, 1)) / (double)job->n_events;
    done = fmin(done, 1);
    return !job->options->progress || job->options->progress(job->options->progress_context, done);
}

static rk_status check_memory(const rk_tail_job *job, const rk_work *dry, rk_error *error) {
    if (!dry->overflow && dry->peak <= job->memory_limit) return RK_OK;
    return rk_fail(error, RK_ERROR_TOO_LARGE,
                   "the events need %zu bytes of working memory; the limit is %llu", dry->peak,
                   (unsigned long long)job->memory_limit);
}

/* In the place of `dry`, whose cost it found. */
static rk_status run_wet(rk_tail_job *job, rk_work *wet, const rk_work *dry,
                         rk_status (*step)(rk_work *work, void *context, rk_error *error),
                         void *context, rk_error *error) {
    rk_status status = rk_context_claim(job->options, dry->peak, error);
    if (status != RK_OK) return status;
    status = rk_work_init_wet(wet, dry, job->pool, error);
    if (status == RK_OK) {
        wet->progress = report_progress;
        wet->progress_context = job;
        status = step(wet, context, error);
    }
    job->interrupted |= wet->interrupted;
    job->overflowed = wet->overflowed;
    rk_work_finish(wet);
    rk_context_release(job->options, dry->peak);
    return status;
}

rk_status rk_tail_step(rk_tail_job *job, const char *of, const char *what,
                       rk_status (*step)(rk_work *work, void *context, rk_error *error),
                       void *context, rk_error *error) {
    const double start = rk_seconds();
    rk_work dry, wet = {.dry = false};
    rk_step entry;
    snprintf(entry.label, sizeof entry.label, "%.36s: %s", of ? of : job->name, what);
    rk_work_init_dry(&dry);
    rk_status status = step(&dry, context, error);
    if (status == RK_OK) status = check_memory(job, &dry, error);
    job->planned = dry.flops;
    job->is_spent = job->mode == RK_TAIL_WET && job->flops_limit > 0 &&
                    (double)job->ledger.flops + (double)dry.flops > job->flops_limit;
    const bool is_run = job->mode == RK_TAIL_WET && !job->is_spent;
    if (status == RK_OK && is_run) status = run_wet(job, &wet, &dry, step, context, error);
    entry.flops = is_run ? wet.flops : dry.flops;
    entry.seconds = is_run ? rk_seconds() - start : 0;
    if (status == RK_OK && !job->is_spent)
        status = rk_tail_ledger_enter(&job->ledger, &entry, dry.peak, error);
    free(dry.steps);
    return status;
}

bool rk_tail_is_stopped(const rk_tail_job *job) {
    return job->interrupted || job->is_spent;
}

bool rk_tail_goes_on(const rk_tail_job *job) {
    return job->mode == RK_TAIL_WET && !rk_tail_is_stopped(job);
}

static rk_status compute_laws(rk_work *work, void *context, rk_error *error) {
    const rk_tail_job *job = context;
    rk_work_listen(work, true);
    return rk_laws(work, &job->target->net, job->source->closure, &job->source->reference,
                   job->laws, error);
}

rk_status rk_tail_laws(rk_tail_job *job, rk_error *error) {
    if (job->laws) return RK_OK;
    job->laws = rk_alloc(rk_network_n_out(&job->target->net), 1, sizeof *job->laws);
    if (!job->laws)
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for the laws of the functionals");
    const rk_status status = rk_tail_step(job, NULL, "cumulants", compute_laws, job, error);
    if (status == RK_OK && !job->is_spent) return RK_OK;
    free(job->laws);
    job->laws = NULL;
    return status;
}

bool rk_tail_overflowed(const rk_tail_job *job, rk_tail_estimate *estimate) {
    if (job->overflowed)
        rk_tail_warn(estimate, "%llu passes overflow single precision: no answer",
                     (unsigned long long)job->overflowed);
    return job->overflowed > 0;
}

double rk_query_threshold(double t, double more, bool inclusive) {
    const double rounding = 4 * (double)FLT_EPSILON * fabs(t) + more;
    return inclusive ? nextafter(t - rounding, -INFINITY) : t + rounding;
}

void rk_tail_estimate_clear(rk_tail_estimate *estimate) {
    *estimate = (rk_tail_estimate){.p = (double)NAN,
                                   .log10_p = (double)NAN,
                                   .cv = (double)NAN,
                                   .log10_low = (double)NAN,
                                   .log10_high = (double)NAN,
                                   .log10_closure = (double)NAN,
                                   .log10_unbiased = (double)NAN,
                                   .cv_unbiased = (double)NAN,
                                   .effective_samples = (double)NAN};
}

void rk_tail_name(rk_tail_estimate *estimate, const char *name) {
    snprintf(estimate->method, sizeof estimate->method, "%s", name);
}

void rk_tail_set(rk_tail_estimate *estimate, double log_p) {
    estimate->p = exp(log_p);
    estimate->log10_p = log_p / RK_LOG_10 + 0.; /* -0 is 0 */
}

void rk_tail_warn(rk_tail_estimate *estimate, const char *format, ...) {
    size_t used = strlen(estimate->warning), size = sizeof estimate->warning;
    va_list arguments;
    va_start(arguments, format);
    if (used && used + 3 < size) used += (size_t)snprintf(estimate->warning + used, 3, "; ");
    vsnprintf(estimate->warning + used, size - used, format, arguments);
    va_end(arguments);
}
