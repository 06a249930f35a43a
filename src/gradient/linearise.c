#include "gradient/linearisation.h"

#include "base/size.h"
#include "estimate/context.h"

#include <stdlib.h>

const rk_linearisation_data *rk_linearisation_view(const rk_linearisation *run) {
    return &run->data;
}

static rk_status run_there(rk_linearisation *run, rk_work *dry, rk_error *error) {
    rk_receipt none = {0};
    run->tape = (rk_tape){.input_covariance = run->plan->problem.options.input_covariance};
    run->answer->report.tape = &run->tape;
    return rk_problem_run(&run->plan->problem, dry, &run->answer->report, &none, error);
}

/* From all that an f may depend on to all that may be wanted; `somewhere` is not touched. */
static rk_status run_back(rk_linearisation *run, rk_work *dry, rk_error *error) {
    const rk_options *options = &run->plan->problem.options;
    const size_t n_layers = run->plan->net->n_layers;
    double *somewhere = run->answer->storage, **all = rk_alloc(n_layers, 1, sizeof *all);
    if (!all) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    for (size_t l = 0; l < n_layers; l++)
        all[l] = somewhere;
    const rk_cotangents f = {.mean = somewhere,
                             .variance = options->covariance ? somewhere : NULL,
                             .covariance = options->covariance ? somewhere : NULL,
                             .third_marginal = options->marginals ? somewhere : NULL,
                             .fourth_marginal = options->marginals ? somewhere : NULL,
                             .hidden_mean = (const double *const *)all};
    const rk_derivatives to = {.weight = all,
                               .bias = NULL, /* which takes most memory */
                               .input_mean = somewhere,
                               .input_covariance = options->input_covariance ? somewhere : NULL};
    rk_status status = rk_linearisation_back(run, dry, &f, &to, error);
    free(all);
    return status;
}

/* From all that may change to all that may be asked for. */
static rk_status run_forward(rk_linearisation *run, rk_work *dry, rk_error *error) {
    const rk_options *options = &run->plan->problem.options;
    const size_t n_layers = run->plan->net->n_layers;
    double *somewhere = run->answer->storage, **all = rk_alloc(n_layers, 1, sizeof *all);
    if (!all) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    for (size_t l = 0; l < n_layers; l++)
        all[l] = somewhere;
    const rk_derivatives direction = {.weight = all,
                                      .bias = all,
                                      .input_mean = somewhere,
                                      .input_covariance =
                                          options->input_covariance ? somewhere : NULL};
    const rk_tangents to = {.mean = somewhere,
                            .variance = options->covariance ? somewhere : NULL,
                            .covariance = options->covariance ? somewhere : NULL,
                            .hidden_mean = all};
    rk_linearisation_forward(run, dry, &direction, &to);
    free(all);
    return RK_OK;
}

/* FLOPs of one of them, and of its steps the most there are. */
static rk_status plan_one(rk_linearisation *run, rk_work *dry,
                          rk_status (*one)(rk_linearisation *, rk_work *, rk_error *),
                          uint64_t *flops, rk_error *error) {
    const uint64_t flops_before = dry->flops;
    const size_t steps_before = dry->n_steps;
    rk_status status = one(run, dry, error);
    *flops = dry->flops - flops_before;
    const size_t steps = dry->n_steps - steps_before;
    if (steps > run->n_steps) run->n_steps = steps;
    return status;
}

/* What both ways take, `dry`, and what the way back and changes alone do. */
static rk_status plan(rk_linearisation *run, rk_work *dry, rk_error *error) {
    rk_work_init_dry(dry);
    rk_status status = run_there(run, dry, error);
    const uint64_t flops = dry->flops;
    const size_t steps = dry->n_steps;
    if (status == RK_OK) status = plan_one(run, dry, run_back, &run->data.vjp_flops, error);
    if (status == RK_OK && rk_linearisation_has_forward(run))
        status = plan_one(run, dry, run_forward, &run->data.jvp_flops, error);
    if (status == RK_OK) status = rk_problem_check_memory(&run->plan->problem, dry, error);
    if (status != RK_OK) return status;
    run->steps = rk_alloc(run->n_steps, 1, sizeof *run->steps);
    if (!run->steps) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    dry->n_steps = steps;
    dry->flops = flops;
    return RK_OK;
}

/* In memory that is there. */
static rk_status execute(rk_linearisation *run, const rk_work *dry, rk_error *error) {
    rk_status status = rk_plan_pool(run->plan, dry->flops, &run->pool, error);
    if (status == RK_OK) status = rk_work_init_wet(&run->work, dry, run->pool, error);
    run->tape = (rk_tape){.input_covariance = run->tape.input_covariance};
    if (status == RK_OK) status = rk_plan_run(run->plan, &run->work, run->answer, error);
    if (status == RK_OK && run->answer->data.interrupted)
        status = rk_fail(error, RK_ERROR_INTERRUPTED, "interrupted: there is nothing to go back");
    return status;
}

static rk_status make(rk_linearisation *run, rk_error *error) {
    const size_t n_layers = run->plan->net->n_layers;
    rk_work dry;
    rk_status status = rk_answer_create(&run->answer, &run->plan->problem, error);
    if (status != RK_OK) return status;
    run->hidden = rk_alloc(n_layers, 5, sizeof *run->hidden);
    if (!run->hidden) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu layers", n_layers);
    run->bias = run->hidden + n_layers;
    run->constant = run->bias + n_layers;
    status = plan(run, &dry, error);
    if (status == RK_OK) {
        const rk_options *options = &run->plan->problem.options;
        size_t count = 0;
        rk_answer_count(&run->plan->problem, &count);
        run->data.bytes = dry.peak + count * sizeof(double);
        status = rk_context_claim(options, run->data.bytes, error);
        if (status == RK_OK) {
            status = execute(run, &dry, error);
            rk_context_release(options, run->data.bytes);
        }
    }
    free(dry.steps);
    return status;
}

rk_status rk_linearise(rk_linearisation **out, const rk_network *net, const rk_input *input,
                       const rk_options *options, rk_error *error) {
    const double start = rk_seconds();
    *out = NULL;
    rk_linearisation *run = calloc(1, sizeof *run);
    if (!run) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the run");
    pthread_mutex_init(&run->mutex, NULL);
    run->input_mean = input ? input->mean : NULL;
    rk_status status = rk_plan_create_for(&run->plan, true, net, input, options, error);
    if (status == RK_OK) status = make(run, error);
    if (status != RK_OK) {
        rk_linearisation_destroy(run);
        return status;
    }
    run->answer->data.seconds = rk_seconds() - start;
    run->data.answer = &run->answer->data;
    *out = run;
    return RK_OK;
}

void rk_linearisation_destroy(rk_linearisation *run) {
    if (!run) return;
    rk_work_finish(&run->work);
    rk_pool_destroy(run->pool);
    rk_answer_destroy(run->answer);
    rk_plan_destroy(run->plan);
    pthread_mutex_destroy(&run->mutex);
    free(run->steps);
    free(run->hidden);
    free(run);
}
