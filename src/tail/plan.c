#include "tail/plan.h"

#include "base/size.h"
#include "estimate/candidate.h"
#include "estimate/context.h"
#include "estimate/pace.h"
#include "estimate/words.h"
#include "linalg/blas.h"
#include "network/input.h"
#include "tail/event.h"

#include <math.h>
#include <stdlib.h>

/* ---------------------------------------------------------------------------------- a round */

rk_tail_job rk_tail_job_of(const rk_tail_plan *plan, rk_tail_mode mode, rk_pool *pool) {
    return (rk_tail_job){.mode = mode,
                         .options = &plan->options,
                         .source = &plan->source,
                         .pool = pool,
                         .lanes = plan->lanes,
                         .memory_limit = plan->memory_limit,
                         .n_events = plan->n_events};
}

rk_status rk_tail_round(rk_tail_job *job, const rk_tail_plan *plan, rk_tail_part *parts,
                        uint64_t passes, rk_error *error) {
    const double limit = job->flops_limit;
    rk_status status = RK_OK;
    double later = 0; /* what the groups to come take */
    for (size_t g = 0; g < plan->n_groups; g++)
        later += (double)parts[g].flops;
    for (size_t g = 0; status == RK_OK && !job->interrupted && g < plan->n_groups; g++) {
        rk_tail_part *part = &parts[g];
        const bool is_dry = job->mode != RK_TAIL_WET, had_laws = part->laws != NULL;
        const uint64_t before = job->ledger.flops;
        later -= (double)part->flops;
        if (part->n == 0) continue;
        job->target = &plan->groups[g].target;
        job->name = plan->groups[g].name;
        job->queries = part->queries;
        job->n = part->n;
        job->laws = part->laws;
        job->passes = passes;
        job->is_spent = false;
        if (limit > 0) job->flops_limit = limit - later;
        status = plan->method->run(job, error);
        if (is_dry) part->flops = job->ledger.flops - before;
        part->laws = job->laws;
        if (!is_dry || had_laws) continue;
        free(part->laws);
        part->laws = NULL;
    }
    job->flops_limit = limit;
    return status;
}

/* ----------------------------------------------------------------------------- its passes */

/* FLOPs of a round with so many passes; infinite if they need more memory than there is. */
static rk_status cost_of(const rk_tail_plan *plan, rk_tail_part *parts, uint64_t passes,
                         double *flops, rk_error *error) {
    rk_tail_job job = rk_tail_job_of(plan, RK_TAIL_AS_HOPED, NULL);
    rk_error own;
    rk_status status = rk_tail_round(&job, plan, parts, passes, &own);
    *flops = status == RK_OK ? (double)job.ledger.flops : (double)INFINITY;
    rk_tail_ledger_clear(&job.ledger);
    if (status == RK_OK || (status == RK_ERROR_TOO_LARGE && passes > RK_TAIL_LEAST_PASSES))
        return RK_OK;
    return rk_fail(error, status, "%s", own.message);
}

rk_status rk_tail_affordable(const rk_tail_plan *plan, rk_tail_part *parts, uint64_t wanted,
                             double flops, uint64_t *passes, rk_error *error) {
    enum { STEPS = 12 };
    double low = RK_TAIL_LEAST_PASSES, high = (double)wanted, cost;
    rk_status status = cost_of(plan, parts, wanted, &cost, error);
    if (cost <= flops) low = high;
    for (int k = 0; status == RK_OK && k < STEPS && low < high; k++) {
        const double middle = floor(sqrt(low * high));
        status = cost_of(plan, parts, (uint64_t)middle, &cost, error);
        if (cost <= flops)
            low = middle;
        else
            high = middle;
    }
    *passes = (uint64_t)low;
    return status == RK_OK ? cost_of(plan, parts, *passes, &cost, error) : status;
}

/* ------------------------------------------------------------------------------- its limits */

/* FLOPs that are done where nothing but a tolerance is given: five minutes of two usual cores. */
static const double PATIENCE = 300 * RK_USUAL_SPEED;

/* Nobody waits for more, whatever budget is given. */
static const double MOST_FLOPS = 1e16;

/* Of a number of seconds only so many parts are planned for: paces are rough. */
static const double MARGIN = 1.4;

static double flops_of_pass(const rk_network *net) {
    double flops = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        flops += 2.0 * (double)net->layers[l].rows * (double)net->layers[l].cols;
    return flops;
}

/* FLOPs a second of plain passes, the slowest group's. */
static double pass_speed(const rk_tail_plan *plan) {
    const double speed = rk_context_speed(&plan->options);
    double slowest = speed;
    for (size_t g = 0; g < plan->n_groups; g++) {
        const rk_problem problem = {.net = &plan->groups[g].target.net};
        const rk_sample_spec passes = {.n_samples = 100000};
        const double flops = flops_of_pass(problem.net) * (double)passes.n_samples;
        slowest = fmin(slowest, flops / rk_pace_of_passes(&problem, &passes, flops, speed));
    }
    return slowest;
}

static double cheapest_pass(const rk_tail_plan *plan) {
    double least = MOST_FLOPS;
    for (size_t g = 0; g < plan->n_groups; g++)
        least = fmin(least, flops_of_pass(&plan->groups[g].target.net));
    return least;
}

static bool has_budget(const rk_options *options) {
    return options->budget_flops > 0 || options->budget_seconds > 0;
}

static double limit_of(const rk_tail_plan *plan) {
    const rk_options *options = &plan->options;
    double limit = INFINITY;
    if (options->budget_flops > 0) limit = options->budget_flops;
    if (options->budget_seconds > 0)
        limit = fmin(limit, options->budget_seconds * pass_speed(plan) / MARGIN);
    return has_budget(options) ? limit : PATIENCE;
}

/* By a budget as many passes as it pays for; by a tolerance a tenth of what would be done without,
 * for a start. The limit pays for that much in any case: what is dearer is unmet. */
static rk_status choose_passes(rk_tail_plan *plan, rk_tail_part *parts, rk_error *error) {
    const rk_options *options = &plan->options;
    plan->passes = options->samples;
    if (!has_budget(options) && !(options->tolerance > 0)) return RK_OK;
    const double limit = limit_of(plan), done = (double)plan->prepared.flops;
    double wanted = fmin(limit, MOST_FLOPS) / cheapest_pass(plan);
    if (options->tolerance > 0) wanted = fmin(wanted, (double)options->samples / 10);
    wanted = fmax(wanted, RK_TAIL_LEAST_PASSES);
    rk_status status =
        rk_tail_affordable(plan, parts, (uint64_t)wanted, limit - done, &plan->passes, error);
    double needed = done;
    for (size_t g = 0; g < plan->n_groups; g++)
        needed += (double)parts[g].flops;
    plan->flops_limit = fmax(limit, needed);
    return status;
}

/* --------------------------------------------------------------------------------- the whole */

static rk_status check(const rk_network *net, const rk_input *input, const rk_event *events,
                       size_t n, const rk_options *options, rk_error *error) {
    if (!net || (n > 0 && !events))
        return rk_fail(error, RK_ERROR_ARGUMENT, net ? "no events" : "no network");
    if (options->samples == 0) return rk_fail(error, RK_ERROR_ARGUMENT, "no samples");
    if (!(options->budget_flops >= 0) || !(options->budget_seconds >= 0) ||
        !(options->tolerance >= 0))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "budgets of %g FLOPs and %g s, tolerance %g: none may be negative",
                       options->budget_flops, options->budget_seconds, options->tolerance);
    if (input && input->third_cumulant)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "events take normal inputs only");
    rk_status status = RK_OK;
    for (size_t i = 0; status == RK_OK && i < n; i++)
        status = rk_event_check(&events[i], net, error);
    return status;
}

/* Outputs first, then layer by layer. */
static rk_status make_groups(rk_tail_plan *plan, const rk_input *law, const rk_event *events,
                             rk_pool *pool, rk_error *error) {
    rk_tail_job job = rk_tail_job_of(plan, RK_TAIL_WET, pool);
    job.options = &(rk_options){.progress = NULL};
    plan->groups = rk_alloc(plan->net->n_layers + 1, 1, sizeof *plan->groups);
    if (!plan->groups) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    rk_status status = RK_OK;
    for (size_t layer = 0; status == RK_OK && layer <= plan->net->n_layers; layer++) {
        if (rk_tail_group_count(events, plan->n_events, layer) == 0) continue;
        status = rk_tail_group_create(&plan->groups[plan->n_groups++], &job, plan->net, law, events,
                                      plan->n_events, layer, error);
    }
    plan->prepared = job.ledger;
    return status;
}

/* The dearest way through the whole. */
static rk_status plan_at_most(rk_tail_plan *plan, rk_tail_part *parts, rk_error *error) {
    rk_tail_job job = rk_tail_job_of(plan, RK_TAIL_AT_MOST, NULL);
    rk_status status = rk_tail_ledger_copy(&job.ledger, &plan->prepared, error);
    if (status == RK_OK) status = rk_tail_round(&job, plan, parts, plan->passes, error);
    plan->at_most = job.ledger;
    return status;
}

static rk_status fill(rk_tail_plan *plan, const rk_input *law, const rk_event *events,
                      rk_error *error) {
    rk_options *options = &plan->options;
    rk_pool *pool = NULL;
    rk_status status = rk_tail_method_accept(&plan->spec, options->tail,
                                             rk_network_is_plain(plan->net), &plan->source, error);
    if (status != RK_OK) return status;
    plan->method = rk_tail_method_of(&plan->spec);
    char text[RK_METHOD_TEXT];
    rk_tail_method_spell(&plan->spec, text, sizeof text);
    if (plan->source.closure != RK_LAW_COVARIANCE)
        status = rk_network_check_plain(plan->net, text, error);
    rk_context_settle(options);
    if (options->threads == 0) options->threads = rk_pool_default_threads();
    plan->lanes = (size_t)options->threads;
    plan->memory_limit = options->memory_limit ? options->memory_limit : rk_usable_memory();
    if (status == RK_OK) status = rk_blas_check_room(options->threads, error);
    if (status == RK_OK) status = rk_context_pool(&pool, options, error);
    if (status == RK_OK) {
        rk_blas_make_serial();
        status = make_groups(plan, law, events, pool, error);
        rk_blas_restore();
    }
    rk_pool_destroy(pool);
    rk_tail_part *parts = rk_alloc(plan->n_groups, 1, sizeof *parts);
    if (status == RK_OK && !parts)
        status = rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    for (size_t g = 0; status == RK_OK && g < plan->n_groups; g++)
        parts[g] = (rk_tail_part){.queries = plan->groups[g].queries, .n = plan->groups[g].n};
    if (status == RK_OK) status = choose_passes(plan, parts, error);
    if (status == RK_OK) status = plan_at_most(plan, parts, error);
    free(parts);
    return status;
}

rk_status rk_tail_plan_create_for(rk_tail_plan **out, const rk_network *net, const rk_input *input,
                                  const rk_event *events, size_t n_events,
                                  const rk_options *options, rk_error *error) {
    const double start = rk_seconds();
    *out = NULL;
    rk_input law;
    double *symmetric = NULL;
    rk_tail_plan *plan = calloc(1, sizeof *plan);
    rk_status status = plan ? rk_options_accept(&plan->options, options, error)
                            : rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    if (status == RK_OK) status = check(net, input, events, n_events, &plan->options, error);
    if (status == RK_OK)
        status = rk_input_accept(&law, &symmetric, input, rk_network_n_in(net), error);
    if (status == RK_OK) {
        plan->net = net;
        plan->n_events = n_events;
        status = fill(plan, &law, events, error);
        plan->seconds = rk_seconds() - start;
    }
    free(symmetric);
    if (status != RK_OK) {
        rk_tail_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return RK_OK;
}

rk_tail_cost rk_tail_plan_cost(const rk_tail_plan *plan) {
    const rk_tail_ledger *ledger = &plan->at_most;
    rk_tail_cost cost = {.flops = ledger->flops,
                         .is_exact = plan->method->is_exact,
                         .bytes = ledger->bytes,
                         .samples = plan->passes,
                         .steps = ledger->steps,
                         .n_steps = ledger->n_steps};
    const bool may_repeat = plan->options.tolerance > 0 && plan->method->takes_passes;
    if (may_repeat) cost.is_exact = false;
    if (plan->flops_limit > 0 && (may_repeat || (double)cost.flops > plan->flops_limit))
        cost.flops = (uint64_t)plan->flops_limit;
    return cost;
}

static void destroy_mixture(rk_tail_mixture *mixture) {
    if (!mixture) return;
    for (size_t k = 0; mixture->part && k < mixture->n; k++)
        rk_tail_plan_destroy(mixture->part[k]);
    free(mixture->part);
    free(mixture->number);
    free(mixture->log10_weight);
    free(mixture);
}

void rk_tail_plan_destroy(rk_tail_plan *plan) {
    if (!plan) return;
    for (size_t g = 0; g < plan->n_groups; g++)
        rk_tail_group_clear(&plan->groups[g]);
    free(plan->groups);
    rk_tail_ledger_clear(&plan->prepared);
    rk_tail_ledger_clear(&plan->at_most);
    destroy_mixture(plan->mixture);
    free(plan);
}
