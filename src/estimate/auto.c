#include "estimate/auto.h"

#include "estimate/methods.h"
#include "estimate/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Seconds of two usual cores, reckoned (pace.h), not measured: without any bounds, and with
 * nothing but a tolerance. */
static const double default_seconds = 1.5, patient_seconds = 300;

static bool has_budget(const rk_options *options) {
    return options->budget_flops > 0 || options->budget_seconds > 0;
}

static rk_goal goal_of(const rk_options *options) {
    rk_goal goal = {options->budget_flops, options->budget_seconds, options->tolerance};
    if (!has_budget(options)) goal.seconds = goal.tolerance > 0 ? patient_seconds : default_seconds;
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

static void give_reason(rk_choice *choice, const rk_options *options) {
    const rk_goal *goal = &choice->goal;
    const rk_candidate *chosen = &choice->candidates[choice->chosen];
    size_t n_usable = 0, size = sizeof choice->reason;
    for (size_t i = 0; i < choice->n; i++)
        n_usable += is_usable(&choice->candidates[i]);
    char budget[64] = "a second or so";
    if (goal->flops > 0) snprintf(budget, sizeof budget, "%.3g FLOPs", goal->flops);
    if (options->budget_seconds > 0) snprintf(budget, sizeof budget, "%.3g s", goal->seconds);
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

/* The cheapest way to the tolerance, whatever it costs, is by sampling. */
static rk_status refuse(const rk_choice *choice, const rk_problem *problem,
                        const rk_candidate *best, rk_error *error) {
    rk_goal goal = {.tolerance = choice->goal.tolerance};
    rk_candidate way = {.flops = (double)INFINITY}, c;
    for (size_t i = 0; i < choice->n; i++) {
        if (!is_sampling(&choice->candidates[i])) continue;
        rk_candidate_assess(&choice->scout, problem, &choice->candidates[i].spec, &goal, &c);
        if (is_usable(&c) && c.error_rms <= goal.tolerance && c.flops < way.flops) way = c;
    }
    char what[200] = "it would take more than 1e18 FLOPs";
    if (isfinite(way.flops))
        snprintf(what, sizeof what, "%.60s would take about %.2g FLOPs, %.2g hours", way.method,
                 way.flops, way.seconds / 3600);
    return rk_fail(
        error, RK_ERROR_OUT_OF_REACH,
        "nothing is expected to reach an error of %.3g within minutes: %s; the best is %.60s with "
        "%.2g. With a budget as well it is done as far as that goes",
        goal.tolerance, what, best->method, best->error_rms);
}

/* Of samples the way back is as long as that there, which budgets do not count. */
static bool is_in_question(const rk_problem *problem, const rk_variant *variant) {
    return !variant->for_comparison &&
           !(problem->goes_back && rk_method_of(&variant->spec)->samples);
}

rk_status rk_choose(rk_choice *choice, const rk_problem *problem, const rk_method_spec *only,
                    rk_error *error) {
    const rk_options *options = &problem->options;
    *choice = (rk_choice){.goal = goal_of(options)};
    const rk_goal *goal = &choice->goal;
    rk_status status = rk_scout_take(&choice->scout, problem, error);
    if (status != RK_OK) return status;
    rk_problem scouted = *problem;
    scouted.known_roles = choice->scout.roles;
    size_t n_variants = 0;
    while (rk_variant_at(n_variants))
        n_variants++;
    choice->candidates = calloc(n_variants, sizeof *choice->candidates);
    if (!choice->candidates)
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for the choice of a method");
    if (only)
        rk_candidate_assess(&choice->scout, &scouted, only, goal, &choice->candidates[choice->n++]);
    for (size_t i = 0; !only && i < n_variants; i++)
        if (is_in_question(problem, rk_variant_at(i)))
            rk_candidate_assess(&choice->scout, &scouted, &rk_variant_at(i)->spec, goal,
                                &choice->candidates[choice->n++]);
    rk_candidate *best = pick(choice, goal, false);
    if (!best) best = cheapest(choice, NULL, (double)INFINITY, false, false);
    if (!best)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "no method is right here: %s: %s",
                       choice->candidates[0].method, choice->candidates[0].verdict);
    if (goal->tolerance > 0 && !has_budget(options) && !(best->error_rms <= goal->tolerance))
        return refuse(choice, &scouted, best, error);
    choice->chosen = (size_t)(best - choice->candidates);
    give_verdicts(choice);
    if (!only) give_reason(choice, options);
    return RK_OK;
}

rk_sample_spec rk_choice_receipt(const rk_choice *choice, const rk_problem *problem) {
    static const double share = 0.05;
    const rk_goal *goal = &choice->goal;
    const rk_candidate *chosen = &choice->candidates[choice->chosen];
    bool measures = is_sampling(chosen) && !rk_candidate_is_anchored(chosen);
    if (measures || chosen->error_rms == 0) return (rk_sample_spec){.n_samples = 0};
    const double flops = goal->flops > 0 ? goal->flops : (double)INFINITY;
    double seconds = goal->seconds > 0 ? goal->seconds : (double)INFINITY;
    const double rest = seconds - chosen->seconds;
    if (goal->tolerance > 0) seconds = fmin(seconds, fmax(default_seconds, chosen->seconds));
    return rk_receipt_within(problem, fmin(share * flops, flops - chosen->flops),
                             fmin(share * seconds, rest), choice->scout.speed);
}

/* The scout's variance, corrected by what the run has found. */
static double known_variance(const rk_choice *choice, const rk_answer *answer) {
    const rk_candidate *chosen = &choice->candidates[choice->chosen];
    const rk_answer_data *data = &answer->data;
    const double *of_outputs = answer->receipt.samples ? answer->receipt.variance : data->variance;
    double variance = 0;
    for (size_t i = 0; i < data->n_out; i++)
        variance += of_outputs[i] / (double)data->n_out;
    if (data->samples && !rk_candidate_is_anchored(chosen))
        variance = choice->scout.variance * pow(data->error_rms / chosen->error_rms, 2);
    return variance > 0 && isfinite(variance) ? variance : choice->scout.variance;
}

static bool disappoints(const rk_choice *choice, const rk_answer *answer) {
    const rk_answer_data *data = &answer->data;
    const double expected = choice->candidates[choice->chosen].error_rms;
    const double tolerance = choice->goal.tolerance;
    return (tolerance > 0 && !(data->error_rms <= tolerance)) || rk_verdict_is_doubtful(answer) ||
           !(data->error_rms <= 2 * expected);
}

bool rk_choose_again(const rk_choice *choice, const rk_problem *problem, const rk_answer *answer,
                     rk_candidate *next) {
    const rk_answer_data *data = &answer->data;
    if (!disappoints(choice, answer)) return false;
    rk_goal goal = choice->goal;
    const rk_candidate *chosen = &choice->candidates[choice->chosen];
    const double flops = rk_answer_spent(&problem->options, data);
    const double seconds = problem->options.budget_seconds > 0
                               ? data->seconds
                               : chosen->seconds * flops / chosen->flops;
    if (goal.flops > 0) goal.flops = fmax(1, goal.flops - flops);
    if (goal.seconds > 0) goal.seconds = fmax(1e-9, goal.seconds - seconds);
    rk_scout scout = choice->scout;
    scout.variance = known_variance(choice, answer);
    rk_choice again = *choice;
    again.candidates = calloc(again.n, sizeof *again.candidates);
    if (!again.candidates) return false;
    /* passes that overflow do so again */
    const bool sampling_fails = is_sampling(chosen) && isnan(data->error_rms);
    rk_problem unchecked = *problem;
    unchecked.receipt.n_samples = 0;
    for (size_t i = 0; i < again.n; i++) {
        rk_candidate *c = &again.candidates[i];
        *c = choice->candidates[i];
        if (!is_sampling(c)) continue;
        rk_candidate_assess(&scout, &unchecked, &choice->candidates[i].spec, &goal, c);
        bool relies_on_closure = rk_candidate_is_anchored(c);
        if (sampling_fails || relies_on_closure) c->error_rms = (double)NAN;
    }
    const rk_candidate *best = pick(&again, &goal, !sampling_fails);
    double to_beat = data->error_rms; /* if that is in doubt, what it may be */
    if (data->receipt_verdict == RK_AGREES && rk_verdict_is_doubtful(answer))
        to_beat = data->receipt_rms + data->receipt_rms_standard_error;
    bool found = best && !(best->error_rms >= to_beat);
    if (found) *next = *best;
    free(again.candidates);
    return found;
}

void rk_choice_clear(rk_choice *choice) {
    free(choice->candidates);
    free(choice->scout.roles);
    *choice = (rk_choice){.n = 0};
}
