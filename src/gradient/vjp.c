#include "gradient/linearisation.h"

#include "base/size.h"
#include "base/stream.h"
#include "estimate/words.h"
#include "gradient/constant.h"
#include "gradient/pathwise.h"
#include "linalg/blas.h"

#include <string.h>

/* ---------------------------------------------------------------------------- in the law's terms
 */

const double *rk_symmetric_part(rk_work *work, size_t n, const double *G) {
    double *S = rk_work_doubles(work, n, n);
    if (!rk_work_charge(work, 2 * (uint64_t)n * n)) return S;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            S[i * n + j] = G[i * n + j] / 2 + G[j * n + i] / 2;
    return S;
}

static double *hidden_adjoint(const rk_linearisation *run, rk_work *work, size_t l,
                              const double *given) {
    const size_t n = run->plan->net->layers[l].rows;
    if (!given) return NULL;
    double *own = rk_work_doubles(work, n, 1);
    if (!rk_work_charge(work, n)) return own;
    memcpy(own, given, n * sizeof *own);
    rk_normal_form_restore(&run->plan->form, l, own);
    return own;
}

static rk_cotangent enter(const rk_linearisation *run, rk_work *work, const rk_cotangents *f) {
    const rk_network *net = run->plan->net;
    rk_cotangent seen = {.mean = f->mean,
                         .variance = f->variance,
                         .third_diagonal = f->third_marginal,
                         .fourth_diagonal = f->fourth_marginal};
    if (f->covariance)
        seen.covariance = rk_symmetric_part(work, rk_network_n_out(net), f->covariance);
    for (size_t l = 0; f->hidden_mean && l + 1 < net->n_layers; l++)
        run->hidden[l] = hidden_adjoint(run, work, l, f->hidden_mean[l]);
    if (f->hidden_mean) seen.hidden_mean = (const double *const *)run->hidden;
    return seen;
}

static void clear(rk_work *work, size_t n, double *x) {
    if (x && rk_work_charge(work, 0)) memset(x, 0, n * sizeof *x);
}

/* Biases are needed even where they are not wanted: a folded input mean moves with the weights. */
static rk_adjoint begin(const rk_linearisation *run, rk_work *work, const rk_derivatives *to) {
    const rk_network *net = run->plan->net;
    const size_t n_in = rk_network_n_in(net);
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        double *bias = to->bias ? to->bias[l] : NULL;
        run->bias[l] = bias ? bias : rk_work_doubles(work, layer->rows, 1);
        clear(work, layer->rows, run->bias[l]);
        if (to->weight && layer->weight) clear(work, layer->rows * layer->cols, to->weight[l]);
    }
    clear(work, n_in, to->input_mean);
    clear(work, n_in * n_in, to->input_covariance);
    return (rk_adjoint){to->weight, run->bias, to->input_mean, to->input_covariance};
}

static void leave(const rk_linearisation *run, rk_work *work, const rk_adjoint *to) {
    const rk_normal_form *form = &run->plan->form;
    for (size_t l = 0; form->net && l < form->net->n_layers; l++) {
        const rk_layer *layer = &form->net->layers[l];
        double *weight = to->weight && layer->weight ? to->weight[l] : NULL;
        if (rk_work_charge(work, 2 * (uint64_t)layer->rows * layer->cols))
            rk_normal_form_restore_gradient(form, run->input_mean, l, weight, to->bias[l]);
    }
}

/* The samples of the way there, once more. */
static rk_status pass_back(rk_linearisation *run, rk_work *work, const rk_cotangent *f,
                           const rk_adjoint *to, rk_error *error) {
    enum { BLOCK = 256 };
    const rk_problem *problem = &run->plan->problem;
    const rk_pathwise_spec spec = {
        .n_samples = problem->options.samples,
        .points = problem->spec.points,
        .stream = {.seed = problem->options.seed, .stream = RK_STREAM_SAMPLES},
        .block = BLOCK};
    if (!rk_work_step(work, "samples, back")) return RK_OK;
    rk_status status = rk_pathwise(work, problem->net, &problem->input, &spec, f, to, NULL, error);
    rk_work_end(work);
    return status;
}

rk_status rk_linearisation_back(rk_linearisation *run, rk_work *work, const rk_cotangents *f,
                                const rk_derivatives *to, rk_error *error) {
    const size_t mark = rk_work_mark(work);
    const rk_cotangent seen = enter(run, work, f);
    const rk_adjoint add = begin(run, work, to);
    rk_status status = RK_OK;
    if (run->plan->method->samples)
        status = pass_back(run, work, &seen, &add, error);
    else if (run->plan->problem.homogeneous)
        rk_tape_back_through_constant(work, &run->plan->problem, &run->tape, &seen, &add,
                                      run->constant);
    else
        rk_tape_back(&run->tape, &seen, &add);
    leave(run, work, &add);
    rk_work_release(work, mark);
    return status;
}

/* ---------------------------------------------------------------------------------- what is asked
 */

rk_status rk_refuse_unasked(const char *what, const char *option, rk_error *error) {
    return rk_fail(error, RK_ERROR_ARGUMENT, "%s: the run was not asked for it; set rk_options.%s",
                   what, option);
}

rk_status rk_refuse_input_law(const rk_linearisation *run, rk_error *error) {
    return rk_fail(error, RK_ERROR_UNSUPPORTED,
                   "%s is for standard normal inputs only: it has no derivatives by their law",
                   run->data.answer->method);
}

static rk_status accept(const rk_linearisation *run, const rk_cotangents *asked,
                        const rk_derivatives *wanted, rk_cotangents *f, rk_derivatives *to,
                        rk_error *error) {
    const rk_options *options = &run->plan->problem.options;
    if (!rk_read_sized(f, sizeof *f, sizeof *f, asked))
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_cotangents", asked->size,
                       sizeof *f);
    if (!rk_read_sized(to, sizeof *to, sizeof *to, wanted))
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_derivatives", wanted->size,
                       sizeof *to);
    if ((f->variance || f->covariance) && !options->covariance)
        return rk_refuse_unasked("df / d covariance", "covariance", error);
    if ((f->third_marginal || f->fourth_marginal) && !options->marginals)
        return rk_refuse_unasked("df / d marginal cumulants", "marginals", error);
    if (to->input_covariance && !options->input_covariance)
        return rk_refuse_unasked("derivatives by the input's covariance", "input_covariance",
                                 error);
    if ((to->input_mean || to->input_covariance) && run->tape.standard_input)
        return rk_refuse_input_law(run, error);
    return RK_OK;
}

/* ------------------------------------------------------------------------------------- the whole
 */

void rk_linearisation_begin(rk_linearisation *run, uint64_t flops) {
    rk_work *work = &run->work;
    pthread_mutex_lock(&run->mutex);
    work->interrupted = work->abandoned = false;
    work->flops = 0;
    work->flops_total = flops;
    work->steps = run->steps;
    work->n_steps = run->n_steps;
    work->n_steps_done = 0;
    rk_work_listen(work, true);
    rk_blas_make_serial();
}

rk_status rk_linearisation_end(rk_linearisation *run, rk_status status, rk_error *error) {
    const bool interrupted = run->work.interrupted;
    rk_blas_restore();
    run->work.steps = NULL;
    pthread_mutex_unlock(&run->mutex);
    if (status == RK_OK && interrupted)
        return rk_fail(error, RK_ERROR_INTERRUPTED, "interrupted on the way to derivatives");
    return status;
}

rk_status rk_vjp(rk_linearisation *run, const rk_cotangents *asked, const rk_derivatives *wanted,
                 rk_error *error) {
    rk_cotangents f;
    rk_derivatives to;
    rk_status status = accept(run, asked, wanted, &f, &to, error);
    if (status != RK_OK) return status;
    rk_linearisation_begin(run, run->data.vjp_flops);
    status = rk_linearisation_back(run, &run->work, &f, &to, error);
    return rk_linearisation_end(run, status, error);
}

rk_status rk_gradient(const rk_derivatives *to, const rk_network *net, const rk_input *input,
                      const rk_cotangents *f, const rk_options *options, rk_error *error) {
    rk_linearisation *run;
    rk_status status = rk_linearise(&run, net, input, options, error);
    if (status == RK_OK) status = rk_vjp(run, f, to, error);
    rk_linearisation_destroy(run);
    return status;
}
