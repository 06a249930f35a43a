/* reckon explain: the plan of an estimate, or of events, and its cost, before running. */
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
    bool is_bound;                  /* that cost is not exceeded; false: it is exact */
    const rk_candidate *candidates; /* NULL: the method was given */
    size_t n_candidates;
    const rk_events *events; /* NULL: an estimate */
    uint64_t samples;        /* for each */
} explanation;

enum { FEW = 24 }; /* steps printed; more are abridged to their ends */

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
    json_t *flops = json_flops(&doc, &x->cost);
    if (x->events) json_object_set_new(flops, "exact", json_boolean(!x->is_bound));
    json_object_set_new(doc.root, "flops", flops);
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
    if (x->events) {
        json_object_set_new(doc.root, "events", json_count(rk_events_count(x->events)));
        json_object_set_new(doc.root, "samples", json_count(x->samples));
    }
    json_object_set_new(doc.root, "weights_sha256", json_weights_sha256(x->model.net));
    return json_end(&doc, stream);
}

static void print_steps(const rk_cost *cost, FILE *stream) {
    char cell[CELL];
    table steps = table_create(3, 1);
    table_add(&steps, "step");
    table_add(&steps, "FLOPs");
    table_add(&steps, "share");
    for (size_t i = 0; i < cost->n_steps; i++) {
        if (cost->n_steps > 2 * FEW && i == FEW) {
            for (size_t c = 0; c < steps.n_columns; c++)
                table_add(&steps, "...");
            i = cost->n_steps - FEW;
        }
        double flops = (double)cost->steps[i].flops;
        table_add(&steps, cost->steps[i].label);
        table_add(&steps, compact(flops, cell));
        snprintf(cell, sizeof cell, "%.1f %%", 100 * flops / fmax(1, (double)cost->flops_executed));
        table_add(&steps, cell);
    }
    table_print(&steps, stream);
    fputc('\n', stream);
}

static int print_human(const void *result, FILE *stream) {
    const explanation *x = result;
    char summary[256], cell[CELL];
    heading(stream, "%s on %s (%s)", model_method(x->opts), x->model.name,
            model_summary(x->model.net, summary));
    fputc('\n', stream);
    if (x->candidates) print_candidates(x, stream);
    print_steps(&x->cost, stream);
    if (x->events)
        fprintf(stream, "events   %zu, %s passes each\n", rk_events_count(x->events),
                compact((double)x->samples, cell));
    if (x->is_bound) fputs("at most, as what passes meet decides:\n", stream);
    print_cost(stream, &x->cost);
    return 0;
}

static int explain_estimate(explanation *x) {
    rk_error error;
    rk_plan *plan;
    int code = model_run_method(&x->run, &x->method, x->opts);
    if (code) return code;
    if (rk_plan_create(&plan, x->model.net, &x->model.input, &x->run, &error))
        return fail_status(&error);
    x->cost = rk_plan_cost(plan);
    x->candidates = rk_plan_candidates(plan, &x->n_candidates);
    code = output_result(x->opts, print_human, print_json, x);
    rk_plan_destroy(plan);
    return code;
}

static int explain_events(explanation *x) {
    rk_error error;
    rk_events *events;
    rk_tail_spec method = {.size = sizeof method};
    int code = model_run_options(&x->run, x->opts);
    if (code) return code;
    if (rk_tail_method_parse(model_method(x->opts), &method, &error) ||
        rk_events_parse(&events, x->model.net, x->opts->event, &error))
        return fail_status(&error);
    x->run.tail = &method;
    rk_tail_plan *plan;
    if (rk_tail_plan_create(&plan, x->model.net, &x->model.input, rk_events_list(events),
                            rk_events_count(events), &x->run, &error)) {
        code = fail_status(&error);
    } else {
        const rk_tail_cost cost = rk_tail_plan_cost(plan);
        x->events = events;
        x->is_bound = !cost.is_exact;
        x->samples = cost.samples;
        x->cost = (rk_cost){.flops_executed = cost.flops,
                            .flops_convention = NAN,
                            .bytes = cost.bytes,
                            .steps = cost.steps,
                            .n_steps = cost.n_steps};
        code = output_result(x->opts, print_human, print_json, x);
    }
    rk_tail_plan_destroy(plan);
    rk_events_destroy(events);
    return code;
}

int cmd_explain(const options *opts) {
    explanation x = {.opts = opts};
    int code = model_load(&x.model, opts);
    if (code) return code;
    code = opts->event ? explain_events(&x) : explain_estimate(&x);
    model_free(&x.model);
    return code;
}
