#include "estimate/auto.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without any bounds: a second or two. With nothing but a tolerance: hours. */
static const double default_flops = 1e11, patient_flops = 1e15;

rk_goal rk_goal_of(const rk_options *options, const rk_method *method) {
    rk_goal goal = {options->budget_flops, options->budget_seconds, options->tolerance};
    bool is_auto = !method->run, has_budget = goal.flops > 0 || goal.seconds > 0;
    if (goal.tolerance > 0 && !has_budget && (is_auto || method->samples))
        goal.flops = patient_flops;
    else if (is_auto && !has_budget)
        goal.flops = default_flops;
    return goal;
}

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
static double weighed_cost(const rk_candidate *c, bool weighed) {
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
        double gain = best ? weighed_cost(best, weighed) - weighed_cost(c, weighed) : 1;
        if (gain > 0 || (gain == 0 && c->flops < best->flops)) best = c; /* errors may be 0 */
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
static bool is_compared_only(const char *method) {
    return !strncmp(method, "reference", 9) || !strcmp(method, "third:gauge=fitted");
}

rk_status rk_choose(rk_choice *choice, const rk_problem *problem, const rk_goal *goal,
                    const char *only, rk_error *error) {
    *choice = (rk_choice){.goal = *goal};
    rk_status status = rk_scout_take(&choice->scout, problem, error);
    if (status != RK_OK) return status;
    size_t n_laws = 0;
    while (rk_error_law_at(n_laws))
        n_laws++;
    choice->candidates = calloc(n_laws, sizeof *choice->candidates);
    if (!choice->candidates)
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for the choice of a method");
    for (size_t i = 0; i < n_laws; i++) {
        const char *method = only ? only : rk_error_law_at(i)->method;
        if (only ? i > 0 : is_compared_only(method)) continue;
        rk_candidate_assess(&choice->scout, problem, method, goal,
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

/* The scout's variance, corrected by what the run has found. */
static double known_variance(const rk_choice *choice, const rk_answer_data *answer) {
    const rk_candidate *chosen = &choice->candidates[choice->chosen];
    double variance = 0;
    for (size_t i = 0; i < answer->n_out; i++)
        variance += answer->variance[i] / (double)answer->n_out;
    if (answer->samples && !rk_candidate_is_anchored(chosen))
        variance = choice->scout.variance * pow(answer->error_rms / chosen->error_rms, 2);
    return variance > 0 && isfinite(variance) ? variance : choice->scout.variance;
}

bool rk_choose_again(const rk_choice *choice, const rk_problem *problem,
                     const rk_answer_data *answer, rk_candidate *next) {
    rk_goal goal = choice->goal;
    bool misses = goal.tolerance > 0 && !(answer->error_rms <= goal.tolerance);
    if (!misses && answer->error_rms <= 2 * choice->candidates[choice->chosen].error_rms)
        return false;
    if (goal.flops > 0) goal.flops = fmax(1, goal.flops - (double)answer->cost.flops_executed);
    if (goal.seconds > 0) goal.seconds = fmax(1e-9, goal.seconds - answer->seconds);
    rk_scout scout = choice->scout;
    scout.variance = known_variance(choice, answer);
    rk_choice again = *choice;
    again.candidates = calloc(again.n, sizeof *again.candidates);
    if (!again.candidates) return false;
    for (size_t i = 0; i < again.n; i++) {
        rk_candidate *c = &again.candidates[i];
        *c = choice->candidates[i];
        if (!is_sampling(c)) continue;
        rk_candidate_assess(&scout, problem, choice->candidates[i].method, &goal, c);
        if (rk_candidate_is_anchored(c)) c->error_rms = (double)NAN; /* its closure disappoints */
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
