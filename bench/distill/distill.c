/* What students are worth, by what they cost:
 *
 *     distill N [VARIANT [FIRST [LAST [SHARE ...]]]]
 *
 * Teachers are relu networks of 4 hidden layers, every width N, He-initialised from seeds FIRST ..
 * LAST (default 0 .. 11); students have half the width. A budget is a SHARE (default 1) of the
 * full one: for N = 16 that of 256 steps on 36 samples each, else of 256 times what an exact value
 * and gradient of the loss cost. VARIANT is a row of the table below, or "all" of them; or "grid":
 * Adam and SGD, from random starts and from pivots, with batches and rates times 1/2, 1 and 2 of
 * those in the second table, which are the best of coarser grids.
 *
 * Prints CSV: losses over E|T(x)|^2, as the run saw it and by samples it was not trained on, the
 * same for all students of a seed. */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct variant {
    const char *name;
    rk_distill_method method;
    rk_student_start start;
    rk_finish finish;
    double rate;
    size_t batch;
} variant;

static const variant variants[] = {
    {.name = "mechanistic", .finish = RK_FINISH_OFF},
    {.name = "mechanistic+finish", .finish = RK_FINISH_ON},
    {.name = "random", .start = RK_START_RANDOM, .finish = RK_FINISH_OFF},
    {.name = "random+finish", .start = RK_START_RANDOM, .finish = RK_FINISH_ON},
    {.name = "auto"},
};

/* Adam's and SGD's, linear to 0. */
static const struct baseline {
    size_t n;
    double adam_rate, sgd_rate;
    size_t adam_batch, sgd_batch;
} baselines[] = {{16, 0.014, 0.005, 2, 2}, {64, 0.003, 0.003, 2, 4}, {256, 0.0014, 0.0014, 8, 4}};

static double full_budget(size_t n) {
    const double s = (double)n / 2, N = (double)n;
    if (n == 16) return 256 * 36 * 5248.;
    /* value and gradient: products of the four layers, and exact pairs */
    double products = 0, s0 = N;
    for (int l = 0; l < 4; l++, s0 = s)
        products += 2 * s * s0 * (s0 + s) + 2 * N * N * s0 + 2 * N * s0 * s + 4 * s * s * s0 +
                    s0 * s0 * s + 4 * N * s * s0 + 2 * N * N * s0;
    return 256 * (n == 64 ? 6.25e6 : n == 256 ? 3.39e8 : products);
}

static rk_network *teacher_of(size_t n, uint64_t seed) {
    return study_relu(n, 4, 1000 + seed);
}

static void run(size_t n, const variant *v, double share, uint64_t seed) {
    const size_t hidden[] = {n / 2, n / 2, n / 2, n / 2};
    rk_network *teacher = teacher_of(n, seed);
    rk_distill_options options = rk_distill_options_default();
    options.hidden = hidden;
    options.n_hidden = 4;
    options.method = v->method;
    options.start = v->start;
    options.finish = v->finish;
    options.rate = v->rate;
    options.batch = v->batch;
    options.budget_flops = share * full_budget(n);
    options.seed = 2000 + seed;
    options.receipt_samples = n <= 64 ? 100000 : 20000;
    options.threads = 1;
    rk_distilled *distilled;
    rk_error error;
    if (rk_distill(&distilled, teacher, NULL, &options, &error) != RK_OK) {
        fprintf(stderr, "%s, seed %llu: %s\n", v->name, (unsigned long long)seed, error.message);
        rk_network_destroy(teacher);
        return;
    }
    const rk_distill_data *d = rk_distilled_view(distilled);
    const double square = d->true_teacher_square;
    const double loss = d->n_curve ? d->curve[d->n_curve - 1].loss : (double)NAN;
    printf("width %zu to %zu,%zu,%s,%s,%llu,%.6g,%.4g,%.6g,%.6g,%.3g\n", n, n / 2, n, v->name,
           v->start == RK_START_PIVOTS ? "pivots" : "random", (unsigned long long)seed, d->flops,
           d->seconds, loss / square, d->loss / square, d->loss_standard_error / square);
    fflush(stdout);
    for (size_t i = 0; i < d->n_warnings; i++)
        fprintf(stderr, "%s, seed %llu: %s\n", v->name, (unsigned long long)seed, d->warnings[i]);
    rk_distilled_destroy(distilled);
    rk_network_destroy(teacher);
}

static void sweep(size_t n, const variant *v, double share, uint64_t first, uint64_t last) {
    for (uint64_t seed = first; seed <= last; seed++)
        run(n, v, share, seed);
}

static void grid(size_t n, rk_distill_method method, rk_student_start start, double share,
                 uint64_t first, uint64_t last) {
    const struct baseline *b = &baselines[n < 40 ? 0 : n < 128 ? 1 : 2];
    const bool adam = method == RK_DISTILL_ADAM;
    for (int rate = -1; rate <= 1; rate++)
        for (int batch = -1; batch <= 1; batch++) {
            char name[64];
            variant v = {.name = name, .method = method, .start = start};
            v.rate = ldexp(adam ? b->adam_rate : b->sgd_rate, rate);
            v.batch = (size_t)ldexp((double)(adam ? b->adam_batch : b->sgd_batch), batch);
            snprintf(name, sizeof name, "%s:batch=%zu:rate=%g", adam ? "adam" : "sgd", v.batch,
                     v.rate);
            sweep(n, &v, share, first, last);
        }
}

static void run_named(size_t n, const char *wanted, double share, uint64_t first, uint64_t last) {
    for (size_t k = 0; k < sizeof variants / sizeof *variants; k++)
        if (strcmp(wanted, "all") == 0 || strcmp(wanted, variants[k].name) == 0)
            sweep(n, &variants[k], share, first, last);
    for (int i = 0; strcmp(wanted, "grid") == 0 && i < 4; i++)
        grid(n, i & 1 ? RK_DISTILL_SGD : RK_DISTILL_ADAM, i & 2 ? RK_START_PIVOTS : RK_START_RANDOM,
             share, first, last);
}

int main(int argc, char **argv) {
    const size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    const char *wanted = argc > 2 ? argv[2] : "all";
    const uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    const uint64_t last = argc > 4 ? strtoull(argv[4], NULL, 10) : 11;
    if (n < 2) study_stop("how wide?");
    printf("setting,n,method,start,seed,flops,seconds,loss,true_loss,true_loss_se\n");
    if (argc <= 5) run_named(n, wanted, 1, first, last);
    for (int i = 5; i < argc; i++)
        run_named(n, wanted, strtod(argv[i], NULL), first, last);
    return 0;
}
