#include "tail/mixture.h"

#include "base/size.h"
#include "estimate/words.h"
#include "network/input.h"
#include "tail/answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------- plans */

static rk_status create(rk_tail_mixture **out, const rk_mixture *of, rk_error *error) {
    rk_tail_mixture *mixture = *out = calloc(1, sizeof *mixture);
    if (mixture) {
        mixture->log10_weight = rk_alloc(of->n, 1, sizeof *mixture->log10_weight);
        mixture->number = rk_alloc(of->n, 1, sizeof *mixture->number);
        mixture->part = rk_alloc(of->n, 1, sizeof(rk_tail_plan *));
    }
    if (!mixture || !mixture->log10_weight || !mixture->number || !mixture->part)
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu components", of->n);
    for (size_t k = 0; k < of->n; k++) {
        if (of->weights[k] == 0) continue;
        mixture->log10_weight[mixture->n] = log10(of->weights[k]);
        mixture->number[mixture->n++] = k;
    }
    return RK_OK;
}

/* Samples and budgets are shared evenly: where a rare event happens is not known before. Seeds
 * differ, so that errors do not add up; the first component has the seed that was given. */
static rk_options options_of(const rk_options *asked, size_t n, size_t k) {
    rk_options own = *asked;
    const uint64_t least =
        asked->samples < RK_TAIL_LEAST_PASSES ? asked->samples : RK_TAIL_LEAST_PASSES;
    own.samples = asked->samples / n > least ? asked->samples / n : least;
    own.seed = rk_mixture_seed(asked->seed, k);
    own.budget_flops /= (double)n;
    own.budget_seconds /= (double)n;
    return own;
}

/* Steps of one component, with its number. */
static rk_status enter_steps(rk_tail_ledger *ledger, const rk_tail_cost *cost, size_t number,
                             rk_error *error) {
    rk_status status = RK_OK;
    for (size_t s = 0; status == RK_OK && s < cost->n_steps; s++) {
        rk_step step = cost->steps[s];
        snprintf(step.label, sizeof step.label, "component %zu: %.40s", number + 1,
                 cost->steps[s].label);
        status = rk_tail_ledger_enter(ledger, &step, cost->bytes, error);
    }
    return status;
}

static rk_status plan_parts(rk_tail_plan *plan, const rk_mixture *of, const rk_event *events,
                            const rk_tail_spec *method, rk_error *error) {
    rk_tail_mixture *mixture = plan->mixture;
    rk_status status = RK_OK;
    for (size_t k = 0; status == RK_OK && k < mixture->n; k++) {
        rk_options own = options_of(&plan->options, mixture->n, k);
        own.tail = method;
        status = rk_tail_plan_create_for(&mixture->part[k], plan->net,
                                         &of->components[mixture->number[k]], events,
                                         plan->n_events, &own, error);
        if (status != RK_OK) break;
        const rk_tail_cost cost = rk_tail_plan_cost(mixture->part[k]);
        status = enter_steps(&plan->at_most, &cost, mixture->number[k], error);
        plan->passes += cost.samples;
    }
    return status;
}

static rk_status plan_mixture(rk_tail_plan **out, const rk_network *net, const rk_input *input,
                              const rk_event *events, size_t n_events, const rk_options *options,
                              rk_error *error) {
    const double start = rk_seconds();
    *out = NULL;
    rk_tail_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    plan->net = net;
    plan->n_events = n_events;
    rk_status status = rk_mixture_check(input, error);
    if (status == RK_OK) status = rk_options_accept(&plan->options, options, error);
    if (status == RK_OK) status = create(&plan->mixture, input->mixture, error);
    if (status == RK_OK)
        status = plan_parts(plan, input->mixture, events, plan->options.tail, error);
    plan->options.tail = NULL; /* borrowed */
    if (status != RK_OK) {
        rk_tail_plan_destroy(plan);
        return status;
    }
    plan->spec = plan->mixture->part[0]->spec;
    plan->method = plan->mixture->part[0]->method;
    plan->seconds = rk_seconds() - start;
    *out = plan;
    return RK_OK;
}

rk_status rk_tail_plan_create(rk_tail_plan **out, const rk_network *net, const rk_input *input,
                              const rk_event *events, size_t n_events, const rk_options *options,
                              rk_error *error) {
    return net && input && input->mixture
               ? plan_mixture(out, net, input, events, n_events, options, error)
               : rk_tail_plan_create_for(out, net, input, events, n_events, options, error);
}

/* ---------------------------------------------------------------------------- one from many */

/* What the components say about one event, in their order. */
typedef struct parts {
    const rk_tail_mixture *of;
    rk_tail_answer **answer;
} parts;

static const rk_tail_estimate *part_of(const parts *p, size_t k, size_t event) {
    return &p->answer[k]->estimates[event];
}

/* A probability as a share of 10^scale: NaN stays, and -inf is 0. */
static double share_of(double log10_p, double log10_weight, double scale) {
    return pow(10, log10_p + log10_weight - scale);
}

/* Of the largest term, or bound of one, so that nothing underflows that matters. */
static double scale_of(const parts *p, size_t event) {
    double scale = -INFINITY;
    for (size_t k = 0; k < p->of->n; k++) {
        const rk_tail_estimate *e = part_of(p, k, event);
        scale = fmax(scale, fmax(e->log10_p, e->log10_high) + p->of->log10_weight[k]);
    }
    return isfinite(scale) ? scale : 0;
}

/* sum of 10^x_k with x_k the member at `offset`, else the one at `other` where that is not known;
 * NaN if neither is. */
static double log10_sum(const parts *p, size_t event, size_t offset, size_t other) {
    double scale = scale_of(p, event), sum = 0;
    bool is_known = false;
    for (size_t k = 0; k < p->of->n; k++) {
        const char *e = (const char *)part_of(p, k, event);
        double x, instead;
        memcpy(&x, e + offset, sizeof x);
        memcpy(&instead, e + other, sizeof instead);
        is_known = is_known || !isnan(x);
        sum += share_of(isnan(x) ? instead : x, p->of->log10_weight[k], scale);
    }
    return is_known ? scale + log10(sum) : (double)NAN;
}

/* Rounding makes no probability of more than 1 of it; NaN stays. */
static void set(rk_tail_estimate *out, double log10_p) {
    rk_tail_set(out, log10_p > 0 ? 0 : log10_p * RK_LOG_10);
}

/* Errors of passes are independent: squares add, of an interval those of its two halves each (the
 * method of variance estimates recovery). A component that no pass has reached counts as 0, up to
 * its bound; where that is the larger part there is only the interval. */
static void mix_passes(const parts *p, size_t event, rk_tail_estimate *out) {
    const double scale = scale_of(p, event);
    double sum = 0, bounds = 0, square = 0, below = 0, above = 0, spent = 0;
    bool is_bounded = true;
    for (size_t k = 0; k < p->of->n; k++) {
        const rk_tail_estimate *e = part_of(p, k, event);
        const double w = p->of->log10_weight[k], high = share_of(e->log10_high, w, scale);
        const bool is_reached = e->log10_p > -INFINITY && !isnan(e->log10_p);
        const double at = is_reached ? share_of(e->log10_p, w, scale) : 0;
        const double low = is_reached ? share_of(e->log10_low, w, scale) : 0;
        is_bounded = is_bounded && !isnan(high);
        sum += at;
        if (!is_reached) bounds += high;
        if (at > 0) square += at * e->cv * at * e->cv;
        below += (at - low) * (at - low);
        above += (high - at) * (high - at);
        if (at > 0) spent += at * at / e->effective_samples;
        out->samples += e->samples;
    }
    if (!is_bounded) return;
    out->log10_low = scale + log10(fmax(0, sum - sqrt(below)));
    out->log10_high = fmin(0, scale + log10(sum + sqrt(above)));
    if (bounds > sum) return;
    set(out, scale + log10(sum));
    out->cv = sum > 0 ? hypot(sqrt(square), bounds) / sum : 0;
    out->effective_samples = spent > 0 ? sum * sum / spent : (double)NAN;
}

static bool takes_passes(const parts *p, size_t event) {
    for (size_t k = 0; k < p->of->n; k++)
        if (part_of(p, k, event)->samples > 0) return true;
    return false;
}

/* The standard error of the unbiased sum, relative to it. */
static double mix_unbiased(const parts *p, size_t event, double log10_unbiased) {
    double square = 0;
    for (size_t k = 0; k < p->of->n; k++) {
        const rk_tail_estimate *e = part_of(p, k, event);
        const bool has_own = !isnan(e->log10_unbiased);
        const double share = share_of(has_own ? e->log10_unbiased : e->log10_p,
                                      p->of->log10_weight[k], log10_unbiased);
        const double error = share > 0 ? share * (has_own ? e->cv_unbiased : e->cv) : 0;
        square += error * error;
    }
    return sqrt(square);
}

static void name_and_warn(const parts *p, size_t event, rk_tail_estimate *out) {
    size_t differing = 0;
    for (size_t k = 0; k < p->of->n; k++) {
        const rk_tail_estimate *e = part_of(p, k, event);
        differing += strcmp(e->method, part_of(p, 0, event)->method) != 0;
        if (*e->warning)
            rk_tail_warn(out, "component %zu: %.150s", p->of->number[k] + 1, e->warning);
    }
    rk_tail_name(out, differing ? "one a component" : part_of(p, 0, event)->method);
}

static void mix_event(const parts *p, size_t event, rk_tail_estimate *out) {
    const size_t of_p = offsetof(rk_tail_estimate, log10_p);
    const size_t of_closure = offsetof(rk_tail_estimate, log10_closure);
    const size_t of_unbiased = offsetof(rk_tail_estimate, log10_unbiased);
    if (takes_passes(p, event))
        mix_passes(p, event, out);
    else
        set(out, log10_sum(p, event, of_p, of_p));
    out->log10_closure = log10_sum(p, event, of_closure, of_closure);
    out->log10_unbiased = log10_sum(p, event, of_unbiased, of_p);
    if (!isnan(out->log10_unbiased)) out->cv_unbiased = mix_unbiased(p, event, out->log10_unbiased);
    name_and_warn(p, event, out);
}

static rk_status mix(rk_tail_answer *answer, const rk_tail_plan *plan, const parts *p,
                     rk_error *error) {
    rk_tail_ledger ledger = {0};
    rk_tail_data *data = &answer->data;
    rk_status status = RK_OK;
    for (size_t k = 0; status == RK_OK && k < p->of->n; k++) {
        const rk_tail_data *part = &p->answer[k]->data;
        status = enter_steps(&ledger, &part->cost, p->of->number[k], error);
        data->samples += part->samples;
        data->interrupted = data->interrupted || part->interrupted;
        if (data->threads < part->threads) data->threads = part->threads;
    }
    rk_tail_answer_settle(answer, &ledger, plan->passes);
    for (size_t i = 0; i < data->n_events; i++)
        mix_event(p, i, &answer->estimates[i]);
    return status;
}

/* ------------------------------------------------------------------------------- execution */

/* The progress of all from that of one. */
typedef struct listener {
    const rk_options *options;
    size_t done, n;
} listener;

static bool hear(void *context, double fraction) {
    const listener *l = context;
    return l->options->progress(l->options->progress_context,
                                ((double)l->done + fraction) / (double)l->n);
}

static rk_status answer_parts(const rk_tail_plan *plan, const parts *p, rk_error *error) {
    const rk_tail_mixture *mixture = p->of;
    listener l = {.options = &plan->options, .n = mixture->n};
    rk_status status = RK_OK;
    for (; status == RK_OK && l.done < mixture->n; l.done++) {
        rk_tail_plan own = *mixture->part[l.done];
        if (plan->options.progress) {
            own.options.progress = hear;
            own.options.progress_context = &l;
        }
        status = rk_tail_plan_answer(&own, &p->answer[l.done], error);
    }
    return status;
}

rk_status rk_tail_mixture_execute(const rk_tail_plan *plan, rk_tail_answer **out, rk_error *error) {
    const double start = rk_seconds();
    const rk_tail_mixture *mixture = plan->mixture;
    *out = NULL;
    rk_tail_answer *answer = NULL;
    parts p = {mixture, rk_alloc(mixture->n, 1, sizeof(rk_tail_answer *))};
    rk_status status = rk_tail_answer_create(&answer, plan, error);
    if (status == RK_OK && !p.answer)
        status = rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu answers", mixture->n);
    if (status == RK_OK) status = answer_parts(plan, &p, error);
    if (status == RK_OK) status = mix(answer, plan, &p, error);
    for (size_t k = 0; p.answer && k < mixture->n; k++)
        rk_tail_destroy(p.answer[k]);
    free(p.answer);
    if (status != RK_OK) {
        rk_tail_destroy(answer);
        return status;
    }
    answer->data.seconds = plan->seconds + rk_seconds() - start;
    rk_tail_answer_judge(answer, &plan->options);
    *out = answer;
    return RK_OK;
}
