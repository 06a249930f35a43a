/* reckon inspect: what is in the file, and whether its weights look drawn at random. */
#include <math.h>
#include <stdlib.h>

#include "commands.h"
#include "json.h"
#include "message.h"
#include "model.h"
#include "output.h"
#include "report.h"

/* How one weight matrix compares with independent entries of equal variance; NaN without any. The
 * answer to a run has a warning of its own that looks at the activations: it knows the input and
 * needs the run. */
typedef struct weights {
    double mean_square; /* of the entries */
    double largest;     /* |entry| in units of the root mean square */
    double spectral_norm;
    double edge; /* where Marchenko and Pastur's law of random matrices ends */
    bool spike;  /* the spectral norm sticks out beyond the edge */
} weights;

typedef struct inspection {
    model model;
    weights *weights; /* one a layer */
    size_t n_parameters;
} inspection;

/* ||W|| by power iteration on W'W, from below and to about a percent near a dense edge; one pass
 * over the weights an iteration. `v` and `u` have cols entries. */
static double spectral_norm(const rk_layer *layer, double *v, double *u) {
    enum { ITERATIONS = 50 };
    uint32_t state = 1; /* any fixed start that is no accident */
    for (size_t j = 0; j < layer->cols; j++) {
        state = state * 1664525u + 1013904223u;
        v[j] = (double)(state >> 8) / (1 << 24) - 0.5;
    }
    double norm = 0;
    for (int i = 0; i < ITERATIONS; i++) {
        double length = 0;
        for (size_t j = 0; j < layer->cols; j++) {
            length += v[j] * v[j];
            u[j] = 0;
        }
        if (!(length > 0)) return 0;
        double scale = 1 / sqrt(length), image = 0;
        for (size_t r = 0; r < layer->rows; r++) {
            const double *w = layer->weight + r * layer->cols;
            double z = 0;
            for (size_t j = 0; j < layer->cols; j++)
                z += w[j] * v[j];
            z *= scale;
            image += z * z;
            for (size_t j = 0; j < layer->cols; j++)
                u[j] += z * w[j];
        }
        double previous = norm;
        norm = sqrt(image);
        if (fabs(norm - previous) <= 1e-6 * norm) break;
        double *swap = v;
        v = u;
        u = swap;
    }
    return norm;
}

static weights look_at(const rk_layer *layer, double *v, double *u) {
    if (!layer->weight) return (weights){NAN, NAN, NAN, NAN, false};
    double sum = 0, largest = 0, rows = (double)layer->rows, cols = (double)layer->cols;
    for (size_t i = 0; i < layer->rows * layer->cols; i++) {
        sum += layer->weight[i] * layer->weight[i];
        largest = fmax(largest, fabs(layer->weight[i]));
    }
    double rms = sqrt(sum / (rows * cols));
    double edge = rms * (sqrt(rows) + sqrt(cols));
    double norm = spectral_norm(layer, v, u);
    double fluctuation = pow(fmin(rows, cols), -2.0 / 3); /* Tracy and Widom's scale */
    return (weights){.mean_square = rms * rms,
                     .largest = rms > 0 ? largest / rms : 0,
                     .spectral_norm = norm,
                     .edge = edge,
                     .spike = norm > edge * (1 + 2 * fluctuation)};
}

static int look_at_all(inspection *x) {
    size_t n_layers = rk_network_n_layers(x->model.net), widest = 0;
    for (size_t l = 0; l < n_layers; l++) {
        rk_layer layer = rk_network_layer(x->model.net, l);
        widest = layer.cols > widest ? layer.cols : widest;
        x->n_parameters +=
            (layer.weight ? layer.rows * layer.cols : 0) + (layer.bias ? layer.rows : 0);
    }
    x->weights = calloc(n_layers, sizeof *x->weights);
    double *vectors = calloc(widest, 2 * sizeof *vectors);
    int code = x->weights && vectors ? 0 : fail(EXIT_FAILED, "out of memory");
    for (size_t l = 0; !code && l < n_layers; l++) {
        rk_layer layer = rk_network_layer(x->model.net, l);
        x->weights[l] = look_at(&layer, vectors, vectors + widest);
    }
    free(vectors);
    return code;
}

static const char *activation_text(const rk_activation *activation, char cell[CELL]) {
    const char *name = rk_activation_name(activation->kind);
    if (activation->kind == RK_LEAKY_RELU)
        snprintf(cell, CELL, "%s:%g", name, activation->parameter);
    else
        snprintf(cell, CELL, "%s", name);
    return cell;
}

static json_t *layer_json(json_document *doc, const rk_layer *layer, const weights *w, size_t l) {
    char cell[CELL];
    json_t *o = json_object();
    json_object_set_new(o, "layer", json_count(l + 1));
    json_object_set_new(o, "rows", json_count(layer->rows));
    json_object_set_new(o, "cols", json_count(layer->cols));
    json_object_set_new(o, "bias", json_boolean(layer->bias != NULL));
    json_object_set_new(o, "activation", json_string(activation_text(&layer->activation, cell)));
    json_object_set_new(o, "reads", json_count(layer->reads ? layer->reads : l + 1));
    json_object_set_new(o, "adds", layer->adds ? json_count(layer->adds) : json_null());
    json_object_set_new(o, "weight_mean_square", json_optional(doc, w->mean_square));
    json_object_set_new(o, "n_in_times_mean_square",
                        json_optional(doc, w->mean_square * (double)layer->cols));
    json_object_set_new(o, "largest_entry_over_rms", json_optional(doc, w->largest));
    json_object_set_new(o, "spectral_norm", json_optional(doc, w->spectral_norm));
    json_object_set_new(o, "random_matrix_edge", json_optional(doc, w->edge));
    json_object_set_new(o, "spike", json_boolean(w->spike));
    return o;
}

static int print_json(const void *result, FILE *stream) {
    const inspection *x = result;
    const rk_network *net = x->model.net;
    json_document doc = json_begin("reckon.inspect/1");
    json_object_set_new(doc.root, "file", json_text_or_null(x->model.name));
    json_object_set_new(doc.root, "n_in", json_count(rk_network_n_in(net)));
    json_object_set_new(doc.root, "n_out", json_count(rk_network_n_out(net)));
    json_object_set_new(doc.root, "parameters", json_count(x->n_parameters));
    json_object_set_new(doc.root, "weights_sha256", json_weights_sha256(net));
    json_object_set_new(doc.root, "notes", json_text_or_null(rk_network_notes(net)));
    if (*rk_network_origin(net))
        json_object_set_new(doc.root, "origin", json_string(rk_network_origin(net)));
    json_t *layers = json_array();
    for (size_t l = 0; l < rk_network_n_layers(net); l++) {
        rk_layer layer = rk_network_layer(net, l);
        json_array_append_new(layers, layer_json(&doc, &layer, &x->weights[l], l));
    }
    json_object_set_new(doc.root, "layers", layers);
    return json_end(&doc, stream);
}

/* "-" for NaN. */
static void add_number(table *t, const char *format, double x, const char *mark) {
    char cell[CELL];
    int used = isnan(x) ? snprintf(cell, sizeof cell, "-") : snprintf(cell, sizeof cell, format, x);
    snprintf(cell + used, sizeof cell - (size_t)used, "%s", mark);
    table_add(t, cell);
}

/* "-" for none. */
static void add_value(table *t, size_t value) {
    char cell[CELL];
    snprintf(cell, sizeof cell, value ? "%zu" : "-", value);
    table_add(t, cell);
}

static int print_human(const void *result, FILE *stream) {
    const inspection *x = result;
    const rk_network *net = x->model.net;
    char cell[CELL], sha256[65] = "unavailable", summary[256];
    heading(stream, "%s (%s)", x->model.name, model_summary(net, summary));
    rk_network_sha256(net, sha256, NULL);
    fprintf(stream, "%zu parameters, sha256 %s\n\n", x->n_parameters, sha256);

    const bool plain = model_is_plain(net);
    static const char *const titles[] = {"layer",      "shape",       "bias",
                                         "activation", "n_in E[w^2]", "max/rms",
                                         "norm/edge",  "reads",       "adds"};
    const size_t n_columns = plain ? 7 : 9;
    table t = table_create(n_columns, 1u << 3);
    for (size_t c = 0; c < n_columns; c++)
        table_add(&t, titles[c]);
    bool spikes = false;
    for (size_t l = 0; l < rk_network_n_layers(net); l++) {
        rk_layer layer = rk_network_layer(net, l);
        const weights *w = &x->weights[l];
        snprintf(cell, sizeof cell, "%zu", l + 1);
        table_add(&t, cell);
        snprintf(cell, sizeof cell, "%zux%zu", layer.rows, layer.cols);
        table_add(&t, cell);
        table_add(&t, layer.bias ? "yes" : "no");
        table_add(&t, activation_text(&layer.activation, cell));
        add_number(&t, "%.3f", w->mean_square * (double)layer.cols, "");
        add_number(&t, "%.2f", w->largest, "");
        add_number(&t, "%.2f", w->edge == 0 ? 0 : w->spectral_norm / w->edge, w->spike ? " *" : "");
        if (!plain) add_value(&t, layer.reads ? layer.reads : l + 1);
        if (!plain) add_value(&t, layer.adds);
        spikes |= w->spike;
    }
    table_print(&t, stream);
    if (!plain) fputs("\nValue 1 is the input, value l + 1 what layer l makes.\n", stream);
    fputs(spikes ? "\n* the spectral norm sticks out of a random matrix's spectrum: a learnt "
                   "direction.\n  Expect the closures to be less exact; check with --receipt.\n"
                 : "\nNo weight matrix sticks out of a random matrix's spectrum.\n",
          stream);
    if (*rk_network_origin(net)) fprintf(stream, "\nmade as\n%s\n", rk_network_origin(net));
    if (*rk_network_notes(net)) fprintf(stream, "\nread as\n%s\n", rk_network_notes(net));
    return 0;
}

int cmd_inspect(const options *opts) {
    inspection x = {0};
    int code = model_load(&x.model, opts);
    if (code) return code;
    code = look_at_all(&x);
    if (!code) code = output_result(opts, print_human, print_json, &x);
    free(x.weights);
    model_free(&x.model);
    return code;
}
