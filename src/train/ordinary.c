#include "train/ordinary.h"

#include "propagate/back.h"
#include "train/curvature.h"
#include "train/loss_receipt.h"
#include "train/sampled_curvature.h"

#include <math.h>

/* Samples that pass at a time. */
enum { BLOCK = 512 };

static double mean_loss(rk_ordinary *o, const rk_adjoint *to) {
    rk_loss_value value = {.mean = 0};
    const rk_status status =
        rk_sampled_loss_run(o->work, &o->sampled, 0, o->rows, to, &value, NULL);
    const bool is_whole = status == RK_OK && !o->work->interrupted && !o->work->abandoned;
    return is_whole && isfinite(value.mean) ? value.mean : (double)INFINITY;
}

/* The loss on data, and of->gradient. */
static double fill_gradient(rk_ordinary *o) {
    const rk_parameter_vector *bar = &o->of->gradient;
    rk_set(o->work, bar->n, NULL, bar->x);
    return mean_loss(o, &(rk_adjoint){.weight = bar->weight, .bias = bar->bias});
}

static rk_status start_with_data(rk_ordinary *o, const rk_ordinary_spec *spec, rk_error *error) {
    const rk_examples *data = spec->data;
    rk_status status =
        rk_sampled_loss_take(o->work, data, o->of->net, BLOCK, true, &o->sampled, error);
    if (status != RK_OK) return status;
    o->rows = data->n;
    o->unit = rk_data_receipt_unit(data, rk_network_n_out(o->of->net));
    o->step = o->work->n_steps_done;
    o->slope = rk_work_doubles(o->work, o->of->theta.n, 1);
    o->at_start = fill_gradient(o);
    rk_set(o->work, o->of->theta.n, o->of->gradient.x, o->slope);
    if (!(o->unit > 0))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "the targets are all 0: nothing is a part of their mean square");
    if (isfinite(o->at_start) || o->work->dry || o->work->interrupted) return RK_OK;
    return rk_fail(error, RK_ERROR_NUMERIC, "the loss on the data is not finite");
}

static rk_status start_with_teacher(rk_ordinary *o, const rk_ordinary_spec *spec, rk_error *error) {
    const rk_examples samples = {.residual = RK_RESIDUAL_SQUARED,
                                 .teacher = spec->teacher,
                                 .input = spec->input,
                                 .points = RK_POINTS_ANTITHETIC,
                                 .stream = {spec->seed, RK_STREAM_TRAINING}};
    rk_status status =
        rk_sampled_loss_take(o->work, &samples, o->of->net, BLOCK, false, &o->sampled, error);
    if (status == RK_OK)
        status = rk_expected_loss_create(&o->expected, o->work, spec->teacher, o->of, spec->input,
                                         &spec->pairs, error);
    if (status != RK_OK) return status;
    o->rows = rk_sampled_loss_rows(&samples, o->of->net, spec->checks);
    o->step = o->expected.steps_at;
    if (!o->work->dry) o->unit = o->expected.square;
    return RK_OK;
}

rk_status rk_ordinary_create(rk_ordinary *out, rk_work *work, const rk_ordinary_spec *spec,
                             rk_parameters *of, rk_error *error) {
    *out = (rk_ordinary){
        .work = work, .of = of, .by_data = spec->data != NULL, .seed = spec->seed, .unit = 1};
    return spec->data ? start_with_data(out, spec, error) : start_with_teacher(out, spec, error);
}

void rk_ordinary_free(rk_ordinary *ordinary) {
    if (!ordinary->by_data) rk_expected_loss_free(&ordinary->expected);
}

double rk_ordinary_value(rk_ordinary *o) {
    if (!o->work->dry) o->work->n_steps_done = o->step; /* always the same steps */
    const double loss =
        o->by_data ? mean_loss(o, NULL) - o->at_start : rk_expected_loss_value(&o->expected, false);
    return loss / o->unit;
}

void rk_ordinary_gradient(rk_ordinary *o) {
    const rk_parameter_vector *bar = &o->of->gradient;
    if (!o->by_data) {
        rk_expected_loss_gradient(&o->expected, true);
        return;
    }
    fill_gradient(o);
    if (!rk_work_charge(o->work, bar->n)) return;
    for (size_t i = 0; i < bar->n; i++)
        bar->x[i] -= o->slope[i];
}

rk_status rk_ordinary_ask(rk_ordinary *o, double *loss, double *standard_error, rk_error *error) {
    rk_loss_value value = {.mean = 0};
    const rk_status status =
        rk_sampled_loss_run(o->work, &o->sampled, 0, o->rows, NULL, &value, error);
    *loss = (value.mean - o->at_start) / o->unit;
    *standard_error = o->by_data ? 0 : value.standard_error / o->unit;
    return status;
}

static void fill_expected(rk_ordinary *o, rk_kfac *kfac) {
    rk_expected_loss *e = &o->expected;
    rk_curvature c = rk_curvature_take(o->work, o->of->net);
    rk_expected_loss_value(e, false);
    rk_curvature_fill(o->work, &c, o->of->net, &e->input, &e->tape[0],
                      (rk_moments){e->outputs.mean, e->outputs.covariance}, kfac);
}

bool rk_ordinary_curvature(rk_ordinary *o, double damping, rk_kfac *kfac) {
    const size_t mark = rk_work_mark(o->work);
    if (o->by_data)
        rk_sampled_curvature_fill(o->work, &o->sampled.examples, o->of->net, o->seed, kfac);
    else
        fill_expected(o, kfac);
    const bool ok = rk_kfac_invert(o->work, kfac, damping);
    rk_work_release(o->work, mark);
    return ok;
}
