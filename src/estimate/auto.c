#include "estimate/auto.h"

#include "base/size.h"
#include "estimate/anchor.h"
#include "estimate/error_model.h"
#include "linalg/blas.h"
#include "propagate/mean.h"
#include "sample/division.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double default_flops = 1e11; /* a second or two */

/* More passes than a tolerance is expected to need, and less of the seconds than there are: cheaper
 * on average than to do it all again. */
static const double margin = 1.4;

rk_goal rk_goal_of(const rk_options *options, bool is_auto) {
    rk_goal goal = {options->budget_flops, options->budget_seconds, options->tolerance};
    if (is_auto && goal.flops == 0 && goal.seconds == 0 && goal.tolerance == 0)
        goal.flops = default_flops;
    return goal;
}

/* ------------------------------------------------------------------ the network, the machine */

static rk_status look(const rk_problem *problem, rk_scout *scout, rk_error *error) {
    size_t n = rk_network_n_out(problem->net);
    rk_mean_spec spec = {RK_METRIC_EXACT, false};
    rk_work dry, wet = {.dry = false};
    double *results = rk_alloc(2 * n, 1, sizeof *results);
    if (!results) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the choice of a method");
    scout->outputs = (rk_outputs){.mean = results, .variance = results + n};
    rk_work_init_dry(&dry);
    rk_propagate_mean(&dry, problem->net, &problem->input, &spec, &scout->outputs);
    rk_status status = rk_work_init_wet(&wet, &dry, NULL, error);
    if (status == RK_OK)
        rk_propagate_mean(&wet, problem->net, &problem->input, &spec, &scout->outputs);
    scout->variance = 0;
    for (size_t i = 0; status == RK_OK && i < n; i++)
        scout->variance += results[n + i] / (double)n;
    rk_work_finish(&wet);
    free(dry.steps);
    free(results);
    return status;
}

/* FLOPs a second of a double product; NaN if there is no memory for one. */
static double measure_speed(int threads) {
    enum { N = 192 };
    static const double long_enough = 4e-3;
    rk_work work = {.dry = false};
    double *matrix = calloc(3 * N * N, sizeof *matrix), best = (double)NAN;
    if (matrix && rk_pool_create(&work.pool, threads, NULL) == RK_OK) {
        int blas_threads = rk_blas_make_serial();
        for (double first = rk_seconds(), start = first; start < first + long_enough;) {
            rk_gemm(&work, RK_NO_TRANS, RK_NO_TRANS, N, N, N, 1, matrix, N, matrix + N * N, N, 0,
                    matrix + 2 * N * N, N);
            double end = rk_seconds();
            best = fmax(best, 2.0 * N * N * N / (end - start));
            start = end;
        }
        rk_blas_restore(blas_threads);
        rk_pool_destroy(work.pool);
    }
    free(matrix);
    return best;
}

/* FLOPs a second of a method over those of a large double product: for wide layers, and the width
 * at which it is half of that. Roughly measured; products in float count double. */
static const struct pace {
    const char *name;
    double wide, half_width;
} paces[] = {
    {"mean", 0.05, 10}, {"covariance", 0.8, 80}, {"gain", 0.5, 60},
    {"third", 1, 60},   {"fourth", 0.2, 40},     {"sample", 1.2, 60},
};

static double flops_a_second(const rk_choice *choice, const rk_problem *problem,
                             const rk_method *method) {
    double width = (double)rk_network_max_width(problem->net);
    for (size_t i = 0; i < sizeof paces / sizeof *paces; i++)
        if (!strcmp(paces[i].name, method->info.name))
            return choice->speed * paces[i].wide * width / (width + paces[i].half_width);
    return choice->speed;
}

/* ------------------------------------------------------------------------- a single candidate */

static rk_status cost(const rk_problem *problem, rk_candidate *c, rk_error *error) {
    rk_options options = problem->options;
    options.method = c->method;
    options.samples = c->samples;
    options.budget_flops = options.budget_seconds = options.tolerance = 0;
    rk_plan *plan;
    rk_status status = rk_plan_create(&plan, problem->net, &problem->input, &options, error);
    if (status != RK_OK) return status;
    c->flops = (double)rk_plan_cost(plan).flops_executed;
    c->bytes = rk_plan_cost(plan).bytes;
    rk_plan_destroy(plan);
    return RK_OK;
}

static rk_division divide(const rk_problem *problem, const rk_method_arguments *a, double n) {
    size_t n_in = rk_network_n_in(problem->net);
    return rk_divide((rk_point_set)a->points, a->control != 0, n_in, (uint64_t)n);
}

/* Few replicates do not tell their own error, nor do few bases; the bases of a design say too much
 * of it to be held against a tolerance. Incomplete designs are left to orthogonal points. */
static double least_passes(const rk_problem *problem, const rk_method_arguments *a,
                           bool has_tolerance) {
    enum { REPLICATES = RK_FEW_REPLICATES, BASES = 8, PASSES = 16 };
    static const double nearly_complete = 0.9;
    const rk_division one = divide(problem, a, 1);
    const double replicate = (double)one.passes_per_replicate;
    double least = one.by_group ? REPLICATES * replicate : PASSES;
    if (one.passes_per_group < one.passes_per_replicate && !has_tolerance)
        least = a->points == RK_POINTS_DESIGN ? nearly_complete * replicate
                                              : BASES * (double)one.passes_per_group;
    return (double)divide(problem, a, least).n_passes;
}

/* Of a sampling candidate: as many passes as wanted, if `flops` pay for them, but the least. */
static rk_status spend(const rk_problem *problem, const rk_method_arguments *arguments,
                       double least, double wanted, double flops, rk_candidate *c,
                       rk_error *error) {
    c->samples = (uint64_t)least * 64;
    rk_status status = cost(problem, c, error);
    double many = c->flops;
    c->samples = (uint64_t)least;
    if (status == RK_OK) status = cost(problem, c, error);
    if (status != RK_OK) return status;
    double price = (many - c->flops) / (63 * least);
    flops = fmin(flops, 1e18); /* the ledger ends at 1.8e19 */
    double n = fmin(wanted, least + (flops - c->flops) / price);
    /* whole replicates: what is bought may be a little more than what was asked for */
    for (int attempt = 0; attempt < 50 && n > least; attempt++) {
        const rk_division of = divide(problem, arguments, n);
        c->samples = of.n_passes;
        status = cost(problem, c, error);
        if (status != RK_OK || c->flops <= flops) return status;
        n -= fmax((double)of.passes_per_group, (c->flops - flops) / price);
    }
    c->samples = (uint64_t)least;
    return cost(problem, c, error);
}

/* Mean square error over the variance to expect of a pass, of an anchored one what it would have
 * with `control`. Knowing a mean does no harm, which the laws do not see in deep networks. */
static double expected_of_pass(const rk_error_law *law, const rk_method *method,
                               rk_method_arguments arguments, const rk_outputs *scout) {
    char plain[sizeof((rk_candidate *)0)->method];
    arguments.control = RK_CONTROL_NONE;
    rk_method_spell(method, &arguments, plain, sizeof plain);
    return fmin(rk_expected_of_pass(law, scout),
                rk_expected_of_pass(rk_error_law_of(plain), scout));
}

/* The same of n passes. */
static double expected_of_passes(const rk_problem *problem, const rk_method_arguments *arguments,
                                 double of_pass, double n) {
    bool is_anchored = arguments->control == RK_CONTROL_ANCHOR;
    return is_anchored ? rk_anchor_choose(problem->net, of_pass / n).error : of_pass / n;
}

/* How many are expected to reach `target`; with an anchor that is never more than without. */
static double passes_to_reach(const rk_problem *problem, const rk_method_arguments *arguments,
                              double of_pass, double target) {
    double n = of_pass / target, closer = 0;
    for (int k = 0; k < 100 && fabs(closer - 1) > 1e-3; k++) {
        closer = expected_of_passes(problem, arguments, of_pass, n) / target;
        n *= closer;
    }
    return n;
}

/* What is wrong with it is its verdict; "" if nothing is. */
static void assess(const rk_choice *choice, const rk_problem *problem, const rk_error_law *law,
                   double variance, const rk_goal *goal, rk_candidate *c) {
    rk_error error;
    const rk_method *method;
    rk_method_arguments arguments;
    *c = (rk_candidate){.error_rms = (double)NAN, .flops = (double)NAN, .seconds = (double)NAN};
    rk_status status =
        rk_method_parse(law->method, &method, &arguments, c->method, sizeof c->method, &error);
    if (status != RK_OK) return;
    const rk_outputs *scout = &choice->scout.outputs;
    double relative = method->samples ? expected_of_pass(law, method, arguments, scout)
                                      : rk_expected_relative(law, scout);
    double speed = flops_a_second(choice, problem, method);
    if (method->samples) {
        double least = least_passes(problem, &arguments, goal->tolerance > 0);
        double wanted = (double)INFINITY, flops = (double)INFINITY;
        if (goal->tolerance > 0)
            wanted = margin * passes_to_reach(problem, &arguments, relative,
                                              goal->tolerance * goal->tolerance / variance);
        if (goal->flops > 0) flops = goal->flops;
        if (goal->seconds > 0) flops = fmin(flops, goal->seconds * speed / margin);
        status = spend(problem, &arguments, least, wanted, flops, c, &error);
        relative = expected_of_passes(problem, &arguments, relative, (double)c->samples);
    } else {
        status = cost(problem, c, &error);
    }
    if (status != RK_OK) {
        snprintf(c->verdict, sizeof c->verdict, "%.150s", error.message);
        return;
    }
    c->seconds = c->flops / speed;
    if (!method->samples && rk_is_beyond(law, scout, c->verdict, sizeof c->verdict)) return;
    if (method->knows_no_covariance && (problem->options.covariance || problem->input.covariance))
        snprintf(c->verdict, sizeof c->verdict, "knows no covariances");
    else
        c->error_rms = sqrt(relative * variance);
}

/* --------------------------------------------------------------------------------- the choice */

static bool is_sampling(const rk_candidate *c) {
    return c->samples > 0;
}

static bool is_usable(const rk_candidate *c) {
    return c->error_rms >= 0;
}

static bool is_affordable(const rk_goal *goal, const rk_candidate *c) {
    return (goal->flops == 0 || c->flops <= goal->flops) &&
           (goal->seconds == 0 || c->seconds <= goal->seconds);
}

/* What one FLOP less is worth, if `weighed`: as much accuracy as sampling has for it. */
static double price(const rk_candidate *c, bool weighed) {
    return weighed ? c->flops * c->error_rms * c->error_rms : c->flops;
}

/* The cheapest with at most this error, or NULL. */
static rk_candidate *cheapest(rk_choice *choice, const rk_goal *goal, double error, bool weighed,
                              bool sampling) {
    rk_candidate *best = NULL;
    for (size_t i = 0; i < choice->n; i++) {
        rk_candidate *c = &choice->candidates[i];
        if (!is_usable(c) || (goal && !is_affordable(goal, c)) || !(c->error_rms <= error))
            continue;
        if (sampling && !is_sampling(c)) continue;
        if (!best || price(c, weighed) < price(best, weighed)) best = c;
    }
    return best;
}

static double least_error(const rk_choice *choice, const rk_goal *goal, bool sampling) {
    double least = (double)INFINITY;
    for (size_t i = 0; i < choice->n; i++) {
        const rk_candidate *c = &choice->candidates[i];
        if (is_usable(c) && is_affordable(goal, c) && (is_sampling(c) || !sampling))
            least = fmin(least, c->error_rms);
    }
    return least;
}

/* Differences in error below this are not worth much: the laws are no better. */
static const double indifferent = 1.1;

/* The cheapest that reaches the tolerance, else about the most accurate, or NULL. */
static rk_candidate *pick(rk_choice *choice, const rk_goal *goal, bool sampling) {
    rk_candidate *c = NULL;
    if (goal->tolerance > 0) c = cheapest(choice, goal, goal->tolerance, false, sampling);
    double about_least = indifferent * least_error(choice, goal, sampling);
    if (!c) c = cheapest(choice, goal, about_least, true, sampling);
    return c;
}

static void give_verdicts(rk_choice *choice) {
    const rk_goal *goal = &choice->goal;
    const rk_candidate *chosen = &choice->candidates[choice->chosen];
    for (size_t i = 0; i < choice->n; i++) {
        rk_candidate *c = &choice->candidates[i];
        if (!is_usable(c)) continue;
        bool is_far = goal->tolerance > 0 && !(c->error_rms <= goal->tolerance);
        snprintf(c->verdict, sizeof c->verdict, "%s",
                 c == chosen                        ? "chosen"
                 : !is_affordable(goal, c)          ? "over the budget"
                 : is_far                           ? "not accurate enough"
                 : c->error_rms > chosen->error_rms ? "less accurate"
                                                    : "dearer");
    }
}

static void give_reason(rk_choice *choice) {
    const rk_goal *goal = &choice->goal;
    const rk_candidate *chosen = &choice->candidates[choice->chosen];
    size_t n_usable = 0, size = sizeof choice->reason;
    for (size_t i = 0; i < choice->n; i++)
        n_usable += is_usable(&choice->candidates[i]);
    char budget[64] = "any budget";
    if (goal->flops > 0) snprintf(budget, sizeof budget, "%.3g FLOPs", goal->flops);
    if (goal->seconds > 0) snprintf(budget, sizeof budget, "%.3g s", goal->seconds);
    if (!is_affordable(goal, chosen))
        snprintf(choice->reason, size, "nothing fits into %s: the cheapest of %zu", budget,
                 n_usable);
    else if (goal->tolerance > 0 && chosen->error_rms <= goal->tolerance)
        snprintf(choice->reason, size, "the cheapest of %zu that is expected to reach %.3g",
                 n_usable, goal->tolerance);
    else if (goal->tolerance > 0)
        snprintf(choice->reason, size,
                 "nothing within %s is expected to reach %.3g: the most accurate of %zu", budget,
                 goal->tolerance, n_usable);
    else
        snprintf(choice->reason, size, "expected to be the most accurate of %zu within %s",
                 n_usable, budget);
}

/* There for comparison: the published family, which has faster twins, and what was fitted to do
 * without the gauge. */
static bool is_compared_only(const rk_error_law *law) {
    return !strncmp(law->method, "reference", 9) || !strcmp(law->method, "third:gauge=fitted");
}

static bool is_eligible(const rk_error_law *law, const char *only) {
    return only ? rk_error_law_of(only) == law : !is_compared_only(law);
}

rk_status rk_choose(rk_choice *choice, const rk_problem *problem, const rk_goal *goal,
                    const char *only, rk_error *error) {
    *choice = (rk_choice){.goal = *goal};
    rk_status status = look(problem, &choice->scout, error);
    if (status != RK_OK) return status;
    choice->speed = measure_speed(problem->options.threads);
    size_t n_laws = 0;
    while (rk_error_law_at(n_laws))
        n_laws++;
    choice->candidates = calloc(n_laws, sizeof *choice->candidates);
    if (!choice->candidates)
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for the choice of a method");
    for (size_t i = 0; i < n_laws; i++) {
        const rk_error_law *law = rk_error_law_at(i);
        if (is_eligible(law, only))
            assess(choice, problem, law, choice->scout.variance, goal,
                   &choice->candidates[choice->n++]);
    }
    rk_candidate *best = pick(choice, goal, false);
    if (!best) best = cheapest(choice, NULL, (double)INFINITY, false, false);
    if (!best)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "no method is right here: %s: %s",
                       choice->candidates[0].method, choice->candidates[0].verdict);
    choice->chosen = (size_t)(best - choice->candidates);
    give_verdicts(choice);
    if (!only) give_reason(choice);
    return RK_OK;
}

static bool is_anchored(const rk_candidate *c) {
    return strstr(c->method, ",anchor") != NULL;
}

/* The scout's variance, corrected by what the run has found. */
static double known_variance(const rk_choice *choice, const rk_answer_data *answer) {
    const rk_candidate *chosen = &choice->candidates[choice->chosen];
    double ratio = answer->error_rms / chosen->error_rms, sum = 0;
    if (answer->samples && !is_anchored(chosen)) return choice->scout.variance * ratio * ratio;
    for (size_t i = 0; i < answer->n_out; i++)
        sum += answer->variance[i] / (double)answer->n_out;
    return sum > 0 && isfinite(sum) ? sum : choice->scout.variance;
}

bool rk_choose_again(const rk_choice *choice, const rk_problem *problem,
                     const rk_answer_data *answer, rk_candidate *next) {
    rk_goal goal = choice->goal;
    bool misses = goal.tolerance > 0 && !(answer->error_rms <= goal.tolerance);
    if (!misses && answer->error_rms <= 2 * choice->candidates[choice->chosen].error_rms)
        return false;
    if (goal.flops > 0) goal.flops = fmax(1, goal.flops - (double)answer->cost.flops_executed);
    if (goal.seconds > 0) goal.seconds = fmax(1e-9, goal.seconds - answer->seconds);
    double variance = known_variance(choice, answer);
    rk_choice again = *choice;
    again.candidates = calloc(again.n, sizeof *again.candidates);
    if (!again.candidates) return false;
    for (size_t i = 0; i < again.n; i++) {
        rk_candidate *c = &again.candidates[i];
        *c = choice->candidates[i];
        if (is_sampling(c)) assess(choice, problem, rk_error_law_of(c->method), variance, &goal, c);
        if (is_anchored(c)) c->error_rms = (double)NAN; /* on a closure that disappoints */
    }
    const rk_candidate *best = pick(&again, &goal, true);
    bool found = best && !(best->error_rms >= answer->error_rms);
    if (found) *next = *best;
    free(again.candidates);
    return found;
}

void rk_choice_clear(rk_choice *choice) {
    free(choice->candidates);
    *choice = (rk_choice){.n = 0};
}
