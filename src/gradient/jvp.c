#include "base/size.h"
#include "estimate/words.h"
#include "gradient/linearisation.h"
#include "propagate/back.h"

#include <string.h>

bool rk_linearisation_has_forward(const rk_linearisation *run) {
    return run->tape.law && run->tape.law->forward;
}

/* ---------------------------------------------------------------------------- in the law's terms
 */

/* Where the network is not in normal form, its direction is a copy. */
static void enter_layer(rk_linearisation *run, rk_work *work, const rk_derivatives *direction,
                        size_t l) {
    const rk_layer *layer = &run->plan->net->layers[l];
    const rk_normal_form *form = &run->plan->form;
    const size_t count = layer->rows * layer->cols;
    double *weight = direction->weight && layer->weight ? direction->weight[l] : NULL;
    double *bias = direction->bias ? direction->bias[l] : NULL;
    if (form->net) {
        double *own = rk_work_doubles(work, layer->rows, 1);
        rk_set(work, layer->rows, bias, own);
        bias = own;
        if (weight && form->unit) {
            own = rk_work_doubles(work, count, 1);
            rk_set(work, count, weight, own);
            weight = own;
        }
        if (rk_work_charge(work, 2 * (uint64_t)count))
            rk_normal_form_enter_direction(form, run->input_mean, l, weight, bias);
    }
    run->constant[l] = weight;
    run->bias[l] = bias;
}

static rk_tangent enter(rk_linearisation *run, rk_work *work, const rk_derivatives *direction) {
    const rk_network *net = run->plan->net;
    rk_tangent seen = {.weight = (const double *const *)run->constant,
                       .bias = (const double *const *)run->bias,
                       .input_mean = direction->input_mean};
    for (size_t l = 0; l < net->n_layers; l++)
        enter_layer(run, work, direction, l);
    if (direction->input_covariance)
        seen.input_covariance =
            rk_symmetric_part(work, rk_network_n_in(net), direction->input_covariance);
    return seen;
}

static void leave(const rk_linearisation *run, rk_work *work, const rk_tangents *to) {
    const rk_network *net = run->plan->net;
    for (size_t l = 0; to->hidden_mean && l + 1 < net->n_layers; l++)
        if (to->hidden_mean[l] && rk_work_charge(work, net->layers[l].rows))
            rk_normal_form_restore(&run->plan->form, l, to->hidden_mean[l]);
}

void rk_linearisation_forward(rk_linearisation *run, rk_work *work, const rk_derivatives *direction,
                              const rk_tangents *to) {
    const size_t mark = rk_work_mark(work);
    const rk_tangent x = enter(run, work, direction);
    rk_outputs changes = {.mean = to->mean,
                          .variance = to->variance,
                          .covariance = to->covariance,
                          .hidden_mean = (double **)to->hidden_mean};
    rk_tape_forward(&run->tape, &x, &changes);
    leave(run, work, to);
    rk_work_release(work, mark);
}

/* ---------------------------------------------------------------------------------- what is asked
 */

static rk_status accept(const rk_linearisation *run, const rk_derivatives *given,
                        const rk_tangents *wanted, rk_derivatives *direction, rk_tangents *to,
                        rk_error *error) {
    const rk_options *options = &run->plan->problem.options;
    if (!rk_linearisation_has_forward(run))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "%s has no rk_jvp; methods that have: mean, covariance. rk_vjp has the same "
                       "numbers, an entry of the answer a call",
                       run->data.answer->method);
    if (!rk_read_sized(direction, sizeof *direction, sizeof *direction, given))
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_derivatives", given->size,
                       sizeof *direction);
    if (!rk_read_sized(to, sizeof *to, sizeof *to, wanted))
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_tangents", wanted->size,
                       sizeof *to);
    if ((to->variance || to->covariance) && !options->covariance)
        return rk_refuse_unasked("changes of the covariance", "covariance", error);
    if (direction->input_covariance && !options->input_covariance)
        return rk_refuse_unasked("a direction of the input's covariance", "input_covariance",
                                 error);
    if ((direction->input_mean || direction->input_covariance) && run->tape.standard_input)
        return rk_refuse_input_law(run, error);
    return RK_OK;
}

rk_status rk_jvp(rk_linearisation *run, const rk_derivatives *given, const rk_tangents *wanted,
                 rk_error *error) {
    rk_derivatives direction;
    rk_tangents to;
    rk_status status = accept(run, given, wanted, &direction, &to, error);
    if (status != RK_OK) return status;
    rk_linearisation_begin(run, run->data.jvp_flops);
    rk_linearisation_forward(run, &run->work, &direction, &to);
    return rk_linearisation_end(run, RK_OK, error);
}
