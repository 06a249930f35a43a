#include "train/rare_path.h"

#include "propagate/back.h"
#include "train/curvature.h"

#include <math.h>
#include <string.h>

/* Samples are asked once the closure's loss is this part of the allowance: it understates what
 * happens in the tails, by up to 2 in trial. */
#define NEAR 0.2

/* The last step is cut so that loss and two standard errors are between these of the allowance. */
#define CLOSE 0.97
enum { CUTS = 8 };

/* Samples that pass at a time. */
enum { BLOCK = 512 };

rk_rare_path_spec rk_rare_path_default(void) {
    return (rk_rare_path_spec){.pairs = {RK_PAIRS_COMPLETED, 4},
                               .allowance = 1e-3,
                               .rate = 0.15,
                               .damping = 1e-2,
                               .first = 1e-5,
                               .growth = 1.15,
                               .checks = 16384};
}

static bool make_curvature(rk_rare_path *p) {
    const size_t mark = rk_work_mark(p->work);
    rk_expected_loss *e = &p->ordinary;
    rk_curvature c = rk_curvature_take(p->work, p->of->net);
    rk_expected_loss_value(e, false);
    rk_curvature_fill(p->work, &c, p->of->net, &e->input, &e->tape[0],
                      (rk_moments){e->outputs.mean, e->outputs.covariance}, &p->kfac);
    const bool ok = rk_kfac_invert(p->work, &p->kfac, p->spec.damping);
    rk_work_release(p->work, mark);
    return ok;
}

rk_status rk_rare_path_create(rk_rare_path *out, rk_work *work, const rk_rare_path_spec *spec,
                              const rk_network *teacher, rk_parameters *of,
                              const rk_rare_event *event, const rk_input *input, rk_error *error) {
    rk_rare_path *p = out;
    *p = (rk_rare_path){.spec = *spec,
                        .work = work,
                        .of = of,
                        .before = rk_work_doubles(work, of->theta.n, 1),
                        .step = rk_work_doubles(work, of->theta.n, 1),
                        .kfac = rk_kfac_take(work, of->net, of->net->n_layers),
                        .beta = spec->first,
                        .closure_loss = (double)NAN,
                        .loss = (double)NAN,
                        .standard_error = (double)NAN,
                        .log_p = (double)NAN};
    const rk_examples examples = {.residual = RK_RESIDUAL_SQUARED,
                                  .teacher = teacher,
                                  .input = input,
                                  .points = RK_POINTS_ANTITHETIC,
                                  .stream = {spec->seed, RK_STREAM_TRAINING}};
    rk_status status = rk_event_objective_create(&p->objective, spec->view, event, error);
    if (status != RK_OK) return status;
    p->objective.closure.pairs = spec->pairs;
    status = rk_sampled_loss_take(work, &examples, of->net, BLOCK, false, &p->sampled, error);
    if (status == RK_OK)
        status =
            rk_expected_loss_create(&p->ordinary, work, teacher, of, input, &spec->pairs, error);
    if (status == RK_OK && !make_curvature(p))
        status = rk_fail(error, RK_ERROR_NUMERIC, "the network's curvature is not finite");
    if (status != RK_OK) rk_rare_path_free(p);
    return status;
}

void rk_rare_path_free(rk_rare_path *path) {
    rk_event_objective_free(&path->objective);
    rk_expected_loss_free(&path->ordinary);
}

/* ------------------------------------------------------------------------- what is paid in truth
 */

/* Loss and two standard errors, by samples that are always the same. */
static rk_status ask_samples(rk_rare_path *p, double *bound, rk_error *error) {
    rk_loss_value value = {.mean = 0};
    const size_t rows =
        rk_sampled_loss_rows(&p->sampled.examples, p->of->net, (size_t)p->spec.checks);
    const rk_status status =
        rk_sampled_loss_run(p->work, &p->sampled, 0, rows, NULL, &value, error);
    p->loss = value.mean / p->ordinary.square;
    p->standard_error = value.standard_error / p->ordinary.square;
    *bound = p->loss + 2 * p->standard_error;
    return status;
}

static bool go_to(rk_rare_path *p, double share) {
    if (!rk_work_charge(p->work, 2 * p->of->theta.n)) return true;
    for (size_t i = 0; i < p->of->theta.n; i++)
        p->of->theta.x[i] = p->before[i] + share * p->step[i];
    return rk_parameters_moved(p->of);
}

/* The largest part of the last step that is paid for. Losses are about squares of how far one goes,
 * so that their roots are interpolated. */
static rk_status cut(rk_rare_path *p, double bound, rk_error *error) {
    double low = 0, high = 1, at_low, at_high = sqrt(bound);
    const double goal = sqrt(0.5 * (1 + CLOSE) * p->spec.allowance);
    go_to(p, 0);
    rk_status status = ask_samples(p, &bound, error);
    at_low = sqrt(fmax(bound, 0));
    for (int k = 0; status == RK_OK && k < CUTS; k++) {
        if (bound <= p->spec.allowance && bound >= CLOSE * p->spec.allowance) break;
        double share = low + (high - low) * (goal - at_low) / (at_high - at_low);
        if (!(share > low && share < high)) share = 0.5 * (low + high);
        go_to(p, share);
        status = ask_samples(p, &bound, error);
        if (bound <= p->spec.allowance) {
            low = share;
            at_low = sqrt(fmax(bound, 0));
        } else {
            high = share;
            at_high = sqrt(bound);
        }
    }
    if (status == RK_OK && !(bound <= p->spec.allowance)) {
        go_to(p, low);
        status = ask_samples(p, &bound, error);
    }
    p->closure_loss = rk_expected_loss_value(&p->ordinary, false) / p->ordinary.square;
    return status;
}

/* --------------------------------------------------------------------------------------- a step */

static bool is_broken(const rk_rare_path *p) {
    return p->work->interrupted || p->work->abandoned;
}

/* Where an event is far out of sight its gradient is huge: a step may go far beyond all that is
 * allowed before anybody looks. */
static bool has_leapt(const rk_rare_path *p) {
    static const double leap = 2;
    return !p->work->dry && p->steps > 0 && !(p->closure_loss <= leap * p->spec.allowance);
}

/* The gradient where the loss is known, and the step by it. */
static bool walk(rk_rare_path *p) {
    const rk_parameter_vector *bar = &p->of->gradient;
    const double weight = p->beta * p->ordinary.square;
    rk_expected_loss_gradient(&p->ordinary, true);
    p->log_p = rk_event_objective_step(p->work, &p->objective, p->of->net, weight,
                                       &(rk_adjoint){.weight = bar->weight, .bias = bar->bias});
    rk_kfac_apply(p->work, &p->kfac, bar->x, p->step);
    rk_set(p->work, bar->n, p->of->theta.x, p->before);
    if (is_broken(p)) return true;
    if (rk_work_charge(p->work, bar->n))
        for (size_t i = 0; i < bar->n; i++)
            p->step[i] *= -p->spec.rate;
    p->beta *= p->spec.growth;
    return go_to(p, 1) && (p->work->dry || isfinite(p->log_p));
}

rk_status rk_rare_path_step(rk_rare_path *p, rk_error *error) {
    double bound = 0;
    rk_status status = RK_OK;
    p->work->n_steps_done = p->work->dry ? p->work->n_steps_done : p->ordinary.steps_at;
    p->closure_loss = rk_expected_loss_value(&p->ordinary, false) / p->ordinary.square;
    if (!is_broken(p) && has_leapt(p)) {
        p->ended = true;
        status = ask_samples(p, &bound, error);
        return status == RK_OK ? cut(p, bound, error) : status;
    }
    if (!walk(p)) {
        go_to(p, 0);
        return rk_fail(error, RK_ERROR_NUMERIC,
                       "step %llu: the closure sees no way to make the event rarer",
                       (unsigned long long)p->steps + 1);
    }
    if (is_broken(p)) return RK_OK;
    p->steps++;
    if (p->work->dry || p->closure_loss > NEAR * p->spec.allowance) {
        status = ask_samples(p, &bound, error);
        if (is_broken(p)) go_to(p, 0);
        p->ended = !(bound <= p->spec.allowance);
        if (status == RK_OK && p->ended && !p->work->dry) status = cut(p, bound, error);
    }
    return status;
}
