#include "estimate/plan.h"

#include "base/size.h"
#include "estimate/context.h"
#include "estimate/words.h"
#include "network/input.h"

#include <math.h>
#include <stdlib.h>

static rk_status check_options(const rk_options *options, rk_error *error) {
    if (options->threads < 0 || options->threads > RK_MAX_THREADS)
        return rk_fail(error, RK_ERROR_ARGUMENT, "%d threads: expected 0 to %d", options->threads,
                       RK_MAX_THREADS);
    if (options->cumulants != 0 && options->cumulants != 3 && options->cumulants != 4)
        return rk_fail(error, RK_ERROR_ARGUMENT, "cumulants up to degree %d: expected 3 or 4",
                       options->cumulants);
    if (options->cumulants != 0 && options->marginals)
        return rk_fail(error, RK_ERROR_ARGUMENT, "cumulants or marginals: one of them");
    if (options->receipt_samples > UINT64_MAX / 4 && options->receipt_samples != RK_NO_RECEIPT)
        return rk_fail(error, RK_ERROR_ARGUMENT, "nobody waits for a receipt of %llu samples",
                       (unsigned long long)options->receipt_samples);
    if (options->receipt_samples != 0 && options->receipt_samples < 2 * RK_RECEIPT_GROUPS)
        return rk_fail(error, RK_ERROR_ARGUMENT, "a receipt takes at least %d samples",
                       2 * RK_RECEIPT_GROUPS);
    if (!(options->budget_flops >= 0) || !(options->budget_seconds >= 0) ||
        !(options->tolerance >= 0))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "budgets of %g FLOPs and %g s, tolerance %g: none may be negative",
                       options->budget_flops, options->budget_seconds, options->tolerance);
    return RK_OK;
}

/* Puts what is chosen in the place of `auto`, or of the number of samples. */
static rk_status choose(rk_plan *plan, rk_error *error) {
    rk_problem *problem = &plan->problem;
    rk_options *options = &problem->options;
    const bool is_auto = !plan->method->run;
    const bool has_goal =
        options->budget_flops > 0 || options->budget_seconds > 0 || options->tolerance > 0;
    if (!is_auto && !(plan->method->samples && has_goal)) return RK_OK;
    const rk_sample_spec asked = problem->receipt;
    problem->receipt.n_samples = 0; /* it is nothing to choose by */
    rk_status status = rk_choose(&plan->choice, problem, is_auto ? NULL : &problem->spec, error);
    if (status != RK_OK) return status;
    const rk_candidate *chosen = &plan->choice.candidates[plan->choice.chosen];
    problem->known_roles = plan->choice.scout.roles;
    problem->spec = chosen->spec;
    plan->method = rk_method_of(&problem->spec);
    if (chosen->samples) options->samples = chosen->samples;
    bool by_default = is_auto && options->receipt_samples == 0;
    problem->receipt = by_default ? rk_choice_receipt(&plan->choice, problem) : asked;
    return RK_OK;
}

/* What methods see. */
static rk_status bring_to_normal_form(rk_plan *plan, rk_error *error) {
    rk_problem *problem = &plan->problem;
    rk_status status = rk_normal_form_create(&plan->form, plan->net, &problem->input, error);
    if (plan->form.net) problem->net = plan->form.net;
    problem->input.mean = NULL;
    problem->is_extreme = plan->form.is_extreme;
    return status;
}

/* Files are read for what the process may use, which takes longer than a small closure: where it
 * matters to the plan, or to anybody later. */
static void look_around(rk_plan *plan) {
    rk_options *options = &plan->problem.options;
    const bool is_auto = !plan->method->run, checked = options->receipt_samples != 0;
    const bool has_lanes = is_auto || plan->method->samples || checked;
    rk_context_settle(options);
    if (options->threads == 0 && has_lanes) options->threads = rk_pool_default_threads();
    if (options->memory_limit == 0 && is_auto) options->memory_limit = rk_usable_memory();
}

/* The options and the method, as this version has them. */
static rk_status accept(rk_plan *plan, const rk_options *asked, rk_error *error) {
    rk_problem *problem = &plan->problem;
    rk_status status = rk_options_accept(&problem->options, asked, error);
    if (status == RK_OK) status = rk_method_accept(&problem->spec, problem->options.method, error);
    problem->options.method = NULL; /* borrowed */
    if (status == RK_OK) plan->method = rk_method_of(&problem->spec);
    return status;
}

static rk_status fill(rk_plan *plan, const rk_options *asked, rk_error *error) {
    rk_problem *problem = &plan->problem;
    rk_options *options = &problem->options;
    rk_status status = accept(plan, asked, error);
    if (status == RK_OK) status = check_options(options, error);
    if (problem->goes_back) options->receipt_samples = RK_NO_RECEIPT;
    if (status == RK_OK) look_around(plan);
    if (status == RK_OK) status = bring_to_normal_form(plan, error);
    if (status != RK_OK) return status;
    if (options->receipt_samples != RK_NO_RECEIPT)
        problem->receipt = rk_receipt_spec(problem, options->receipt_samples);
    status = choose(plan, error);
    return status == RK_OK ? rk_problem_prepare(problem, &plan->dry, error) : status;
}

static rk_status create(rk_plan **out, bool goes_back, const rk_network *net, const rk_input *law,
                        const rk_options *options, rk_error *error) {
    *out = NULL;
    rk_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    plan->net = plan->problem.net = net;
    plan->problem.input = *law;
    plan->problem.goes_back = goes_back;
    rk_status status = fill(plan, options, error);
    if (status != RK_OK) {
        rk_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return RK_OK;
}

rk_status rk_plan_create_accepted(rk_plan **out, const rk_network *net, const rk_input *law,
                                  const rk_options *options, rk_error *error) {
    return create(out, false, net, law, options, error);
}

rk_status rk_plan_create_for(rk_plan **out, bool goes_back, const rk_network *net,
                             const rk_input *input, const rk_options *options, rk_error *error) {
    *out = NULL;
    const double start = rk_seconds();
    if (!net) return rk_fail(error, RK_ERROR_ARGUMENT, "no network");
    rk_input law;
    double *symmetric;
    rk_status status = rk_input_accept(&law, &symmetric, input, rk_network_n_in(net), error);
    if (status == RK_OK) status = create(out, goes_back, net, &law, options, error);
    if (status != RK_OK) {
        free(symmetric);
        return status;
    }
    (*out)->symmetric = symmetric;
    (*out)->seconds = rk_seconds() - start;
    return RK_OK;
}

static void destroy_mixture(rk_mixture_plan *mixture) {
    if (!mixture) return;
    for (size_t k = 0; mixture->part && k < mixture->n; k++)
        rk_plan_destroy(mixture->part[k]);
    free(mixture->part);
    free(mixture->number);
    free(mixture->weight);
    free((void *)mixture->cost.steps);
    free(mixture);
}

void rk_plan_destroy(rk_plan *plan) {
    if (!plan) return;
    rk_problem_clear(&plan->problem);
    free(plan->dry.steps);
    rk_choice_clear(&plan->choice);
    rk_normal_form_clear(&plan->form);
    free(plan->symmetric);
    destroy_mixture(plan->mixture);
    free(plan);
}

const rk_candidate *rk_plan_candidates(const rk_plan *plan, size_t *count) {
    *count = plan->choice.n;
    return plan->choice.candidates;
}

rk_cost rk_plan_cost_of(const rk_plan *plan, const rk_work *work) {
    const rk_method *method = plan->method;
    return (rk_cost){.flops_executed = work->flops,
                     .flops_convention = method->flops_convention
                                             ? method->flops_convention(&plan->problem)
                                             : (double)NAN,
                     .bytes = plan->dry.peak,
                     .steps = work->steps,
                     .n_steps = work->n_steps_done};
}

rk_cost rk_plan_cost(const rk_plan *plan) {
    return plan->mixture ? plan->mixture->cost : rk_plan_cost_of(plan, &plan->dry);
}
