/* reckon doctor: what this build and machine can do, and whether it computes what it should. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "gnuplot.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "report.h"

typedef struct diagnosis {
    char build[500]; /* one "key value" a line */
    long processors;
    double memory; /* bytes */
    bool gnuplot;
    double self_test; /* what the built-in network gave */
    bool healthy;
} diagnosis;

/* Mean of output 0 of the self-test network by `covariance`. */
static const double expected = -0.10359336341292374;
static const double tolerance = 1e-12;

/* NaN if anything fails. */
static double self_test(void) {
    const size_t hidden[] = {32, 32};
    rk_random_spec spec = {.n_in = 32,
                           .n_out = 8,
                           .hidden = hidden,
                           .n_hidden = 2,
                           .activation = {.kind = RK_RELU},
                           .seed = 1};
    rk_options run = rk_options_default();
    rk_network *net;
    rk_answer *answer = NULL;
    rk_error error;
    double mean = NAN;
    if (rk_network_random(&net, &spec, &error) || rk_estimate(&answer, net, NULL, &run, &error))
        warn("self-test: %s", error.message);
    else
        mean = rk_answer_view(answer)->mean[0];
    rk_answer_destroy(answer);
    rk_network_destroy(net);
    return mean;
}

/* Cuts the next "key value" line off *text; false at the end. */
static bool next_line(const char **text, int *key_length, int *line_length, const char **line) {
    *line = *text;
    *line_length = (int)strcspn(*text, "\n");
    *key_length = (int)strcspn(*text, " \n");
    *text += *line_length + ((*text)[*line_length] == '\n');
    return *line_length > 0;
}

static json_t *build_json(const char *text) {
    json_t *o = json_object();
    const char *line;
    int key, length;
    while (next_line(&text, &key, &length, &line)) {
        char name[CELL];
        snprintf(name, sizeof name, "%.*s", key, line);
        json_object_set_new(o, name, json_stringn(line + key + 1, (size_t)(length - key - 1)));
    }
    return o;
}

static int print_json(const void *result, FILE *stream) {
    const diagnosis *d = result;
    json_document doc = json_begin("reckon.doctor/1");
    json_object_set_new(doc.root, "build", build_json(d->build));
    json_object_set_new(doc.root, "processors", json_integer(d->processors));
    json_object_set_new(doc.root, "memory_bytes", json_double(&doc, d->memory));
    json_object_set_new(doc.root, "gnuplot", json_boolean(d->gnuplot));
    json_object_set_new(doc.root, "self_test_mean", json_double(&doc, d->self_test));
    json_object_set_new(doc.root, "healthy", json_boolean(d->healthy));
    return json_end(&doc, stream);
}

static int print_human(const void *result, FILE *stream) {
    const diagnosis *d = result;
    char cell[CELL];
    heading(stream, "reckon %s on this machine", rk_version());
    const char *text = d->build, *line;
    int key, length;
    while (next_line(&text, &key, &length, &line))
        fprintf(stream, "%-11.*s %.*s\n", key, line, length - key - 1, line + key + 1);
    fprintf(stream, "processors  %ld\n", d->processors);
    fprintf(stream, "memory      %s\n", byte_size(d->memory, cell));
    fprintf(stream, "gnuplot     %s\n", d->gnuplot ? "found" : "not found: figures stay scripts");
    if (d->healthy)
        fputs("self-test   passed\n", stream);
    else
        fprintf(stream, "self-test   FAILED: %.17g instead of %.17g\n", d->self_test, expected);
    return 0;
}

int cmd_doctor(const options *opts) {
    diagnosis d = {.processors = sysconf(_SC_NPROCESSORS_ONLN),
                   .memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE),
                   .gnuplot = gnuplot_found(),
                   .self_test = self_test()};
    rk_build_info(d.build, sizeof d.build);
    d.healthy = fabs(d.self_test - expected) <= tolerance;
    int code = output_result(opts, print_human, print_json, &d);
    if (!code && !d.healthy)
        code = fail(EXIT_FAILED, "the self-test failed: do not trust this build");
    return code;
}
