#include "estimate/plan.h"

#include "base/size.h"
#include "estimate/context.h"
#include "estimate/mixture.h"
#include "estimate/verdict.h"
#include "linalg/blas.h"
#include "sample/points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------- one run */

static double root_mean_square(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum / (double)n);
}

/* So many times narrower than random weights would make it, and a layer is worth a warning. */
static const double noticed = 1.5;

/* What to think of the error that `laws` give a closure which found this on its way. */
static void warn_of_regime(rk_answer *answer, const rk_error_laws *laws, const rk_regime *found) {
    char why[160];
    if (!laws)
        rk_answer_warn(answer, "the error of %s has not been measured: none is estimated",
                       answer->method);
    else if (rk_is_beyond(laws, found, why, sizeof why))
        rk_answer_warn(answer, "%s", why);
    if (found->concentration > noticed)
        rk_answer_warn(answer,
                       "outside the wide-random regime: effective width %.1f at layer %zu; the "
                       "estimated error is widened",
                       found->effective_width, found->narrow_layer + 1);
}

/* An error of 0 is for what is exact: an expected relative error of 0, or an output that cannot
 * vary. Where the closure has merely lost its variance there is none to state. */
static void withdraw_lost_errors(const rk_plan *plan, rk_answer *answer, double relative) {
    const size_t n = answer->data.n_out;
    double *error = answer->report.error_per_output;
    size_t zero = 0, lost = 0;
    for (size_t i = 0; relative != 0 && i < n; i++)
        zero += error[i] == 0;
    if (zero == 0) return;
    bool *varies = rk_alloc(n, 1, sizeof *varies);
    const bool known =
        varies && rk_network_find_varying(plan->problem.net, &plan->problem.input, varies);
    for (size_t i = 0; i < n; i++) {
        if (error[i] != 0 || (known && !varies[i])) continue;
        error[i] = (double)NAN;
        lost++;
    }
    free(varies);
    if (lost)
        rk_answer_warn(answer,
                       "the closure has lost the variance of %zu outputs: no error is estimated",
                       lost);
}

/* Of a sample of a normal law: (tr C)^2 + |C|^2 over the number of passes that are independent. */
static double sampled_covariance_error(const rk_plan *plan, const rk_answer *answer) {
    const double *C = answer->report.outputs.covariance;
    size_t n = answer->data.n_out;
    double trace = 0, square = 0;
    bool pairs = plan->problem.spec.points != RK_POINTS_IID;
    for (size_t i = 0; i < n; i++)
        trace += C[i * n + i];
    for (size_t i = 0; i < n * n; i++)
        square += C[i] * C[i];
    return sqrt((trace * trace + square) / ((double)answer->data.samples / (pairs ? 2 : 1))) /
           (double)n;
}

static void report_covariance_error(const rk_plan *plan, rk_answer *answer) {
    const rk_outputs *outputs = &answer->report.outputs;
    rk_answer_data *data = &answer->data;
    if (!outputs->covariance || (data->interrupted && !plan->method->samples)) return;
    if (plan->method->samples)
        data->covariance_error_rms = sampled_covariance_error(plan, answer);
    else
        data->covariance_error_rms = rk_expected_covariance_error(
            rk_error_laws_of(&plan->problem.spec), outputs, data->n_out);
    size_t negative = 0;
    for (size_t i = 0; i < data->n_out; i++)
        negative += outputs->covariance[i * (data->n_out + 1)] < 0;
    if (negative)
        rk_answer_warn(answer,
                       "%zu of %zu variances in the covariance are negative: the closure "
                       "is outside its regime",
                       negative, data->n_out);
}

static void report_error(const rk_plan *plan, rk_answer *answer, bool is_partial) {
    const rk_outputs *outputs = &answer->report.outputs;
    const rk_regime *met = &answer->report.regime, *anchor = &answer->report.anchor;
    bool samples = plan->method->samples, is_anchored = plan->problem.anchor.layer > 0;
    answer->data.error_kind = samples && !is_anchored ? RK_STANDARD_ERROR : RK_ESTIMATED_RMS;
    if (!samples && !is_partial) {
        const rk_error_laws *laws = rk_error_laws_of(&plan->problem.spec);
        rk_expected_error(laws, outputs, answer->data.n_out, answer->report.error_per_output);
        answer->data.expansion = met->expansion + met->input_expansion;
        warn_of_regime(answer, laws, met);
        withdraw_lost_errors(plan, answer, rk_expected_relative(laws, met));
    } else if (is_anchored) {
        warn_of_regime(answer, rk_error_laws_of(&rk_anchor_closure), anchor);
    }
    answer->data.error_rms = root_mean_square(answer->report.error_per_output, answer->data.n_out);
    answer->data.stated_rms = answer->data.error_rms;
    report_covariance_error(plan, answer);
}

static void report_problems(const rk_plan *plan, rk_answer *answer, const rk_work *work,
                            bool is_partial) {
    size_t bad = 0;
    for (size_t i = 0; i < answer->data.n_out; i++)
        if (!isfinite(answer->data.mean[i])) bad++;
    if (work->clamped)
        rk_answer_warn(
            answer,
            "%zu pre-activation variances were negative and count as none: the closure is "
            "outside its regime",
            work->clamped);
    if (bad && !is_partial)
        rk_answer_warn(answer, "%zu of %zu means are not finite: %s", bad, answer->data.n_out,
                       plan->method->samples ? "passes overflow single precision"
                                             : "the closure diverged");
    if (!bad && isnan(answer->data.error_rms) && answer->data.samples && !is_partial)
        rk_answer_warn(answer, "so few passes do not tell their own error: it is unknown");
    if (is_partial)
        rk_answer_warn(answer, "interrupted: the answer is partial");
    else if (work->interrupted)
        rk_answer_warn(answer, "interrupted: there is no receipt");
}

/* Fills `answer` from a finished run, whose steps become its own. */
static void report(const rk_plan *plan, rk_work *work, rk_answer *answer) {
    rk_answer_data *data = &answer->data;
    answer->spec = plan->problem.spec;
    rk_method_spell(&answer->spec, answer->method, sizeof answer->method);
    data->cost = rk_plan_cost_of(plan, work);
    answer->steps = work->steps;
    work->steps = NULL;
    data->seed = plan->problem.options.seed;
    data->threads = rk_pool_threads(work->pool);
    data->interrupted = work->interrupted;
    data->samples = answer->report.samples;
    bool is_partial = work->interrupted && !answer->receipt.begun;
    report_error(plan, answer, is_partial);
    report_problems(plan, answer, work, is_partial);
}

static void restore_units(const rk_plan *plan, rk_answer *answer) {
    double **hidden = answer->report.outputs.hidden_mean;
    for (size_t l = 0; hidden && l + 1 < plan->net->n_layers; l++)
        rk_normal_form_restore(&plan->form, l, hidden[l]);
}

rk_status rk_plan_run(const rk_plan *plan, rk_work *work, rk_answer *answer, rk_error *error) {
    work->progress = plan->problem.options.progress;
    work->progress_context = plan->problem.options.progress_context;
    rk_work_listen(work, !plan->method->samples);
    rk_blas_make_serial();
    rk_status status =
        rk_problem_run(&plan->problem, work, &answer->report, &answer->receipt, error);
    restore_units(plan, answer);
    rk_blas_restore();
    if (status == RK_OK) report(plan, work, answer);
    return status;
}

/* In memory that is there. */
static rk_status run_wet(const rk_plan *plan, rk_pool *pool, rk_answer **out, rk_error *error) {
    rk_answer *answer = NULL;
    rk_work work = {.dry = false};
    rk_status status = rk_answer_create(&answer, &plan->problem, error);
    if (status == RK_OK) status = rk_work_init_wet(&work, &plan->dry, pool, error);
    if (status == RK_OK) status = rk_plan_run(plan, &work, answer, error);
    rk_work_finish(&work);
    if (status != RK_OK) {
        rk_answer_destroy(answer);
        return status;
    }
    rk_verdict_give(answer, &answer->receipt);
    *out = answer;
    return RK_OK;
}

/* Of work, answer and receipt, which the plan has found to be less than a size_t holds. */
static size_t bytes_of(const rk_plan *plan) {
    size_t count = 0;
    rk_answer_count(&plan->problem, &count);
    return plan->dry.peak + count * sizeof(double);
}

static rk_status execute(const rk_plan *plan, rk_pool *pool, rk_answer **out, rk_error *error) {
    const rk_options *options = &plan->problem.options;
    const size_t bytes = bytes_of(plan);
    rk_status status = rk_context_claim(options, bytes, error);
    if (status != RK_OK) return status;
    status = run_wet(plan, pool, out, error);
    rk_context_release(options, bytes);
    return status;
}

/* ------------------------------------------------------------------------------ a second try */

/* Of both runs in the answer that is kept. */
static void add_costs(rk_answer *kept, const rk_answer *first, const rk_answer *second) {
    const rk_answer *const runs[] = {first, second};
    size_t n = first->data.cost.n_steps + second->data.cost.n_steps;
    rk_step *steps = malloc((n + 1) * sizeof *steps), *next = steps;
    uint64_t flops = 0;
    for (size_t r = 0; r < 2; r++) {
        const rk_cost *cost = &runs[r]->data.cost;
        flops += cost->flops_executed;
        for (size_t s = 0; steps && s < cost->n_steps; s++)
            *next++ = cost->steps[s];
    }
    kept->data.cost.flops_executed = flops;
    if (!steps) return;
    free(kept->steps);
    kept->steps = steps;
    kept->data.cost.steps = steps;
    kept->data.cost.n_steps = n;
}

static rk_answer *try_instead(const rk_plan *plan, rk_pool *pool, const rk_candidate *next) {
    rk_options options = plan->problem.options;
    options.method = &next->spec;
    options.samples = next->samples;
    options.budget_flops = options.budget_seconds = options.tolerance = 0;
    options.receipt_samples = RK_NO_RECEIPT;
    rk_plan *second = NULL;
    rk_answer *answer = NULL;
    if (rk_plan_create_accepted(&second, plan->problem.net, &plan->problem.input, &options, NULL) ==
        RK_OK)
        execute(second, pool, &answer, NULL);
    if (answer) restore_units(plan, answer); /* it was asked about the normal form */
    rk_plan_destroy(second);
    return answer;
}

/* Where the chosen closure finds itself outside its regime, its receipt leaves doubts, or the
 * sample was too small, once more, mostly by sampling: the better answer by the evidence, at the
 * cost of both. One receipt serves for either, and the sample as another one. */
static void reconsider(const rk_plan *plan, rk_pool *pool, rk_answer **answer) {
    double expected = plan->choice.candidates[plan->choice.chosen].error_rms;
    rk_candidate next;
    if (!rk_choose_again(&plan->choice, &plan->problem, *answer, &next)) return;
    rk_answer *first = *answer, *second = try_instead(plan, pool, &next);
    if (!second) return;
    rk_verdict_confront(first, &second->data);
    rk_verdict_give(second, &first->receipt);
    double error = first->data.error_rms;
    bool better =
        second->data.error_rms < error || (isnan(error) && !isnan(second->data.error_rms));
    rk_answer *kept = better ? second : first, *other = better ? first : second;
    add_costs(kept, first, second);
    char found[32] = "unknown";
    if (!isnan(error)) snprintf(found, sizeof found, "%.2g", error);
    if (!(error <= 2 * expected)) /* else it was in doubt, and is no longer */
        rk_answer_warn(kept, "%s was tried first: its error was %s%s, not %.2g as expected",
                       first->method, found,
                       first->data.error_kind == RK_MEASURED_RMS ? " as measured" : "", expected);
    if (better)
        snprintf(kept->reason, sizeof kept->reason, "done anew with what was left of the budget");
    else if (second->data.interrupted)
        rk_answer_warn(kept, "interrupted while trying to do better");
    kept->data.interrupted = second->data.interrupted;
    *answer = kept;
    rk_answer_destroy(other);
}

/* ---------------------------------------------------------------------------------- the whole */

/* Fewer FLOPs than this, a millisecond at most, are not worth starting threads for. */
static const uint64_t worth_threads = 4000000;

rk_status rk_plan_pool(const rk_plan *plan, uint64_t flops, rk_pool **out, rk_error *error) {
    const rk_options *options = &plan->problem.options;
    const bool spreads = flops >= worth_threads;
    *out = NULL;
    rk_status status = rk_blas_check_room(spreads ? options->threads : 1, error);
    return status == RK_OK && spreads ? rk_context_pool(out, options, error) : status;
}

rk_status rk_plan_answer(const rk_plan *plan, rk_answer **out, rk_error *error) {
    const double start = rk_seconds();
    *out = NULL;
    rk_answer *answer = NULL;
    rk_pool *pool = NULL;
    rk_status status = rk_plan_pool(plan, plan->dry.flops, &pool, error);
    if (status == RK_OK) status = execute(plan, pool, &answer, error);
    if (status == RK_OK) {
        memcpy(answer->reason, plan->choice.reason, sizeof answer->reason);
        answer->data.seconds = plan->seconds + rk_seconds() - start;
        if (plan->choice.n && !answer->data.interrupted) reconsider(plan, pool, &answer);
        if (*plan->choice.reason) answer->data.reason = answer->reason;
        answer->data.seconds = plan->seconds + rk_seconds() - start;
    }
    rk_pool_destroy(pool);
    *out = answer;
    return status;
}

rk_status rk_plan_execute(const rk_plan *plan, rk_answer **out, rk_error *error) {
    rk_status status =
        plan->mixture ? rk_mixture_plan_answer(plan, out, error) : rk_plan_answer(plan, out, error);
    if (status == RK_OK) rk_answer_judge(*out, &plan->problem.options);
    return status;
}

rk_status rk_estimate(rk_answer **out, const rk_network *net, const rk_input *input,
                      const rk_options *options, rk_error *error) {
    *out = NULL;
    rk_plan *plan;
    rk_status status = rk_plan_create(&plan, net, input, options, error);
    if (status == RK_OK) status = rk_plan_execute(plan, out, error);
    rk_plan_destroy(plan);
    return status;
}
