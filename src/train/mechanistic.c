#include "train/mechanistic.h"

#include "base/size.h"
#include "train/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

rk_mechanistic_spec rk_mechanistic_default(void) {
    return (rk_mechanistic_spec){
        .refresh = 5, .damping = 0.1, .tolerance = 1e-5, .max_iterations = 512};
}

rk_status rk_mechanistic_create(rk_mechanistic *out, rk_expected_loss *loss, rk_course *course,
                                const rk_mechanistic_spec *spec, rk_error *error) {
    const rk_parameters *student = loss->student;
    *out = (rk_mechanistic){.loss = loss,
                            .course = course,
                            .spec = *spec,
                            .curvature = rk_curvature_take(loss->work, student->net),
                            .kfac = rk_kfac_take(loss->work, student->net, loss->depth),
                            .best = rk_alloc(student->theta.n, 1, sizeof *out->best)};
    return out->best ? RK_OK : rk_fail(error, RK_ERROR_MEMORY, "no memory for the parameters");
}

void rk_mechanistic_free(rk_mechanistic *m) {
    free(m->best);
    m->best = NULL;
}

static bool is_here(const rk_mechanistic *m, const double *theta) {
    const rk_parameter_vector *here = &m->loss->student->theta;
    return m->is_known && memcmp(here->x, theta, here->n_hidden * sizeof *theta) == 0;
}

static double value(void *context, const double *theta) {
    rk_mechanistic *m = context;
    rk_parameters *student = m->loss->student;
    if (is_here(m, theta)) return m->value;
    memcpy(student->theta.x, theta, student->theta.n_hidden * sizeof *theta);
    m->value = (double)INFINITY;
    if (rk_parameters_moved(student)) m->value = rk_expected_loss_value(m->loss, true);
    m->is_known = isfinite(m->value);
    return m->value;
}

static void gradient(void *context, double *out) {
    rk_mechanistic *m = context;
    const rk_parameter_vector *bar = &m->loss->student->gradient;
    rk_expected_loss_gradient(m->loss, false);
    memcpy(out, bar->x, bar->n_hidden * sizeof *out);
}

static void precondition(void *context, const double *in, double *out) {
    rk_mechanistic *m = context;
    if (m->has_curvature)
        rk_kfac_apply(m->loss->work, &m->kfac, in, out);
    else
        memcpy(out, in, m->loss->student->theta.n_hidden * sizeof *out);
}

static void look(rk_mechanistic *m) {
    rk_expected_loss *e = m->loss;
    const rk_moments last = {e->outputs.mean, e->outputs.covariance};
    rk_curvature_fill(e->work, &m->curvature, e->student->net, &e->input, &e->tape[0], last,
                      &m->kfac);
    m->has_curvature = rk_kfac_invert(e->work, &m->kfac, m->spec.damping);
}

static bool affords(const rk_mechanistic *m, double steps, double curvatures) {
    const rk_mechanistic_costs *cost = m->spec.costs;
    return rk_course_affords(m->course,
                             steps * (cost->value + cost->gradient) + curvatures * cost->curvature);
}

static bool may_ask(void *context) {
    return affords(context, 1, 0);
}

static bool go_on(void *context, uint64_t iteration, double loss) {
    rk_mechanistic *m = context;
    const rk_parameter_vector *theta = &m->loss->student->theta;
    memcpy(m->best, theta->x, theta->n * sizeof *m->best);
    m->steps = iteration;
    const bool on = rk_course_point(m->course, iteration, loss);
    rk_course_best(m->course);
    if (on && iteration % m->spec.refresh == 0 && affords(m, 1, 1)) look(m);
    return on;
}

/* What the plan has to know. */
static void rehearse(rk_mechanistic *m) {
    const rk_parameter_vector *bar = &m->loss->student->gradient;
    rk_mechanistic_costs *cost = m->spec.costs;
    const double start = rk_course_flops(m->course);
    rk_expected_loss_value(m->loss, true);
    cost->value = rk_course_flops(m->course) - start;
    look(m);
    cost->curvature = rk_course_flops(m->course) - start - cost->value;
    rk_expected_loss_gradient(m->loss, false);
    rk_kfac_apply(m->loss->work, &m->kfac, bar->x, bar->x);
    cost->gradient = rk_course_flops(m->course) - start - cost->value - cost->curvature;
}

rk_status rk_mechanistic_run(rk_mechanistic *m, double *loss, rk_error *error) {
    rk_parameters *student = m->loss->student;
    const rk_parameter_vector *theta = &student->theta;
    if (m->loss->work->dry) {
        rehearse(m);
        return RK_OK;
    }
    double *at = rk_alloc(theta->n_hidden, 1, sizeof *at);
    if (!at) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the parameters");
    memcpy(at, theta->x, theta->n_hidden * sizeof *at);
    m->is_known = false;
    if (!isfinite(*loss)) *loss = value(m, at);
    memcpy(m->best, theta->x, theta->n * sizeof *m->best);
    rk_lbfgs_result result = {.value = *loss};
    rk_status status = RK_OK;
    const bool goes_on = rk_course_point(m->course, 0, *loss);
    rk_course_best(m->course);
    if (goes_on && affords(m, 2, 1)) {
        value(m, at);
        look(m);
        const rk_lbfgs_problem problem = {.context = m,
                                          .n = theta->n_hidden,
                                          .value = value,
                                          .gradient = gradient,
                                          .precondition = precondition,
                                          .may_ask = may_ask,
                                          .go_on = go_on};
        const rk_lbfgs_spec spec = {.tolerance = m->spec.tolerance,
                                    .max_iterations = m->spec.max_iterations};
        status = rk_lbfgs_run(m->loss->work, &problem, &spec, at, &result, error);
        if (status == RK_OK && result.end == RK_LBFGS_NOT_FINITE)
            status = rk_fail(error, RK_ERROR_NUMERIC, "the loss is not finite at the start");
    }
    memcpy(theta->x, m->best, theta->n * sizeof *m->best);
    rk_parameters_moved(student);
    *loss = result.value;
    free(at);
    return status;
}
