#include "model.h"

#include <string.h>

#include "law.h"
#include "message.h"
#include "progress.h"

static size_t is_stdin(const char *path) {
    return path && !strcmp(path, "-");
}

/* The law is read for every network. */
static bool reads_stdin_twice(const options *opts) {
    size_t count = (is_stdin(opts->input_mean) + is_stdin(opts->input_cov) +
                    is_stdin(opts->input_data) + is_stdin(opts->input_mixture)) *
                   opts->n_operands;
    for (size_t i = 0; i < opts->n_operands; i++)
        count += is_stdin(opts->operands[i]);
    return count > 1;
}

static int read_model(model *m, const options *opts, const char *path) {
    if (!path)
        return fail(EXIT_USAGE, "which network? Give a .safetensors or .npz file, or - for stdin");
    m->name = is_stdin(path) ? "stdin" : path;
    if (reads_stdin_twice(opts)) return fail(EXIT_USAGE, "only one file can come from stdin");
    rk_error error;
    rk_read_options read = {.activation = opts->activation,
                            .output_activation = opts->output_activation,
                            .tensors = opts->tensors,
                            .order = opts->order};
    if (opts->output_activation && !opts->activation)
        return fail(EXIT_USAGE, "--output-activation stands beside --activation");
    if (opts->layout && strcmp(opts->layout, "in-out") && strcmp(opts->layout, "out-in"))
        return fail(EXIT_USAGE, "--layout %s: in-out or out-in", opts->layout);
    if (opts->layout)
        read.layout = strcmp(opts->layout, "in-out") ? RK_LAYOUT_OUT_IN : RK_LAYOUT_IN_OUT;
    if (rk_network_read(&m->net, path, &read, &error)) return fail_reading(m->name, &error);
    return 0;
}

static int example(model *m) {
    m->name = "built-in example";
    rk_error error;
    const size_t hidden[] = {256, 256, 256, 256};
    rk_random_spec spec = {.n_in = 256,
                           .n_out = 256,
                           .hidden = hidden,
                           .n_hidden = 4,
                           .activation = {.kind = RK_RELU},
                           .seed = 1};
    return rk_network_random(&m->net, &spec, &error) ? fail_status(&error) : 0;
}

static int load(model *m, const options *opts, const char *path) {
    if (opts->example && path) return fail(EXIT_USAGE, "--example takes no file");
    int code = opts->example ? example(m) : read_model(m, opts, path);
    if (!code) code = law_load(&m->law, opts, rk_network_n_in(m->net));
    if (!code && m->law) m->input = *rk_input_law_view(m->law);
    return code;
}

int model_load_from(model *out, const options *opts, const char *path) {
    *out = (model){0};
    int code = load(out, opts, path);
    if (code) model_free(out);
    return code;
}

int model_load(model *out, const options *opts) {
    return model_load_from(out, opts, opts->operand);
}

void model_free(model *m) {
    rk_network_destroy(m->net);
    rk_input_law_destroy(m->law);
}

bool model_is_plain(const rk_network *net) {
    for (size_t l = 0; l < rk_network_n_layers(net); l++) {
        const rk_layer layer = rk_network_layer(net, l);
        if (!layer.weight || layer.adds || (layer.reads && layer.reads != l + 1)) return false;
    }
    return true;
}

const char *model_summary(const rk_network *net, char buffer[256]) {
    enum { SIZE = 256 };
    size_t n_hidden = rk_network_n_layers(net) - 1, used;
    rk_activation_kind kind = rk_network_layer(net, 0).activation.kind;
    bool mixed = false;
    used = (size_t)snprintf(buffer, SIZE, "%zu", rk_network_n_in(net));
    for (size_t l = 0, run; l < n_hidden && used < SIZE; l += run) {
        size_t width = rk_network_layer(net, l).rows;
        for (run = 0; l + run < n_hidden && rk_network_layer(net, l + run).rows == width; run++)
            mixed |= rk_network_layer(net, l + run).activation.kind != kind;
        used +=
            (size_t)snprintf(buffer + used, SIZE - used, run > 1 ? "-%zux%zu" : "-%zu", width, run);
    }
    if (used < SIZE)
        snprintf(buffer + used, SIZE - used, "-%zu %s%s", rk_network_n_out(net),
                 mixed ? "mixed" : rk_activation_name(kind),
                 model_is_plain(net) ? "" : ", residual");
    return buffer;
}

const char *model_method(const options *opts) {
    return opts->n_methods ? opts->methods[0] : "auto";
}

int model_run_method(rk_options *out, rk_method_spec *method, const options *opts) {
    rk_error error;
    int code = model_run_options(out, opts);
    if (code) return code;
    *method = (rk_method_spec){.size = sizeof *method};
    if (rk_method_parse(model_method(opts), method, &error)) return fail_status(&error);
    out->method = method;
    return 0;
}

int model_run_options(rk_options *out, const options *opts) {
    *out = rk_options_default();
    if (opts->n_methods > 1)
        return fail(EXIT_USAGE, "one --method, please; 'reckon compare' takes several");
    if (opts->threads > 4096) return fail(EXIT_USAGE, "--threads: at most 4096");
    if (opts->cumulants > 4) return fail(EXIT_USAGE, "--cumulants: 3 or 4");
    out->covariance = opts->covariance;
    out->cumulants = (int)opts->cumulants;
    out->layers = opts->layers;
    out->samples = opts->samples;
    out->seed = opts->seed;
    const bool is_given = opts->receipt != UINT64_MAX;
    out->receipt_samples = !is_given ? 0 : opts->receipt ? opts->receipt : RK_NO_RECEIPT;
    out->budget_flops = opts->budget[0];
    out->budget_seconds = opts->budget[1];
    out->tolerance = opts->tolerance;
    out->threads = (int)opts->threads;
    out->memory_limit = opts->memory;
    return 0;
}

rk_status model_estimate(const model *m, const rk_options *run, const char *label,
                         rk_answer **answer, rk_error *error) {
    rk_options watched = *run;
    progress bar;
    progress_begin(&bar, label, &watched);
    rk_status status = rk_estimate(answer, m->net, &m->input, &watched, error);
    progress_end(&bar);
    return status;
}

rk_status model_estimate_many(rk_job *jobs, size_t n, const rk_options *run, const char *label,
                              rk_error *error) {
    rk_options watched = *run;
    progress bar;
    progress_begin(&bar, label, &watched);
    rk_status status = rk_estimate_many(jobs, n, &watched, error);
    progress_end(&bar);
    return status;
}
