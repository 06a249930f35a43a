#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 12 };

static const study_kind kinds[] = {
    {"relu", "relu", 0, 0},
    {"relu+b", "relu", 2, 0.1},
    {"gelu", "gelu", 0, 0},
    {"gelu+b", "gelu", 2, 0.1},
    {"tanh+b", "tanh", 1.5, 0.1},
    {"leaky", "leaky_relu:0.2", 0, 0},
    {"leaky+b", "leaky_relu:0.2", 1.8, 0.1},
    {"half", "leaky_relu:0.5", 0, 0},
    {"relu+B", "relu", 1.6, 0.5},
    {"silu", "silu", 0, 0},
    {"tanh+B", "tanh", 1.2, 0.3},
    /* never fitted to */
    {"tenth", "leaky_relu:0.1", 0, 0},
    {"bent", "leaky_relu:-0.3", 0, 0},
    {"silu+b", "silu", 2.2, 0.1},
    {"softplus+b", "softplus", 1.8, 0.1},
};

void study_stop(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

const study_kind *study_kind_named(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, name)) return &kinds[i];
    study_stop("no such kind of network");
    return NULL;
}

rk_network *study_network(const study_kind *kind, size_t n, size_t hidden, uint64_t seed) {
    size_t *widths = malloc(hidden * sizeof *widths);
    if (!widths) study_stop("no memory");
    for (size_t l = 0; l < hidden; l++)
        widths[l] = n;
    rk_random_spec spec = {.n_in = n,
                           .n_out = n,
                           .hidden = widths,
                           .n_hidden = hidden,
                           .init = kind->weight_variance > 0 ? RK_INIT_MANUAL : RK_INIT_HE,
                           .weight_variance = kind->weight_variance,
                           .bias_variance = kind->bias_variance,
                           .seed = seed};
    rk_error error;
    rk_network *net = NULL;
    if (rk_activation_parse(kind->activation, &spec.activation, &error) ||
        rk_network_random(&net, &spec, &error))
        study_stop(error.message);
    free(widths);
    return net;
}

rk_network *study_relu(size_t n, size_t hidden, uint64_t seed) {
    return study_network(study_kind_named("relu"), n, hidden, seed);
}

double study_pass_flops(const rk_network *net) {
    double flops = 0;
    for (size_t l = 0; l < rk_network_n_layers(net); l++)
        flops +=
            2.0 * (double)rk_network_layer(net, l).rows * (double)rk_network_layer(net, l).cols;
    return flops;
}

struct study_truth {
    size_t n;
    double variance;
    rk_answer *group[GROUPS];
};

const rk_method_spec *study_method(const char *text) {
    enum { KEPT = 64 };
    static rk_method_spec kept[KEPT];
    static size_t n;
    rk_method_spec *spec = &kept[n++ % KEPT];
    rk_error error;
    if (rk_method_parse(text, spec, &error)) study_stop(error.message);
    return spec;
}

study_truth *study_truth_create(const rk_network *net, const char *method, double passes,
                                uint64_t seed) {
    study_truth *t = calloc(1, sizeof *t);
    if (!t) study_stop("no memory");
    t->n = rk_network_n_out(net);
    rk_options options = rk_options_default();
    options.method = study_method(method);
    options.samples = (uint64_t)(passes / GROUPS) + 2;
    for (uint64_t r = 0; r < GROUPS; r++) {
        options.seed = seed * GROUPS + r;
        rk_error error;
        if (rk_estimate(&t->group[r], net, NULL, &options, &error)) study_stop(error.message);
    }
    /* the spread of plain passes, not of antithetic pairs */
    options.method = study_method("sample");
    options.samples = options.samples < 4000 ? options.samples : 4000;
    rk_answer *plain;
    if (rk_estimate(&plain, net, NULL, &options, NULL)) study_stop("sampling failed");
    const rk_answer_data *a = rk_answer_view(plain);
    t->variance = a->error_rms * a->error_rms * (double)a->samples;
    rk_answer_destroy(plain);
    return t;
}

void study_truth_destroy(study_truth *t) {
    for (size_t r = 0; t && r < GROUPS; r++)
        rk_answer_destroy(t->group[r]);
    free(t);
}

double study_variance(const study_truth *t) {
    return t->variance;
}

double study_mse(const study_truth *t, const double *p, double *standard_error) {
    double row[GROUPS] = {0}, sum = 0, squares = 0;
    for (size_t r = 0; r < GROUPS; r++)
        for (size_t s = 0; s < r; s++) {
            const double *x = rk_answer_view(t->group[r])->mean;
            const double *y = rk_answer_view(t->group[s])->mean;
            double g = 0;
            for (size_t i = 0; i < t->n; i++)
                g += (p[i] - x[i]) * (p[i] - y[i]) / (double)t->n;
            row[r] += g / (GROUPS - 1);
            row[s] += g / (GROUPS - 1);
            sum += g;
            squares += g * g;
        }
    const double pairs = GROUPS * (GROUPS - 1) / 2.0, mean = sum / pairs;
    double spread = 0;
    for (size_t r = 0; r < GROUPS; r++)
        spread += (row[r] - mean) * (row[r] - mean) / (GROUPS - 1);
    /* rows: 4/R of the single groups' part; pairs: what is left for an exact estimate */
    const double degenerate = (squares / pairs - mean * mean) / pairs;
    *standard_error = sqrt(fmax(4 * spread / GROUPS - degenerate, degenerate));
    return mean;
}
