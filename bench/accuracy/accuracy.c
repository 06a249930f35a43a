/* Mean square error against FLOPs and seconds, for every method, beside Monte Carlo.
 *
 *     accuracy [--quick | --full] [--threads T] [--directory D]      (default: --full, all, .)
 *
 * Every network is random (ReLU, He), drawn from a seed that no constant in reckon was fitted on.
 * Its truth is 16 independent groups of forward passes, never averaged: the error of an estimate is
 * the U-statistic over pairs of groups, which is unbiased however small it is. The groups are
 * randomly rotated designs with a control variate, which are unbiased too and tell ten times as
 * much as plain passes; what plain sampling costs and varies is measured on plain sampling. Rows
 * are appended to D/results.csv as they are made, so an interrupted run goes on where it stopped;
 * D/summary.csv has the averages over networks, and bench/plot/accuracy.gp draws them.
 *
 * --quick takes a few minutes and exits with 1 if a method has lost ground against the floors
 * below. Errors are relative to the variance of one pass: plain sampling with N passes has 1/N. */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 16, FIRST_SEED = 9000, MAX_ROWS = 4096 };
enum { SEEDS = 8 }; /* of a method that samples */

typedef struct shape {
    size_t width, hidden;
    int networks;
    double truth_flops; /* spent on the truth of one network */
} shape;

static const shape full_shapes[] = {
    {16, 4, 8, 2e10},   {32, 4, 8, 1e11},  {64, 4, 8, 3e11},    {128, 4, 5, 5e11},
    {256, 2, 5, 9e11},  {256, 4, 5, 1e12}, {256, 8, 5, 1.3e12}, {256, 16, 5, 1.5e12},
    {256, 32, 5, 6e12}, {512, 4, 3, 2e12}, {1024, 4, 2, 4e12},  {1024, 16, 2, 8e13},
    {0, 0, 0, 0},
};
static const shape quick_shapes[] = {
    {64, 4, 3, 1e11}, {256, 2, 2, 9e11}, {256, 4, 5, 7.5e11}, {0, 0, 0, 0}};

/* What runs where: dearer methods only where one network takes seconds, the treatment of old
 * sources where it makes a difference, sampling by one whole design and where it is of use. */
static const struct candidate {
    const char *method;
    double max_flops;
    size_t least_hidden;
    uint64_t samples;
} candidates[] = {
    {"mean", 1e12, 0, 0},
    {"covariance", 1e12, 0, 0},
    {"covariance:gauge=angular", 1e12, 0, 0},
    {"gain", 1e12, 0, 0},
    {"third:tilt=off", 2e12, 0, 0},
    {"third:fourth=zero", 2e12, 0, 0},
    {"third:fourth=diagonal", 2e12, 0, 0},
    {"third:fourth=diagonal,old=exact", 2e12, 16, 0},
    {"third:fourth=diagonal,old=folded", 2e12, 16, 0},
    {"third:fourth=fitted", 2e12, 0, 0},
    {"third:fourth=lean", 2e12, 0, 0},
    {"third:fourth=lean,rank=32,reach=8", 2e12, 16, 0},
    {"third:fourth=full", 2e12, 0, 0},
    {"third:fourth=full,rank=32,reach=8", 2e12, 16, 0},
    {"fourth", 1e11, 0, 0},
    {"reference:2,augment", 1e11, 0, 0},
    {"reference:3,augment", 1e11, 0, 0},
    {"sample:design,control", 1e12, 16, 66048},
    {"sample:design,anchor", 1e12, 16, 64512}, /* 2.8e11 FLOPs at 256 x 32 */
};
enum { N_CANDIDATES = sizeof candidates / sizeof *candidates };

/* FLOPs of plain sampling over FLOPs of the method at equal error: --quick fails below these. */
static const struct floor {
    const char *method;
    size_t width, hidden;
    double ratio;
} floors[] = {
    {"mean", 256, 4, 250},
    {"covariance", 256, 4, 60},
    {"gain", 256, 4, 150},
    {"third:tilt=off", 256, 4, 1000},
    {"third:fourth=diagonal", 256, 4, 2500},
    {"third:fourth=full", 256, 4, 4000},
};

typedef struct row {
    char method[64];
    size_t width, hidden;
    int network;
    double mse, mse_error; /* relative to the variance of one pass */
    double flops, flops_convention, seconds;
    double pass_flops, pass_seconds; /* of plain sampling */
} row;

typedef struct table {
    row rows[MAX_ROWS];
    size_t n;
} table;

#define FORMAT "\"%s\",%zu,%zu,%d,%.6g,%.3g,%.10g,%.10g,%.4g,%.10g,%.4g\n"
static const char header[] = "method,width,hidden,network,mse,mse_error,flops,flops_convention,"
                             "seconds,pass_flops,pass_seconds\n";

static void read_table(const char *path, table *t) {
    char line[512];
    FILE *file = fopen(path, "r");
    t->n = 0;
    while (file && fgets(line, sizeof line, file) && t->n < MAX_ROWS) {
        row *r = &t->rows[t->n];
        if (sscanf(line, "\"%63[^\"]\",%zu,%zu,%d,%lf,%lf,%lf,%lf,%lf,%lf,%lf", r->method,
                   &r->width, &r->hidden, &r->network, &r->mse, &r->mse_error, &r->flops,
                   &r->flops_convention, &r->seconds, &r->pass_flops, &r->pass_seconds) == 11)
            t->n++;
    }
    if (file) fclose(file);
}

static bool has_row(const table *t, const char *method, const shape *s, int network) {
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->rows[i].method, method) == 0 && t->rows[i].width == s->width &&
            t->rows[i].hidden == s->hidden && t->rows[i].network == network)
            return true;
    return false;
}

static void append_row(const char *path, table *t, const row *r) {
    if (t->n == MAX_ROWS) study_stop("more rows than there is room for");
    t->rows[t->n++] = *r;
    FILE *file = fopen(path, "a");
    if (!file) study_stop("cannot write results.csv");
    if (ftell(file) == 0) fputs(header, file);
    fprintf(file, FORMAT, r->method, r->width, r->hidden, r->network, r->mse, r->mse_error,
            r->flops, r->flops_convention, r->seconds, r->pass_flops, r->pass_seconds);
    if (fclose(file) != 0) study_stop("cannot write results.csv");
}

static rk_answer *estimate(const rk_network *net, const rk_options *options) {
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, NULL, options, &error) != RK_OK) study_stop(error.message);
    return answer;
}

/* Means of GROUPS independent groups, and what one pass varies and costs. */
typedef struct truth {
    double *mean; /* GROUPS x n */
    double variance, pass_flops;
} truth;

/* Passes of one replicate of "sample:design": half a power of 4 and one bases, and all signs. */
static double design_passes(size_t n) {
    double power = 4;
    while (power < (double)n)
        power *= 4;
    return power * (power + 2);
}

static truth sample_truth(const rk_network *net, const shape *s, int threads) {
    size_t n = s->width;
    truth t = {.mean = malloc(GROUPS * n * sizeof *t.mean)};
    if (!t.mean) study_stop("no memory");
    double pass = 2 * (double)n * (double)n * (double)(s->hidden + 1);
    rk_options options = rk_options_default();
    options.threads = threads;
    options.method = study_method("sample");
    options.samples = (uint64_t)fmax(20000, s->truth_flops / pass / GROUPS);
    options.seed = 1;
    double samples = (double)options.samples;
    rk_answer *answer = estimate(net, &options);
    const rk_answer_data *data = rk_answer_view(answer);
    t.variance = data->error_rms * data->error_rms * samples;
    t.pass_flops = (double)data->cost.flops_executed / samples;
    rk_answer_destroy(answer);

    double group = s->truth_flops / pass / GROUPS;
    bool fits = design_passes(n) <= group;
    options.method = study_method(fits ? "sample:design,control" : "sample:orthogonal,control");
    options.samples = (uint64_t)group;
    for (uint64_t g = 0; g < GROUPS; g++) {
        options.seed = 1000 + g;
        answer = estimate(net, &options);
        memcpy(t.mean + g * n, rk_answer_view(answer)->mean, n * sizeof *t.mean);
        rk_answer_destroy(answer);
    }
    return t;
}

static void truth_path(char *path, size_t size, const char *directory, const shape *s,
                       int network) {
    snprintf(path, size, "%s/truth-%zux%zu-%d.bin", directory, s->width, s->hidden, network);
}

/* The truth is what takes long: kept beside the results, so that a new method costs little. */
static truth get_truth(const char *directory, const rk_network *net, const shape *s, int network,
                       int threads) {
    size_t count = GROUPS * s->width;
    char path[4096];
    truth_path(path, sizeof path, directory, s, network);
    FILE *file = fopen(path, "rb");
    if (file) {
        truth t;
        double *mean = malloc(count * sizeof *mean);
        bool whole = mean && fread(&t, sizeof t, 1, file) == 1 &&
                     fread(mean, sizeof *mean, count, file) == count;
        fclose(file);
        if (!whole) study_stop("a truth file is damaged: remove it");
        t.mean = mean;
        return t;
    }
    fprintf(stderr, "%zu x %zu, network %d\n", s->width, s->hidden, network);
    truth t = sample_truth(net, s, threads);
    file = fopen(path, "wb");
    if (!file || fwrite(&t, sizeof t, 1, file) != 1 ||
        fwrite(t.mean, sizeof *t.mean, count, file) != count || fclose(file) != 0)
        study_stop("cannot write the truth");
    return t;
}

/* Unbiased mean square error of `estimate`, and its standard error from the spread over groups: too
 * large, up to sqrt(2) times, for an estimate as good as the truth. */
static double score(const truth *t, size_t n, const double *estimate_mean, double *noise) {
    double rows[GROUPS] = {0}, sum = 0, spread = 0;
    for (size_t a = 0; a < GROUPS; a++)
        for (size_t b = 0; b < a; b++) {
            double product = 0;
            for (size_t i = 0; i < n; i++)
                product += (t->mean[a * n + i] - estimate_mean[i]) *
                           (t->mean[b * n + i] - estimate_mean[i]) / (double)n;
            rows[a] += product / (GROUPS - 1);
            rows[b] += product / (GROUPS - 1);
            sum += product / (GROUPS * (GROUPS - 1) / 2);
        }
    for (size_t a = 0; a < GROUPS; a++)
        spread += (rows[a] - sum) * (rows[a] - sum) / (GROUPS - 1);
    *noise = 2 * sqrt(spread / GROUPS) / t->variance;
    return sum / t->variance;
}

/* Seconds of a plain pass, here and now: beside every method, so that both see the same machine. */
static double time_pass(const rk_network *net, const shape *s, int threads) {
    double pass = 2 * (double)s->width * (double)s->width * (double)(s->hidden + 1);
    double seconds = INFINITY;
    rk_options options = rk_options_default();
    options.method = study_method("sample");
    options.threads = threads;
    options.samples = (uint64_t)fmax(2048, 4e8 / pass);
    for (int k = 0; k < 3; k++) {
        rk_answer *answer = estimate(net, &options);
        seconds = fmin(seconds, rk_answer_view(answer)->seconds / (double)options.samples);
        rk_answer_destroy(answer);
    }
    return seconds;
}

static bool plan_flops(const rk_network *net, const rk_options *options, double *flops) {
    rk_plan *plan;
    if (rk_plan_create(&plan, net, NULL, options, NULL) != RK_OK) return false;
    *flops = (double)rk_plan_cost(plan).flops_executed;
    rk_plan_destroy(plan);
    return true;
}

static void run_network(const char *directory, const char *path, table *t, const shape *s,
                        int network, int threads) {
    rk_network *net = study_relu(s->width, s->hidden, FIRST_SEED + (uint64_t)network);
    truth known = {.mean = NULL};
    for (size_t c = 0; c < N_CANDIDATES; c++) {
        rk_options options = rk_options_default();
        options.method = study_method(candidates[c].method);
        options.threads = threads;
        if (candidates[c].samples) options.samples = candidates[c].samples;
        double flops;
        if (s->hidden < candidates[c].least_hidden ||
            has_row(t, candidates[c].method, s, network) || !plan_flops(net, &options, &flops) ||
            flops > candidates[c].max_flops)
            continue;
        if (!known.mean) known = get_truth(directory, net, s, network, threads);
        row r = {.width = s->width, .hidden = s->hidden, .network = network, .seconds = INFINITY};
        snprintf(r.method, sizeof r.method, "%s", candidates[c].method);
        int repeats = candidates[c].samples ? SEEDS : flops < 1e10 ? 5 : 2;
        double squares = 0, noise = 0;
        for (int k = 0; k < repeats; k++) {
            options.seed = (uint64_t)k;
            rk_answer *answer = estimate(net, &options);
            const rk_answer_data *data = rk_answer_view(answer);
            r.seconds = fmin(r.seconds, data->seconds);
            r.flops = (double)data->cost.flops_executed;
            r.flops_convention = data->cost.flops_convention;
            double mse = score(&known, s->width, data->mean, &noise);
            r.mse += mse / repeats;
            squares += mse * mse / repeats;
            rk_answer_destroy(answer);
        }
        double spread = fmax(squares - r.mse * r.mse, 0) / (repeats - 1); /* of the average */
        r.mse_error = sqrt(noise * noise + spread);
        r.pass_flops = known.pass_flops;
        r.pass_seconds = time_pass(net, s, threads);
        append_row(path, t, &r);
    }
    free(known.mean);
    rk_network_destroy(net);
}

/* Averages over the networks of one shape. */
typedef struct summary {
    int networks;
    double mse, mse_error, flops, seconds, pass_flops, pass_seconds;
    double flops_ratio, seconds_ratio; /* of sampling to the method, at equal error */
} summary;

static summary summarise(const table *t, const char *method, size_t width, size_t hidden) {
    summary a = {.networks = 0};
    double variance = 0;
    for (size_t i = 0; i < t->n; i++) {
        const row *r = &t->rows[i];
        if (strcmp(r->method, method) != 0 || r->width != width || r->hidden != hidden) continue;
        a.networks++;
        a.mse += r->mse;
        variance += r->mse_error * r->mse_error;
        a.flops += r->flops;
        a.seconds += r->seconds;
        a.pass_flops += r->pass_flops;
        a.pass_seconds += r->pass_seconds;
    }
    if (a.networks == 0) return a;
    a.mse /= a.networks;
    a.mse_error = sqrt(variance) / a.networks;
    a.flops /= a.networks;
    a.seconds /= a.networks;
    a.pass_flops /= a.networks;
    a.pass_seconds /= a.networks;
    a.flops_ratio = a.pass_flops / a.mse / a.flops;
    a.seconds_ratio = a.pass_seconds / a.mse / a.seconds;
    return a;
}

static void write_summary(const char *path, const table *t, const shape *shapes) {
    FILE *file = fopen(path, "w");
    if (!file) study_stop("cannot write summary.csv");
    fputs("method,width,hidden,networks,mse,mse_error,flops,seconds,pass_flops,pass_seconds,"
          "flops_ratio,seconds_ratio\n",
          file);
    for (const shape *s = shapes; s->width; s++)
        for (size_t c = 0; c < N_CANDIDATES; c++) {
            summary a = summarise(t, candidates[c].method, s->width, s->hidden);
            if (a.networks == 0) continue;
            fprintf(file, "\"%s\",%zu,%zu,%d,%.4g,%.2g,%.5g,%.4g,%.5g,%.4g,%.4g,%.4g\n",
                    candidates[c].method, s->width, s->hidden, a.networks, a.mse, a.mse_error,
                    a.flops, a.seconds, a.pass_flops, a.pass_seconds, a.flops_ratio,
                    a.seconds_ratio);
            printf("%5zu x %-3zu %-26s mse %9.3g +- %-8.2g %9.3g FLOPs x %-6.4g %9.3g s x %.4g\n",
                   s->width, s->hidden, candidates[c].method, a.mse, a.mse_error, a.flops,
                   a.flops_ratio, a.seconds, a.seconds_ratio);
        }
    if (fclose(file) != 0) study_stop("cannot write summary.csv");
}

static int check_floors(const table *t) {
    int failed = 0;
    for (size_t i = 0; i < sizeof floors / sizeof *floors; i++) {
        summary a = summarise(t, floors[i].method, floors[i].width, floors[i].hidden);
        bool holds = a.networks > 0 && a.flops_ratio >= floors[i].ratio;
        printf("%s: %s at %zu x %zu needs 1/%.4g of sampling's FLOPs; the floor is 1/%g\n",
               holds ? "ok" : "FAILED", floors[i].method, floors[i].width, floors[i].hidden,
               a.flops_ratio, floors[i].ratio);
        failed += !holds;
    }
    return failed;
}

int main(int argc, char **argv) {
    const shape *shapes = full_shapes;
    const char *directory = ".";
    int threads = 0;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--quick") == 0)
            shapes = quick_shapes;
        else if (strcmp(argv[i], "--full") == 0)
            shapes = full_shapes;
        else if (strcmp(argv[i], "--threads") == 0 && more)
            threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--directory") == 0 && more)
            directory = argv[++i];
        else
            study_stop("usage: accuracy [--quick | --full] [--threads T] [--directory D]");
    }
    char results[4096], summary_path[4096];
    snprintf(results, sizeof results, "%s/results.csv", directory);
    snprintf(summary_path, sizeof summary_path, "%s/summary.csv", directory);
    static table t;
    read_table(results, &t);
    for (const shape *s = shapes; s->width; s++)
        for (int network = 0; network < s->networks; network++)
            run_network(directory, results, &t, s, network, threads);
    write_summary(summary_path, &t, shapes);
    return shapes == quick_shapes && check_floors(&t) > 0 ? 1 : 0;
}
