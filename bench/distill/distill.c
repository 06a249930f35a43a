/* What students are worth, by what they cost:
 *
 *     distill N FIRST LAST [WHAT]
 *
 * Teachers are relu networks of 4 hidden layers, every width N (16, 64 or 256), He-initialised from
 * seeds 1000 + FIRST .. LAST; students have half the width. WHAT is a row of the table below,
 * "closure" or "samples" for those of a kind; all of them without it. Each runs at the shares of
 * the full budget that the table has for it: with samples every batch and rate of the grid, each
 * with its rate falling to 0 by the end of its own budget.
 *
 * Prints CSV: losses over E|T(x)|^2, as the run saw it and by samples that nothing was trained on,
 * the same for all students of a seed. */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 10 }; /* of a list, which ends with a 0 */

typedef struct setting {
    size_t n;
    double flops;     /* the full budget */
    uint64_t receipt; /* samples of the true loss */
} setting;

/* 256 steps on 36 samples, as published; 256 values and gradients of the loss with exact pairs, as
 * the prototype counted them. */
static const setting settings[] = {
    {16, 256 * 36 * 5248., 100000},
    {64, 256 * 6.25e6, 20000},
    {256, 256 * 3.39e8, 20000},
};

typedef struct variant {
    const char *name;
    rk_distill_method method;
    rk_student_start start;
    rk_finish finish;
    size_t n; /* of which setting */
    double shares[MAX];
    size_t batches[MAX]; /* of the grid; none: what the method chooses */
    double rates[MAX];
    uint64_t seeds; /* the first so many only; 0: all */
} variant;

#define ALONE 1e-9 /* of the budget: the start, and no step */
#define EVERY                                                                                      \
    { ALONE, 1. / 100, 1. / 32, 1. / 16, 1. / 8, 1. / 4, 1. / 2, 1 }
#define PIVOTS          .name = "pivots", .finish = RK_FINISH_OFF
#define FINISHED        .name = "pivots+finish", .finish = RK_FINISH_ON
#define RANDOM          .name = "random", .start = RK_START_RANDOM, .finish = RK_FINISH_OFF
#define RANDOM_FINISHED .name = "random+finish", .start = RK_START_RANDOM, .finish = RK_FINISH_ON
#define ADAM            .name = "adam", .method = RK_DISTILL_ADAM, .start = RK_START_RANDOM
#define SGD             .name = "sgd", .method = RK_DISTILL_SGD, .start = RK_START_RANDOM
/* 256 steps, as published */
#define SGD_PUBLISHED .name = "sgd of 256 steps", .method = RK_DISTILL_SGD, .start = RK_START_RANDOM
#define FROM_PIVOTS   .name = "adam from pivots", .method = RK_DISTILL_ADAM

static const variant variants[] = {
    {PIVOTS, .n = 16, .shares = EVERY},
    {PIVOTS, .n = 64, .shares = EVERY},
    {PIVOTS, .n = 256, .shares = {ALONE, 1. / 100, 1. / 32, 1. / 16, 1. / 8, 1. / 4, 1}},
    {FINISHED, .n = 16, .shares = {1. / 8, 1. / 4, 1. / 2, 1}},
    {FINISHED, .n = 64, .shares = {1. / 8, 1. / 4, 1. / 2, 1}},
    {FINISHED, .n = 256, .shares = {1. / 4, 1}},
    {RANDOM, .n = 16, .shares = {1. / 16, 1. / 8, 1. / 4, 1}},
    {RANDOM, .n = 64, .shares = {1. / 16, 1. / 8, 1. / 4, 1}},
    {RANDOM, .n = 256, .shares = {1. / 16, 1. / 8, 1. / 4}},
    {RANDOM_FINISHED, .n = 16, .shares = {1}},
    {RANDOM_FINISHED, .n = 64, .shares = {1}},
    {ADAM, .n = 16, .shares = {1. / 16, 1. / 4, 1}, .batches = {2, 4, 8},
     .rates = {0.005, 0.01, 0.014, 0.02}},
    {ADAM, .n = 64, .shares = {1. / 16, 1. / 4, 1}, .batches = {2, 8},
     .rates = {0.003, 0.006, 0.012}},
    {ADAM, .n = 256, .shares = {1}, .batches = {8}, .rates = {0.0014}},
    {FROM_PIVOTS, .n = 16, .shares = {1. / 16, 1}, .batches = {2, 8},
     .rates = {0.003, 0.006, 0.01}},
    {FROM_PIVOTS, .n = 64, .shares = {1. / 16, 1}, .batches = {2, 8},
     .rates = {0.001, 0.002, 0.004}},
    {FROM_PIVOTS, .n = 256, .shares = {1}, .batches = {8}, .rates = {0.0005}},
    {SGD, .n = 16, .shares = {1}, .batches = {2, 4}, .rates = {0.003, 0.005, 0.007}},
    {SGD, .n = 64, .shares = {1}, .batches = {4}, .rates = {0.0015, 0.003, 0.005}},
    {SGD, .n = 256, .shares = {1}, .batches = {8}, .rates = {0.0014}},
    {SGD_PUBLISHED, .n = 16, .shares = {1}, .batches = {36}, .rates = {0.01, 0.02, 0.03}},
    {SGD_PUBLISHED, .n = 64, .shares = {1}, .batches = {74}, .rates = {0.004, 0.008, 0.012}},
    {SGD_PUBLISHED, .n = 256, .shares = {1}, .batches = {252}, .rates = {0.002}},
    {ADAM, .n = 256, .shares = {1}, .batches = {8}, .rates = {0.0007, 0.0028}, .seeds = 2},
    {ADAM, .n = 256, .shares = {1}, .batches = {32}, .rates = {0.0028}, .seeds = 2},
};

static rk_distilled *run(const setting *s, const variant *v, double share, size_t batch,
                         double rate, uint64_t seed) {
    const size_t hidden[] = {s->n / 2, s->n / 2, s->n / 2, s->n / 2};
    rk_network *teacher = study_relu(s->n, 4, 1000 + seed);
    rk_distill_options options = rk_distill_options_default();
    rk_distilled *distilled = NULL;
    rk_error error;
    options.hidden = hidden;
    options.n_hidden = 4;
    options.method = v->method;
    options.start = v->start;
    options.finish = v->finish;
    options.batch = batch;
    options.rate = rate;
    options.budget_flops = share * s->flops;
    options.seed = 2000 + seed;
    options.receipt_samples = s->receipt;
    options.threads = 1;
    if (rk_distill(&distilled, teacher, NULL, &options, &error) != RK_OK)
        fprintf(stderr, "%s %zu %g, seed %llu: %s\n", v->name, batch, rate,
                (unsigned long long)seed, error.message);
    rk_network_destroy(teacher);
    return distilled;
}

static void print(const setting *s, const variant *v, double share, size_t batch, double rate,
                  uint64_t seed) {
    rk_distilled *distilled = run(s, v, share, batch, rate, seed);
    if (!distilled) return; /* it diverged */
    const rk_distill_data *d = rk_distilled_view(distilled);
    const double square = d->true_teacher_square;
    const double seen = d->n_curve ? d->curve[d->n_curve - 1].loss : (double)NAN;
    printf("%zu,%llu,%s,%zu,%g,%.4g,%.5g,%.3g,%llu,%llu,%.5g,%.5g,%.2g\n", s->n,
           (unsigned long long)seed, v->name, batch, rate, share, d->flops, d->seconds,
           (unsigned long long)d->closure_steps, (unsigned long long)d->sample_steps, seen / square,
           d->loss / square, d->loss_standard_error / square);
    fflush(stdout);
    rk_distilled_destroy(distilled);
}

static void print_all(const setting *s, const variant *v, uint64_t seed) {
    for (const double *share = v->shares; *share > 0; share++)
        for (int b = 0; b == 0 || v->batches[b]; b++)
            for (int r = 0; r == 0 || v->rates[r] > 0; r++)
                print(s, v, *share, v->batches[b], v->rates[r], seed);
}

static bool is_asked(const variant *v, const setting *s, const char *what) {
    const char *kind = v->method == RK_DISTILL_MECHANISTIC ? "closure" : "samples";
    return v->n == s->n && (!what || !strcmp(what, v->name) || !strcmp(what, kind));
}

int main(int argc, char **argv) {
    if (argc < 4) study_stop("distill N FIRST LAST [WHAT]");
    const setting *s = settings, *end = s + sizeof settings / sizeof *s;
    while (s < end && s->n != strtoul(argv[1], NULL, 10))
        s++;
    if (s == end) study_stop("N is 16, 64 or 256");
    const uint64_t first = strtoull(argv[2], NULL, 10), last = strtoull(argv[3], NULL, 10);
    printf("n,seed,method,batch,rate,share,flops,seconds,closure_steps,sample_steps,seen,loss,"
           "loss_se\n");
    for (const variant *v = variants; v < variants + sizeof variants / sizeof *variants; v++)
        for (uint64_t seed = first; is_asked(v, s, argv[4]) && seed <= last; seed++)
            if (v->seeds == 0 || seed < v->seeds) print_all(s, v, seed);
    return 0;
}
