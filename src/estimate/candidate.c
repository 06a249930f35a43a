#include "estimate/candidate.h"

#include "base/size.h"
#include "estimate/context.h"
#include "estimate/pace.h"
#include "estimate/prepare.h"
#include "network/homogeneous.h"
#include "propagate/mean.h"
#include "sample/division.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* More passes than a tolerance is expected to need, and less of the seconds than there are: cheaper
 * on average than to do it all again. */
static const double margin = 1.4;

/* Nobody waits for so many FLOPs, and the ledger ends at 1.8e19. */
static const double most_flops = 1e18;

/* ------------------------------------------------------------------ the network, the machine */

static rk_status scout_network(const rk_problem *problem, rk_scout *scout, rk_error *error) {
    size_t n = rk_network_n_out(problem->net);
    rk_mean_spec spec = {RK_METRIC_EXACT, false};
    rk_work dry, wet = {.dry = false};
    double *results = rk_alloc(2 * n, 1, sizeof *results);
    if (!results) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the choice of a method");
    rk_outputs outputs = {.mean = results, .variance = results + n, .regime = &scout->regime};
    rk_work_init_dry(&dry);
    rk_propagate_mean(&dry, problem->net, &problem->input, &spec, &outputs, NULL);
    rk_status status = rk_work_init_wet(&wet, &dry, NULL, error);
    if (status == RK_OK)
        rk_propagate_mean(&wet, problem->net, &problem->input, &spec, &outputs, NULL);
    scout->variance = 0;
    for (size_t i = 0; status == RK_OK && i < n; i++)
        scout->variance += results[n + i] / (double)n;
    rk_work_finish(&wet);
    free(dry.steps);
    free(results);
    return status;
}

/* Only a gauge asks for roles, and anchors for those of the first layers. */
static rk_status scout_roles(const rk_problem *problem, rk_scout *scout, rk_error *error) {
    const rk_network *net = problem->net;
    if (!rk_network_is_plain(net) || !rk_network_is_homogeneous(net)) return RK_OK;
    scout->roles = rk_alloc(net->n_layers, 1, sizeof *scout->roles);
    if (!scout->roles) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    return rk_roles_guess(scout->roles, net, &problem->input, error);
}

rk_status rk_scout_take(rk_scout *scout, const rk_problem *problem, rk_error *error) {
    const rk_options *options = &problem->options;
    rk_status status = scout_network(problem, scout, error);
    if (status == RK_OK) status = scout_roles(problem, scout, error);
    if (status == RK_OK)
        scout->speed = options->budget_seconds > 0 ? rk_context_speed(options) : RK_USUAL_SPEED;
    return status;
}

/* ------------------------------------------------------------------------- a single candidate */

static double seconds_of(const rk_problem *problem, const rk_candidate *c, double speed) {
    const rk_method *method = rk_method_of(&problem->spec);
    const rk_sample_spec passes = {.n_samples = c->samples,
                                   .points = problem->spec.points,
                                   .control = problem->spec.control != RK_CONTROL_NONE};
    return method->samples ? rk_pace_of_passes(problem, &passes, c->flops, speed)
                           : rk_pace_of_closure(problem, method, c->flops, speed);
}

/* Dry: what the problem's method costs with the candidate's passes. */
static rk_status plan(const rk_problem *asked, double speed, rk_candidate *c, rk_error *error) {
    rk_problem problem = *asked;
    rk_work dry = {.steps = NULL};
    problem.options.samples = c->samples;
    rk_status status = rk_problem_prepare(&problem, &dry, error);
    if (status == RK_OK) {
        c->flops = (double)dry.flops;
        c->bytes = dry.peak;
        c->seconds = seconds_of(asked, c, speed);
    }
    rk_problem_clear(&problem);
    free(dry.steps);
    return status;
}

static rk_division divide(const rk_problem *problem, double n) {
    const rk_method_spec *spec = &problem->spec;
    size_t n_in = rk_network_n_in(problem->net);
    return rk_divide(spec->points, spec->control != RK_CONTROL_NONE, n_in, (uint64_t)n);
}

/* Few replicates do not tell their own error, nor do few bases; the bases of a design say too much
 * of it to be held against a tolerance. Incomplete designs are left to orthogonal points. */
static double least_passes(const rk_problem *problem, bool has_tolerance) {
    enum { REPLICATES = RK_FEW_REPLICATES, BASES = 8, PASSES = 16 };
    static const double nearly_complete = 0.9;
    const rk_division one = divide(problem, 1);
    const double replicate = (double)one.passes_per_replicate;
    double least = one.by_group ? REPLICATES * replicate : PASSES;
    if (one.passes_per_group < one.passes_per_replicate && !has_tolerance)
        least = problem->spec.points == RK_POINTS_DESIGN ? nearly_complete * replicate
                                                         : BASES * (double)one.passes_per_group;
    return (double)divide(problem, least).n_passes;
}

/* How many passes fewer would keep to the budget, each being so dear; seconds may be unknown. */
static double passes_over(const rk_goal *budget, const rk_candidate *c, const rk_goal *pass) {
    return fmax((c->flops - budget->flops) / pass->flops,
                (c->seconds - budget->seconds) / pass->seconds);
}

/* Of a sampling candidate: as many passes as wanted, if the budget pays for them, but the least. */
static rk_status spend(const rk_problem *problem, double least, double wanted,
                       const rk_goal *budget, double speed, rk_candidate *c, rk_error *error) {
    c->samples = (uint64_t)least * 64;
    rk_status status = plan(problem, speed, c, error);
    const rk_candidate many = *c;
    c->samples = (uint64_t)least;
    if (status == RK_OK) status = plan(problem, speed, c, error);
    if (status != RK_OK) return status;
    const rk_goal pass = {.flops = (many.flops - c->flops) / (63 * least),
                          .seconds = (many.seconds - c->seconds) / (63 * least)};
    double n = fmin(wanted, least - passes_over(budget, c, &pass));
    /* whole replicates: what is bought may be a little more than what was asked for */
    for (int attempt = 0; attempt < 50 && n > least; attempt++) {
        const rk_division of = divide(problem, n);
        c->samples = of.n_passes;
        status = plan(problem, speed, c, error);
        const double over = passes_over(budget, c, &pass);
        if (status != RK_OK || !(over > 0)) return status;
        n -= fmax((double)of.passes_per_group, over);
    }
    c->samples = (uint64_t)least;
    return plan(problem, speed, c, error);
}

/* Mean square error over the variance to expect of a pass, of an anchored one what it would have
 * with `control`. Knowing a mean does no harm, which the laws do not see in deep networks. */
static double expected_of_pass(const rk_method_spec *spec, const rk_regime *met) {
    rk_method_spec plain = *spec;
    plain.control = RK_CONTROL_NONE;
    return fmin(rk_expected_of_pass(rk_error_laws_of(spec), met),
                rk_expected_of_pass(rk_error_laws_of(&plain), met));
}

/* The same of n passes. */
static double expected_of_passes(const rk_problem *problem, double of_pass, double n) {
    bool is_anchored = problem->spec.control == RK_CONTROL_ANCHOR;
    return is_anchored ? rk_anchor_choose(problem->net, of_pass / n).error : of_pass / n;
}

/* How many are expected to reach `target`; with an anchor that is never more than without. */
static double passes_to_reach(const rk_problem *problem, double of_pass, double target) {
    if (!(of_pass > target)) return 1;
    if (!(target > 0)) return (double)INFINITY;
    double n = of_pass / target, closer = 0;
    for (int k = 0; k < 100 && fabs(closer - 1) > 1e-3; k++) {
        closer = expected_of_passes(problem, of_pass, n) / target;
        n *= closer;
    }
    return n;
}

/* A method that samples: as many passes as the goal wants. Answers its expected error. */
static rk_status assess_sampling(const rk_scout *scout, const rk_problem *problem,
                                 const rk_goal *goal, rk_candidate *c, double *relative,
                                 rk_error *error) {
    double of_pass = expected_of_pass(&problem->spec, &scout->regime);
    double least = least_passes(problem, goal->tolerance > 0);
    double wanted = (double)INFINITY;
    rk_goal budget = {.flops = most_flops, .seconds = (double)INFINITY};
    if (goal->tolerance > 0)
        wanted = margin * passes_to_reach(problem, of_pass,
                                          goal->tolerance * goal->tolerance / scout->variance);
    if (goal->flops > 0) budget.flops = fmin(goal->flops, most_flops);
    if (goal->seconds > 0) budget.seconds = goal->seconds / margin;
    rk_status status = spend(problem, least, wanted, &budget, scout->speed, c, error);
    *relative = expected_of_passes(problem, of_pass, (double)c->samples);
    return status;
}

static rk_status assess(const rk_scout *scout, const rk_problem *problem, const rk_goal *goal,
                        rk_candidate *c, rk_error *error) {
    rk_problem asked = *problem; /* without what belongs to its own method */
    asked.spec = c->spec;
    asked.homogeneous = NULL;
    asked.roles = NULL;
    asked.anchor = (rk_anchor){0};
    const rk_method *method = rk_method_of(&c->spec);
    rk_status status = rk_problem_check(&asked, error);
    if (status != RK_OK) return status; /* before anybody counts its passes */
    const rk_error_laws *laws = rk_error_laws_of(&c->spec);
    double relative;
    if (method->samples) {
        status = assess_sampling(scout, &asked, goal, c, &relative, error);
    } else {
        status = plan(&asked, scout->speed, c, error);
        relative = rk_expected_relative(laws, &scout->regime);
    }
    if (status != RK_OK) return status;
    if (!method->samples && rk_is_beyond(laws, &scout->regime, c->verdict, sizeof c->verdict))
        return RK_OK;
    if (method->knows_no_covariance && (problem->options.covariance || problem->input.covariance))
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "knows no covariances");
    c->error_rms = sqrt(relative * scout->variance);
    return RK_OK;
}

void rk_candidate_assess(const rk_scout *scout, const rk_problem *problem,
                         const rk_method_spec *spec, const rk_goal *goal, rk_candidate *c) {
    rk_error error;
    *c = (rk_candidate){
        .spec = *spec, .error_rms = (double)NAN, .flops = (double)NAN, .seconds = (double)NAN};
    rk_method_spell(spec, c->method, sizeof c->method);
    if (assess(scout, problem, goal, c, &error) != RK_OK)
        snprintf(c->verdict, sizeof c->verdict, "%.150s", error.message);
    else if (!*c->verdict && isnan(c->error_rms))
        snprintf(c->verdict, sizeof c->verdict,
                 "its expected error overflows: the weights are too large");
}

bool rk_candidate_is_anchored(const rk_candidate *candidate) {
    return candidate->spec.control == RK_CONTROL_ANCHOR;
}
