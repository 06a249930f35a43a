/* Two independent halves A, B make mean_i (p_i - A_i)(p_i - B_i) an unbiased estimate of the mean
 * square error of p, far below the halves' own errors: with p = truth + d and halves off by e, e',
 * E[(d - e)(d - e')] = d^2. Over n outputs its variance is (2 d'C d + tr C^2) / n^2, where C is the
 * covariance of one half's error. C is taken to be the covariance of the outputs, scaled to the
 * standard errors the sampler reports: exactly so for plain sampling. */
#include "truth.h"

#include <math.h>
#include <stdlib.h>

#include "interrupt.h"
#include "message.h"

/* What a truth of default quality may cost, and at most how many passes it has. */
static const double default_flops = 1e12;
static const double default_max_samples = 1e6;

/* splitmix64: independent streams from one seed. */
static uint64_t derive_seed(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t truth_other_seed(uint64_t seed, size_t index) {
    return derive_seed(seed, HALVES + 1 + index);
}

double least_seconds(const model *m, const rk_options *run, double seconds) {
    double total = seconds;
    for (int again = 0; again < 4 && total < 0.3 && !interrupted(); again++) {
        rk_answer *answer;
        if (model_estimate(m, run, "timing", &answer, NULL) == RK_OK) {
            total += rk_answer_view(answer)->seconds;
            seconds = fmin(seconds, rk_answer_view(answer)->seconds);
        }
        rk_answer_destroy(answer);
    }
    return seconds;
}

/* Sets run->samples for halves of default quality. */
static rk_status choose_samples(const model *m, rk_options *run, rk_error *error) {
    rk_plan *plan;
    run->samples = 1000;
    rk_status status = rk_plan_create(&plan, m->net, &m->input, run, error);
    if (status) return status;
    double pass = (double)rk_plan_cost(plan).flops_executed / (double)run->samples;
    rk_plan_destroy(plan);
    run->samples = (uint64_t)fmin(fmax(default_flops / HALVES / pass, 1000), default_max_samples);
    return RK_OK;
}

/* Orthogonal points vary less and cost no more, but come in large replicates, of which it takes
 * some to know their error; and not every network can have them. */
static void choose_points(const model *m, rk_options *run) {
    rk_options orthogonal = *run;
    static const rk_method_spec method = {.kind = RK_SAMPLE, .points = RK_POINTS_ORTHOGONAL};
    orthogonal.method = &method;
    rk_plan *plan = NULL;
    if (run->samples / 256 >= rk_network_n_in(m->net) &&
        rk_plan_create(&plan, m->net, &m->input, &orthogonal, NULL) == RK_OK)
        *run = orthogonal;
    rk_plan_destroy(plan);
}

static int sample_halves(truth *t, const model *m, rk_options run) {
    static const char *const labels[HALVES] = {"ground truth 1/2", "ground truth 2/2"};
    rk_error error;
    uint64_t seed = run.seed;
    run.covariance = true;
    if (run.samples == 0 && choose_samples(m, &run, &error)) return fail_status(&error);
    choose_points(m, &run);
    for (size_t h = 0; h < HALVES; h++) {
        run.seed = derive_seed(seed, h);
        model_estimate(m, &run, labels[h], &t->half[h], &error);
        if (!t->half[h]) return fail_status(&error);
        t->data[h] = rk_answer_view(t->half[h]);
        if (t->data[h]->interrupted)
            return fail(EXIT_INTERRUPTED, "interrupted before the ground truth was known");
    }
    return 0;
}

static int pool_halves(truth *t) {
    size_t n = t->data[0]->n_out;
    t->mean = calloc(n, sizeof *t->mean);
    t->covariance = calloc(n, n * sizeof *t->covariance);
    if (!t->mean || !t->covariance) return fail(EXIT_FAILED, "out of memory");
    double output_trace = 0, error_trace = 0;
    for (size_t h = 0; h < HALVES; h++) {
        const rk_answer_data *half = t->data[h];
        for (size_t i = 0; i < n; i++) {
            t->mean[i] += half->mean[i] / HALVES;
            output_trace += half->covariance[i * n + i];
            error_trace += half->error_per_output[i] * half->error_per_output[i];
        }
        for (size_t i = 0; i < n * n; i++)
            t->covariance[i] += half->covariance[i] / HALVES;
    }
    double scale = output_trace > 0 ? error_trace / output_trace : 0;
    for (size_t i = 0; i < n * n; i++) {
        t->covariance[i] *= scale;
        t->trace_square += t->covariance[i] * t->covariance[i];
    }
    return 0;
}

/* What plain sampling varies and costs, by a tenth of the truth's passes. */
static int watch_sampling(truth *t, const model *m, rk_options run) {
    rk_error error;
    rk_answer *answer;
    run.samples = t->data[0]->samples / 10 + 2;
    run.seed = derive_seed(run.seed, HALVES);
    model_estimate(m, &run, "plain sampling", &answer, &error);
    if (!answer) return fail_status(&error);
    const rk_answer_data *a = rk_answer_view(answer);
    double passes = (double)(a->samples ? a->samples : 1);
    for (size_t i = 0; i < a->n_out; i++)
        t->variance += a->error_per_output[i] * a->error_per_output[i] * passes / (double)a->n_out;
    t->pass_cost[FLOPS] = (double)a->cost.flops_executed / passes;
    t->pass_cost[SECONDS] = least_seconds(m, &run, a->seconds) / passes;
    rk_answer_destroy(answer);
    return 0;
}

int truth_find(truth *out, const model *m, const rk_options *run, uint64_t samples) {
    *out = (truth){0};
    rk_options sampling = *run;
    static const rk_method_spec method = {.kind = RK_SAMPLE};
    sampling.method = &method;
    sampling.samples = samples;
    int code = sample_halves(out, m, sampling);
    if (!code) code = pool_halves(out);
    if (!code) code = watch_sampling(out, m, sampling);
    return code;
}

void truth_free(truth *t) {
    for (size_t h = 0; h < HALVES; h++)
        rk_answer_destroy(t->half[h]);
    free(t->mean);
    free(t->covariance);
}

void truth_measure(const truth *t, const double *p, double *mse, double *standard_error) {
    size_t n = t->data[0]->n_out;
    double product = 0, quadratic = 0;
    for (size_t i = 0; i < n; i++) {
        double row = 0;
        for (size_t j = 0; j < n; j++)
            row += t->covariance[i * n + j] * (p[j] - t->mean[j]);
        quadratic += (p[i] - t->mean[i]) * row;
        product += (p[i] - t->data[0]->mean[i]) * (p[i] - t->data[1]->mean[i]);
    }
    *mse = product / (double)n;
    /* Against the measured mean, not the truth, 2 d'C d comes out tr C^2 too large on average:
     * just what is to be added; but chance must not take it below that. */
    *standard_error = sqrt(fmax(2 * quadratic, t->trace_square)) / (double)n;
}
