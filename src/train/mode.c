#include "train/mode.h"

#include "linalg/blas.h"
#include "propagate/back.h"

#include <math.h>

/* Of x = mean + root u. */
static rk_input law_of(rk_work *work, const rk_rare_event *event, const rk_mode *tilt) {
    const size_t n = event->n;
    const double *S = tilt->moved ? tilt->S : NULL;
    if (!event->root && !event->input.mean) return (rk_input){.mean = tilt->mu, .covariance = S};
    double *mean = rk_work_doubles(work, n, 1);
    if (!event->root) {
        rk_set(work, n, event->input.mean, mean);
        rk_add_strided(work, n, 1, tilt->mu, 1, mean);
        return (rk_input){.mean = mean, .covariance = S};
    }
    double *C = rk_work_doubles(work, n, n), *scratch = rk_work_doubles(work, n, n);
    rk_gemv(work, n, n, event->root, tilt->mu, event->input.mean, mean);
    rk_congruence(work, n, n, event->root, S, scratch, C);
    return (rk_input){.mean = mean, .covariance = C};
}

/* Derivatives by the law of x become those by the law of u. */
static void standardise(rk_work *work, const rk_rare_event *event, rk_mean_gradient *g) {
    const size_t n = event->n;
    if (!event->root) return;
    double *mean = rk_work_doubles(work, n, 1), *C = rk_work_doubles(work, n, n);
    double *scratch = rk_work_doubles(work, n, n);
    rk_gemv(work, n, n, event->turned, g->mean, NULL, mean);
    rk_congruence(work, n, n, event->turned, g->covariance, scratch, C);
    g->mean = mean;
    g->covariance = C;
}

static double divergence(size_t n, const double *mean, const double *deviation) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double s = deviation[i] * deviation[i];
        sum += 0.5 * (mean[i] * mean[i] + s - 1 - log(s));
    }
    return sum;
}

bool rk_mode_round(rk_work *work, const rk_event_scene *scene, rk_mode *tilt, rk_surrogate *q) {
    const size_t mark = rk_work_mark(work), n = scene->event->n;
    rk_mean_gradient g = {.mean = rk_work_doubles(work, n, 1),
                          .covariance = rk_work_doubles(work, n, n)};
    double *mean = rk_work_doubles(work, n, 1), *deviation = rk_work_doubles(work, n, 1);
    const rk_adjoint to = {.input_mean = g.mean, .input_covariance = g.covariance};
    const rk_input law = law_of(work, scene->event, tilt);
    rk_functional_run run;
    rk_functional_run_start(work, scene->net, &law, scene->closure, &scene->event->functional,
                            false, true, &run);
    rk_set(work, n, NULL, g.mean);
    rk_set(work, n * n, NULL, g.covariance);
    rk_functional_run_back(work, &run, 1, NULL, &to);
    g.value = run.mean;
    standardise(work, scene->event, &g);
    bool ok = rk_surrogate_expand(work, tilt->mu, tilt->moved ? tilt->S : NULL, &g, q);
    if (rk_work_charge(work, 500 * (uint64_t)n) && ok) {
        ok = isfinite(q->value) && rk_surrogate_variance(q) > 0;
        tilt->lambda = ok ? rk_surrogate_solve(q, scene->event->t) : 0;
        rk_surrogate_tilt(q, tilt->lambda, mean, deviation);
        tilt->divergence = divergence(n, mean, deviation);
    }
    rk_surrogate_turn_back(work, q, mean, deviation, tilt->mu, tilt->S);
    tilt->moved = true;
    rk_work_release(work, mark);
    return ok;
}

void rk_mode_look(rk_work *work, const rk_event_scene *scene, rk_mode *tilt) {
    const size_t mark = rk_work_mark(work);
    const rk_input law = law_of(work, scene->event, tilt);
    rk_functional_run run;
    rk_functional_run_start(work, scene->net, &law, scene->closure, &scene->event->functional,
                            false, false, &run);
    tilt->mean = run.mean;
    tilt->exponent = tilt->divergence + tilt->lambda * (scene->event->t - tilt->mean);
    rk_work_release(work, mark);
}

void rk_mode_back(rk_work *work, const rk_event_scene *scene, const rk_mode *tilt, double weight,
                  const rk_adjoint *to) {
    const size_t mark = rk_work_mark(work);
    const rk_input law = law_of(work, scene->event, tilt);
    rk_functional_run run;
    rk_functional_run_start(work, scene->net, &law, scene->closure, &scene->event->functional,
                            false, false, &run);
    rk_functional_run_back(work, &run, weight * tilt->lambda, NULL, to);
    rk_work_release(work, mark);
}
