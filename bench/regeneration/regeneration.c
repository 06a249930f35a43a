/* Fits the constants of src/third/fourth.c: how coherent the fourth cumulant is behind
 * each activation.
 *
 *     regeneration [PASSES]        (default: 800,000; a few minutes)
 *
 * Random relu networks (He) of 16 hidden layers, with seeds that nothing else uses; the means of
 * layers 2 to 16 against two independent samples A and B of PASSES passes each, by (p - A).(p - B)
 * / n, which is the mean square error of p on average. Least is to be the average of its logarithm
 * over networks and layers. */
#include "study.h"
#include "third/third.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HIDDEN = 16, MAX_WIDTH = 256, RANK = 8, N_CONSTANTS = 3 };

static const struct {
    size_t width;
    uint64_t seed;
} networks[] = {{128, 6001}, {128, 6002}, {128, 6003}, {128, 6004},
                {256, 6005}, {256, 6006}, {256, 6007}};
enum { N_NETWORKS = sizeof networks / sizeof *networks };

typedef struct subject {
    rk_network *net;
    rk_answer *half[2];
} subject;

static subject create(size_t width, uint64_t seed, uint64_t passes) {
    subject s = {.net = study_network(study_kind_named("relu"), width, HIDDEN, seed)};
    rk_options options = rk_options_default();
    options.method = study_method("sample:design,control");
    options.samples = passes;
    options.layers = true;
    for (uint64_t k = 0; k < 2; k++) {
        options.seed = 2 * seed + k;
        rk_error error;
        if (rk_estimate(&s.half[k], s.net, NULL, &options, &error)) study_stop(error.message);
    }
    return s;
}

static void destroy(subject *s) {
    rk_network_destroy(s->net);
    for (size_t k = 0; k < 2; k++)
        rk_answer_destroy(s->half[k]);
}

/* The hidden means by the closure; the network has a linear layer more. */
static void propagate(rk_pool *pool, const rk_network *net, const rk_amplitude *amplitude,
                      double **hidden) {
    double mean[MAX_WIDTH], variance[MAX_WIDTH];
    rk_third_spec spec = {.fourth = RK_FOURTH_FITTED, .rank = RANK, .amplitude = amplitude};
    rk_outputs outputs = {.mean = mean, .variance = variance, .hidden_mean = hidden};
    rk_input input = {0};
    rk_work dry, wet;
    rk_work_init_dry(&dry);
    rk_propagate_third(&dry, net, &input, &spec, &outputs, NULL);
    if (rk_work_init_wet(&wet, &dry, pool, NULL)) study_stop("no memory");
    rk_propagate_third(&wet, net, &input, &spec, &outputs, NULL);
    rk_work_finish(&wet);
    free(dry.steps);
}

/* The average over the layers of the logarithm of the mean square error. */
static double log_error(rk_pool *pool, const subject *s, const rk_amplitude *amplitude) {
    static double mean[HIDDEN][MAX_WIDTH];
    double *hidden[HIDDEN], sum = 0;
    for (size_t l = 0; l < HIDDEN; l++)
        hidden[l] = mean[l];
    propagate(pool, s->net, amplitude, hidden);
    const rk_answer_data *a = rk_answer_view(s->half[0]), *b = rk_answer_view(s->half[1]);
    for (size_t l = 1; l < HIDDEN; l++) { /* the first layer is exact */
        size_t n = a->hidden_width[l];
        double mse = 0;
        for (size_t i = 0; i < n; i++)
            mse += (mean[l][i] - a->hidden_mean[l][i]) * (mean[l][i] - b->hidden_mean[l][i]) /
                   (double)n;
        sum += log(fmax(mse, 1e-10)) / (HIDDEN - 1); /* the noise may leave less than nothing */
    }
    return sum;
}

typedef struct study {
    rk_pool *pool;
    subject subjects[N_NETWORKS];
} study;

/* What is varied: the amplitude behind one activation, behind very many, and the ratio. */
static rk_amplitude amplitude_of(const double x[N_CONSTANTS]) {
    return (rk_amplitude){.far = x[1], .gap = x[1] - x[0], .ratio = x[2]};
}

static double objective(const study *s, const double x[N_CONSTANTS]) {
    const rk_amplitude amplitude = amplitude_of(x);
    double sum = 0;
    for (size_t k = 0; k < N_NETWORKS; k++)
        sum += log_error(s->pool, &s->subjects[k], &amplitude) / N_NETWORKS;
    return sum;
}

/* Steps of each constant by itself, shorter and shorter. */
static double minimise(const study *s, double x[N_CONSTANTS]) {
    double step[N_CONSTANTS] = {0.2, 0.2, 0.1}, least = objective(s, x);
    for (int halvings = 0; halvings < 4;) {
        bool moved = false;
        for (size_t k = 0; k < 2 * N_CONSTANTS; k++) {
            double before = x[k / 2], value;
            x[k / 2] += k % 2 ? -step[k / 2] : step[k / 2];
            value = x[2] >= 0 && x[2] < 1 ? objective(s, x) : (double)INFINITY;
            if (value < least) {
                least = value;
                moved = true;
            } else {
                x[k / 2] = before;
            }
        }
        fprintf(stderr, "%.3f %.3f %.3f: %.4f\n", x[0], x[1], x[2], least);
        if (moved) continue;
        halvings++;
        for (size_t k = 0; k < N_CONSTANTS; k++)
            step[k] /= 2;
    }
    return least;
}

/* Geometric mean square errors of every network, relative to those with x. */
static void print_relative(const study *s, const char *name, const double y[N_CONSTANTS],
                           const double x[N_CONSTANTS]) {
    const rk_amplitude other = amplitude_of(y), fitted = amplitude_of(x);
    double sum = 0;
    printf("%-24s", name);
    for (size_t k = 0; k < N_NETWORKS; k++) {
        double more = log_error(s->pool, &s->subjects[k], &other) -
                      log_error(s->pool, &s->subjects[k], &fitted);
        sum += more / N_NETWORKS;
        printf(" %.3f", exp(more));
    }
    printf("  all %.3f\n", exp(sum));
}

int main(int argc, char **argv) {
    uint64_t passes = argc > 1 ? strtoull(argv[1], NULL, 10) : 800000;
    study s;
    if (rk_pool_create(&s.pool, 0, NULL)) study_stop("no threads");
    for (size_t k = 0; k < N_NETWORKS; k++)
        s.subjects[k] = create(networks[k].width, networks[k].seed, passes);

    static const double published[N_CONSTANTS] = {0.72, 1.45, 0.7};
    double x[N_CONSTANTS] = {0.72, 1.45, 0.7};
    double least = minimise(&s, x);
    const rk_amplitude fitted = amplitude_of(x);
    printf("far %.3f, gap %.3f, ratio %.3f; geometric mean square error %.4g\n", fitted.far,
           fitted.gap, fitted.ratio, exp(least));
    print_relative(&s, "as published", published, x);
    static const double factors[] = {0, 0.6, 0.8, 0.9, 1.1, 1.2, 1.4};
    for (size_t k = 0; k < sizeof factors / sizeof *factors; k++) {
        double y[N_CONSTANTS] = {factors[k] * x[0], factors[k] * x[1], x[2]};
        char name[40];
        snprintf(name, sizeof name, "times %.1f", factors[k]);
        print_relative(&s, name, y, x);
    }
    for (double c = 0.8; c < 2.1; c += 0.2) {
        char name[40];
        snprintf(name, sizeof name, "%.1f everywhere", c);
        print_relative(&s, name, (double[]){c, c, 0}, x);
    }

    for (size_t k = 0; k < N_NETWORKS; k++)
        destroy(&s.subjects[k]);
    rk_pool_destroy(s.pool);
    return 0;
}
