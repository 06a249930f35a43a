/* reckon train: the same network, but for an event that is rarer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "model.h"
#include "output.h"
#include "report.h"
#include "training.h"

typedef struct train {
    const options *opts;
    model model;
    rk_network *keep;    /* whose outputs are kept, or NULL */
    rk_dataset *kept;    /* or data */
    rk_network *trained; /* what came of it */
    rk_events *events;
    const rk_train_event_data *data;
} train;

static const char *event_text(const train *t) {
    return rk_events_list(t->events)[0].text;
}

static int parse(const options *opts, rk_train_event_options *out) {
    static const choice views = {"--view", {"both", "normal", "tilts"}};
    int view;
    *out = rk_train_event_options_default();
    if (!opts->event)
        return fail(EXIT_USAGE, "which event? Give --event, for example --event 'y[0] > 3'");
    if (!opts->output)
        return fail(EXIT_USAGE, "where should the network go? Give -o trained.safetensors");
    if (check_model_output(opts->output)) return EXIT_USAGE;
    if (opts->threads > 4096) return fail(EXIT_USAGE, "--threads: at most 4096");
    int code = parse_choice(&views, opts->view, &view);
    if (!code) code = parse_pairs(opts->pairs, &out->pairs, &out->pairs_order);
    if (code) return code;
    out->view = (rk_event_view)view;
    if (opts->keep_loss != 0) out->keep_loss = opts->keep_loss;
    out->target_factor = opts->factor;
    out->samples = opts->samples;
    out->receipt_samples = opts->receipt == UINT64_MAX ? 0 : opts->receipt;
    out->seed = opts->seed;
    out->threads = (int)opts->threads;
    out->memory_limit = opts->memory;
    out->checkpoint_seconds = opts->checkpoint;
    return 0;
}

/* ------------------------------------------------------------------------------------- results */

static json_t *probability_json(json_document *doc, const rk_tail_estimate *e) {
    json_t *o = json_object();
    json_object_set_new(o, "p", json_optional(doc, e->p));
    json_object_set_new(o, "log10_p", json_optional(doc, e->log10_p));
    json_object_set_new(o, "cv", json_optional(doc, e->cv));
    json_object_set_new(o, "log10_low", json_optional(doc, e->log10_low));
    json_object_set_new(o, "log10_high", json_optional(doc, e->log10_high));
    json_object_set_new(o, "samples", json_count(e->samples));
    json_object_set_new(o, "method", json_string(e->method));
    return o;
}

static json_t *points_json(json_document *doc, const rk_train_event_data *a) {
    json_t *points = json_array();
    for (size_t i = 0; i < a->n_curve; i++) {
        const rk_event_point *at = &a->curve[i];
        json_t *o = json_object();
        json_object_set_new(o, "step", json_count(at->step));
        json_object_set_new(o, "closure_loss", json_optional(doc, at->closure_loss));
        json_object_set_new(o, "loss", json_optional(doc, at->loss));
        json_object_set_new(o, "log10_normal", json_optional(doc, at->log10_normal));
        json_object_set_new(o, "log10_tilts", json_optional(doc, at->log10_tilts));
        json_object_set_new(o, "modes", json_count(at->n_modes));
        json_object_set_new(o, "flops", json_double(doc, at->flops));
        json_object_set_new(o, "seconds", json_double(doc, at->seconds));
        json_array_append_new(points, o);
    }
    return points;
}

static int print_json(const void *result, FILE *stream) {
    const train *t = result;
    const rk_train_event_data *a = t->data;
    json_document doc = json_begin("reckon.train/1");
    json_t *o = doc.root, *loss = json_object(), *flops = json_object();
    json_object_set_new(o, "network", json_text_or_null(t->opts->output));
    json_object_set_new(o, "event", json_text_or_null(event_text(t)));
    json_object_set_new(o, "before", probability_json(&doc, &a->before));
    json_object_set_new(o, "after", probability_json(&doc, &a->after));
    json_object_set_new(o, "before_check", probability_json(&doc, &a->before_check));
    json_object_set_new(o, "after_check", probability_json(&doc, &a->after_check));
    json_object_set_new(o, "log10_factor", json_optional(&doc, a->log10_factor));
    json_object_set_new(loss, "relative", json_optional(&doc, a->loss));
    json_object_set_new(loss, "standard_error", json_optional(&doc, a->loss_standard_error));
    json_object_set_new(loss, "closure", json_optional(&doc, a->closure_loss));
    json_object_set_new(loss, "square", json_optional(&doc, a->square));
    json_object_set_new(loss, "samples", json_count(a->receipt_samples));
    json_object_set_new(loss, "data_before", json_optional(&doc, a->data_loss_before));
    json_object_set_new(loss, "data_after", json_optional(&doc, a->data_loss_after));
    json_object_set_new(o, "loss", loss);
    json_object_set_new(flops, "executed", json_double(&doc, a->flops));
    json_object_set_new(flops, "receipt", json_double(&doc, a->receipt_flops));
    json_object_set_new(o, "flops", flops);
    json_object_set_new(o, "seconds", json_double(&doc, a->seconds));
    json_object_set_new(o, "peak_bytes", json_count(a->bytes));
    json_object_set_new(o, "curve", points_json(&doc, a));
    json_object_set_new(o, "found_again", json_count(a->found_again));
    json_object_set_new(o, "interrupted", json_boolean(a->interrupted));
    json_object_set_new(o, "unmet", json_boolean(a->unmet));
    json_object_set_new(o, "unchanged", json_boolean(a->unchanged));
    for (size_t i = 0; i < a->n_warnings; i++)
        json_warn(&doc, a->warnings[i]);
    json_object_set_new(o, "seed", json_count(a->seed));
    json_object_set_new(o, "threads", json_count((uint64_t)a->threads));
    json_object_set_new(o, "weights_sha256", json_weights_sha256(t->trained));
    return json_end(&doc, stream);
}

static void print_probability(FILE *stream, const char *when, const rk_tail_estimate *e) {
    char p[CELL], low[CELL], high[CELL];
    fprintf(stream, "%-8s %s", when, power_of_ten(e->log10_p, p));
    if (!isnan(e->log10_high))
        fprintf(stream, "   (95 %%: %s .. %s)", power_of_ten(e->log10_low, low),
                power_of_ten(e->log10_high, high));
    fprintf(stream, "   %s\n", e->method);
}

static void print_loss(FILE *stream, const train *t) {
    const rk_train_event_data *a = t->data;
    char cell[CELL], other[CELL];
    if (t->kept && isfinite(a->loss))
        fprintf(stream, "loss     %s on the data, %s before (%llu samples, %s)\n",
                compact(a->data_loss_after, cell), compact(a->data_loss_before, other),
                (unsigned long long)a->receipt_samples,
                t->kept->labels ? "cross entropy in nats" : "mean square error");
    else if (isfinite(a->loss))
        fprintf(stream, "loss     %s %s %s of E|T|^2 (%llu passes)\n",
                value_to_error(a->loss, a->loss_standard_error, cell), plus_minus(),
                error_two_digits(a->loss_standard_error, other),
                (unsigned long long)a->receipt_samples);
    if (isfinite(a->closure_loss))
        fprintf(stream, "         %s as the steps had it, after %zu\n",
                compact(a->closure_loss, cell), a->n_curve);
}

static int print_human(const void *result, FILE *stream) {
    const train *t = result;
    const rk_train_event_data *a = t->data;
    char summary[256], cell[CELL];
    heading(stream, "%s of %s (%s)", event_text(t), t->model.name,
            model_summary(t->model.net, summary));
    fputc('\n', stream);
    print_probability(stream, "before", &a->before);
    if (!a->unchanged) print_probability(stream, "after", &a->after);
    if (isfinite(a->log10_factor) && !a->unchanged)
        fprintf(stream, "         %s times rarer\n", compact(pow(10, a->log10_factor), cell));
    print_loss(stream, t);
    if (a->unchanged) fputs("         the network is what it was\n", stream);
    fprintf(stream, "\nnetwork  %s\n", t->opts->output);
    fprintf(stream, "cost     %s FLOPs", compact(a->flops, cell));
    fprintf(stream, ", and %s for probabilities and loss\n", compact(a->receipt_flops, cell));
    fprintf(stream, "memory   %s\n", byte_size((double)a->bytes, cell));
    fprintf(stream, "time     %s with %d thread%s\n", duration(a->seconds, cell), a->threads,
            a->threads == 1 ? "" : "s");
    return 0;
}

static int print_csv(const void *result, FILE *stream) {
    const train *t = result;
    fputs("step,closure_loss,loss,loss_standard_error,log10_normal,log10_tilts,modes,flops,"
          "seconds\n",
          stream);
    for (size_t i = 0; i < t->data->n_curve; i++) {
        const rk_event_point *at = &t->data->curve[i];
        fprintf(stream, "%llu,%.17g,%.17g,%.17g,%.17g,%.17g,%zu,%.17g,%.6g\n",
                (unsigned long long)at->step, at->closure_loss, at->loss, at->loss_standard_error,
                at->log10_normal, at->log10_tilts, at->n_modes, at->flops, at->seconds);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------- the job */

/* What the file will say of how the network was made, whatever comes of it. */
static void begin_origin(const train *t, char text[400]) {
    char sha256[65] = "unknown";
    rk_network_sha256(t->model.net, sha256, NULL);
    snprintf(text, 400, "trained from weights %s: reckon %s train, seed %llu, P(%.200s)", sha256,
             rk_version(), (unsigned long long)t->opts->seed, event_text(t));
}

static void say_origin(train *t, const char *origin) {
    const rk_train_event_data *a = t->data;
    char text[900], before[CELL], after[CELL];
    snprintf(text, sizeof text, "%s from %s to %s, loss %.3g%s", origin,
             power_of_ten(a->before.log10_p, before), power_of_ten(a->after.log10_p, after),
             t->kept ? a->data_loss_after : a->loss, t->kept ? " on data" : " of E|T|^2");
    rk_network_set_origin(t->trained, text, NULL);
}

static int report(const train *t) {
    options printed = *t->opts;
    printed.output = NULL; /* that is the network's */
    for (size_t i = 0; !t->opts->json && i < t->data->n_warnings; i++)
        warn("%s", t->data->warnings[i]);
    rk_error error;
    int code = rk_network_write(t->trained, t->opts->output, &error) ? fail_status(&error) : 0;
    if (!code) code = output_result(&printed, print_human, print_json, t);
    if (!code && t->opts->csv) code = output_print(t->opts->csv, print_csv, t);
    if (!code && t->data->interrupted) {
        note("interrupted: the network is that of the last step; to go on from it: reckon train %s "
             "--keep %s",
             t->opts->output, t->opts->keep ? t->opts->keep : t->model.name);
        code = EXIT_INTERRUPTED;
    }
    return !code && t->data->unmet ? EXIT_UNMET : code;
}

static int run(train *t, rk_train_event_options *how) {
    rk_error error;
    rk_trained *trained = NULL;
    training watch;
    char origin[400];
    begin_origin(t, origin);
    how->keep = t->keep;
    how->data = t->kept;
    how->progress = training_watch;
    how->progress_context = &watch;
    how->checkpoint = training_keep;
    how->checkpoint_context = &watch;
    training_begin(&watch, "train", t->opts->output, origin);
    rk_status status = rk_train_event(&trained, t->model.net, &t->model.input,
                                      rk_events_list(t->events), how, &error);
    training_end(&watch);
    if (status != RK_OK) return fail_status(&error);
    t->data = rk_trained_view(trained);
    t->trained = rk_trained_take(trained);
    say_origin(t, origin);
    int code = report(t);
    rk_trained_destroy(trained);
    return code;
}

/* Data, if it holds some, or else a network. */
static int load_keep(train *t) {
    rk_error error;
    const char *path = t->opts->keep;
    if (ends_with(path, ".npz") && rk_dataset_read(&t->kept, path, &error))
        return fail_status(&error);
    return !t->kept && rk_network_read(&t->keep, path, NULL, &error) ? fail_status(&error) : 0;
}

static int load(train *t) {
    rk_error error;
    if (rk_events_parse(&t->events, t->model.net, t->opts->event, &error))
        return fail_status(&error);
    if (rk_events_count(t->events) != 1)
        return fail(EXIT_USAGE, "--event: one event at a time can be made rarer, not %zu",
                    rk_events_count(t->events));
    return t->opts->keep ? load_keep(t) : 0;
}

int cmd_train(const options *opts) {
    train t = {.opts = opts};
    rk_train_event_options how;
    int code = parse(opts, &how);
    if (!code) code = model_load(&t.model, opts);
    if (code) return code;
    code = load(&t);
    if (!code) code = run(&t, &how);
    rk_network_destroy(t.trained);
    rk_network_destroy(t.keep);
    rk_dataset_destroy(t.kept);
    rk_events_destroy(t.events);
    model_free(&t.model);
    return code;
}
