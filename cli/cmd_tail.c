/* reckon tail: how likely an event is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "curve.h"
#include "gnuplot.h"
#include "interrupt.h"
#include "json.h"
#include "message.h"
#include "model.h"
#include "output.h"
#include "progress.h"
#include "report.h"

enum { FEW = 24 }; /* events printed in full; more are abridged to their ends */

typedef struct tail {
    const options *opts;
    model model;
    rk_events *events;
    const rk_tail_data *answer;
} tail;

static const rk_event *event_at(const tail *t, size_t i) {
    return &rk_events_list(t->events)[i];
}

/* ---------------------------------------------------------------------------------------- JSON */

static json_t *event_json(json_document *doc, const rk_event *event, const rk_tail_estimate *e) {
    json_t *o = json_object(), *warnings = json_array();
    bool sampled = e->samples > 0;
    json_object_set_new(o, "event", json_text_or_null(event->text));
    json_object_set_new(o, "threshold", json_double(doc, event->threshold));
    json_object_set_new(o, "p", json_double(doc, e->p));
    json_object_set_new(o, "log10_p", json_double(doc, e->log10_p));
    json_object_set_new(o, "cv", sampled ? json_double(doc, e->cv) : json_null());
    json_t *interval = json_array();
    double low = pow(10, e->log10_low), high = pow(10, e->log10_high);
    json_array_append_new(interval, sampled ? json_double(doc, low) : json_null());
    json_array_append_new(interval, sampled ? json_double(doc, high) : json_null());
    json_object_set_new(o, "interval95", interval);
    json_object_set_new(o, "log10_closure", json_optional(doc, e->log10_closure));
    json_object_set_new(o, "log10_unbiased", json_optional(doc, e->log10_unbiased));
    json_object_set_new(o, "cv_unbiased", json_optional(doc, e->cv_unbiased));
    json_object_set_new(o, "samples", json_count(e->samples));
    json_object_set_new(o, "effective_samples", json_optional(doc, e->effective_samples));
    json_object_set_new(o, "method", json_string(e->method));
    if (*e->warning) json_array_append_new(warnings, json_string(e->warning));
    json_object_set_new(o, "warnings", warnings);
    return o;
}

static int print_json(const void *result, FILE *stream) {
    const tail *t = result;
    const rk_tail_data *a = t->answer;
    json_document doc = json_begin("reckon.tail/1");
    json_object_set_new(doc.root, "method", json_text_or_null(a->method));
    json_t *events = json_array();
    for (size_t i = 0; i < a->n_events; i++)
        json_array_append_new(events, event_json(&doc, event_at(t, i), &a->estimates[i]));
    json_object_set_new(doc.root, "events", events);
    json_t *flops = json_object();
    json_object_set_new(flops, "executed", json_count(a->flops_executed));
    json_object_set_new(doc.root, "flops", flops);
    json_object_set_new(doc.root, "seconds", json_double(&doc, a->seconds));
    json_object_set_new(doc.root, "peak_bytes", json_count(a->bytes));
    json_object_set_new(doc.root, "samples", json_count(a->samples));
    json_object_set_new(doc.root, "interrupted", json_boolean(a->interrupted));
    json_object_set_new(doc.root, "unmet", json_boolean(a->unmet));
    for (size_t i = 0; i < a->n_warnings; i++)
        json_warn(&doc, a->warnings[i]);
    json_object_set_new(doc.root, "seed", json_count(a->seed));
    json_object_set_new(doc.root, "threads", json_count((uint64_t)a->threads));
    json_object_set_new(doc.root, "weights_sha256", json_weights_sha256(t->model.net));
    return json_end(&doc, stream);
}

/* --------------------------------------------------------------------------------- for people */

static void add_row(table *out, const rk_event *event, const rk_tail_estimate *e) {
    char cell[CELL], low[CELL], interval[2 * CELL + 4] = "-";
    table_add(out, event->text);
    table_add(out, power_of_ten(e->log10_p, cell));
    snprintf(cell, sizeof cell, isfinite(e->log10_p) ? "%.2f" : "-",
             e->log10_p > -0.005 ? 0 : e->log10_p); /* no -0.00 */
    table_add(out, cell);
    snprintf(cell, sizeof cell, isfinite(e->cv) ? "%.1f %%" : "-", 100 * e->cv);
    table_add(out, cell);
    if (!isnan(e->log10_high))
        snprintf(interval, sizeof interval, "%s .. %s", power_of_ten(e->log10_low, low),
                 power_of_ten(e->log10_high, cell));
    table_add(out, interval);
    table_add(out, power_of_ten(e->log10_unbiased, cell));
    table_add(out, power_of_ten(e->log10_closure, cell));
    table_add(out, *e->warning ? "!" : "");
}

static int print_human(const void *result, FILE *stream) {
    static const char *const titles[] = {"event",         "probability", "log10",     "cv",
                                         "95 % interval", "unbiased",    "cumulants", ""};
    const tail *t = result;
    const rk_tail_data *a = t->answer;
    char summary[256], cell[CELL];
    bool abridged = a->n_events > FEW && !t->opts->all;
    heading(stream, "Events of %s (%s)", t->model.name, model_summary(t->model.net, summary));
    fputc('\n', stream);
    table out = table_create(sizeof titles / sizeof *titles, 1);
    for (size_t c = 0; c < out.n_columns; c++)
        table_add(&out, titles[c]);
    for (size_t i = 0; i < a->n_events; i++) {
        if (abridged && i == FEW / 2) {
            for (size_t c = 0; c < out.n_columns; c++)
                table_add(&out, "...");
            i = a->n_events - FEW / 2;
        }
        add_row(&out, event_at(t, i), &a->estimates[i]);
    }
    table_print(&out, stream);
    if (abridged)
        fprintf(stream, "  (%zu events; --all, --csv or --json give all of them)\n", a->n_events);
    fprintf(stream, "\nmethod   %s", a->method);
    if (a->samples)
        fprintf(stream, ", %llu passes, seed %llu", (unsigned long long)a->samples,
                (unsigned long long)a->seed);
    fprintf(stream, "\ncost     %s FLOPs executed\n", compact((double)a->flops_executed, cell));
    fprintf(stream, "memory   %s\n", byte_size((double)a->bytes, cell));
    fprintf(stream, "time     %s with %d thread%s\n", duration(a->seconds, cell), a->threads,
            a->threads == 1 ? "" : "s");
    return 0;
}

static int print_csv(const void *result, FILE *stream) {
    const tail *t = result;
    fputs("event,threshold,p,log10_p,cv,log10_low,log10_high,log10_closure,log10_unbiased,"
          "cv_unbiased,samples,method\n",
          stream);
    for (size_t i = 0; i < t->answer->n_events; i++) {
        const rk_tail_estimate *e = &t->answer->estimates[i];
        fprintf(stream, "%s,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%llu,%s\n",
                event_at(t, i)->text, event_at(t, i)->threshold, e->p, e->log10_p, e->cv,
                e->log10_low, e->log10_high, e->log10_closure, e->log10_unbiased, e->cv_unbiased,
                (unsigned long long)e->samples, e->method);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------- the job */

static void print_warnings(const tail *t) {
    size_t n = 0;
    for (size_t i = 0; i < t->answer->n_warnings; i++)
        warn("%s", t->answer->warnings[i]);
    for (size_t i = 0; i < t->answer->n_events; i++) {
        const char *text = t->answer->estimates[i].warning;
        if (*text && n++ < 5) warn("%s: %s", event_at(t, i)->text, text);
    }
    if (n > 5) warn("and %zu more; --json gives all of them", n - 5);
}

/* Every event has a probability, within what was asked for. */
static bool is_answered(const tail *t) {
    if (t->answer->unmet) return false;
    for (size_t i = 0; i < t->answer->n_events; i++)
        if (isnan(t->answer->estimates[i].p)) return false;
    return true;
}

static int print_answer(const tail *t) {
    if (!t->opts->json) print_warnings(t);
    int code = output_result(t->opts, print_human, print_json, t);
    if (!code && t->opts->csv) code = output_print(t->opts->csv, print_csv, t);
    if (!code && t->opts->plot) {
        char summary[256], title[400];
        snprintf(title, sizeof title, "%s (%s)", t->model.name,
                 model_summary(t->model.net, summary));
        code = curve_write(title, rk_events_list(t->events), t->answer->estimates,
                           t->answer->n_events, t->opts->plot);
    }
    if (!code && t->answer->interrupted) {
        note("interrupted: this answer is partial");
        code = EXIT_INTERRUPTED;
    }
    return !code && !is_answered(t) ? EXIT_UNMET : code;
}

int cmd_tail(const options *opts) {
    if (!opts->event)
        return fail(EXIT_USAGE, "which event? Give --event, for example --event 'y[0] > 3'");
    tail t = {.opts = opts};
    int code = opts->plot ? gnuplot_check_path(opts->plot) : 0;
    if (!code) code = model_load(&t.model, opts);
    if (code) return code;
    rk_error error;
    rk_options run;
    rk_tail_answer *answer = NULL;
    code = model_run_options(&run, opts);
    rk_tail_spec method = {.size = sizeof method};
    run.tail = &method;
    if (!code && rk_tail_method_parse(model_method(opts), &method, &error))
        code = fail_status(&error);
    if (!code && rk_events_parse(&t.events, t.model.net, opts->event, &error))
        code = fail_status(&error);
    if (!code) {
        progress bar;
        interrupt_catch(1);
        progress_begin(&bar, model_method(opts), &run);
        rk_status status = rk_tail(&answer, t.model.net, &t.model.input, rk_events_list(t.events),
                                   rk_events_count(t.events), &run, &error);
        progress_end(&bar);
        if (status) {
            code = fail_status(&error);
        } else {
            t.answer = rk_tail_view(answer);
            code = print_answer(&t);
        }
    }
    rk_tail_destroy(answer);
    rk_events_destroy(t.events);
    model_free(&t.model);
    return code;
}
