#include "estimate/plan.h"

#include "base/size.h"
#include "network/input.h"

#include <math.h>
#include <stdlib.h>

rk_options rk_options_default(void) {
    return (rk_options){.method = "auto", .samples = 100000};
}

static rk_status check_options(const rk_options *options, rk_error *error) {
    if (options->threads < 0 || options->threads > RK_MAX_THREADS)
        return rk_fail(error, RK_ERROR_ARGUMENT, "%d threads: expected 0 to %d", options->threads,
                       RK_MAX_THREADS);
    if (options->cumulants != 0 && options->cumulants != 3 && options->cumulants != 4)
        return rk_fail(error, RK_ERROR_ARGUMENT, "cumulants up to degree %d: expected 3 or 4",
                       options->cumulants);
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

static rk_status check_scope(const rk_plan *plan, rk_error *error) {
    const rk_method *method = plan->method;
    if (plan->problem.input.third_cumulant && !method->takes_third_cumulant)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "%s takes Gaussian inputs only",
                       method->info.name);
    if (plan->problem.options.cumulants > method->most_cumulants)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "%s knows no cumulants of degree %d",
                       method->info.name, plan->problem.options.cumulants);
    return method->check ? method->check(&plan->problem, error) : RK_OK;
}

rk_status rk_plan_run(const rk_plan *plan, rk_work *work, rk_report *report, rk_receipt *receipt,
                      rk_error *error) {
    rk_status status = plan->method->run(work, &plan->problem, report, error);
    if (status != RK_OK || work->interrupted || plan->problem.receipt.n_samples == 0) return status;
    rk_work_release(work, 0);
    rk_work_listen(work, false);
    return rk_receipt_run(work, &plan->problem, receipt, error);
}

/* The dry run looks at what is wanted, never behind the pointers. */
static rk_status run_dry(rk_plan *plan, rk_error *error) {
    const rk_problem *problem = &plan->problem;
    double wanted = 0;
    double **hidden = rk_alloc(problem->net->n_layers, 1, sizeof *hidden);
    if (!hidden) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    const rk_options *options = &problem->options;
    rk_report nowhere = {.outputs = {.covariance = options->covariance ? &wanted : NULL,
                                     .third = options->cumulants >= 3 ? &wanted : NULL,
                                     .fourth = options->cumulants >= 4 ? &wanted : NULL,
                                     .hidden_mean = options->layers ? hidden : NULL}};
    rk_receipt none = {0};
    rk_work_init_dry(&plan->dry);
    rk_status status = rk_plan_run(plan, &plan->dry, &nowhere, &none, error);
    free(hidden);
    return status;
}

static rk_status check_memory(const rk_plan *plan, rk_error *error) {
    const rk_problem *problem = &plan->problem;
    static const uint64_t everybody_has = 1 << 26;
    uint64_t limit = problem->options.memory_limit;
    size_t bytes;
    if (plan->dry.overflow || !rk_answer_count(problem, &bytes) ||
        !rk_size_mul(bytes, sizeof(double), &bytes) || !rk_size_add(bytes, plan->dry.peak, &bytes))
        return rk_fail(error, RK_ERROR_TOO_LARGE, "%s needs more memory than any machine has",
                       plan->canonical);
    if (limit == 0) limit = bytes <= everybody_has ? everybody_has : rk_usable_memory();
    if (bytes > limit)
        return rk_fail(error, RK_ERROR_TOO_LARGE, "%s needs %zu bytes; the limit is %llu",
                       plan->canonical, bytes, (unsigned long long)limit);
    return RK_OK;
}

rk_status rk_plan_prepare(rk_plan *plan, rk_error *error) {
    rk_problem *problem = &plan->problem;
    rk_status status = check_scope(plan, error);
    if (status == RK_OK && plan->method->resolve) {
        status = plan->method->resolve(problem, error);
        rk_method_spell(plan->method, &problem->arguments, plan->canonical, sizeof plan->canonical);
    }
    if (status == RK_OK) status = run_dry(plan, error);
    return status == RK_OK ? check_memory(plan, error) : status;
}

static rk_status parse(rk_plan *plan, rk_error *error) {
    rk_problem *problem = &plan->problem;
    return rk_method_parse(problem->options.method, &plan->method, &problem->arguments,
                           plan->canonical, sizeof plan->canonical, error);
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
    rk_status status = rk_choose(&plan->choice, problem, is_auto ? NULL : plan->canonical, error);
    if (status != RK_OK) return status;
    const rk_candidate *chosen = &plan->choice.candidates[plan->choice.chosen];
    problem->known_roles = plan->choice.scout.roles;
    options->method = chosen->method;
    if (chosen->samples) options->samples = chosen->samples;
    bool by_default = is_auto && options->receipt_samples == 0;
    problem->receipt = by_default ? rk_choice_receipt(&plan->choice, problem) : asked;
    return parse(plan, error);
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
    if (options->threads == 0 && has_lanes) options->threads = rk_pool_default_threads();
    if (options->memory_limit == 0 && is_auto) options->memory_limit = rk_usable_memory();
}

static rk_status fill(rk_plan *plan, rk_error *error) {
    rk_problem *problem = &plan->problem;
    rk_options *options = &problem->options;
    rk_status status = parse(plan, error);
    if (status == RK_OK) status = check_options(options, error);
    if (status == RK_OK && !plan->method->takes_residuals)
        status = rk_network_check_plain(plan->net, plan->method->info.name, error);
    if (status == RK_OK) look_around(plan);
    if (status == RK_OK) status = bring_to_normal_form(plan, error);
    if (status != RK_OK) return status;
    if (options->receipt_samples != RK_NO_RECEIPT)
        problem->receipt = rk_receipt_spec(problem, options->receipt_samples);
    status = choose(plan, error);
    return status == RK_OK ? rk_plan_prepare(plan, error) : status;
}

rk_status rk_plan_create_accepted(rk_plan **out, const rk_network *net, const rk_input *law,
                                  const rk_options *options, rk_error *error) {
    *out = NULL;
    rk_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    plan->net = plan->problem.net = net;
    plan->problem.input = *law;
    plan->problem.options = options ? *options : rk_options_default();
    rk_status status = fill(plan, error);
    if (status != RK_OK) {
        rk_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return RK_OK;
}

rk_status rk_plan_create(rk_plan **out, const rk_network *net, const rk_input *input,
                         const rk_options *options, rk_error *error) {
    *out = NULL;
    const double start = rk_seconds();
    if (!net) return rk_fail(error, RK_ERROR_ARGUMENT, "no network");
    rk_input law;
    double *symmetric;
    rk_status status = rk_input_accept(&law, &symmetric, input, rk_network_n_in(net), error);
    if (status == RK_OK) status = rk_plan_create_accepted(out, net, &law, options, error);
    if (status != RK_OK) {
        free(symmetric);
        return status;
    }
    (*out)->symmetric = symmetric;
    (*out)->seconds = rk_seconds() - start;
    return RK_OK;
}

void rk_plan_clear(rk_plan *plan) {
    rk_network_destroy(plan->problem.homogeneous);
    free(plan->problem.roles);
    free(plan->dry.steps);
}

void rk_plan_destroy(rk_plan *plan) {
    if (!plan) return;
    rk_plan_clear(plan);
    rk_choice_clear(&plan->choice);
    rk_normal_form_clear(&plan->form);
    free(plan->symmetric);
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
    return rk_plan_cost_of(plan, &plan->dry);
}
