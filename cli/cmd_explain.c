/* reckon explain: the plan of an estimate, and its cost, before running. */
#include <math.h>

#include "commands.h"
#include "json.h"
#include "message.h"
#include "model.h"
#include "output.h"
#include "report.h"

typedef struct explanation {
    model model;
    const options *opts;
    rk_options run;
    rk_method_spec method;
    rk_cost cost;
    const rk_candidate *candidates; /* NULL: the method was given */
    size_t n_candidates;
} explanation;

static json_t *candidates_json(json_document *doc, const explanation *x) {
    json_t *candidates = json_array();
    for (size_t i = 0; i < x->n_candidates; i++) {
        const rk_candidate *c = &x->candidates[i];
        json_t *o = json_object();
        json_object_set_new(o, "method", json_text_or_null(c->method));
        json_object_set_new(o, "samples", c->samples ? json_count(c->samples) : json_null());
        json_object_set_new(o, "error_rms", json_optional(doc, c->error_rms));
        json_object_set_new(o, "flops", json_optional(doc, c->flops));
        json_object_set_new(o, "seconds", json_optional(doc, c->seconds));
        json_object_set_new(o, "bytes", json_count(c->bytes));
        json_object_set_new(o, "verdict", json_text_or_null(c->verdict));
        json_array_append_new(candidates, o);
    }
    return candidates;
}

static void print_candidates(const explanation *x, FILE *stream) {
    char cell[CELL];
    static const char *const titles[] = {"method", "passes", "expected error", "FLOPs",
                                         "time",   "memory", "verdict"};
    enum { COLUMNS = sizeof titles / sizeof *titles };
    table t = table_create(COLUMNS, 1 | 1 << (COLUMNS - 1));
    for (size_t i = 0; i < COLUMNS; i++)
        table_add(&t, titles[i]);
    for (size_t i = 0; i < x->n_candidates; i++) {
        const rk_candidate *c = &x->candidates[i];
        bool planned = !isnan(c->flops);
        table_add(&t, c->method);
        table_add(&t, c->samples ? compact((double)c->samples, cell) : "");
        table_add(&t, compact(c->error_rms, cell));
        table_add(&t, compact(c->flops, cell));
        table_add(&t, planned ? duration(c->seconds, cell) : "-");
        table_add(&t, planned ? byte_size((double)c->bytes, cell) : "-");
        table_add(&t, c->verdict);
    }
    table_print(&t, stream);
    fputc('\n', stream);
}

static int print_json(const void *result, FILE *stream) {
    const explanation *x = result;
    json_document doc = json_begin("reckon.explain/1");
    json_object_set_new(doc.root, "method", json_text_or_null(model_method(x->opts)));
    json_object_set_new(doc.root, "flops", json_flops(&doc, &x->cost));
    json_object_set_new(doc.root, "peak_bytes", json_count(x->cost.bytes));
    json_t *steps = json_array();
    for (size_t i = 0; i < x->cost.n_steps; i++) {
        json_t *step = json_object();
        json_object_set_new(step, "label", json_text_or_null(x->cost.steps[i].label));
        json_object_set_new(step, "flops", json_count(x->cost.steps[i].flops));
        json_array_append_new(steps, step);
    }
    json_object_set_new(doc.root, "steps", steps);
    if (x->candidates) json_object_set_new(doc.root, "candidates", candidates_json(&doc, x));
    json_object_set_new(doc.root, "weights_sha256", json_weights_sha256(x->model.net));
    return json_end(&doc, stream);
}

static int print_human(const void *result, FILE *stream) {
    const explanation *x = result;
    const rk_cost *cost = &x->cost;
    char summary[256], cell[CELL];
    heading(stream, "%s on %s (%s)", model_method(x->opts), x->model.name,
            model_summary(x->model.net, summary));
    fputc('\n', stream);
    if (x->candidates) print_candidates(x, stream);
    table steps = table_create(3, 1);
    table_add(&steps, "step");
    table_add(&steps, "FLOPs");
    table_add(&steps, "share");
    for (size_t i = 0; i < cost->n_steps; i++) {
        double flops = (double)cost->steps[i].flops;
        table_add(&steps, cost->steps[i].label);
        table_add(&steps, compact(flops, cell));
        snprintf(cell, sizeof cell, "%.1f %%", 100 * flops / fmax(1, (double)cost->flops_executed));
        table_add(&steps, cell);
    }
    table_print(&steps, stream);
    fputc('\n', stream);
    print_cost(stream, cost);
    return 0;
}

int cmd_explain(const options *opts) {
    explanation x = {.opts = opts};
    rk_error error;
    rk_plan *plan;
    int code = model_load(&x.model, opts);
    if (code) return code;
    code = model_run_method(&x.run, &x.method, opts);
    if (!code && rk_plan_create(&plan, x.model.net, &x.model.input, &x.run, &error))
        code = fail_status(&error);
    if (!code) {
        x.cost = rk_plan_cost(plan);
        x.candidates = rk_plan_candidates(plan, &x.n_candidates);
        code = output_result(opts, print_human, print_json, &x);
        rk_plan_destroy(plan);
    }
    model_free(&x.model);
    return code;
}
