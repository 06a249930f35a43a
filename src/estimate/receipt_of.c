/* The receipt of numbers from anywhere: an answer like any other, but for who made it. */
#include "base/size.h"
#include "estimate/context.h"
#include "estimate/verdict.h"
#include "estimate/words.h"
#include "linalg/blas.h"
#include "network/input.h"
#include "network/normal_form.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct given {
    const double *mean, *error; /* n_out; error may be NULL */
} given;

static rk_status check(const rk_network *net, const double *mean, const rk_options *options,
                       rk_error *error) {
    const uint64_t samples = options->receipt_samples;
    if (!net || !mean)
        return rk_fail(error, RK_ERROR_ARGUMENT, net ? "no numbers to check" : "no network");
    if ((samples != 0 && samples < 2 * RK_RECEIPT_GROUPS) || samples > UINT64_MAX / 4)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "a receipt takes at least %d samples, and not %llu", 2 * RK_RECEIPT_GROUPS,
                       (unsigned long long)samples);
    return RK_OK;
}

static rk_status check_memory(const rk_problem *problem, const rk_work *dry, rk_error *error) {
    const uint64_t asked = problem->options.memory_limit;
    const uint64_t limit = asked ? asked : rk_usable_memory();
    size_t bytes;
    if (dry->overflow || !rk_answer_count(problem, &bytes) ||
        !rk_size_mul(bytes, sizeof(double), &bytes) || !rk_size_add(bytes, dry->peak, &bytes))
        return rk_fail(error, RK_ERROR_TOO_LARGE, "the receipt needs more memory than there is");
    if (bytes > limit)
        return rk_fail(error, RK_ERROR_TOO_LARGE, "the receipt needs %zu bytes; the limit is %llu",
                       bytes, (unsigned long long)limit);
    return RK_OK;
}

static void enter(rk_answer *answer, const given *numbers) {
    rk_answer_data *data = &answer->data;
    const size_t n = data->n_out;
    double *const error = answer->report.error_per_output, squares = 0;
    memcpy(answer->report.outputs.mean, numbers->mean, n * sizeof *numbers->mean);
    for (size_t i = 0; i < n; i++) {
        error[i] = numbers->error ? numbers->error[i] : (double)NAN;
        squares += error[i] * error[i];
        answer->report.outputs.variance[i] = answer->receipt.variance[i];
    }
    data->error_kind = RK_ESTIMATED_RMS;
    data->error_rms = data->stated_rms = sqrt(squares / (double)n);
    snprintf(answer->method, sizeof answer->method, "given");
    rk_verdict_give(answer, &answer->receipt);
}

/* Dry, then wet; the steps become the answer's. */
static rk_status take(const rk_problem *problem, rk_answer *answer, rk_error *error) {
    rk_work dry, wet = {.dry = false};
    rk_pool *pool = NULL;
    rk_receipt nowhere = {0};
    rk_work_init_dry(&dry);
    rk_status status = rk_receipt_run(&dry, problem, &nowhere, error);
    if (status == RK_OK) status = check_memory(problem, &dry, error);
    if (status == RK_OK) status = rk_context_pool(&pool, &problem->options, error);
    if (status == RK_OK) status = rk_context_claim(&problem->options, dry.peak, error);
    const bool is_claimed = status == RK_OK;
    if (status == RK_OK) status = rk_work_init_wet(&wet, &dry, pool, error);
    if (status == RK_OK) {
        wet.progress = problem->options.progress;
        wet.progress_context = problem->options.progress_context;
        rk_blas_make_serial();
        status = rk_receipt_run(&wet, problem, &answer->receipt, error);
        rk_blas_restore();
        rk_work_end(&wet);
        answer->data.interrupted = wet.interrupted;
        answer->data.threads = rk_pool_threads(pool);
        answer->data.cost = (rk_cost){.flops_executed = wet.flops,
                                      .flops_convention = (double)NAN,
                                      .bytes = dry.peak,
                                      .steps = wet.steps,
                                      .n_steps = wet.n_steps_done};
        answer->steps = wet.steps;
        wet.steps = NULL;
    }
    rk_work_finish(&wet);
    if (is_claimed) rk_context_release(&problem->options, dry.peak);
    free(dry.steps);
    rk_pool_destroy(pool);
    return status;
}

static rk_status answer_given(rk_answer **out, rk_problem *problem, const given *numbers,
                              rk_error *error) {
    const double start = rk_seconds();
    rk_answer *answer = NULL;
    rk_status status =
        rk_blas_check_room(problem->options.threads, error); /* before anything is begun */
    if (status == RK_OK) status = rk_answer_create(&answer, problem, error);
    if (status == RK_OK) status = take(problem, answer, error);
    if (status == RK_OK) {
        answer->data.seed = problem->options.seed;
        enter(answer, numbers);
        if (answer->data.interrupted) rk_answer_warn(answer, "interrupted: there is no receipt");
        answer->data.seconds = rk_seconds() - start;
        *out = answer;
    } else {
        rk_answer_destroy(answer);
    }
    return status;
}

rk_status rk_receipt_of(rk_answer **out, const rk_network *net, const rk_input *input,
                        const double *mean, const double *error_per_output,
                        const rk_options *options, rk_error *error) {
    *out = NULL;
    rk_options asked;
    rk_status status = rk_options_accept(&asked, options, error);
    if (status == RK_OK) status = check(net, mean, &asked, error);
    if (status != RK_OK) return status;
    rk_context_settle(&asked);
    rk_problem problem = {.options = {.seed = asked.seed,
                                      .threads = asked.threads,
                                      .memory_limit = asked.memory_limit,
                                      .progress = asked.progress,
                                      .progress_context = asked.progress_context,
                                      .context = asked.context}};
    double *symmetric = NULL;
    rk_normal_form form = {.net = NULL};
    status = rk_input_accept(&problem.input, &symmetric, input, rk_network_n_in(net), error);
    if (status == RK_OK && problem.input.third_cumulant)
        status = rk_fail(error, RK_ERROR_UNSUPPORTED, "receipts take Gaussian inputs only");
    if (status == RK_OK) status = rk_normal_form_create(&form, net, &problem.input, error);
    if (status == RK_OK) {
        problem.net = form.net ? form.net : net;
        problem.input.mean = NULL;
        problem.is_extreme = form.is_extreme;
        if (problem.options.threads == 0) problem.options.threads = rk_pool_default_threads();
        problem.receipt =
            rk_receipt_spec(&problem, asked.receipt_samples ? asked.receipt_samples : 100000);
        status = answer_given(out, &problem, &(given){mean, error_per_output}, error);
    }
    rk_normal_form_clear(&form);
    free(symmetric);
    return status;
}
