/* The published experiment on low probabilities (arXiv:2605.05179, section 6.6): 256 inputs, three
 * relu layers of 256, P(z_i > 3) for the neurons of the fourth, in half-decade buckets of the
 * probability, every method at the FLOPs of 5,695 forward passes.
 *
 *     tails NETWORKS PER_BUCKET REPEATS TRUTH_PASSES [PLAIN_PASSES]
 *
 * Truths are long runs of `importance` with seeds of their own, compared with subset simulation
 * and, where PLAIN_PASSES plain passes see an event often enough, with these. The budget is for one
 * event, so that methods that answer all 256 at once have it 256 times; the weighted passes pay for
 * their tilt out of it. Of the closure that `auto` asks first, one for all 256, each event pays a
 * 256th: nothing. Prints one line a bucket and method: root mean square and median relative error,
 * the average of estimate / truth, and of what has intervals how often they cover. */
#include "base/normal.h"
#include "base/size.h"
#include "linalg/blas.h"
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
    double squares, ratios;
    double absolute[MAX_CASES];
} tally;
static tally tallies[N_METHODS][LAST - FIRST + 1];

typedef struct estimate {
    double p, cv, low, high; /* low > high: no interval */
} estimate;

static void die(const char *what) {
    fprintf(stderr, "tails: %s\n", what);
    exit(1);
}

static void enter(method m, int bucket, estimate e, double truth) {
    tally *t = &tallies[m][bucket - FIRST];
    if (t->n == MAX_CASES) return;
    double ratio = isnan(e.p) ? 0 : e.p / truth;
    t->absolute[t->n++] = fabs(ratio - 1);
    t->squares += (ratio - 1) * (ratio - 1);
    t->ratios += ratio;
    if (e.low <= e.high) {
        t->n_intervals++;
        t->n_covered += e.low <= truth && truth <= e.high;
    }
}

/* ------------------------------------------------------------------------- through the library */

static rk_network *random_network(uint64_t seed) {
    const size_t hidden[HIDDEN] = {WIDTH, WIDTH, WIDTH};
    rk_random_spec spec = {.n_in = WIDTH,
                           .n_out = WIDTH,
                           .hidden = hidden,
                           .n_hidden = HIDDEN,
                           .activation = {.kind = RK_RELU},
                           .seed = seed};
    rk_network *net;
    if (rk_network_random(&net, &spec, NULL) != RK_OK) die("no network");
    return net;
}

static rk_tail_answer *ask(const rk_network *net, const char *events_text, const char *name,
                           uint64_t samples, uint64_t seed) {
    rk_events *events;
    rk_tail_answer *answer = NULL;
    rk_error error;
    rk_options options = rk_options_default();
    options.method = name;
    options.samples = samples;
    options.seed = seed;
    if (rk_events_parse(&events, net, events_text, &error) != RK_OK ||
        rk_tail(&answer, net, NULL, rk_events_list(events), rk_events_count(events), &options,
                &error) != RK_OK)
        die(error.message);
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

/* The passes that are left of the budget after the tilt. */
static uint64_t affordable(const rk_network *net) {
    double one, many;
    weighted(net, 0, "importance", 1000, 0, &one);
    weighted(net, 0, "importance", 2000, 0, &many);
    double pass = (many - one) / 1000, tilt = one - 1000 * pass;
    double whole = 2.0 * WIDTH * WIDTH * (HIDDEN + 1) + HIDDEN * WIDTH; /* as in the paper */
    double left = (BUDGET * whole - tilt) / pass;
    printf("# %.3g FLOPs for a tilt, %.3g a pass: %.0f weighted passes\n", tilt, pass, left);
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

static void keep(void *context, const rk_pass_block *block) {
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
        die("no memory");
    step(&wet, context);
    rk_work_finish(&wet);
    rk_pool_destroy(pool);
    free(dry.steps);
}

static void plain_step(rk_work *work, void *context) {
    const moments *m = context;
    rk_passes_spec spec = {
        .n = BUDGET, .lanes = 2, .draw = draw, .score = keep, .context = context};
    rk_passes(work, m->net, &spec);
}

static void baselines(const rk_network *net, uint64_t seed, const int *bucket,
                      const double *truth) {
    moments m = {net, seed, malloc((size_t)BUDGET * WIDTH * sizeof(float))};
    if (!m.z) die("no memory");
    twice(plain_step, &m);
    for (size_t i = 0; i < WIDTH; i++) {
        if (!bucket[i]) continue;
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
        rk_law law = {{0, mean, var, third}};
        double low, high;
        rk_binomial_interval((uint64_t)hits, BUDGET, &low, &high);
        enter(ZERO, bucket[i], (estimate){0, 0, 1, 0}, truth[i]);
        enter(PLAIN, bucket[i], (estimate){hits / N, 0, low, high}, truth[i]);
        enter(PLAIN_GAUSSIAN, bucket[i],
              (estimate){exp(rk_series_normal(&law, THRESHOLD)), 0, 1, 0}, truth[i]);
        enter(PLAIN_THIRD, bucket[i],
              (estimate){exp(rk_series_edgeworth(&law, 2, THRESHOLD)), 0, 1, 0}, truth[i]);
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
    if (rk_target_create(&target, net, NULL, NULL, &event, 1, NULL) != RK_OK) die("no memory");
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

static void network(uint64_t seed, size_t per_bucket, uint64_t repeats, uint64_t truth_passes,
                    uint64_t plain_passes) {
    rk_network *net = random_network(seed);
    uint64_t passes = affordable(net);
    double p[3][WIDTH], truth[WIDTH] = {0};
    all_at_once(net, "normal", p[0]);
    all_at_once(net, "edgeworth", p[1]);
    all_at_once(net, "saddlepoint", p[2]);
    size_t taken[LAST + 1] = {0};
    int bucket[WIDTH] = {0};
    double worst_truth = 0, truth_cv[WIDTH] = {0}, against_subset = 0;
    size_t n_truths = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        int guess = bucket_of(p[2][i]);
        if (!guess || taken[guess] == per_bucket) continue;
        taken[guess]++;
        estimate t = weighted(net, i, "importance", truth_passes, 1000000 + seed, NULL);
        truth[i] = t.p;
        bucket[i] = bucket_of(t.p);
        truth_cv[i] = t.cv;
        worst_truth = fmax(worst_truth, t.cv);
        if (!bucket[i]) continue;
        estimate check = weighted(net, i, "subset", truth_passes, 1000000 + seed, NULL);
        double apart = log(check.p / t.p) / hypot(check.cv, t.cv);
        against_subset += apart * apart;
        n_truths++;
        for (int m = 0; m < 3; m++)
            enter((method)(NORMAL + m), bucket[i], (estimate){p[m][i], 0, 1, 0}, truth[i]);
        rk_event_term term = {i, 1};
        rk_event event = {.terms = &term, .n_terms = 1, .threshold = THRESHOLD};
        for (uint64_t r = 0; r < repeats; r++) {
            enter(IMPORTANCE, bucket[i],
                  weighted(net, i, "importance", passes, seed * 1000 + r, NULL), truth[i]);
            enter(AUTO, bucket[i], weighted(net, i, "auto", passes, seed * 1000 + 500 + r, NULL),
                  truth[i]);
            if (r < 2)
                enter(DESIGN_POINT, bucket[i], design_point(net, &event, i, seed * 1000 + r),
                      truth[i]);
        }
    }
    for (uint64_t r = 0; r < repeats; r++)
        baselines(net, seed * 1000 + r, bucket, truth);
    printf("# network %llu: %zu truths within %.1f %% (standard error of the worst); from subset\n"
           "#   simulation they differ by %.2f standard errors, root mean square\n",
           (unsigned long long)seed, n_truths, 100 * worst_truth,
           sqrt(against_subset / (double)n_truths));
    if (plain_passes) { /* the truths' own check */
        rk_tail_answer *answer = ask(net, "y[*] > 3", "sample", plain_passes, 7);
        double chi = 0;
        size_t n = 0;
        for (size_t i = 0; i < WIDTH; i++) {
            const rk_tail_estimate *e = &rk_tail_view(answer)->estimates[i];
            if (!bucket[i] || !(e->cv < 0.1)) continue;
            double d = (e->p / truth[i] - 1) / hypot(e->cv, truth_cv[i]);
            chi += d * d;
            n++;
        }
        printf("#   %zu truths against %llu plain passes: root mean square %.2f standard errors\n",
               n, (unsigned long long)plain_passes, sqrt(chi / (double)n));
        rk_tail_destroy(answer);
    }
    fflush(stdout);
    rk_network_destroy(net);
}

int main(int argc, char **argv) {
    if (argc < 5) die("usage: tails NETWORKS PER_BUCKET REPEATS TRUTH_PASSES [PLAIN_PASSES]");
    unsigned long long a[5] = {0};
    for (int k = 0; k < 5 && k + 1 < argc; k++)
        a[k] = strtoull(argv[k + 1], NULL, 10);
    for (uint64_t seed = 1; seed <= a[0]; seed++)
        network(seed, a[1], a[2], a[3], a[4]);
    printf("%-8s %-24s %6s %10s %10s %10s %9s\n", "p", "method", "cases", "rms", "median",
           "mean ratio", "covered");
    for (int k = FIRST; k <= LAST; k++)
        for (int m = 0; m < N_METHODS; m++) {
            tally *t = &tallies[m][k - FIRST];
            if (!t->n) continue;
            qsort(t->absolute, t->n, sizeof *t->absolute, ascending);
            printf("1e-%-5d %-24s %6zu %10.3g %10.3g %10.3g", k, names[m], t->n,
                   sqrt(t->squares / (double)t->n), t->absolute[t->n / 2],
                   t->ratios / (double)t->n);
            if (t->n_intervals)
                printf(" %8.1f%%", 100 * (double)t->n_covered / (double)t->n_intervals);
            putchar('\n');
        }
    return 0;
}
