/* The published experiment on low probabilities (arXiv:2605.05179, section 6.6): 256 inputs, three
 * relu layers of 256, P(z_i > 3) for the neurons of the fourth, in buckets of half a decade to
 * either side of 1e-2, 1e-3, ..., every method at the FLOPs of 5,695 forward passes.
 *
 *     tails FIRST_SEED NETWORKS PER_BUCKET REPEATS TRUTH_PASSES SUBSET_PASSES PLAIN_PASSES
 *
 * Truths are long runs of `importance` with seeds of their own, of TRUTH_PASSES at 1e-6 and more
 * the deeper the event, compared with subset simulation and, where these see an event often enough,
 * with plain passes. The budget is for one event, so that methods that answer all 256 at once have
 * it 256 times; the tilted passes pay for their tilt out of it. Of the closure that `auto` asks
 * first, one for all 256, each event pays a 256th: nothing. Writes a line a bucket and method: root
 * mean square and median relative error, average of estimate / truth with its standard error, and
 * how many 95 % intervals cover the truth. */
#include "base/normal.h"
#include "base/size.h"
#include "linalg/blas.h"
#include "study.h"
#include "tail/importance.h"
#include "tail/log_probability.h"
#include "tail/passes.h"
#include "tail/series.h"
#include "tail/target.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 256, HIDDEN = 3, BUDGET = 5695, FIRST = 2, LAST = 10, MAX_CASES = 4096 };
#define THRESHOLD 3.0

typedef enum method {
    ZERO,
    PLAIN,
    PLAIN_GAUSSIAN,
    PLAIN_THIRD,
    DESIGN_POINT,
    NORMAL,
    EDGEWORTH,
    SADDLEPOINT,
    IMPORTANCE,
    AUTO,
    N_METHODS
} method;
static const char *const names[N_METHODS] = {"zero",
                                             "plain passes",
                                             "plain + gaussian",
                                             "plain + third cumulant",
                                             "single design point",
                                             "normal",
                                             "edgeworth:third",
                                             "saddlepoint:third",
                                             "importance",
                                             "auto"};

typedef struct tally {
    size_t n, n_covered, n_intervals;
    double squares, ratios, truth_variances;
    double absolute[MAX_CASES];
} tally;
static tally tallies[N_METHODS][LAST - FIRST + 1];

typedef struct estimate {
    double p, cv, low, high; /* low > high: no interval */
} estimate;

typedef struct known {
    double p, cv;
    int bucket; /* 0: none */
} known;

static void enter(method m, estimate e, known truth) {
    tally *t = &tallies[m][truth.bucket - FIRST];
    if (t->n == MAX_CASES) return;
    double ratio = isnan(e.p) ? 0 : e.p / truth.p;
    t->truth_variances += truth.cv * truth.cv;
    t->absolute[t->n++] = fabs(ratio - 1);
    t->squares += (ratio - 1) * (ratio - 1);
    t->ratios += ratio;
    if (e.low <= e.high) {
        t->n_intervals++;
        t->n_covered += e.low <= truth.p && truth.p <= e.high;
    }
}

/* ------------------------------------------------------------------------- through the library */

static rk_tail_answer *ask(const rk_network *net, const char *events_text, const char *name,
                           uint64_t samples, uint64_t seed) {
    rk_events *events = NULL;
    rk_tail_answer *answer = NULL;
    rk_error error;
    rk_options options = rk_options_default();
    rk_tail_spec tail = {.size = sizeof tail};
    options.tail = &tail;
    options.samples = samples;
    options.seed = seed;
    if (rk_tail_method_parse(name, &tail, &error) != RK_OK ||
        rk_events_parse(&events, net, events_text, &error) != RK_OK ||
        rk_tail(&answer, net, NULL, rk_events_list(events), rk_events_count(events), &options,
                &error) != RK_OK)
        study_stop(error.message);
    rk_events_destroy(events);
    return answer;
}

/* One answer for all neurons. */
static void all_at_once(const rk_network *net, const char *name, double p[WIDTH]) {
    rk_tail_answer *answer = ask(net, "y[*] > 3", name, 1, 0);
    for (size_t i = 0; i < WIDTH; i++)
        p[i] = rk_tail_view(answer)->estimates[i].p;
    rk_tail_destroy(answer);
}

static estimate weighted(const rk_network *net, size_t i, const char *name, uint64_t samples,
                         uint64_t seed, double *flops) {
    char text[40];
    snprintf(text, sizeof text, "y[%zu] > 3", i);
    rk_tail_answer *answer = ask(net, text, name, samples, seed);
    const rk_tail_estimate *e = rk_tail_view(answer)->estimates;
    estimate result = {e->p, e->cv, pow(10, e->log10_low), pow(10, e->log10_high)};
    if (flops) *flops = (double)rk_tail_view(answer)->flops_executed;
    rk_tail_destroy(answer);
    return result;
}

/* FLOPs of `auto` for some event that needs nothing but its tilted passes. */
static double flops_of_auto(const rk_network *net, uint64_t samples) {
    for (size_t i = 0; i < WIDTH; i++) {
        char text[40];
        snprintf(text, sizeof text, "y[%zu] > 3", i);
        rk_tail_answer *answer = ask(net, text, "auto", samples, 0);
        const rk_tail_data *data = rk_tail_view(answer);
        double flops = (double)data->flops_executed;
        bool alone = data->estimates->samples == samples && isfinite(data->estimates->cv_unbiased);
        rk_tail_destroy(answer);
        if (alone) return flops;
    }
    study_stop("no event for auto");
    return 0;
}

/* The passes that are left of the budget after the tilt; those of `auto` cost a little more. */
static uint64_t affordable(const rk_network *net) {
    double one, more;
    weighted(net, 0, "importance", 1000, 0, &one);
    weighted(net, 0, "importance", 2000, 0, &more);
    double tilt = 2 * one - more;
    double pass = (flops_of_auto(net, 5000) - flops_of_auto(net, 4000)) / 1000;
    double whole = 2.0 * WIDTH * WIDTH * (HIDDEN + 1) + HIDDEN * WIDTH; /* as in the paper */
    double left = (BUDGET * whole - tilt) / pass;
    printf("# %.3g FLOPs for a tilt, %.3g a pass: %.0f tilted passes\n", tilt, pass, left);
    return left > 100 ? (uint64_t)left : 100;
}

/* ----------------------------------------------------------------------- the paper's baselines */

typedef struct moments {
    const rk_network *net;
    uint64_t seed;
    float *z; /* all outputs of all passes */
} moments;

static void draw(void *context, uint64_t pass, float *y) {
    const moments *m = context;
    rk_normal_floats((rk_stream){m->seed, 99}, pass, WIDTH, y);
}

static void keep(void *context, const rk_scored_block *block) {
    moments *m = context;
    memcpy(m->z + block->first * WIDTH, block->z, block->n * WIDTH * sizeof *m->z);
}

/* Runs a step of the library dry, then wet. */
static void twice(void (*step)(rk_work *work, void *context), void *context) {
    rk_work dry, wet;
    rk_pool *pool;
    rk_work_init_dry(&dry);
    step(&dry, context);
    if (rk_pool_create(&pool, 0, NULL) != RK_OK ||
        rk_work_init_wet(&wet, &dry, pool, NULL) != RK_OK)
        study_stop("no memory");
    step(&wet, context);
    rk_work_finish(&wet);
    rk_pool_destroy(pool);
    free(dry.steps);
}

static void plain_step(rk_work *work, void *context) {
    const moments *m = context;
    rk_scored_spec spec = {
        .n = BUDGET, .lanes = 2, .draw = draw, .score = keep, .context = context};
    rk_score_passes(work, m->net, &spec);
}

static void baselines(const rk_network *net, uint64_t seed, const known *truths) {
    moments m = {net, seed, malloc((size_t)BUDGET * WIDTH * sizeof(float))};
    if (!m.z) study_stop("no memory");
    twice(plain_step, &m);
    for (size_t i = 0; i < WIDTH; i++) {
        if (!truths[i].bucket) continue;
        double mean = 0, var = 0, third = 0, hits = 0, N = BUDGET;
        for (size_t r = 0; r < BUDGET; r++) {
            double z = (double)m.z[r * WIDTH + i];
            mean += z / N;
            hits += z > THRESHOLD;
        }
        for (size_t r = 0; r < BUDGET; r++) {
            double d = (double)m.z[r * WIDTH + i] - mean;
            var += d * d / (N - 1);
            third += d * d * d / N;
        }
        rk_tail_law law = {{0, mean, var, third}};
        double low, high;
        rk_binomial_interval((uint64_t)hits, BUDGET, &low, &high);
        enter(ZERO, (estimate){0, 0, 1, 0}, truths[i]);
        enter(PLAIN, (estimate){hits / N, 0, low, high}, truths[i]);
        enter(PLAIN_GAUSSIAN, (estimate){exp(rk_series_normal(&law, THRESHOLD, NULL)), 0, 1, 0},
              truths[i]);
        enter(PLAIN_THIRD, (estimate){exp(rk_series_edgeworth(&law, 2, THRESHOLD, NULL)), 0, 1, 0},
              truths[i]);
    }
    free(m.z);
}

/* z_i(x) and its gradient. */
static double value_and_gradient(const rk_network *net, size_t i, const double *x, double *g) {
    double h[HIDDEN + 1][WIDTH], back[WIDTH], next[WIDTH];
    memcpy(h[0], x, sizeof h[0]);
    for (size_t l = 0; l < HIDDEN; l++) {
        const double *W = rk_network_layer(net, l).weight;
        for (size_t r = 0; r < WIDTH; r++) {
            double sum = 0;
            for (size_t j = 0; j < WIDTH; j++)
                sum += W[r * WIDTH + j] * h[l][j];
            h[l + 1][r] = fmax(sum, 0);
        }
    }
    const double *row = rk_network_layer(net, HIDDEN).weight + i * WIDTH;
    double z = 0;
    for (size_t j = 0; j < WIDTH; j++) {
        z += row[j] * h[HIDDEN][j];
        back[j] = row[j];
    }
    for (size_t l = HIDDEN; l-- > 0;) {
        const double *W = rk_network_layer(net, l).weight;
        memset(next, 0, sizeof next);
        for (size_t r = 0; r < WIDTH; r++)
            for (size_t j = 0; h[l + 1][r] > 0 && j < WIDTH; j++)
                next[j] += W[r * WIDTH + j] * back[r];
        memcpy(back, next, sizeof back);
    }
    memcpy(g, back, sizeof back);
    return z;
}

typedef struct design {
    const rk_network *net;
    rk_network one;
    rk_proposal proposal;
    uint64_t n, seed;
    double *point;
    rk_weighted_mean mean;
} design;

static void design_step(rk_work *work, void *context) {
    design *d = context;
    rk_proposal p = rk_proposal_standard(work, WIDTH);
    if (rk_work_charge(work, 0)) memcpy(p.part[0].mean, d->point, WIDTH * sizeof(double));
    rk_importance_spec spec = {
        .t = THRESHOLD, .proposal = &p, .n = d->n, .stream = {d->seed, 98}, .lanes = 2};
    rk_importance(work, &d->one, &spec, &d->mean, NULL);
}

/* Shift to the nearest point of the event (Hasofer, Lind, Rackwitz, Fiessler). */
static estimate design_point(const rk_network *net, const rk_event *event, size_t i,
                             uint64_t seed) {
    double x[WIDTH], g[WIDTH];
    rk_stream stream = {seed, 97};
    rk_normal_doubles(stream, i, WIDTH, x);
    for (int step = 0; step < 60; step++) {
        double z = value_and_gradient(net, i, x, g), square = 0, along = 0;
        for (size_t j = 0; j < WIDTH; j++) {
            square += g[j] * g[j];
            along += g[j] * x[j];
        }
        for (size_t j = 0; j < WIDTH; j++)
            x[j] += 0.5 * ((along + THRESHOLD - z) / square * g[j] - x[j]);
    }
    rk_target target;
    if (rk_target_create(&target, net, NULL, &event, 1, NULL) != RK_OK) study_stop("no memory");
    design d = {.net = net, .one = target.net, .n = BUDGET, .seed = seed, .point = x};
    twice(design_step, &d);
    rk_target_destroy(&target);
    double p = exp(d.mean.log_mean), cv = d.mean.cv;
    if (!(p > 0)) return (estimate){0, 0, 1, 0};
    return (estimate){p, cv, p * exp(-1.96 * cv), p * exp(1.96 * cv)};
}

/* --------------------------------------------------------------------------------- the whole */

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int bucket_of(double p) {
    int k = (int)lrint(-log10(p));
    return k >= FIRST && k <= LAST ? k : 0;
}

typedef struct experiment {
    uint64_t first_seed, networks, per_bucket, repeats, truth_passes, subset_passes, plain_passes;
} experiment;

/* The seeds of truths are none of the experiment's. */
static uint64_t truth_seed(uint64_t network) {
    return 1000000 + network;
}

/* Root mean square of differences in standard errors. */
typedef struct agreement {
    double squares;
    size_t n;
} agreement;

static void compare(agreement *a, known truth, double p, double cv) {
    double apart = log(p / truth.p) / hypot(cv, truth.cv);
    a->squares += apart * apart;
    a->n++;
}

/* Neurons are chosen by what the cumulants say, before anything is known. */
static void find_truths(const rk_network *net, uint64_t seed, const experiment *plan,
                        const double guess[WIDTH], known truths[WIDTH]) {
    uint64_t taken[LAST + 1] = {0};
    double worst = 0;
    agreement subset = {0}, plain = {0};
    for (size_t i = 0; i < WIDTH; i++) {
        int k = bucket_of(guess[i]);
        truths[i].bucket = 0;
        if (!k || taken[k] == plan->per_bucket) continue;
        taken[k]++;
        uint64_t passes = plan->truth_passes * (uint64_t)((k - 1) * (k - 1)) / 25;
        estimate e = weighted(net, i, "importance", passes, truth_seed(seed), NULL);
        truths[i] = (known){e.p, e.cv, bucket_of(e.p)};
        if (!truths[i].bucket) continue;
        worst = fmax(worst, e.cv);
        e = weighted(net, i, "subset", plan->subset_passes, truth_seed(seed), NULL);
        compare(&subset, truths[i], e.p, e.cv);
    }
    rk_tail_answer *answer = ask(net, "y[*] > 3", "sample", plan->plain_passes, truth_seed(seed));
    for (size_t i = 0; i < WIDTH; i++) {
        const rk_tail_estimate *e = &rk_tail_view(answer)->estimates[i];
        if (truths[i].bucket && e->cv < 0.1) compare(&plain, truths[i], e->p, e->cv);
    }
    rk_tail_destroy(answer);
    printf("# network %llu: %zu truths, standard error of the worst %.1f %%; root mean square\n"
           "#   difference from subset simulation %.2f standard errors, of %zu from plain passes "
           "%.2f\n",
           (unsigned long long)seed, subset.n, 100 * worst, sqrt(subset.squares / (double)subset.n),
           plain.n, sqrt(plain.squares / (double)plain.n));
}

static void measure(uint64_t seed, const experiment *plan) {
    rk_network *net = study_relu(WIDTH, HIDDEN, seed);
    uint64_t passes = affordable(net);
    static const char *const deterministic[] = {"normal", "edgeworth", "saddlepoint"};
    double p[3][WIDTH];
    for (int m = 0; m < 3; m++)
        all_at_once(net, deterministic[m], p[m]);
    known truths[WIDTH];
    find_truths(net, seed, plan, p[2], truths);
    for (size_t i = 0; i < WIDTH; i++) {
        if (!truths[i].bucket) continue;
        for (int m = 0; m < 3; m++)
            enter((method)(NORMAL + m), (estimate){p[m][i], 0, 1, 0}, truths[i]);
        rk_event_term term = {i, 1};
        rk_event event = {.terms = &term, .n_terms = 1, .threshold = THRESHOLD};
        for (uint64_t r = 0; r < plan->repeats; r++) {
            uint64_t own = seed * 1000 + r;
            enter(DESIGN_POINT, design_point(net, &event, i, own), truths[i]);
            enter(IMPORTANCE, weighted(net, i, "importance", passes, own, NULL), truths[i]);
            enter(AUTO, weighted(net, i, "auto", passes, own + 500, NULL), truths[i]);
        }
    }
    for (uint64_t r = 0; r < plan->repeats; r++)
        baselines(net, seed * 1000 + r, truths);
    fflush(stdout);
    rk_network_destroy(net);
}

static void print_bucket(int k, int m, uint64_t repeats) {
    tally *t = &tallies[m][k - FIRST];
    if (!t->n) return;
    double n = (double)t->n, mean = t->ratios / n;
    double variance = t->squares / n - (mean - 1) * (mean - 1);
    /* the repeats of an event share its truth */
    double shared = m < NORMAL || m > SADDLEPOINT ? (double)repeats : 1;
    qsort(t->absolute, t->n, sizeof *t->absolute, ascending);
    printf("1e-%d,%s,%zu,%.4g,%.4g,%.4g,%.2g,", k, names[m], t->n, sqrt(t->squares / n),
           t->absolute[t->n / 2], mean, sqrt((variance + shared * t->truth_variances / n) / n));
    if (t->n_intervals) printf("%.3f", (double)t->n_covered / (double)t->n_intervals);
    putchar('\n');
}

int main(int argc, char **argv) {
    uint64_t a[7];
    if (argc != 8)
        study_stop("usage: tails FIRST_SEED NETWORKS PER_BUCKET REPEATS TRUTH_PASSES SUBSET_PASSES "
                   "PLAIN_PASSES");
    for (int k = 0; k < 7; k++)
        a[k] = strtoull(argv[k + 1], NULL, 10);
    const experiment plan = {a[0], a[1], a[2], a[3], a[4], a[5], a[6]};
    for (uint64_t k = 0; k < plan.networks; k++)
        measure(plan.first_seed + k, &plan);
    for (int m = 0; m < N_METHODS; m++) {
        size_t covered = 0, intervals = 0;
        for (int k = FIRST; k <= LAST; k++) {
            covered += tallies[m][k - FIRST].n_covered;
            intervals += tallies[m][k - FIRST].n_intervals;
        }
        if (intervals)
            printf("# %s: %.1f %% of %zu intervals cover\n", names[m],
                   100 * (double)covered / (double)intervals, intervals);
    }
    puts("p,method,cases,rms,median,mean_ratio,mean_error,covered");
    for (int k = FIRST; k <= LAST; k++)
        for (int m = 0; m < N_METHODS; m++)
            print_bucket(k, m, plan.repeats);
    return 0;
}
