/* What src/estimate/anchor.c rests on: where sampling had best take over from the third order.
 *
 *     anchor measure WIDTH HIDDEN     CSV: mean square errors over the variance, by the hidden
 *                                     layer (from 0) whose mean is that of third:fourth=full
 *     anchor fit < CSV                for a grid of constants, how much more error the layers that
 *                                     they choose have than the best: geometric mean and most
 *
 * He-initialised relu networks with seeds that nothing else uses; constants are fitted to
 * bench/anchor/anchor.csv. */
#include "kernel.h"
#include "linalg/blas.h"
#include "sample/division.h"
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NETWORKS = 4, RUNS = 2, TRUTH = 16, MAX_LAYERS = 64, MAX_ROWS = 100 };

static const struct {
    rk_point_set points;
    uint64_t passes;
} runs[] = {
    {RK_POINTS_ORTHOGONAL, 16384}, {RK_POINTS_ORTHOGONAL, 65536}, {RK_POINTS_DESIGN, 66048}};
enum { N_RUNS = sizeof runs / sizeof *runs };

/* ------------------------------------------------------------------------------------- measure */

static double error_from(const rk_network *net, size_t r, size_t layer, const double *mean,
                         const study_truth *truth) {
    double sum = 0, noise;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        sampled run = sample_passes(net, (rk_sample_spec){.n_samples = runs[r].passes,
                                                          .seed = seed,
                                                          .points = runs[r].points,
                                                          .control = true,
                                                          .anchor = layer,
                                                          .anchor_mean = layer ? mean : NULL});
        sum += study_mse(truth, run.mean, &noise) / study_variance(truth) / RUNS;
        free(run.mean);
    }
    return sum;
}

static void measure(size_t width, size_t hidden) {
    const size_t step = hidden > 8 ? hidden / 8 : 1;
    double error[N_RUNS][MAX_LAYERS] = {{0}};
    for (uint64_t seed = 8001; seed < 8001 + NETWORKS; seed++) {
        rk_network *net = study_relu(width, hidden, seed);
        study_truth *truth = study_truth_create(net, "sample:design,control", TRUTH * 66048., seed);
        rk_options options = rk_options_default();
        options.method = study_method("third:fourth=full");
        options.layers = true;
        rk_answer *third;
        rk_error trouble;
        if (rk_estimate(&third, net, NULL, &options, &trouble)) study_stop(trouble.message);
        for (size_t r = 0; r < N_RUNS; r++)
            for (size_t l = 0; l < hidden; l += step)
                error[r][l] +=
                    error_from(net, r, l, rk_answer_view(third)->hidden_mean[l], truth) / NETWORKS;
        rk_answer_destroy(third);
        study_truth_destroy(truth);
        rk_network_destroy(net);
    }
    puts("width,hidden,points,passes,layer,error");
    for (size_t r = 0; r < N_RUNS; r++)
        for (size_t l = 0; l < hidden; l += step)
            printf("%zu,%zu,%d,%.0f,%zu,%.3g\n", width, hidden, (int)runs[r].points,
                   (double)runs[r].passes, l, error[r][l]);
}

/* ----------------------------------------------------------------------------------------- fit */

/* Errors of one shape and run by layer; 0: not measured. */
typedef struct row {
    size_t width, hidden;
    int points;
    double passes, error[MAX_LAYERS];
} row;

static size_t read_rows(row *rows) {
    size_t n = 0, width, hidden, layer;
    int points;
    double passes, error;
    if (scanf("width,%*s") == EOF) study_stop("no rows");
    while (scanf("%zu,%zu,%d,%lf,%zu,%lf", &width, &hidden, &points, &passes, &layer, &error) ==
           6) {
        row *last = n ? &rows[n - 1] : NULL;
        bool same = last && last->width == width && last->hidden == hidden &&
                    last->points == points && last->passes == passes;
        if (!same && n == MAX_ROWS) study_stop("too many rows");
        if (!same) {
            last = &rows[n++];
            *last = (row){width, hidden, points, passes, {0}};
        }
        if (layer >= MAX_LAYERS) study_stop("too many layers");
        last->error[layer] = error;
    }
    if (n == 0) study_stop("no rows");
    return n;
}

/* Of the layer that rk_anchor_choose would take, were these its constants. */
static double error_of_chosen(const row *r, double bias, double pace) {
    const double last = (double)(r->hidden - 1);
    double least = (double)INFINITY, chosen = 0;
    for (size_t l = 0; l < r->hidden; l++) {
        if (r->error[l] == 0) continue;
        const double depth = l ? (double)(l + 1) / (double)r->width : 0;
        const double share = (last - (double)l) / last;
        const double expected =
            bias * pow(depth, 3) + r->error[0] * pow(share, (double)r->hidden / pace);
        if (!(expected < least)) continue;
        least = expected;
        chosen = r->error[l];
    }
    return chosen;
}

static double least_error(const row *r) {
    double least = (double)INFINITY;
    for (size_t l = 0; l < r->hidden; l++)
        if (r->error[l] != 0) least = fmin(least, r->error[l]);
    return least;
}

static void fit(void) {
    static row rows[MAX_ROWS];
    static const double biases[] = {0.015, 0.02, 0.025, 0.03, 0.04, 0.06};
    static const double paces[] = {6, 8, 10, 12, 16, 24, 1e9};
    const size_t n = read_rows(rows);
    for (size_t b = 0; b < sizeof biases / sizeof *biases; b++)
        for (size_t p = 0; p < sizeof paces / sizeof *paces; p++) {
            double sum = 0, most = 0;
            for (size_t i = 0; i < n; i++) {
                double regret =
                    error_of_chosen(&rows[i], biases[b], paces[p]) / least_error(&rows[i]);
                sum += log(regret) / (double)n;
                most = fmax(most, regret);
            }
            printf("BIAS %.3f PACE %2g: %.3f, at most %.2f\n", biases[b], paces[p], exp(sum), most);
        }
}

int main(int argc, char **argv) {
    if (argc == 4 && !strcmp(argv[1], "measure")) {
        const size_t width = strtoul(argv[2], NULL, 10), hidden = strtoul(argv[3], NULL, 10);
        if (width == 0 || hidden < 2 || hidden > MAX_LAYERS) study_stop("2 to 64 hidden layers");
        rk_blas_make_serial();
        measure(width, hidden);
        rk_blas_restore();
    } else if (argc == 2 && !strcmp(argv[1], "fit")) {
        fit();
    } else {
        study_stop("usage: anchor measure WIDTH HIDDEN | anchor fit < CSV");
    }
    return 0;
}
