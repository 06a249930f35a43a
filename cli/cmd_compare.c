/* reckon compare: every method against Monte Carlo on the user's own network.
 *
 * Two independent sampling halves A, B of E[M(x)] make mean_i (p_i - A_i)(p_i - B_i) an unbiased
 * estimate of a method's mean square error, far below the halves' own errors: E[(d - e)(d - e')] =
 * d^2 for independent errors e, e' of mean 0. Its variance is
 *     (d'(C_A + C_B) d + tr(C_A C_B)) / n^2,   C = covariance of the outputs / passes,
 * where d is estimated by p - (A + B)/2. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "figure.h"
#include "interrupt.h"
#include "json.h"
#include "message.h"
#include "model.h"
#include "output.h"
#include "progress.h"
#include "report.h"

enum { HALVES = 2, FLOPS = 0, SECONDS = 1 };

/* What is known about E[M(x)] and about plain sampling. */
typedef struct truth {
    rk_answer *half[HALVES];
    const rk_answer_data *data[HALVES];
    double *mean;        /* of both halves, n_out */
    double *covariance;  /* of a half's mean, pooled, n_out x n_out */
    double trace_square; /* of that covariance */
    double variance;     /* of one pass, averaged over the outputs */
    double pass_cost[2]; /* of one pass: FLOPs, seconds */
} truth;

typedef struct row {
    char *method;
    double mse, standard_error;
    double flops, convention, seconds;
    uint64_t samples; /* 0: not sampling */
    int matches;      /* FLOPS or SECONDS of the row `partner`; -1: stands for itself */
    size_t partner;
    bool predicted; /* not run: variance / samples */
} row;

typedef struct comparison {
    const options *opts;
    model model;
    rk_options run;
    truth truth;
    row *rows;
    size_t n_rows, capacity;
    struct skipped {
        char *method, *reason;
    } * skipped;
    size_t n_skipped;
} comparison;

/* -------------------------------------------------------------------------------------- running */

/* splitmix64: independent streams from one seed. */
static uint64_t derive_seed(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static rk_status execute(const comparison *c, rk_options run, const char *label, rk_answer **answer,
                         rk_error *error) {
    progress bar;
    progress_begin(&bar, label, &run);
    rk_status status = rk_estimate(answer, c->model.net, &c->model.input, &run, error);
    progress_end(&bar);
    return status;
}

static int out_of_memory(void) {
    return fail(EXIT_FAILED, "out of memory");
}

static int find_truth(comparison *c) {
    static const char *const labels[HALVES] = {"ground truth 1/2", "ground truth 2/2"};
    truth *t = &c->truth;
    rk_error error;
    rk_options run = c->run;
    run.method = "sample";
    run.samples = c->opts->truth_samples;
    run.covariance = true;
    for (size_t h = 0; h < HALVES; h++) {
        run.seed = derive_seed(c->opts->seed, h);
        if (execute(c, run, labels[h], &t->half[h], &error) && !t->half[h])
            return fail_status(&error);
        t->data[h] = rk_answer_view(t->half[h]);
        if (t->data[h]->interrupted)
            return fail(EXIT_INTERRUPTED, "interrupted before the ground truth was known");
    }
    size_t n = t->data[0]->n_out;
    t->mean = malloc(n * sizeof *t->mean);
    t->covariance = malloc(n * n * sizeof *t->covariance);
    if (!t->mean || !t->covariance) return out_of_memory();
    for (size_t i = 0; i < n; i++)
        t->mean[i] = (t->data[0]->mean[i] + t->data[1]->mean[i]) / 2;
    double passes = (double)run.samples;
    for (size_t i = 0; i < n * n; i++) {
        double one_pass = (t->data[0]->covariance[i] + t->data[1]->covariance[i]) / 2;
        t->covariance[i] = one_pass / passes;
        t->trace_square += t->covariance[i] * t->covariance[i];
        t->variance += i % (n + 1) == 0 ? one_pass / (double)n : 0;
    }
    return 0;
}

/* Cost of a pass without the covariance, which users of plain sampling do not pay. */
static int time_sampling(comparison *c) {
    rk_error error;
    rk_answer *answer;
    rk_options run = c->run;
    run.method = "sample";
    run.samples = c->opts->truth_samples / 10 + 2;
    run.seed = derive_seed(c->opts->seed, HALVES);
    if (execute(c, run, "timing a pass", &answer, &error) && !answer) return fail_status(&error);
    const rk_answer_data *a = rk_answer_view(answer);
    double passes = (double)(a->samples ? a->samples : 1);
    c->truth.pass_cost[FLOPS] = (double)a->cost.flops_executed / passes;
    c->truth.pass_cost[SECONDS] = a->seconds / passes;
    rk_answer_destroy(answer);
    return 0;
}

/* Mean square error of the estimate `p` and the standard error of that. */
static void measure(const truth *t, const double *p, row *r) {
    size_t n = t->data[0]->n_out;
    double sum = 0, quadratic = 0;
    for (size_t i = 0; i < n; i++) {
        double row_sum = 0;
        for (size_t j = 0; j < n; j++)
            row_sum += t->covariance[i * n + j] * (p[j] - t->mean[j]);
        quadratic += (p[i] - t->mean[i]) * row_sum;
        sum += (p[i] - t->data[0]->mean[i]) * (p[i] - t->data[1]->mean[i]);
    }
    r->mse = sum / (double)n;
    /* E[2 quadratic] = 2 d'Cd + tr C^2, the variance sought; but never below its second term. */
    r->standard_error = sqrt(fmax(2 * quadratic, t->trace_square)) / (double)n;
}

static int add_row(comparison *c, row r) {
    if (c->n_rows == c->capacity) {
        size_t capacity = 2 * c->capacity + 16;
        row *rows = realloc(c->rows, capacity * sizeof *rows);
        if (!rows) return out_of_memory();
        c->rows = rows;
        c->capacity = capacity;
    }
    if (!r.method) return out_of_memory();
    c->rows[c->n_rows++] = r;
    return 0;
}

static int skip(comparison *c, const char *method, const char *reason) {
    struct skipped *skipped = realloc(c->skipped, (c->n_skipped + 1) * sizeof *skipped);
    if (!skipped) return out_of_memory();
    c->skipped = skipped;
    c->skipped[c->n_skipped++] = (struct skipped){strdup(method), strdup(reason)};
    return 0;
}

/* The quickest of some runs if they are short: the first one warms caches. */
static double least_seconds(const comparison *c, const rk_options *run, double seconds) {
    double total = seconds;
    for (int again = 0; again < 4 && total < 0.25 && !interrupted(); again++) {
        rk_answer *answer;
        if (execute(c, *run, run->method, &answer, NULL) == RK_OK)
            seconds = fmin(seconds, rk_answer_view(answer)->seconds);
        rk_answer_destroy(answer);
        total += seconds;
    }
    return seconds;
}

/* Runs one method into a row. `name` NULL: what the library calls it. */
static int run_method(comparison *c, rk_options run, row r, const char *name) {
    rk_error error;
    rk_answer *answer;
    if (execute(c, run, run.method, &answer, &error) && !answer)
        return error.status == RK_ERROR_INTERRUPTED ? 0 : skip(c, run.method, error.message);
    const rk_answer_data *a = rk_answer_view(answer);
    int code = 0;
    if (!a->interrupted) {
        r.method = strdup(name ? name : a->method);
        r.flops = (double)a->cost.flops_executed;
        r.convention = a->cost.flops_convention;
        r.samples = a->samples;
        r.seconds = least_seconds(c, &run, a->seconds);
        measure(&c->truth, a->mean, &r);
        code = add_row(c, r);
    }
    rk_answer_destroy(answer);
    return code;
}

/* Plain sampling that costs what row `partner` cost, run if the truth is good enough to judge it.
 */
static int add_sampling(comparison *c, size_t partner, int resource) {
    truth *t = &c->truth;
    double cost = resource == FLOPS ? c->rows[partner].flops : c->rows[partner].seconds;
    double passes = floor(cost / t->pass_cost[resource]);
    if (!(passes >= 2)) return 0;
    row r = {.matches = resource, .partner = partner};
    if (passes <= (double)c->opts->truth_samples) {
        rk_options run = c->run;
        run.method = "sample";
        run.samples = (uint64_t)passes;
        run.seed = derive_seed(c->opts->seed, HALVES + 1 + c->n_rows);
        return run_method(c, run, r, "sample");
    }
    r.predicted = true;
    r.method = strdup("sample");
    r.samples = passes < 0x1p63 ? (uint64_t)passes : UINT64_MAX;
    r.mse = t->variance / passes;
    r.flops = passes * t->pass_cost[FLOPS];
    r.seconds = passes * t->pass_cost[SECONDS];
    r.convention = NAN;
    return add_row(c, r);
}

/* A method and its two matched sampling runs, unless it is refused or too dear. */
static int compare_method(comparison *c, const char *method) {
    rk_options run = c->run;
    run.method = method;
    rk_error error;
    rk_plan *plan;
    if (rk_plan_create(&plan, c->model.net, &c->model.input, &run, &error))
        return skip(c, method, error.message);
    double flops = (double)rk_plan_cost(plan).flops_executed;
    rk_plan_destroy(plan);
    if (flops > c->opts->max_flops) {
        char reason[160], need[CELL], limit[CELL];
        snprintf(reason, sizeof reason, "needs %s FLOPs, more than --max-flops %s",
                 compact(flops, need), compact(c->opts->max_flops, limit));
        return skip(c, method, reason);
    }
    size_t n_before = c->n_rows;
    int code = run_method(c, run, (row){.matches = -1}, NULL);
    if (code || c->n_rows == n_before || c->rows[n_before].samples) return code;
    for (int resource = FLOPS; resource <= SECONDS && !code && !interrupted(); resource++)
        code = add_sampling(c, n_before, resource);
    return code;
}

static int compare_methods(comparison *c) {
    int code = 0;
    for (size_t i = 0; i < c->opts->n_methods && !code && !interrupted(); i++)
        code = compare_method(c, c->opts->methods[i]);
    const rk_method_info *info;
    for (size_t i = 0; !c->opts->n_methods && (info = rk_method_at(i)) && !code && !interrupted();
         i++)
        if (strcmp(info->name, "sample") != 0 && strcmp(info->name, "auto") != 0)
            code = compare_method(c, info->name);
    return code;
}

/* ------------------------------------------------------------------------------------- printing */

/* Two standard errors above noise. */
static bool is_resolved(const row *r) {
    return r->mse > 2 * r->standard_error;
}

/* The mean square error, or what it is surely below. */
static double upper_bound(const row *r) {
    return is_resolved(r) ? r->mse : fmax(r->mse, 0) + 2 * r->standard_error;
}

/* What plain sampling pays for a mean square error of `mse`. */
static double sampling_cost(const truth *t, double mse, int resource) {
    return t->variance / mse * t->pass_cost[resource];
}

static json_t *row_json(json_document *doc, const comparison *c, const row *r) {
    static const char *const resources[] = {"flops", "seconds"};
    double mse = is_resolved(r) ? r->mse : NAN;
    double flops = sampling_cost(&c->truth, mse, FLOPS);
    double seconds = sampling_cost(&c->truth, mse, SECONDS);
    json_t *o = json_object();
    json_object_set_new(o, "method", json_text_or_null(r->method));
    json_object_set_new(o, "mse", json_double(doc, r->mse));
    json_object_set_new(o, "mse_standard_error",
                        r->predicted ? json_null() : json_double(doc, r->standard_error));
    json_object_set_new(o, "mse_over_variance", json_double(doc, r->mse / c->truth.variance));
    json_object_set_new(o, "flops_executed", json_double(doc, r->flops));
    json_object_set_new(o, "flops_convention", json_optional(doc, r->convention));
    json_object_set_new(o, "seconds", json_double(doc, r->seconds));
    json_object_set_new(o, "sampling_flops_for_same_mse", json_optional(doc, flops));
    json_object_set_new(o, "sampling_seconds_for_same_mse", json_optional(doc, seconds));
    json_object_set_new(o, "sampling_flops_ratio", json_optional(doc, flops / r->flops));
    json_object_set_new(o, "sampling_seconds_ratio", json_optional(doc, seconds / r->seconds));
    json_object_set_new(o, "samples", r->samples ? json_count(r->samples) : json_null());
    json_object_set_new(o, "measured", json_boolean(!r->predicted));
    json_object_set_new(o, "matches_method",
                        r->matches < 0 ? json_null()
                                       : json_text_or_null(c->rows[r->partner].method));
    json_object_set_new(o, "matches",
                        r->matches < 0 ? json_null() : json_string(resources[r->matches]));
    if (!is_resolved(r)) {
        char text[300];
        snprintf(text, sizeof text,
                 "%.150s: its error is within the truth's noise, below %.2e; "
                 "raise --truth-samples",
                 r->method, upper_bound(r));
        json_warn(doc, text);
    }
    return o;
}

static json_t *truth_json(json_document *doc, const comparison *c) {
    const truth *t = &c->truth;
    json_t *o = json_object(), *seeds = json_array();
    for (size_t h = 0; h < HALVES; h++) /* beyond JSON's integers: text */
        json_array_append_new(seeds, json_sprintf("%llu", (unsigned long long)t->data[h]->seed));
    json_object_set_new(o, "samples_per_half", json_count(t->data[0]->samples));
    json_object_set_new(o, "seeds", seeds);
    json_object_set_new(o, "one_pass_variance", json_double(doc, t->variance));
    json_object_set_new(o, "flops_per_pass", json_double(doc, t->pass_cost[FLOPS]));
    json_object_set_new(o, "seconds_per_pass", json_double(doc, t->pass_cost[SECONDS]));
    return o;
}

static int print_json(const void *result, FILE *stream) {
    const comparison *c = result;
    json_document doc = json_begin("reckon.compare/1");
    json_object_set_new(doc.root, "network", json_text_or_null(c->model.name));
    json_object_set_new(doc.root, "weights_sha256", json_weights_sha256(c->model.net));
    json_object_set_new(doc.root, "seed", json_count(c->opts->seed));
    json_object_set_new(doc.root, "threads", json_count((uint64_t)c->truth.data[0]->threads));
    json_object_set_new(doc.root, "truth", truth_json(&doc, c));
    json_t *rows = json_array(), *skipped = json_array();
    for (size_t i = 0; i < c->n_rows; i++)
        json_array_append_new(rows, row_json(&doc, c, &c->rows[i]));
    json_object_set_new(doc.root, "rows", rows);
    for (size_t i = 0; i < c->n_skipped; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "method", json_text_or_null(c->skipped[i].method));
        json_object_set_new(o, "reason", json_text_or_null(c->skipped[i].reason));
        json_array_append_new(skipped, o);
    }
    json_object_set_new(doc.root, "skipped", skipped);
    return json_end(&doc, stream);
}

static void add_mse_cells(table *t, const row *r) {
    char cell[CELL], error[CELL];
    if (is_resolved(r)) {
        table_add(t, compact(r->mse, cell));
    } else {
        snprintf(error, sizeof error, "< %.50s", compact(upper_bound(r), cell));
        table_add(t, error);
    }
    snprintf(cell, sizeof cell, "%s %.50s", plus_minus(), compact(r->standard_error, error));
    table_add(t, r->predicted ? "expected" : cell);
}

/* "x 31": how many times the row's own cost plain sampling needs for the same error. */
static void add_ratio_cell(table *t, const comparison *c, const row *r, int resource) {
    char cell[CELL], text[CELL];
    double own = resource == FLOPS ? r->flops : r->seconds;
    double ratio = sampling_cost(&c->truth, upper_bound(r), resource) / own;
    snprintf(text, sizeof text, "%sx %.50s", is_resolved(r) ? "" : "> ", compact(ratio, cell));
    table_add(t, text);
}

static void add_table_row(table *t, const comparison *c, const row *r) {
    char cell[CELL];
    if (r->matches >= 0) {
        snprintf(cell, sizeof cell, "  sampling, same %s", r->matches == FLOPS ? "FLOPs" : "time");
        table_add(t, cell);
    } else {
        table_add(t, r->method);
    }
    add_mse_cells(t, r);
    table_add(t, compact(r->flops, cell));
    table_add(t, duration(r->seconds, cell));
    if (r->matches >= 0) {
        snprintf(cell, sizeof cell, "%llu", (unsigned long long)r->samples);
        table_add(t, cell);
        table_add(t, "passes");
        return;
    }
    add_ratio_cell(t, c, r, FLOPS);
    add_ratio_cell(t, c, r, SECONDS);
}

static int print_human(const void *result, FILE *stream) {
    const comparison *c = result;
    char summary[256], cell[CELL];
    heading(stream, "%s (%s) against Monte Carlo", c->model.name,
            model_summary(c->model.net, summary));
    fprintf(stream, "truth: 2 x %llu forward passes; variance of one pass %s\n\n",
            (unsigned long long)c->truth.data[0]->samples, compact(c->truth.variance, cell));
    const char *const titles[] = {"method", "mean square error",     "",    "FLOPs",
                                  "time",   "sampling needs: FLOPs", "time"};
    table t = table_create(7, 1u << 0 | 1u << 2);
    for (size_t i = 0; i < 7; i++)
        table_add(&t, titles[i]);
    for (size_t i = 0; i < c->n_rows; i++)
        add_table_row(&t, c, &c->rows[i]);
    table_print(&t, stream);
    for (size_t i = 0; i < c->n_skipped; i++)
        fprintf(stream, "%s  left out: %s: %s\n", i ? "" : "\n", c->skipped[i].method,
                c->skipped[i].reason);
    return 0;
}

/* A method's name may hold commas. */
static int print_csv(const void *result, FILE *stream) {
    const comparison *c = result;
    static const char *const resources[] = {"flops", "seconds"};
    fputs("method,mse,mse_standard_error,mse_over_variance,flops_executed,flops_convention,seconds,"
          "sampling_flops_for_same_mse,sampling_seconds_for_same_mse,samples,measured,matches,"
          "matches_method\n",
          stream);
    for (size_t i = 0; i < c->n_rows; i++) {
        const row *r = &c->rows[i];
        double mse = is_resolved(r) ? r->mse : NAN;
        fprintf(stream,
                "\"%s\",%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%llu,%d,%s,\"%s\"\n",
                r->method, r->mse, r->standard_error, r->mse / c->truth.variance, r->flops,
                r->convention, r->seconds, sampling_cost(&c->truth, mse, FLOPS),
                sampling_cost(&c->truth, mse, SECONDS), (unsigned long long)r->samples,
                !r->predicted, r->matches < 0 ? "" : resources[r->matches],
                r->matches < 0 ? "" : c->rows[r->partner].method);
    }
    return 0;
}

static int draw(const comparison *c) {
    char title[400], summary[256];
    snprintf(title, sizeof title, "%.120s: %s", c->model.name,
             model_summary(c->model.net, summary));
    figure_point *points = calloc(c->n_rows + 1, 2 * sizeof *points);
    if (!points) return out_of_memory();
    figure f = {.title = title,
                .points = points,
                .sampling = points + c->n_rows,
                .variance = c->truth.variance,
                .pass_cost = {c->truth.pass_cost[FLOPS], c->truth.pass_cost[SECONDS]}};
    for (size_t i = 0; i < c->n_rows; i++) {
        const row *r = &c->rows[i];
        if (r->predicted) continue;
        figure_point *p =
            r->matches < 0 ? &points[f.n_points++] : &points[c->n_rows + f.n_sampling++];
        *p = (figure_point){.label = r->method,
                            .cost = {r->flops, r->seconds},
                            .mse = upper_bound(r),
                            .mse_error = r->standard_error,
                            .is_bound = !is_resolved(r)};
    }
    int code = figure_write(&f, c->opts->plot);
    free(points);
    return code;
}

/* ------------------------------------------------------------------------------------- the job */

static int compare(comparison *c) {
    int code = find_truth(c);
    if (!code) code = time_sampling(c);
    if (!code) code = compare_methods(c);
    if (!code) code = output_result(c->opts, print_human, print_json, c);
    if (!code && c->opts->csv) code = output_print(c->opts->csv, print_csv, c);
    if (!code && c->opts->plot) code = draw(c);
    if (!code && interrupted()) {
        note("interrupted: some methods are missing");
        code = EXIT_INTERRUPTED;
    }
    return code;
}

static void comparison_free(comparison *c) {
    for (size_t i = 0; i < c->n_rows; i++)
        free(c->rows[i].method);
    for (size_t i = 0; i < c->n_skipped; i++) {
        free(c->skipped[i].method);
        free(c->skipped[i].reason);
    }
    for (size_t h = 0; h < HALVES; h++)
        rk_answer_destroy(c->truth.half[h]);
    free(c->truth.mean);
    free(c->truth.covariance);
    free(c->rows);
    free(c->skipped);
    model_free(&c->model);
}

int cmd_compare(const options *opts) {
    comparison c = {.opts = opts};
    options one_method = *opts;
    one_method.n_methods = 0; /* each has its own run */
    int code = opts->plot ? figure_check_path(opts->plot) : 0;
    if (!code && opts->truth_samples < 2) code = fail(EXIT_USAGE, "--truth-samples: at least 2");
    if (!code) code = model_run_options(&c.run, &one_method);
    if (!code) code = model_load(&c.model, opts);
    if (code) return code;
    interrupt_catch();
    code = compare(&c);
    comparison_free(&c);
    return code;
}
