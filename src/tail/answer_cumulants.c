/* normal, edgeworth, saddlepoint. */
#include "base/size.h"
#include "tail/answers.h"
#include "tail/atom.h"
#include "tail/series.h"

#include <math.h>
#include <stdlib.h>

typedef double series(const rk_tail_law *law, double t, const rk_law_source *source,
                      rk_tail_estimate *estimate);

static double normal(const rk_tail_law *law, double t, const rk_law_source *source,
                     rk_tail_estimate *estimate) {
    (void)source;
    (void)estimate;
    return rk_series_normal(law, t, NULL);
}

static double edgeworth(const rk_tail_law *law, double t, const rk_law_source *source,
                        rk_tail_estimate *estimate) {
    double log_p = rk_series_edgeworth(law, source->budget, t, NULL);
    if (isnan(log_p))
        rk_tail_warn(estimate, "the Edgeworth series is negative here: out of its range");
    else if (log_p > 0)
        rk_tail_warn(estimate, "the Edgeworth series exceeds 1 here: out of its range");
    return log_p > 0 ? (double)NAN : log_p;
}

static double saddlepoint(const rk_tail_law *law, double t, const rk_law_source *source,
                          rk_tail_estimate *estimate) {
    (void)source;
    int degree;
    double log_p = rk_series_saddlepoint(law, t, &degree, NULL);
    if (degree < 4)
        rk_tail_warn(estimate,
                     "no saddlepoint with cumulants up to the fourth; up to degree %d used",
                     degree);
    if (isnan(log_p)) rk_tail_warn(estimate, "the saddlepoint formula is negative here");
    return log_p;
}

/* A law without variance is a number: the event happens or it does not. */
static double series_of(series *formula, const rk_tail_law *law, const rk_query *q,
                        const rk_law_source *source) {
    rk_tail_law mirror = rk_law_mirror(law);
    const rk_tail_law *seen = q->below ? &mirror : law;
    double t = q->below ? -q->t : q->t;
    if (isnan(seen->kappa[1]) || isnan(seen->kappa[2])) {
        rk_tail_warn(q->estimate, "the closure diverged: no answer");
        return (double)NAN;
    }
    if (seen->kappa[2] == 0) return seen->kappa[1] > t ? 0 : -INFINITY;
    if (seen->kappa[2] < 0) {
        rk_tail_warn(q->estimate, "the closure's variance is %.2g: no answer", seen->kappa[2]);
        return (double)NAN;
    }
    return formula(seen, t, source, q->estimate);
}

/* A series smears an atom over its surroundings; this much of one is seen. */
#define VISIBLE 0.01

static rk_status run_series(rk_tail_job *job, const char *name, series *formula, rk_error *error) {
    double *atom = rk_alloc(rk_network_n_out(&job->target->net), 1, sizeof *atom);
    rk_status status = rk_tail_laws(job, error);
    if (status == RK_OK && !atom)
        status = rk_fail(error, RK_ERROR_MEMORY, "no memory for the atoms of the functionals");
    if (status == RK_OK && !rk_tail_is_stopped(job)) status = rk_tail_atoms(job, atom, error);
    for (size_t i = 0; status == RK_OK && rk_tail_goes_on(job) && i < job->n; i++) {
        const rk_query *q = &job->queries[i];
        rk_tail_name(q->estimate, name);
        rk_tail_set(q->estimate, series_of(formula, &job->laws[q->row], q, job->source));
        if (atom[q->row] >= VISIBLE && job->laws[q->row].kappa[2] > 0)
            rk_tail_warn(q->estimate,
                         "an atom of about %.2g, where neurons are constant: closures know none",
                         atom[q->row]);
    }
    free(atom);
    return status;
}

rk_status rk_tail_normal(rk_tail_job *job, rk_error *error) {
    return run_series(job, "normal", normal, error);
}

rk_status rk_tail_edgeworth(rk_tail_job *job, rk_error *error) {
    return run_series(job, "edgeworth", edgeworth, error);
}

rk_status rk_tail_by_saddlepoint(rk_tail_job *job, rk_error *error) {
    return run_series(job, "saddlepoint", saddlepoint, error);
}

double rk_tail_saddlepoint(const rk_tail_law *law, const rk_query *q, const rk_law_source *source) {
    return series_of(saddlepoint, law, q, source);
}
