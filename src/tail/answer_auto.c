/* auto: a glance, then the passes that suit the event, and the cumulants as a check. */
#include "base/size.h"
#include "tail/answers.h"

#include <math.h>
#include <stdlib.h>

/* Above this, plain passes serve all events at once; below, each gets its own tilt. */
#define RARE 0.05

/* Fewer hits of plain passes, or misses, are worth less than a tilt. */
enum { FEW = 10 };

/* With an error of this many times itself the tilted estimate is worth nothing: subset simulation.
 */
#define LOST 1.0

/* The closure is believed to this factor: it is a check, not an average. */
#define CLOSURE_FACTOR 10.0

/* Subset simulation in the place of a tilt that is lost, if the limit leaves enough for it and for
 * the first tries of the events to come. */
static rk_status look_again(rk_tail_job *job, const rk_query *q, bool likely,
                            rk_tail_finding *finding, rk_error *error) {
    const rk_tail_finding first = *finding;
    const rk_tail_estimate tilted = *q->estimate;
    const double limit = job->flops_limit;
    const double to_come = (double)job->planned * (double)(job->n - (size_t)(q - job->queries));
    if (limit > 0) job->flops_limit = fmax(1, limit - to_come);
    rk_tail_estimate_clear(q->estimate);
    q->estimate->log10_closure = tilted.log10_closure;
    rk_status status = rk_tail_alone(job, q, likely, RK_TAIL_SUBSET, finding, error);
    job->flops_limit = limit;
    if (job->is_spent) {
        *q->estimate = tilted;
        *finding = first;
    } else {
        q->estimate->samples += tilted.samples;
    }
    job->is_spent = false;
    if (*finding != RK_TAIL_UNREACHED)
        rk_tail_warn(q->estimate, "the tilt does not describe this event");
    return status;
}

static rk_status answer_rare(rk_tail_job *job, const rk_query *q, bool likely,
                             rk_tail_finding *finding, rk_error *error) {
    const rk_tail_estimate *e = q->estimate;
    rk_status status = rk_tail_alone(job, q, likely, RK_TAIL_SHARPER, finding, error);
    if (status == RK_OK && job->mode == RK_TAIL_AT_MOST)
        status = rk_tail_alone(job, q, likely, RK_TAIL_SUBSET, finding, error);
    if (status != RK_OK || !rk_tail_goes_on(job)) return status;
    if (!(e->cv <= LOST)) status = look_again(job, q, likely, finding, error);
    if (status != RK_OK || *finding == RK_TAIL_UNREACHED) return status;
    double apart = fabs(e->log10_p - e->log10_closure) * RK_LOG_10;
    if (*finding != RK_TAIL_CONFIRMED && apart > log(CLOSURE_FACTOR) + 3 * e->cv)
        rk_tail_warn(
            q->estimate,
            "the cumulants say %.2g: the network is outside their range, or passes miss a part",
            pow(10, e->log10_closure));
    return RK_OK;
}

/* The closure's own warnings are not the answer's: it is only the check here. */
static void ask_closure(const rk_tail_job *job) {
    for (size_t i = 0; rk_tail_goes_on(job) && i < job->n; i++) {
        const rk_query *q = &job->queries[i];
        q->estimate->log10_closure =
            rk_tail_saddlepoint(&job->laws[q->row], q, job->source) / RK_LOG_10;
        *q->estimate->warning = 0;
    }
}

rk_status rk_tail_auto(rk_tail_job *job, rk_error *error) {
    rk_status status = rk_tail_laws(job, error);
    bool *common = rk_alloc(job->n, 1, sizeof *common);
    bool *unreached = rk_alloc(job->n, 1, sizeof *unreached);
    double *share = rk_alloc(job->n, 1, sizeof *share);
    if (status == RK_OK && (!common || !unreached || !share))
        status = rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", job->n);
    if (status == RK_OK) ask_closure(job);
    if (status == RK_OK && !rk_tail_is_stopped(job)) status = rk_tail_glance(job, share, error);
    for (size_t i = 0; status == RK_OK && i < job->n; i++)
        common[i] = share[i] > RARE && share[i] < 1 - RARE;
    if (status == RK_OK && !rk_tail_is_stopped(job))
        status = rk_tail_plain(job, common, FEW, error);
    for (size_t i = 0; status == RK_OK && !rk_tail_is_stopped(job) && i < job->n;
         i++, job->n_done++) {
        if (common[i]) continue;
        rk_tail_finding finding;
        status = answer_rare(job, &job->queries[i], share[i] > 0.5, &finding, error);
        unreached[i] = finding == RK_TAIL_UNREACHED;
    }
    if (status == RK_OK && !rk_tail_is_stopped(job) && job->mode != RK_TAIL_AS_HOPED)
        status = rk_tail_plain(job, unreached, 0, error);
    free(share);
    free(unreached);
    free(common);
    return status;
}
