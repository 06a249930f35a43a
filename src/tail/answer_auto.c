/* auto: cumulants first, then the passes that suit the event. */
#include "base/size.h"
#include "tail/answers.h"

#include <math.h>
#include <stdlib.h>

/* Above this, plain passes serve all events at once; below, each gets its own tilt. */
#define RARE 0.05

/* With an error of this many times itself the tilted estimate is worth nothing: subset simulation.
 */
#define LOST 1.0

/* The closure is believed to this factor: it is a check, not an average. */
#define CLOSURE_FACTOR 10.0

static rk_status answer_rare(rk_tail_job *job, const rk_query *q, double mean, rk_error *error) {
    rk_tail_estimate *e = q->estimate;
    bool confirmed;
    rk_status status = rk_tail_alone(job, q, mean, RK_TAIL_SHARPER, &confirmed, error);
    if (status != RK_OK || job->interrupted) return status;
    if (!(e->cv <= LOST)) {
        uint64_t tilted = e->samples;
        double closure = e->log10_closure;
        rk_tail_estimate_clear(e);
        e->log10_closure = closure;
        status = rk_tail_alone(job, q, mean, RK_TAIL_SUBSET, &confirmed, error);
        e->samples += tilted;
        rk_tail_warn(e, "the tilt does not describe this event");
    }
    double apart = fabs(e->log10_p - e->log10_closure) * RK_LOG_10;
    if (!confirmed && apart > log(CLOSURE_FACTOR) + 3 * e->cv)
        rk_tail_warn(
            e, "the cumulants say %.2g: the network is outside their range, or passes miss a part",
            pow(10, e->log10_closure));
    return status;
}

rk_status rk_tail_auto(rk_tail_job *job, rk_error *error) {
    rk_law *laws;
    rk_status status = rk_tail_laws(job, &laws, error);
    bool *common = rk_alloc(job->n, 1, sizeof *common), any = false;
    if (status == RK_OK && !common) status = rk_fail(error, RK_ERROR_MEMORY, "no memory");
    for (size_t i = 0; status == RK_OK && i < job->n; i++) {
        const rk_query *q = &job->queries[i];
        double log_p = rk_tail_saddlepoint(&laws[q->row], q, &job->source), p = exp(log_p);
        *q->estimate->warning = 0; /* of the closure: it is only the check here */
        q->estimate->log10_closure = log_p / RK_LOG_10;
        common[i] = p > RARE && p < 1 - RARE;
        any = any || common[i];
    }
    if (status == RK_OK && any) status = rk_tail_plain(job, common, error);
    for (size_t i = 0; status == RK_OK && !job->interrupted && i < job->n; i++, job->n_done++)
        if (!common[i])
            status = answer_rare(job, &job->queries[i], laws[job->queries[i].row].kappa[1], error);
    free(common);
    free(laws);
    return status;
}
