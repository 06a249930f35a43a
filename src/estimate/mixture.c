#include "estimate/mixture.h"

#include "base/size.h"
#include "estimate/context.h"
#include "estimate/verdict.h"
#include "estimate/words.h"
#include "network/input.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------- plans */

static rk_status create(rk_mixture_plan **out, const rk_mixture *of, rk_error *error) {
    rk_mixture_plan *mixture = *out = calloc(1, sizeof *mixture);
    if (mixture) {
        mixture->weight = rk_alloc(of->n, 1, sizeof *mixture->weight);
        mixture->number = rk_alloc(of->n, 1, sizeof *mixture->number);
        mixture->part = rk_alloc(of->n, 1, sizeof(rk_plan *));
    }
    if (!mixture || !mixture->weight || !mixture->number || !mixture->part)
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu components", of->n);
    double sum = 0;
    for (size_t k = 0; k < of->n; k++) {
        if (of->weights[k] == 0) continue;
        mixture->weight[mixture->n] = of->weights[k];
        mixture->number[mixture->n++] = k;
        sum += of->weights[k];
    }
    for (size_t k = 0; k < mixture->n; k++)
        mixture->weight[k] /= sum;
    return RK_OK;
}

static uint64_t share_of(uint64_t count, double weight, uint64_t least) {
    const uint64_t share = (uint64_t)ceil(weight * (double)count);
    return share > least ? share : least;
}

/* Stratified: passes where the weight is, which is best where components vary alike. Seeds differ,
 * so that errors of samples do not add up; the first component has the seed that was given. */
static rk_options options_of(const rk_options *asked, double weight, size_t k) {
    rk_options own = *asked;
    const uint64_t receipt = asked->receipt_samples;
    own.samples = share_of(asked->samples, weight, 2);
    own.seed = rk_mixture_seed(asked->seed, k);
    own.budget_flops *= weight;
    own.budget_seconds *= weight;
    if (receipt != 0 && receipt != RK_NO_RECEIPT)
        own.receipt_samples = share_of(receipt, weight, 2 * RK_RECEIPT_GROUPS);
    return own;
}

static void label(rk_step *step, size_t number) {
    char text[sizeof step->label];
    memcpy(text, step->label, sizeof text);
    snprintf(step->label, sizeof step->label, "component %zu: %.40s", number + 1, text);
}

/* The sum; memory is that of the dearest, since one runs after the other. Without memory for the
 * steps it has none. */
static rk_cost add_costs(const rk_mixture_plan *mixture, const rk_cost *costs) {
    rk_cost sum = {.flops_executed = 0};
    for (size_t k = 0; k < mixture->n; k++) {
        sum.flops_executed += costs[k].flops_executed;
        sum.flops_convention += costs[k].flops_convention;
        if (sum.bytes < costs[k].bytes) sum.bytes = costs[k].bytes;
        sum.n_steps += costs[k].n_steps;
    }
    rk_step *steps = rk_alloc(sum.n_steps, 1, sizeof *steps), *next = steps;
    for (size_t k = 0; steps && k < mixture->n; k++)
        for (size_t s = 0; s < costs[k].n_steps; s++, next++) {
            *next = costs[k].steps[s];
            label(next, mixture->number[k]);
        }
    sum.steps = steps;
    if (!steps) sum.n_steps = 0;
    return sum;
}

static void name_component(rk_error *error, size_t number) {
    if (!error) return;
    char text[sizeof error->message];
    memcpy(text, error->message, sizeof text);
    snprintf(error->message, sizeof error->message, "component [%zu] of the mixture: %.400s",
             number, text);
}

static rk_status plan_parts(rk_plan *plan, const rk_mixture *of, rk_error *error) {
    rk_mixture_plan *mixture = plan->mixture;
    rk_cost *costs = rk_alloc(mixture->n, 1, sizeof *costs);
    rk_status status =
        costs ? RK_OK : rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu components", mixture->n);
    for (size_t k = 0; status == RK_OK && k < mixture->n; k++) {
        const rk_options own = options_of(&plan->problem.options, mixture->weight[k], k);
        const size_t number = mixture->number[k];
        status = rk_plan_create(&mixture->part[k], plan->net, &of->components[number], &own, error);
        if (status == RK_OK)
            costs[k] = rk_plan_cost(mixture->part[k]);
        else
            name_component(error, number);
    }
    if (status == RK_OK) mixture->cost = add_costs(mixture, costs);
    free(costs);
    return status;
}

static rk_status plan_mixture(rk_plan **out, const rk_network *net, const rk_input *input,
                              const rk_options *options, rk_error *error) {
    const double start = rk_seconds();
    *out = NULL;
    rk_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    plan->net = plan->problem.net = net;
    rk_options *own = &plan->problem.options;
    rk_status status = rk_mixture_check(input, error);
    if (status == RK_OK) status = rk_options_accept(own, options, error);
    if (status == RK_OK && (own->cumulants || own->marginals))
        status = rk_fail(error, RK_ERROR_UNSUPPORTED,
                         "of a mixture means and covariances are known, no higher cumulants: ask "
                         "about its components one by one");
    if (status == RK_OK) status = create(&plan->mixture, input->mixture, error);
    if (status == RK_OK) status = plan_parts(plan, input->mixture, error);
    own->method = NULL; /* borrowed */
    plan->seconds = rk_seconds() - start;
    if (status != RK_OK) {
        rk_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return RK_OK;
}

rk_status rk_plan_create(rk_plan **out, const rk_network *net, const rk_input *input,
                         const rk_options *options, rk_error *error) {
    return net && input && input->mixture
               ? plan_mixture(out, net, input, options, error)
               : rk_plan_create_for(out, false, net, input, options, error);
}

/* ---------------------------------------------------------------------------- one from many */

/* Weighted sums over the components' answers. */
typedef struct parts {
    const rk_mixture_plan *of;
    rk_answer **answer;
} parts;

static void add_scaled(double *sum, const double *x, size_t n, double scale) {
    for (size_t i = 0; i < n; i++)
        sum[i] += scale * x[i];
}

static void zero(double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = 0;
}

/* What components scatter around the mean of all adds to their own variances. */
static void mix_moments(const parts *p, rk_outputs *out, size_t n) {
    zero(out->mean, n);
    zero(out->variance, n);
    if (out->covariance) zero(out->covariance, n * n);
    for (size_t k = 0; k < p->of->n; k++)
        add_scaled(out->mean, p->answer[k]->data.mean, n, p->of->weight[k]);
    for (size_t k = 0; k < p->of->n; k++) {
        const rk_answer_data *part = &p->answer[k]->data;
        const double w = p->of->weight[k];
        for (size_t i = 0; i < n; i++) {
            const double d = part->mean[i] - out->mean[i];
            out->variance[i] += w * (part->variance[i] + d * d);
            for (size_t j = 0; out->covariance && j < n; j++)
                out->covariance[i * n + j] +=
                    w * (part->covariance[i * n + j] + d * (part->mean[j] - out->mean[j]));
        }
    }
}

static void mix_hidden(const parts *p, const rk_answer *out) {
    for (size_t l = 0; l < out->data.n_hidden; l++) {
        double *mean = out->report.outputs.hidden_mean[l];
        zero(mean, out->hidden_width[l]);
        for (size_t k = 0; k < p->of->n; k++)
            add_scaled(mean, p->answer[k]->data.hidden_mean[l], out->hidden_width[l],
                       p->of->weight[k]);
    }
}

/* Samples are independent of each other; closures err alike, at worst all in one direction. */
static void mix_errors(const parts *p, rk_answer *out) {
    rk_answer_data *data = &out->data;
    const size_t n = data->n_out;
    double squares = 0;
    data->error_kind = RK_STANDARD_ERROR;
    for (size_t k = 0; k < p->of->n; k++) {
        const rk_error_kind kind = p->answer[k]->data.error_kind;
        if (kind != RK_STANDARD_ERROR && data->error_kind != RK_MEASURED_RMS)
            data->error_kind = kind;
    }
    for (size_t i = 0; i < n; i++) {
        double sum = 0, square = 0;
        for (size_t k = 0; k < p->of->n; k++) {
            const rk_answer_data *part = &p->answer[k]->data;
            const double e = p->of->weight[k] * part->error_per_output[i];
            if (part->error_kind == RK_STANDARD_ERROR)
                square += e * e;
            else
                sum += e;
        }
        out->report.error_per_output[i] = hypot(sum, sqrt(square));
        squares += (sum * sum + square) / (double)n;
    }
    data->error_rms = data->stated_rms = sqrt(squares);
}

/* To first order: d d' errs by d times the error of the means, in row and column. */
static void mix_covariance_error(const parts *p, rk_answer *out) {
    rk_answer_data *data = &out->data;
    const size_t n = data->n_out;
    if (!data->covariance) return;
    double sum = 0;
    for (size_t k = 0; k < p->of->n; k++) {
        const rk_answer_data *part = &p->answer[k]->data;
        double distance = 0;
        for (size_t i = 0; i < n; i++) {
            const double d = part->mean[i] - data->mean[i];
            distance += d * d / (double)n;
        }
        sum +=
            p->of->weight[k] * (part->covariance_error_rms + 2 * sqrt(distance) * part->error_rms);
    }
    data->covariance_error_rms = sum;
}

/* Group by group, since they are independent in every component. */
static void mix_receipts(const parts *p, rk_receipt *out, size_t n) {
    for (size_t k = 0; k < p->of->n; k++)
        if (p->answer[k]->receipt.samples == 0) return;
    zero(out->group, RK_RECEIPT_GROUPS * n);
    zero(out->mean, n);
    zero(out->error, n);
    for (size_t k = 0; k < p->of->n; k++) {
        const rk_receipt *part = &p->answer[k]->receipt;
        const double w = p->of->weight[k];
        out->samples += part->samples;
        out->flops += part->flops;
        add_scaled(out->group, part->group, RK_RECEIPT_GROUPS * n, w);
        add_scaled(out->mean, part->mean, n, w);
        for (size_t i = 0; i < n; i++)
            out->error[i] = hypot(out->error[i], w * part->error[i]);
    }
}

/* One method's text if all have it. */
static void name_methods(const parts *p, rk_answer *out) {
    out->spec = p->answer[0]->spec;
    size_t differing = 0;
    for (size_t k = 1; k < p->of->n; k++)
        differing += strcmp(p->answer[k]->method, p->answer[0]->method) != 0;
    snprintf(out->method, sizeof out->method, differing ? "%.90s, others elsewhere" : "%s",
             p->answer[0]->method);
}

static void repeat_warnings(const parts *p, rk_answer *out) {
    for (size_t k = 0; k < p->of->n; k++)
        for (size_t i = 0; i < p->answer[k]->data.n_warnings; i++)
            rk_answer_warn(out, "component %zu: %.170s", p->of->number[k] + 1,
                           p->answer[k]->data.warnings[i]);
}

static rk_status mix(rk_answer **out, const rk_plan *plan, const parts *p, rk_error *error) {
    rk_problem asked = plan->mixture->part[0]->problem;
    asked.net = plan->net;
    asked.options.seed = plan->problem.options.seed;
    rk_cost *costs = rk_alloc(p->of->n, 1, sizeof *costs);
    rk_status status = costs ? rk_answer_create(out, &asked, error)
                             : rk_fail(error, RK_ERROR_MEMORY, "no memory for the answer");
    if (status != RK_OK) {
        free(costs);
        return status;
    }
    rk_answer *answer = *out;
    rk_answer_data *data = &answer->data;
    data->seed = asked.options.seed;
    for (size_t k = 0; k < p->of->n; k++) {
        const rk_answer_data *part = &p->answer[k]->data;
        costs[k] = part->cost;
        data->samples += part->samples;
        data->interrupted |= part->interrupted;
        data->expansion = k ? fmax(data->expansion, part->expansion) : part->expansion;
        if (data->threads < part->threads) data->threads = part->threads;
    }
    data->cost = add_costs(p->of, costs);
    answer->steps = (rk_step *)data->cost.steps;
    free(costs);
    mix_moments(p, &answer->report.outputs, data->n_out);
    mix_hidden(p, answer);
    mix_errors(p, answer);
    mix_covariance_error(p, answer);
    name_methods(p, answer);
    repeat_warnings(p, answer);
    if (answer->receipt.group) mix_receipts(p, &answer->receipt, data->n_out);
    rk_verdict_give(answer, &answer->receipt);
    return RK_OK;
}

/* ------------------------------------------------------------------------------- execution */

/* The progress of all from that of one. */
typedef struct listener {
    const rk_options *options;
    double done, share;
} listener;

static bool hear(void *context, double fraction) {
    const listener *l = context;
    return l->options->progress(l->options->progress_context, l->done + l->share * fraction);
}

static rk_status answer_parts(const rk_plan *plan, const parts *p, rk_error *error) {
    const rk_options *options = &plan->problem.options;
    const rk_mixture_plan *mixture = p->of;
    listener l = {.options = options};
    rk_status status = RK_OK;
    for (size_t k = 0; status == RK_OK && k < mixture->n; k++) {
        rk_plan own = *mixture->part[k];
        const double flops = (double)rk_plan_cost(&own).flops_executed;
        l.share = flops > 0 ? flops / (double)mixture->cost.flops_executed : 0;
        if (options->progress) {
            own.problem.options.progress = hear;
            own.problem.options.progress_context = &l;
        }
        status = rk_plan_answer(&own, &p->answer[k], error);
        l.done += l.share;
    }
    return status;
}

rk_status rk_mixture_plan_answer(const rk_plan *plan, rk_answer **out, rk_error *error) {
    const double start = rk_seconds();
    const rk_mixture_plan *mixture = plan->mixture;
    *out = NULL;
    parts p = {mixture, rk_alloc(mixture->n, 1, sizeof(rk_answer *))};
    if (!p.answer) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu answers", mixture->n);
    rk_status status = answer_parts(plan, &p, error);
    if (status == RK_OK) status = mix(out, plan, &p, error);
    if (status == RK_OK) (*out)->data.seconds = plan->seconds + rk_seconds() - start;
    for (size_t k = 0; k < mixture->n; k++)
        rk_answer_destroy(p.answer[k]);
    free(p.answer);
    return status;
}
