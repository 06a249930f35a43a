/* How large the errors of the closures are on networks of many kinds (tests/support/kinds.c), as
 * CSV:
 *
 *     structures FIRST_SEED N_SEEDS [PARTS PART]
 *
 * Three networks a kind and seed. Seeds from 10 on have other widths, depths and activations than
 * those below, which the margins and the laws of covariances are fitted to (structures_fit). With
 * PARTS only every so many kinds, from PART on: for several processes. */
#include "structures.h"
#include "estimate/answer.h"
#include "study.h"
#include "support/kinds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const methods[] = {
    "mean",
    "mean:metric=avg",
    "covariance",
    "covariance:gauge=angular",
    "covariance:pairs=completed",
    "covariance:gauge=angular,pairs=completed",
    "covariance:pairs=exact",
    "covariance:gauge=angular,pairs=exact",
    "gain",
    "third:tilt=off",
    "third:fourth=zero",
    "third:fourth=diagonal",
    "third:fourth=lean",
    "third:fourth=full",
    "fourth",
    "reference:2,augment",
    "reference:3,augment",
};

static const struct shape {
    const char *activation;
    size_t n, hidden;
} fitted[] = {{"relu", 32, 3},           {"relu", 64, 4}, {"gelu", 48, 3}, {"tanh", 64, 4},
              {"leaky_relu:0.2", 48, 5}, {"relu", 96, 3}, {"tanh", 32, 2}, {"gelu", 80, 4}},
  held_out[] = {{"silu", 48, 4},  {"relu", 80, 6},           {"gelu", 32, 4}, {"tanh", 80, 3},
                {"relu", 112, 3}, {"leaky_relu:0.1", 64, 3}, {"relu", 48, 2}, {"tanh", 48, 5}};
enum { SHAPES = sizeof fitted / sizeof *fitted, FIRST_HELD_OUT = 10, A_SEED = 3 };

enum { OUT = 8, GROUPS = 10 };
static const double truth_flops = 3e9, most_flops = 8e8;

/* ------------------------------------------------------------------------------------ the truth */

/* Independent groups of passes. */
typedef struct truth {
    double mean[GROUPS * OUT], covariance[GROUPS * OUT * OUT];
} truth;

static void sample_group(const kind_case *k, const char *method, bool covariance, uint64_t samples,
                         uint64_t seed, double *out) {
    rk_options options = rk_options_default();
    options.method = study_method(method);
    options.covariance = covariance;
    options.threads = 1;
    options.seed = seed;
    options.samples = samples;
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, k->net, &k->input, &options, &error)) study_stop(error.message);
    const rk_answer_data *a = rk_answer_view(answer);
    if (covariance)
        memcpy(out, a->covariance, OUT * OUT * sizeof *out);
    else
        memcpy(out, a->mean, OUT * sizeof *out);
    rk_answer_destroy(answer);
}

static void take_truth(const kind_case *k, uint64_t seed, truth *t) {
    double passes = truth_flops / (2 * study_pass_flops(k->net)) / GROUPS;
    for (uint64_t r = 0; r < GROUPS; r++) {
        uint64_t own = 1000 + seed * GROUPS + r;
        sample_group(k, "sample:orthogonal,control", false, (uint64_t)fmin(passes, 1.2e5) + 8, own,
                     t->mean + r * OUT);
        sample_group(k, "sample", true, (uint64_t)fmin(0.4 * passes, 2e4) + 8, own,
                     t->covariance + r * OUT * OUT);
    }
}

/* Average over the groups. */
static double average(const double *x, size_t n, size_t i) {
    double sum = 0;
    for (size_t r = 0; r < GROUPS; r++)
        sum += x[r * n + i] / GROUPS;
    return sum;
}

/* As study_mse. */
static double mean_square_error(size_t n, const double *p, const double *x,
                                double *standard_error) {
    double row[GROUPS] = {0}, sum = 0, squares = 0, spread = 0;
    for (size_t r = 0; r < GROUPS; r++)
        for (size_t s = 0; s < r; s++) {
            double g = 0;
            for (size_t i = 0; i < n; i++)
                g += (p[i] - x[r * n + i]) * (p[i] - x[s * n + i]) / (double)n;
            row[r] += g / (GROUPS - 1);
            row[s] += g / (GROUPS - 1);
            sum += g;
            squares += g * g;
        }
    const double pairs = GROUPS * (GROUPS - 1) / 2.0, mean = sum / pairs;
    for (size_t r = 0; r < GROUPS; r++)
        spread += (row[r] - mean) * (row[r] - mean) / (GROUPS - 1);
    const double degenerate = (squares / pairs - mean * mean) / pairs;
    *standard_error = sqrt(fmax(4 * spread / GROUPS - degenerate, degenerate));
    return mean;
}

/* --------------------------------------------------------------------------------- the closures */

static rk_answer *ask(const char *method, const kind_case *k, bool covariance) {
    rk_options options = rk_options_default();
    options.method = study_method(method);
    options.covariance = covariance;
    options.threads = 1;
    rk_answer *answer = NULL;
    rk_plan *plan;
    if (rk_plan_create(&plan, k->net, &k->input, &options, NULL)) return NULL;
    if ((double)rk_plan_cost(plan).flops_executed < most_flops)
        rk_plan_execute(plan, &answer, NULL);
    rk_plan_destroy(plan);
    return answer;
}

static void print_row(const char *network, const char *method, const truth *t,
                      const rk_answer *means, const rk_answer *covariances) {
    const rk_answer_data *a = rk_answer_view(means);
    const rk_regime *o = &means->report.regime, none = {0};
    const rk_regime *whole = covariances ? &covariances->report.regime : &none;
    double mse_error, cov = (double)NAN, cov_error = (double)NAN, variance = 0, own_variance = 0;
    double square = 0, own_square = 0, mse = mean_square_error(OUT, a->mean, t->mean, &mse_error);
    if (covariances)
        cov = mean_square_error(OUT * OUT, rk_answer_view(covariances)->covariance, t->covariance,
                                &cov_error);
    for (size_t i = 0; i < OUT; i++) {
        variance += average(t->covariance, OUT * OUT, i * (OUT + 1)) / OUT;
        own_variance += a->variance[i] / OUT;
    }
    for (size_t i = 0; i < OUT * OUT; i++) {
        square += pow(average(t->covariance, OUT * OUT, i), 2) / (OUT * OUT);
        if (covariances)
            own_square += pow(rk_answer_view(covariances)->covariance[i], 2) / (OUT * OUT);
    }
    const double numbers[] = {mse,
                              mse_error,
                              variance,
                              own_variance,
                              cov,
                              cov_error,
                              square,
                              own_square,
                              o->expansion,
                              o->slenderness,
                              o->independent,
                              whole->whole_expansion,
                              whole->whole_slenderness,
                              whole->whole_independent,
                              o->input_expansion,
                              o->input_slenderness,
                              o->first_expansion,
                              o->first_slenderness,
                              (double)o->closed_layers,
                              o->log_growth,
                              o->unevenness,
                              (double)o->diverged,
                              (double)o->alike};
    char name[64];
    snprintf(name, sizeof name, "%s", method);
    for (char *c = name; *c; c++)
        if (*c == ',') *c = ' ';
    printf("%s,%s", network, name);
    for (int i = 0; i < STRUCTURES_N_NUMBERS; i++)
        printf(",%.4g", numbers[i]);
    puts("");
    fflush(stdout);
}

static void measure(const char *kind, const struct shape *shape, uint64_t seed, uint64_t own_seed) {
    kind_case k = kind_draw(kind, shape->activation, shape->n, shape->hidden, own_seed);
    truth *t = malloc(sizeof *t);
    if (!t) study_stop("no memory");
    take_truth(&k, seed, t);
    char network[100];
    snprintf(network, sizeof network, "%s,%s,%zu,%zu,%llu", kind, shape->activation, shape->n,
             shape->hidden, (unsigned long long)seed);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        rk_answer *means = ask(methods[m], &k, false), *covariances = ask(methods[m], &k, true);
        if (means) print_row(network, methods[m], t, means, covariances);
        rk_answer_destroy(means);
        rk_answer_destroy(covariances);
    }
    free(t);
    kind_release(&k);
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 5) study_stop("usage: structures FIRST_SEED N_SEEDS [PARTS PART]");
    uint64_t first = (uint64_t)atoi(argv[1]), count = (uint64_t)atoi(argv[2]);
    size_t parts = argc > 3 ? (size_t)atoi(argv[3]) : 1,
           part = argc > 3 ? (size_t)atoi(argv[4]) : 0;
    puts(STRUCTURES_NAMES "," STRUCTURES_NUMBERS);
    for (uint64_t seed = first; seed < first + count; seed++)
        for (size_t i = part; kind_name(i); i += parts)
            for (size_t pick = 0; pick < A_SEED; pick++) { /* shapes rotate over kinds and seeds */
                const struct shape *shapes = seed < FIRST_HELD_OUT ? fitted : held_out;
                measure(kind_name(i), &shapes[(3 * pick + i + seed) % SHAPES], seed,
                        100 * seed + i);
            }
    return 0;
}
