/* How large the errors of the closures are on random networks, as CSV:
 *
 *     calibrate fit|held-out|passes METHOD...
 *     calibrate again FLOPS < CSV
 *
 * One line a network and method that covers it and is affordable: the mean square error, for
 * sampling methods that of one pass by their own account, with the expansion as `mean` sees it;
 * `passes` is a grid for these alone. `again` asks the closures anew that cost at most so much, and
 * keeps the errors that were measured. calibrate_fit reads both. */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct grid {
    const char *name;
    size_t width[8], hidden[8];
    const char *kind[12];
    uint64_t first_seed;
    bool is_sharp; /* a dear truth and dear methods: errors of the fourth order in wide networks */
    uint64_t samples; /* of sampling methods; 0: none of these */
} grid;

static const grid grids[] = {
    {"fit",
     {16, 32, 64, 128, 256},
     {2, 4, 8, 16, 32},
     {"relu", "relu+b", "gelu", "gelu+b", "tanh+b", "leaky", "leaky+b", "half"},
     1,
     false,
     0},
    {"fit",
     {24, 48, 96, 200, 320},
     {3, 6, 12, 24},
     {"relu", "relu+b", "gelu", "gelu+b", "tanh+b", "leaky", "relu+B", "silu", "tanh+B", "half"},
     1001,
     false,
     0},
    {"fit", {96, 128, 160}, {3, 4}, {"relu", "relu+b", "gelu", "tanh+b"}, 2001, true, 0},
    {"held-out",
     {28, 56, 112, 144, 272},
     {3, 5, 10, 20},
     {"relu", "relu+b", "gelu", "tanh+b", "leaky", "leaky+b", "silu+b", "softplus+b", "tenth",
      "bent"},
     6001,
     false,
     0},
    {"passes",
     {16, 32, 64, 96, 128, 256},
     {2, 4, 8, 16, 32},
     {"relu", "gelu+b", "tanh+b", "leaky"},
     3001,
     false,
     4 * 66048}, /* whole designs of up to 256 inputs */
};

static const double most_truth = 1.2e11, most_method = 3e10, most_dear = 1.2e11,
                    most_passes = 2.5e12; /* FLOPs */

/* Enough to see a fraction of the error of the third order, within reason. */
static double passes_for(const rk_network *net, size_t n, size_t hidden) {
    double third = 2e-7 * pow(256 / (double)n, 3) * pow((double)hidden / 4, 3.2);
    double passes = 40 / (third * sqrt((double)n)), most = most_truth / study_pass_flops(net);
    return fmin(fmax(passes, 3e4), fmin(most, 3e6));
}

/* The CSV's separator does not belong in a name. */
static const char *without_commas(const char *method, char name[64]) {
    snprintf(name, 64, "%s", method);
    for (char *c = name; *c; c++)
        if (*c == ',') *c = ' ';
    return name;
}

static double average(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] / (double)n;
    return sum;
}

/* A network and, once a method needs it, the truth about it. */
typedef struct subject {
    const rk_network *net;
    uint64_t seed;
    const grid *grid;
    double passes; /* of the truth */
    study_truth *truth;
} subject;

static const study_truth *truth_about(subject *s) {
    const char *method = s->grid->is_sharp ? "sample:design,control" : "sample:antithetic";
    if (!s->truth) s->truth = study_truth_create(s->net, method, s->passes, s->seed);
    return s->truth;
}

static rk_answer *ask(const char *method, const rk_network *net, uint64_t samples,
                      double most_flops) {
    rk_options options = rk_options_default();
    options.method = study_method(method);
    if (samples > 0) options.samples = samples;
    rk_plan *plan;
    rk_answer *answer = NULL;
    if (rk_plan_create(&plan, net, NULL, &options, NULL)) return NULL; /* does not apply */
    if ((double)rk_plan_cost(plan).flops_executed < most_flops)
        rk_plan_execute(plan, &answer, NULL);
    rk_plan_destroy(plan);
    return answer;
}

static double expansion_by_mean(const rk_network *net) {
    rk_answer *answer = ask("mean", net, 0, most_method);
    double expansion = answer ? rk_answer_view(answer)->expansion : (double)NAN;
    rk_answer_destroy(answer);
    return expansion;
}

static void measure(const char *method, const char *network, subject *s) {
    const grid *g = s->grid;
    rk_answer *answer = ask(method, s->net, g->samples,
                            g->samples    ? most_passes
                            : g->is_sharp ? most_dear
                                          : most_method);
    const rk_answer_data *a = answer ? rk_answer_view(answer) : NULL;
    if (a && !a->samples == !g->samples) {
        char name[64];
        double standard_error, mse, expansion = a->expansion;
        if (a->samples) {
            mse = a->error_rms * a->error_rms * (double)a->samples;
            standard_error = mse / 10; /* a guess: replicates are few */
            expansion = expansion_by_mean(s->net);
        } else {
            mse = study_mse(truth_about(s), a->mean, &standard_error);
        }
        printf("%s,%s,%.4g,%.4g,%.3g,%.4g,%.4g\n", without_commas(method, name), network, expansion,
               mse, standard_error, a->error_rms * a->error_rms, average(a->variance, a->n_out));
        fflush(stdout);
    }
    rk_answer_destroy(answer);
}

static void measure_all(const grid *g, size_t i, size_t j, size_t k, char **methods) {
    size_t n = g->width[i], hidden = g->hidden[j];
    uint64_t seed = g->first_seed + i + 10 * j + 100 * k;
    rk_network *net = study_network(study_kind_named(g->kind[k]), n, hidden, seed);
    subject s = {.net = net, .seed = seed, .grid = g};
    s.passes = g->is_sharp ? 7e5 : passes_for(net, n, hidden);
    char network[80];
    snprintf(network, sizeof network, "%zu,%zu,%s,%llu", n, hidden, g->kind[k],
             (unsigned long long)seed);
    for (char **method = methods; *method; method++)
        measure(*method, network, &s);
    study_truth_destroy(s.truth);
    rk_network_destroy(net);
}

static void measure_grid(const grid *g, char **methods) {
    for (size_t i = 0; g->width[i]; i++)
        for (size_t j = 0; g->hidden[j]; j++)
            for (size_t k = 0; g->kind[k]; k++)
                measure_all(g, i, j, k, methods);
}

/* One line, if there is an answer. */
static void ask_again(const char *line, double most_flops) {
    char method[64], kind[16];
    size_t n, hidden;
    unsigned long long seed;
    double expansion, mse, standard_error;
    if (sscanf(line, "%63[^,],%zu,%zu,%15[^,],%llu,%lf,%lf,%lf", method, &n, &hidden, kind, &seed,
               &expansion, &mse, &standard_error) != 8 ||
        !strncmp(method, "sample", 6))
        return;
    for (char *c = method; *c; c++)
        if (*c == ' ') *c = ',';
    rk_network *net = study_network(study_kind_named(kind), n, hidden, seed);
    rk_answer *answer = ask(method, net, 0, most_flops);
    const rk_answer_data *a = answer ? rk_answer_view(answer) : NULL;
    char name[64];
    if (a)
        printf("%s,%zu,%zu,%s,%llu,%.4g,%.4g,%.3g,%.4g,%.4g\n", without_commas(method, name), n,
               hidden, kind, seed, a->expansion, mse, standard_error, a->error_rms * a->error_rms,
               average(a->variance, a->n_out));
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

int main(int argc, char **argv) {
    char line[400];
    if (argc == 3 && !strcmp(argv[1], "again")) {
        while (fgets(line, sizeof line, stdin))
            ask_again(line, strtod(argv[2], NULL));
        return 0;
    }
    bool is_known = false;
    for (size_t i = 0; argc > 2 && i < sizeof grids / sizeof *grids; i++)
        is_known |= !strcmp(grids[i].name, argv[1]);
    if (!is_known) study_stop("usage: calibrate fit|held-out|passes METHOD..., or again FLOPS");
    puts("method,width,hidden,kind,seed,expansion,mse,standard_error,estimated_mse,variance");
    for (size_t i = 0; i < sizeof grids / sizeof *grids; i++)
        if (!strcmp(grids[i].name, argv[1])) measure_grid(&grids[i], argv + 2);
    return 0;
}
