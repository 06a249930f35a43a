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
    rk_options run;
    rk_cost cost;
} explanation;

static int print_json(const void *result, FILE *stream) {
    const explanation *x = result;
    json_document doc = json_begin("reckon.explain/1");
    json_object_set_new(doc.root, "method", json_text_or_null(x->run.method));
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
    json_object_set_new(doc.root, "weights_sha256", json_weights_sha256(x->model.net));
    return json_end(&doc, stream);
}

static int print_human(const void *result, FILE *stream) {
    const explanation *x = result;
    const rk_cost *cost = &x->cost;
    char summary[256], cell[CELL];
    heading(stream, "%s on %s (%s)", x->run.method, x->model.name,
            model_summary(x->model.net, summary));
    fputc('\n', stream);
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
    explanation x = {0};
    rk_error error;
    rk_plan *plan;
    int code = model_load(&x.model, opts);
    if (code) return code;
    code = model_run_options(&x.run, opts);
    if (!code && rk_plan_create(&plan, x.model.net, &x.model.input, &x.run, &error))
        code = fail_status(&error);
    if (!code) {
        x.cost = rk_plan_cost(plan);
        code = output_result(opts, print_human, print_json, &x);
        rk_plan_destroy(plan);
    }
    model_free(&x.model);
    return code;
}
