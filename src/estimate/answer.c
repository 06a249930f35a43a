#include "estimate/answer.h"

#include "base/size.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool rk_answer_count(const rk_problem *problem, size_t *count) {
    const rk_options *options = &problem->options;
    size_t n = rk_network_n_out(problem->net), hidden = 0;
    for (size_t l = 0; options->layers && l + 1 < problem->net->n_layers; l++)
        hidden += problem->net->layers[l].rows; /* fits: the weights are larger */
    size_t rows = 3;                            /* means, variances and errors */
    if (problem->receipt.n_samples) rows += RK_RECEIPT_ROWS;
    if (options->marginals) rows += 2;
    /* n^4, n^3, n^2 if wanted, and the rows */
    return rk_size_mul(options->cumulants >= 4 ? n : 0, n, count) &&
           rk_size_add(*count, options->cumulants >= 3 ? n : 0, count) &&
           rk_size_mul(*count, n, count) &&
           rk_size_add(*count, (options->covariance ? n : 0) + rows, count) &&
           rk_size_mul(*count, n, count) && rk_size_add(*count, hidden, count);
}

rk_status rk_answer_create(rk_answer **out, const rk_problem *problem, rk_error *error) {
    *out = NULL;
    const rk_network *net = problem->net;
    const rk_options *options = &problem->options;
    size_t n_out = rk_network_n_out(net), n_hidden = options->layers ? net->n_layers - 1 : 0;
    size_t count;
    bool fits = rk_answer_count(problem, &count);

    rk_answer *answer = calloc(1, sizeof *answer);
    double *storage = fits ? rk_alloc(count, 1, sizeof *storage) : NULL;
    size_t *width = rk_alloc(n_hidden, 1, sizeof *width);
    double **mean = rk_alloc(n_hidden, 1, sizeof *mean);
    if (!answer || !storage || !width || !mean) {
        free(mean);
        free(width);
        free(storage);
        free(answer);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for the answer");
    }
    answer->storage = storage;
    answer->hidden_width = width;
    answer->hidden_mean = mean;
    for (size_t i = 0; i < count; i++)
        storage[i] = (double)NAN;

    rk_outputs *outputs = &answer->report.outputs;
    double *next = storage;
    outputs->regime = &answer->report.regime;
    outputs->mean = next, next += n_out;
    outputs->variance = next, next += n_out;
    answer->report.error_per_output = next, next += n_out;
    if (options->covariance) outputs->covariance = next, next += n_out * n_out;
    if (options->cumulants >= 3) outputs->third = next, next += n_out * n_out * n_out;
    if (options->cumulants >= 4) outputs->fourth = next, next += n_out * n_out * n_out * n_out;
    if (options->marginals) {
        outputs->third_diagonal = next, next += n_out;
        outputs->fourth_diagonal = next, next += n_out;
    }
    if (problem->receipt.n_samples) {
        answer->receipt.group = next, next += RK_RECEIPT_GROUPS * n_out;
        answer->receipt.mean = next, next += n_out;
        answer->receipt.error = next, next += n_out;
        answer->receipt.variance = next, next += n_out;
    }
    for (size_t l = 0; l < n_hidden; l++) {
        width[l] = net->layers[l].rows;
        mean[l] = next;
        next += width[l];
    }
    if (n_hidden) outputs->hidden_mean = mean;

    answer->data = (rk_answer_data){
        .n_out = n_out,
        .mean = outputs->mean,
        .covariance = outputs->covariance,
        .third_cumulant = outputs->third,
        .fourth_cumulant = outputs->fourth,
        .third_marginal = outputs->third_diagonal,
        .fourth_marginal = outputs->fourth_diagonal,
        .n_hidden = n_hidden,
        .hidden_width = width,
        .hidden_mean = (const double *const *)mean,
        .variance = outputs->variance,
        .error_per_output = answer->report.error_per_output,
        .error_rms = (double)NAN,
        .stated_rms = (double)NAN,
        .covariance_error_rms = (double)NAN,
        .expansion = (double)NAN,
        .receipt_rms = (double)NAN,
        .receipt_rms_standard_error = (double)NAN,
        .receipt_mse = (double)NAN,
        .receipt_mse_standard_error = (double)NAN,
        .method = answer->method,
        .spec = &answer->spec,
        .warnings = answer->warnings,
    };
    *out = answer;
    return RK_OK;
}

double rk_answer_spent(const rk_options *options, const rk_answer_data *data) {
    const uint64_t asked = options->receipt_samples;
    const bool apart = asked != 0 && asked != RK_NO_RECEIPT;
    return (double)(data->cost.flops_executed - (apart ? data->receipt_flops : 0));
}

void rk_answer_judge(rk_answer *answer, const rk_options *asked) {
    rk_answer_data *data = &answer->data;
    double flops = rk_answer_spent(asked, data);
    bool far = asked->tolerance > 0 && !(data->error_rms <= asked->tolerance);
    bool dear = asked->budget_flops > 0 && flops > asked->budget_flops;
    bool slow = asked->budget_seconds > 0 && data->seconds > asked->budget_seconds;
    if (far)
        rk_answer_warn(answer, "tolerance not met: the error is about %.2g, not %.2g",
                       data->error_rms, asked->tolerance);
    if (dear)
        rk_answer_warn(answer, "budget not met: %.3g FLOPs, not %.3g", flops, asked->budget_flops);
    if (slow)
        rk_answer_warn(answer, "budget not met: %.2g s, not %.2g", data->seconds,
                       asked->budget_seconds);
    data->unmet = far || dear || slow;
}

void rk_answer_warn(rk_answer *answer, const char *format, ...) {
    size_t i = answer->data.n_warnings;
    if (i == RK_MAX_WARNINGS) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(answer->warning_text[i], sizeof answer->warning_text[i], format, arguments);
    va_end(arguments);
    answer->warnings[i] = answer->warning_text[i];
    answer->data.n_warnings++;
}

const rk_answer_data *rk_answer_view(const rk_answer *answer) {
    return &answer->data;
}

void rk_answer_destroy(rk_answer *answer) {
    if (!answer) return;
    free(answer->steps);
    free(answer->hidden_mean);
    free(answer->hidden_width);
    free(answer->storage);
    free(answer);
}
