/* How large the errors of the closures are, and the laws that predict them.
 *
 *     calibrate measure fit|held-out METHOD...    errors on random networks, as CSV
 *     calibrate fit FILE                          the laws of src/estimate/error_model.c
 *     calibrate coverage FILE                     how often the estimated error is right */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------- measure */

typedef struct grid {
    const char *name;
    size_t width[8], hidden[8];
    const char *kind[12];
    uint64_t first_seed;
    double flops; /* of the truth, at most */
} grid;

static const grid grids[] = {
    {"fit",
     {16, 32, 64, 128, 256},
     {1, 2, 4, 8, 16, 32},
     {"relu", "relu+b", "gelu", "gelu+b", "tanh+b", "leaky", "leaky+b"},
     1,
     1.2e11},
    {"held-out",
     {24, 48, 96, 200},
     {3, 6, 12, 24},
     {"relu", "relu+b", "gelu", "gelu+b", "tanh+b", "leaky+b", "relu+B", "silu", "tanh+B"},
     1001,
     1.2e11},
};

/* Enough passes to see a fraction of the error of the third order, within reason. */
static double passes_for(const grid *g, const rk_network *net, size_t n, size_t hidden) {
    double third = 2e-7 * pow(256 / (double)n, 3) * pow((double)hidden / 4, 3.2);
    double passes = 40 / (third * sqrt((double)n)), most = g->flops / study_pass_flops(net);
    return fmin(fmax(passes, 3e4), fmin(most, 3e6));
}

static void measure_method(const char *method, const char *network, const rk_network *net,
                           const study_truth *truth) {
    rk_options options = rk_options_default();
    options.method = method;
    options.covariance = true;
    rk_plan *plan;
    if (rk_plan_create(&plan, net, NULL, &options, NULL)) return; /* does not apply */
    bool affordable = (double)rk_plan_cost(plan).flops_executed < 3e10;
    rk_answer *answer = NULL;
    if (affordable && rk_plan_execute(plan, &answer, NULL) == RK_OK) {
        const rk_answer_data *a = rk_answer_view(answer);
        double se, mse = study_mse(truth, a->mean, &se), variance = 0;
        for (size_t i = 0; i < a->n_out; i++)
            variance += a->covariance[i * (a->n_out + 1)] / (double)a->n_out;
        printf("%s,%s,%.4g,%.4g,%.3g,%.4g,%.4g,%.4g\n", method, network, a->expansion, mse, se,
               a->error_rms * a->error_rms, variance, study_variance(truth));
        fflush(stdout);
    }
    rk_answer_destroy(answer);
    rk_plan_destroy(plan);
}

static void measure(const char *name, char **methods) {
    const grid *g = grids;
    while (strcmp(g->name, name))
        if (++g == grids + sizeof grids / sizeof *grids) study_stop("no such grid");
    puts("method,width,hidden,kind,seed,expansion,mse,standard_error,estimated_mse,variance,true_"
         "variance");
    for (size_t i = 0; g->width[i]; i++)
        for (size_t j = 0; g->hidden[j]; j++)
            for (size_t k = 0; g->kind[k]; k++) {
                size_t n = g->width[i], hidden = g->hidden[j];
                uint64_t seed = g->first_seed + i + 10 * j + 100 * k;
                rk_network *net = study_network(study_kind_named(g->kind[k]), n, hidden, seed);
                study_truth *truth = study_truth_create(net, passes_for(g, net, n, hidden), seed);
                char network[80];
                snprintf(network, sizeof network, "%zu,%zu,%s,%llu", n, hidden, g->kind[k],
                         (unsigned long long)seed);
                for (char **method = methods; *method; method++)
                    measure_method(*method, network, net, truth);
                study_truth_destroy(truth);
                rk_network_destroy(net);
            }
}

int main(int argc, char **argv) {
    if (argc > 3 && !strcmp(argv[1], "measure"))
        measure(argv[2], argv + 3);
    else
        study_stop("usage: calibrate measure GRID METHOD... | fit FILE | coverage FILE");
    return 0;
}
