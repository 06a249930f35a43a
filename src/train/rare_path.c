#include "train/rare_path.h"

#include "base/sum.h"
#include "propagate/back.h"

#include <math.h>

/* Samples are asked once the closure's loss is this part of the allowance: it understates what
 * happens in the tails, by up to 2 in trial. */
#define NEAR 0.2

/* The last step is cut so that loss and two standard errors are between these of the allowance. */
#define CLOSE 0.97

/* Of the allowance, what one step may cost; in trial they cost a fiftieth in the end. */
#define FAR 0.1

enum { CUTS = 8 };

rk_rare_path_spec rk_rare_path_default(void) {
    return (rk_rare_path_spec){.keep = {.pairs = {RK_PAIRS_COMPLETED, 4}, .checks = 16384},
                               .allowance = 1e-3,
                               .rate = 0.15,
                               .damping = 1e-2,
                               .first = 1e-5,
                               .growth = 1.15};
}

rk_status rk_rare_path_create(rk_rare_path *out, rk_work *work, const rk_rare_path_spec *spec,
                              rk_parameters *of, const rk_rare_event *event, rk_error *error) {
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
    rk_status status = rk_event_objective_create(&p->objective, spec->view, event, error);
    if (status != RK_OK) return status;
    p->objective.closure.pairs = spec->keep.pairs;
    status = rk_ordinary_create(&p->ordinary, work, &spec->keep, of, error);
    if (status == RK_OK && !rk_ordinary_curvature(&p->ordinary, spec->damping, &p->kfac) &&
        !work->interrupted)
        status = rk_fail(error, RK_ERROR_NUMERIC, "the network's curvature is not finite");
    if (status == RK_OK && p->ordinary.slope) {
        p->uphill = rk_work_doubles(work, of->theta.n, 1);
        rk_kfac_apply(work, &p->kfac, p->ordinary.slope, p->uphill);
    }
    if (status != RK_OK) rk_rare_path_free(p);
    return status;
}

void rk_rare_path_free(rk_rare_path *path) {
    rk_event_objective_free(&path->objective);
    rk_ordinary_free(&path->ordinary);
}

/* ------------------------------------------------------------------------- what is paid in truth
 */

/* Loss and two standard errors. */
static rk_status ask(rk_rare_path *p, double *bound, rk_error *error) {
    const rk_status status = rk_ordinary_ask(&p->ordinary, &p->loss, &p->standard_error, error);
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
    rk_status status = ask(p, &bound, error);
    at_low = sqrt(fmax(bound, 0));
    for (int k = 0; status == RK_OK && k < CUTS; k++) {
        if (bound <= p->spec.allowance && bound >= CLOSE * p->spec.allowance) break;
        double share = low + (high - low) * (goal - at_low) / (at_high - at_low);
        if (!(share > low && share < high)) share = 0.5 * (low + high);
        go_to(p, share);
        status = ask(p, &bound, error);
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
        status = ask(p, &bound, error);
    }
    p->closure_loss = rk_ordinary_value(&p->ordinary);
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

static void set_combined(rk_rare_path *p) {
    const rk_parameter_vector *bar = &p->of->gradient;
    if (!rk_work_charge(p->work, 2 * (uint64_t)bar->n)) return;
    for (size_t i = 0; i < bar->n; i++)
        bar->x[i] = p->before[i] + p->beta * bar->x[i];
}

/* The price at which what is paid is not too much for where one is: <dL, K^-1 dP> = -beta <dP, K^-1
 * dP>. At the start, 0, unless somebody has gone some of the way. */
static double price_here(rk_rare_path *p) {
    const rk_parameter_vector *bar = &p->of->gradient;
    rk_kfac_apply(p->work, &p->kfac, bar->x, p->step);
    if (!rk_work_charge(p->work, 4 * (uint64_t)bar->n)) return 0;
    const double square = rk_dot(bar->n, bar->x, p->step);
    return square > 0 ? -rk_dot(bar->n, p->before, p->step) / square : 0;
}

/* Steps do not climb the slope that there was at the start. */
static void level(rk_rare_path *p) {
    const rk_parameter_vector *bar = &p->of->gradient;
    if (!p->uphill || !rk_work_charge(p->work, 6 * (uint64_t)bar->n)) return;
    const double fall = rk_dot(bar->n, p->uphill, bar->x);
    const double square = rk_dot(bar->n, p->uphill, p->ordinary.slope);
    for (size_t i = 0; fall < 0 && square > 0 && i < bar->n; i++)
        bar->x[i] -= fall / square * p->ordinary.slope[i];
}

/* From K^-1 (gradient) to a step, which alone must not cost more than FAR of the allowance, as K
 * has it: far out of sight gradients of log P are huge. */
static void shorten(rk_rare_path *p) {
    const rk_parameter_vector *bar = &p->of->gradient;
    if (!rk_work_charge(p->work, 3 * (uint64_t)bar->n)) return;
    const double rate = p->spec.rate;
    const double price = 0.5 * rate * rate * rk_dot(bar->n, bar->x, p->step);
    const double most = FAR * p->spec.allowance * p->ordinary.unit;
    const double length = price > most ? sqrt(most / price) : 1;
    for (size_t i = 0; i < bar->n; i++)
        p->step[i] *= -rate * length;
}

/* The gradient where the loss is known, and the step by it. */
static bool walk(rk_rare_path *p) {
    const rk_parameter_vector *bar = &p->of->gradient;
    rk_ordinary_gradient(&p->ordinary);
    rk_set(p->work, bar->n, bar->x, p->before);
    rk_set(p->work, bar->n, NULL, bar->x);
    p->log_p = rk_event_objective_step(p->work, &p->objective, p->of->net, p->ordinary.unit,
                                       &(rk_adjoint){.weight = bar->weight, .bias = bar->bias});
    if (p->steps == 0) p->beta = fmax(p->beta, price_here(p));
    set_combined(p);
    level(p);
    rk_kfac_apply(p->work, &p->kfac, bar->x, p->step);
    rk_set(p->work, bar->n, p->of->theta.x, p->before);
    if (is_broken(p)) return true;
    shorten(p);
    p->beta *= p->spec.growth;
    return go_to(p, 1) && (p->work->dry || isfinite(p->log_p));
}

rk_status rk_rare_path_look(rk_rare_path *p, rk_error *error) {
    double bound = 0;
    p->closure_loss = rk_ordinary_value(&p->ordinary);
    p->is_sound = p->is_sound || p->closure_loss <= NEAR * p->spec.allowance;
    if (is_broken(p) || !has_leapt(p)) return RK_OK;
    p->ended = true;
    const rk_status status = ask(p, &bound, error);
    return status == RK_OK ? cut(p, bound, error) : status;
}

rk_status rk_rare_path_step(rk_rare_path *p, rk_error *error) {
    double bound = 0;
    rk_status status = RK_OK;
    if (!walk(p)) {
        go_to(p, 0);
        return rk_fail(error, RK_ERROR_NUMERIC,
                       "step %llu: the closure sees no way to make the event rarer",
                       (unsigned long long)p->steps + 1);
    }
    if (is_broken(p)) return RK_OK;
    p->steps++;
    p->is_sound = false;
    if (p->work->dry || p->closure_loss > NEAR * p->spec.allowance) {
        status = ask(p, &bound, error);
        if (is_broken(p)) go_to(p, 0);
        p->is_sound = bound <= p->spec.allowance;
        p->ended = !p->is_sound;
        if (status == RK_OK && p->ended && !p->work->dry) status = cut(p, bound, error);
    }
    return status;
}
