/* reckon compare: every method against Monte Carlo on the user's own network. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "figure.h"
#include "gnuplot.h"
#include "interrupt.h"
#include "json.h"
#include "message.h"
#include "model.h"
#include "output.h"
#include "report.h"
#include "truth.h"

typedef struct row {
    char *label;  /* as asked */
    char *method; /* with all arguments spelled out */
    double mse, standard_error;
    double cost[N_RESOURCES];
    double convention;
    uint64_t samples;    /* 0: not sampling */
    bool matches;        /* plain sampling at the cost of another row ... */
    resource matched;    /* ... in this resource */
    const char *partner; /* ... the label of that row, borrowed */
    bool predicted;      /* not run: variance / samples */
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

static int out_of_memory(void) {
    return fail(EXIT_FAILED, "out of memory");
}

static int add_row(comparison *c, row r, const char *label, const char *method) {
    if (c->n_rows == c->capacity) {
        size_t capacity = 2 * c->capacity + 16;
        row *rows = realloc(c->rows, capacity * sizeof *rows);
        if (!rows) return out_of_memory();
        c->rows = rows;
        c->capacity = capacity;
    }
    r.label = strdup(label);
    r.method = strdup(method);
    c->rows[c->n_rows++] = r;
    return r.label && r.method ? 0 : out_of_memory();
}

static int skip(comparison *c, const char *method, const char *reason) {
    struct skipped *skipped = realloc(c->skipped, (c->n_skipped + 1) * sizeof *skipped);
    if (!skipped) return out_of_memory();
    c->skipped = skipped;
    struct skipped *last = &c->skipped[c->n_skipped++];
    *last = (struct skipped){strdup(method), strdup(reason)};
    return last->method && last->reason ? 0 : out_of_memory();
}

/* Runs one method, called `label`, into the row `r`; a run that fails or is interrupted leaves
 * none. */
static int run_method(comparison *c, const rk_options *run, const char *label, row r) {
    rk_error error;
    rk_answer *answer;
    if (model_estimate(&c->model, run, label, &answer, &error) && !answer)
        return error.status == RK_ERROR_INTERRUPTED ? 0 : skip(c, label, error.message);
    const rk_answer_data *a = rk_answer_view(answer);
    int code = 0;
    if (!a->interrupted) {
        r.cost[FLOPS] = (double)a->cost.flops_executed;
        r.cost[SECONDS] = least_seconds(&c->model, run, a->seconds);
        r.convention = a->cost.flops_convention;
        r.samples = a->samples;
        truth_measure(&c->truth, a->mean, &r.mse, &r.standard_error);
        code = add_row(c, r, label, a->method);
    }
    rk_answer_destroy(answer);
    return code;
}

/* Plain sampling at the cost of `partner`; run, if the truth is good enough to judge it. */
static int add_sampling(comparison *c, const row *partner, resource matched) {
    const truth *t = &c->truth;
    double passes = floor(partner->cost[matched] / t->pass_cost[matched]);
    if (!(passes >= 2)) return 0;
    row r = {.matches = true, .matched = matched, .partner = partner->label};
    if (passes <= (double)t->data[0]->samples) {
        rk_options run = c->run;
        static const rk_method_spec sample = {.kind = RK_SAMPLE};
        run.method = &sample;
        run.samples = (uint64_t)passes;
        run.seed = truth_other_seed(run.seed, c->n_rows);
        return run_method(c, &run, "sample", r);
    }
    r.predicted = true;
    r.samples = passes < 0x1p63 ? (uint64_t)passes : UINT64_MAX;
    r.mse = t->variance / passes;
    r.convention = NAN;
    for (int i = 0; i < N_RESOURCES; i++)
        r.cost[i] = passes * t->pass_cost[i];
    return add_row(c, r, "sample", "sample");
}

/* 0 if the method applies and is cheap enough; *skipped if it was left out. */
static int check_method(comparison *c, const rk_options *run, const char *label, bool *skipped) {
    rk_error error;
    rk_plan *plan;
    *skipped = true;
    if (rk_plan_create(&plan, c->model.net, &c->model.input, run, &error)) {
        if (error.status == RK_ERROR_ARGUMENT && c->opts->n_methods) return fail_status(&error);
        return skip(c, label, error.message);
    }
    double flops = (double)rk_plan_cost(plan).flops_executed;
    rk_plan_destroy(plan);
    *skipped = flops > c->opts->max_flops;
    if (!*skipped) return 0;
    char reason[160], need[CELL], limit[CELL];
    snprintf(reason, sizeof reason, "needs %s FLOPs, more than --max-flops %s",
             compact(flops, need), compact(c->opts->max_flops, limit));
    return skip(c, label, reason);
}

/* A method and, unless it samples itself, its two matched sampling runs. */
static int compare_method(comparison *c, const char *method) {
    rk_options run = c->run;
    rk_method_spec spec = {.size = sizeof spec};
    rk_error error;
    run.method = &spec;
    if (rk_method_parse(method, &spec, &error)) return fail_status(&error);
    bool skipped;
    int code = check_method(c, &run, method, &skipped);
    if (code || skipped) return code;
    size_t n_before = c->n_rows;
    code = run_method(c, &run, method, (row){.matches = false});
    if (code || c->n_rows == n_before) return code;
    row partner = c->rows[n_before];
    for (int matched = 0; matched < N_RESOURCES && !code && !partner.samples; matched++)
        if (!interrupted()) code = add_sampling(c, &partner, (resource)matched);
    return code;
}

/* What stands for a method by default: NULL for sampling itself. */
static const char *default_method(rk_method_kind kind) {
    if (kind == RK_SAMPLE || kind == RK_AUTO) return NULL;
    return kind == RK_REFERENCE ? "reference:3" : rk_method_at(kind)->name;
}

static int compare_methods(comparison *c) {
    int code = 0;
    for (size_t i = 0; i < c->opts->n_methods && !code && !interrupted(); i++)
        code = compare_method(c, c->opts->methods[i]);
    const bool all = c->opts->n_methods == 0;
    for (rk_method_kind kind = RK_AUTO; all && kind < RK_METHOD_COUNT && !code; kind++)
        if (default_method(kind) && !interrupted()) code = compare_method(c, default_method(kind));
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
static double sampling_cost(const truth *t, double mse, resource what) {
    return t->variance / mse * t->pass_cost[what];
}

static const char *const resource_names[N_RESOURCES] = {"flops", "seconds"};

static json_t *row_json(json_document *doc, const comparison *c, const row *r) {
    double mse = is_resolved(r) ? r->mse : NAN;
    double flops = sampling_cost(&c->truth, mse, FLOPS);
    double seconds = sampling_cost(&c->truth, mse, SECONDS);
    json_t *o = json_object();
    json_object_set_new(o, "label", json_text_or_null(r->label));
    json_object_set_new(o, "method", json_text_or_null(r->method));
    json_object_set_new(o, "mse", json_double(doc, r->mse));
    json_object_set_new(o, "mse_standard_error",
                        r->predicted ? json_null() : json_double(doc, r->standard_error));
    json_object_set_new(o, "mse_over_variance", json_double(doc, r->mse / c->truth.variance));
    json_object_set_new(o, "flops_executed", json_double(doc, r->cost[FLOPS]));
    json_object_set_new(o, "flops_convention", json_optional(doc, r->convention));
    json_object_set_new(o, "seconds", json_double(doc, r->cost[SECONDS]));
    json_object_set_new(o, "sampling_flops_for_same_mse", json_optional(doc, flops));
    json_object_set_new(o, "sampling_seconds_for_same_mse", json_optional(doc, seconds));
    json_object_set_new(o, "sampling_flops_ratio", json_optional(doc, flops / r->cost[FLOPS]));
    json_object_set_new(o, "sampling_seconds_ratio",
                        json_optional(doc, seconds / r->cost[SECONDS]));
    json_object_set_new(o, "samples", r->samples ? json_count(r->samples) : json_null());
    json_object_set_new(o, "measured", json_boolean(!r->predicted));
    json_object_set_new(o, "matches_method", json_text_or_null(r->partner));
    json_object_set_new(o, "matches",
                        r->matches ? json_string(resource_names[r->matched]) : json_null());
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
    json_object_set_new(o, "method", json_string(t->data[0]->method));
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
        const char *sign = upper_bound(r) > 0 ? "< " : ""; /* sampling, too, can be exact */
        snprintf(error, sizeof error, "%s%.50s", sign, compact(upper_bound(r), cell));
        table_add(t, error);
    }
    snprintf(cell, sizeof cell, "%s %.50s", plus_minus(), compact(r->standard_error, error));
    table_add(t, r->predicted ? "expected" : cell);
}

/* "x 31": how many times the row's own cost plain sampling needs for the same error. */
static void add_ratio_cell(table *t, const comparison *c, const row *r, resource what) {
    char cell[CELL], text[CELL];
    double ratio = sampling_cost(&c->truth, upper_bound(r), what) / r->cost[what];
    snprintf(text, sizeof text, "%sx %.50s", is_resolved(r) ? "" : "> ", compact(ratio, cell));
    table_add(t, r->matches ? "" : text);
}

static void add_table_row(table *t, const comparison *c, const row *r) {
    char cell[CELL];
    snprintf(cell, sizeof cell, "  sampling, same %s: %llu passes",
             r->matched == FLOPS ? "FLOPs" : "time", (unsigned long long)r->samples);
    table_add(t, r->matches ? cell : r->label);
    add_mse_cells(t, r);
    table_add(t, compact(r->cost[FLOPS], cell));
    table_add(t, duration(r->cost[SECONDS], cell));
    add_ratio_cell(t, c, r, FLOPS);
    add_ratio_cell(t, c, r, SECONDS);
}

static int print_human(const void *result, FILE *stream) {
    const comparison *c = result;
    char summary[256], cell[CELL];
    heading(stream, "%s (%s) against Monte Carlo", c->model.name,
            model_summary(c->model.net, summary));
    fprintf(stream, "truth: 2 x %llu passes of %s; variance of one pass %s\n\n",
            (unsigned long long)c->truth.data[0]->samples, c->truth.data[0]->method,
            compact(c->truth.variance, cell));
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

/* Numbers that do not exist are empty. */
static void print_csv_number(FILE *stream, double x) {
    if (isfinite(x))
        fprintf(stream, ",%.17g", x);
    else
        fputc(',', stream);
}

/* Names are quoted because methods may hold commas. */
static int print_csv(const void *result, FILE *stream) {
    const comparison *c = result;
    fputs("label,method,mse,mse_standard_error,mse_over_variance,flops_executed,flops_convention,"
          "seconds,sampling_flops_for_same_mse,sampling_seconds_for_same_mse,samples,measured,"
          "matches,matches_method\n",
          stream);
    for (size_t i = 0; i < c->n_rows; i++) {
        const row *r = &c->rows[i];
        double mse = is_resolved(r) ? r->mse : NAN;
        const double numbers[] = {r->mse,
                                  r->predicted ? NAN : r->standard_error,
                                  r->mse / c->truth.variance,
                                  r->cost[FLOPS],
                                  r->convention,
                                  r->cost[SECONDS],
                                  sampling_cost(&c->truth, mse, FLOPS),
                                  sampling_cost(&c->truth, mse, SECONDS),
                                  r->samples ? (double)r->samples : NAN};
        fprintf(stream, "\"%s\",\"%s\"", r->label, r->method);
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++)
            print_csv_number(stream, numbers[j]);
        fprintf(stream, ",%d,%s,\"%s\"\n", !r->predicted,
                r->matches ? resource_names[r->matched] : "", r->matches ? r->partner : "");
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
        figure_point *p = r->matches ? &points[c->n_rows + f.n_sampling++] : &points[f.n_points++];
        *p = (figure_point){.label = r->label,
                            .cost = {r->cost[FLOPS], r->cost[SECONDS]},
                            .mse = upper_bound(r),
                            .mse_error = r->standard_error,
                            .is_bound = !is_resolved(r)};
    }
    int code = figure_write(&f, c->opts->plot);
    free(points);
    return code;
}

/* ------------------------------------------------------------------------------------- the job */

/* What diverges is shown as such, and no success. */
static int judge(const comparison *c) {
    int code = EXIT_DONE;
    for (size_t i = 0; i < c->n_rows; i++) {
        if (isfinite(c->rows[i].mse)) continue;
        warn("%s: its answer is not finite", c->rows[i].label);
        code = EXIT_UNMET;
    }
    return code;
}

static int compare(comparison *c) {
    int code = truth_find(&c->truth, &c->model, &c->run, c->opts->truth_samples);
    if (!code) code = compare_methods(c);
    if (!code) code = output_result(c->opts, print_human, print_json, c);
    if (!code && c->opts->csv) code = output_print(c->opts->csv, print_csv, c);
    if (!code && c->opts->plot) code = draw(c);
    if (!code && interrupted()) {
        note("interrupted: some methods are missing");
        code = EXIT_INTERRUPTED;
    }
    return code ? code : judge(c);
}

static void comparison_free(comparison *c) {
    for (size_t i = 0; i < c->n_rows; i++) {
        free(c->rows[i].label);
        free(c->rows[i].method);
    }
    for (size_t i = 0; i < c->n_skipped; i++) {
        free(c->skipped[i].method);
        free(c->skipped[i].reason);
    }
    truth_free(&c->truth);
    free(c->rows);
    free(c->skipped);
    model_free(&c->model);
}

int cmd_compare(const options *opts) {
    comparison c = {.opts = opts};
    options one_method = *opts;
    one_method.n_methods = 0; /* each has its own run */
    int code = opts->plot ? gnuplot_check_path(opts->plot) : 0;
    if (!code && opts->truth_samples == 1) code = fail(EXIT_USAGE, "--truth-samples: at least 2");
    if (!code) code = model_run_options(&c.run, &one_method);
    if (!code) code = model_load(&c.model, opts);
    if (code) return code;
    interrupt_catch(1);
    code = compare(&c);
    comparison_free(&c);
    return code;
}
