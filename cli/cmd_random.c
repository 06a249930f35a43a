/* reckon random: a random network in a file, or on stdout for a pipe. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "json.h"
#include "message.h"
#include "model.h"

enum { MAX_LAYERS = 4096 };

static int parse_init(const char *text, rk_random_spec *spec) {
    char rest;
    spec->critical_q = 1;
    if (!text || !strcmp(text, "he"))
        spec->init = RK_INIT_HE;
    else if (!strcmp(text, "critical") ||
             sscanf(text, "critical:%lf%c", &spec->critical_q, &rest) == 1)
        spec->init = RK_INIT_CRITICAL;
    else if (sscanf(text, "manual:%lf,%lf%c", &spec->weight_variance, &spec->bias_variance,
                    &rest) == 2)
        spec->init = RK_INIT_MANUAL;
    else
        return fail(EXIT_USAGE, "--init: '%s' should be he, critical, critical:Q or manual:W,B",
                    text);
    return 0;
}

/* Fills sizes with the widths from input to output. */
static int all_widths(const options *opts, size_t sizes[MAX_LAYERS], size_t *n) {
    if (opts->widths) {
        if (opts->width || opts->hidden || opts->in || opts->out)
            return fail(EXIT_USAGE,
                        "--widths says it all: leave out --width, --hidden, --in, --out");
        *n = parse_sizes(opts->widths, sizes, MAX_LAYERS);
        return *n >= 2 ? 0
                       : fail(EXIT_USAGE, "--widths: '%s' should be a list such as 784,256,10",
                              opts->widths);
    }
    size_t width = opts->width ? opts->width : 256, hidden = opts->hidden ? opts->hidden : 4;
    if (hidden > MAX_LAYERS - 2) return fail(EXIT_USAGE, "--hidden: at most %d", MAX_LAYERS - 2);
    *n = hidden + 2;
    for (size_t l = 0; l < *n; l++)
        sizes[l] = width;
    sizes[0] = opts->in ? opts->in : width;
    sizes[*n - 1] = opts->out ? opts->out : width;
    return 0;
}

/* False if the file cannot be read to its end; main() checks stdout. */
static bool copy_to_stdout(FILE *file) {
    char block[1 << 16];
    size_t n;
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        fwrite(block, 1, n, stdout);
    return !ferror(file);
}

/* The library writes named files; a pipe gets a copy of one, which has lost its name by then: a
 * reader that leaves early kills us. */
static int write_to_stdout(const rk_network *net) {
    const char *tmpdir = getenv("TMPDIR");
    char directory[PATH_MAX], path[PATH_MAX + 20];
    snprintf(directory, sizeof directory, "%s/reckon.XXXXXX", tmpdir ? tmpdir : "/tmp");
    if (!mkdtemp(directory)) return fail(EXIT_FAILED, "cannot make a folder %s", directory);
    snprintf(path, sizeof path, "%s/net.safetensors", directory);
    rk_error error;
    int code = rk_network_write(net, path, &error) ? fail_status(&error) : 0;
    FILE *file = code ? NULL : fopen(path, "rb");
    unlink(path);
    rmdir(directory);
    if (!code && (!file || !copy_to_stdout(file)))
        code = fail(EXIT_FAILED, "cannot read %s back", path);
    if (file) fclose(file);
    return code;
}

static int print_json(const rk_network *net, const options *opts) {
    char summary[256];
    json_document doc = json_begin("reckon.random/1");
    json_object_set_new(doc.root, "file", json_text_or_null(opts->output));
    json_object_set_new(doc.root, "network", json_string(model_summary(net, summary)));
    json_object_set_new(doc.root, "seed", json_count(opts->seed));
    json_object_set_new(doc.root, "weights_sha256", json_weights_sha256(net));
    return json_end(&doc, stdout);
}

static int write_network(const rk_network *net, const options *opts) {
    rk_error error;
    char summary[256];
    if (!opts->output) return write_to_stdout(net);
    if (rk_network_write(net, opts->output, &error)) return fail_status(&error);
    note("wrote %s: %s, seed %llu", opts->output, model_summary(net, summary),
         (unsigned long long)opts->seed);
    return opts->json ? print_json(net, opts) : 0;
}

int cmd_random(const options *opts) {
    static size_t sizes[MAX_LAYERS];
    size_t n = 0;
    rk_error error;
    rk_random_spec spec = {.seed = opts->seed, .residual = opts->residual};
    bool to_stdout = !opts->output || !strcmp(opts->output, "-");
    if (to_stdout && (opts->json || isatty(STDOUT_FILENO)))
        return fail(EXIT_USAGE, "random: say where to write it: -o net.safetensors, or pipe it on");
    int code = parse_init(opts->init, &spec);
    if (!code) code = all_widths(opts, sizes, &n);
    if (!code &&
        rk_activation_parse(opts->activation ? opts->activation : "relu", &spec.activation, &error))
        code = fail_status(&error);
    if (code) return code;
    spec.n_in = sizes[0];
    spec.n_out = sizes[n - 1];
    spec.hidden = sizes + 1;
    spec.n_hidden = n - 2;

    rk_network *net;
    if (rk_network_random(&net, &spec, &error)) return fail_status(&error);
    options where = *opts;
    where.output = to_stdout ? NULL : opts->output;
    code = write_network(net, &where);
    rk_network_destroy(net);
    return code;
}
