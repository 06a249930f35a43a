#include "training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interrupt.h"
#include "message.h"
#include "report.h"

bool ends_with(const char *text, const char *ending) {
    const size_t n = strlen(text), m = strlen(ending);
    return n > m && !strcmp(text + n - m, ending);
}

int check_model_output(const char *path) {
    if (!ends_with(path, ".safetensors") && !ends_with(path, ".npz"))
        return fail(EXIT_USAGE, "-o: '%s' should end in .safetensors or .npz", path);
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    const bool writable = folder && access(folder, W_OK | X_OK) == 0;
    if (!writable)
        fail(EXIT_USAGE, "-o: nothing can be written to the folder %s", folder ? folder : "of it");
    free(folder);
    return writable ? 0 : EXIT_USAGE;
}

int parse_choice(const choice *c, const char *text, int *out) {
    char all[80] = "";
    for (*out = 0; c->words[*out]; ++*out) {
        if (!text || !strcmp(text, c->words[*out])) return 0;
        strcat(strcat(all, *all ? ", " : ""), c->words[*out]);
    }
    return fail(EXIT_USAGE, "%s: '%s' is none of %s", c->option, text, all);
}

int parse_pairs(const char *text, rk_pair_closure *pairs, int *order) {
    char rest;
    if (!text || !strcmp(text, "completed")) return 0;
    if (!strcmp(text, "exact"))
        *pairs = RK_PAIRS_EXACT;
    else if (!strcmp(text, "first"))
        *pairs = RK_PAIRS_FIRST;
    else if (sscanf(text, "completed:%d%c", order, &rest) != 1 || *order < 1 || *order > 4)
        return fail(EXIT_USAGE,
                    "--pairs: '%s' is none of first, completed, completed:1 .. completed:4, exact",
                    text);
    return 0;
}

bool training_watch(void *context, const rk_train_point *at, double fraction) {
    training *t = context;
    char loss[CELL] = "";
    if (isfinite(at->loss)) compact(at->loss, loss);
    snprintf(t->text, sizeof t->text, "%s: %s, step %llu%s%s", t->label,
             rk_train_phase_name(at->phase), (unsigned long long)at->step, *loss ? ", loss " : "",
             loss);
    t->bar.label = t->text;
    progress_show(&t->bar, fraction);
    const int before = t->heard;
    t->heard = interrupts();
    return t->heard == before;
}

static rk_network *copy(const rk_network *net) {
    const size_t n = rk_network_n_layers(net);
    rk_network *same = NULL;
    rk_layer *layers = calloc(n, sizeof *layers);
    for (size_t l = 0; layers && l < n; l++)
        layers[l] = rk_network_layer(net, l);
    if (layers) rk_network_create(&same, layers, n, NULL);
    free(layers);
    return same;
}

void training_keep(void *context, const rk_network *best, const rk_train_point *now) {
    training *t = context;
    char text[900];
    rk_error error;
    rk_network *own = copy(best);
    if (!own) return; /* no memory: the next one, then */
    snprintf(text, sizeof text, "%s, unfinished: %s, step %llu", t->origin,
             rk_train_phase_name(now->phase), (unsigned long long)now->step);
    rk_network_set_origin(own, text, NULL);
    if (rk_network_write(own, t->output, &error) && !t->has_failed) {
        progress_end(&t->bar);
        warn("what is best so far cannot be written: %s", error.message);
        t->has_failed = true;
    }
    rk_network_destroy(own);
}

void training_begin(training *t, const char *label, const char *output, const char *origin) {
    *t = (training){.label = label, .output = output, .origin = origin};
    interrupt_catch(2);
    t->bar = progress_start(label);
}

void training_end(training *t) {
    progress_end(&t->bar);
}

/* The last point of the phase that point i belongs to. */
static size_t end_of_phase(const rk_train_point *curve, size_t n, size_t i) {
    while (i + 1 < n && curve[i + 1].phase == curve[i].phase)
        i++;
    return i;
}

void print_phases(FILE *stream, const rk_train_point *curve, size_t n, double unit) {
    static const char *const titles[] = {"phase", "steps", "FLOPs", "time", "loss"};
    table out = table_create(sizeof titles / sizeof *titles, 1);
    rk_train_point before = {.flops = 0};
    char cell[CELL];
    if (n == 0) return;
    for (size_t c = 0; c < out.n_columns; c++)
        table_add(&out, titles[c]);
    for (size_t i = 0; i < n; i++) {
        const rk_train_point *at = &curve[i = end_of_phase(curve, n, i)];
        table_add(&out, rk_train_phase_name(at->phase));
        snprintf(cell, sizeof cell, "%llu", (unsigned long long)at->step);
        table_add(&out, cell);
        table_add(&out, compact(at->flops - before.flops, cell));
        table_add(&out, duration(at->seconds - before.seconds, cell));
        table_add(&out, compact(unit > 0 ? at->loss / unit : at->loss, cell));
        before = *at;
    }
    table_print(&out, stream);
}

json_t *json_curve(json_document *doc, const rk_train_point *curve, size_t n) {
    json_t *points = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *point = json_object();
        json_object_set_new(point, "phase", json_string(rk_train_phase_name(curve[i].phase)));
        json_object_set_new(point, "step", json_count(curve[i].step));
        json_object_set_new(point, "loss", json_optional(doc, curve[i].loss));
        json_object_set_new(point, "flops", json_double(doc, curve[i].flops));
        json_object_set_new(point, "seconds", json_double(doc, curve[i].seconds));
        json_array_append_new(points, point);
    }
    return points;
}

void print_curve_csv(FILE *stream, const rk_train_point *curve, size_t n) {
    fputs("phase,step,loss,flops,seconds\n", stream);
    for (size_t i = 0; i < n; i++)
        fprintf(stream, "%s,%llu,%.17g,%.17g,%.6g\n", rk_train_phase_name(curve[i].phase),
                (unsigned long long)curve[i].step, curve[i].loss, curve[i].flops, curve[i].seconds);
}
