/* How good the choices of method auto are in hindsight:
 *
 *     auto            one CSV line a network and budget, then a summary on stderr
 *     auto ratio [N]  what it picks for relu 256 x 4 at 1e6 ... 1e13 FLOPs, as a table: averages
 *                     over N networks (5), and the FLOPs that plain sampling takes for the same
 *
 * The regret is the error of the chosen method over the least error of all that the budget pays
 * for. Errors of closures are measured against a truth where that sees them and they are
 * affordable, a sampling method's follow from its own standard error; where there is neither they
 * are the expected ones, and unless both are measured the column `measured` is 0. None of the
 * networks were used for the laws the choice rests on. */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t widths[] = {32, 64, 128, 256, 1024}, depths[] = {1, 2, 5, 12, 24, 32};
static const char *const kinds[] = {"relu", "gelu", "tanh+B"};
static const double truth_flops = 4e10, most_method = 3e10, most_dear = 4e11;
enum { MAX_METHODS = 128, N_BUDGETS = 13 };

/* 1e6, 10^6.5, ... 1e12 */
static double budget_at(size_t i) {
    return pow(10, 6 + 0.5 * (double)i);
}

/* The true mean square error of a method, of one pass if it samples. */
typedef struct finding {
    char method[128];
    uint64_t samples; /* that it was measured with */
    double mse;       /* NaN: not measured */
} finding;

typedef struct ledger {
    finding found[MAX_METHODS];
    size_t n;
} ledger;

static double run(const rk_network *net, const rk_candidate *c, const study_truth *truth,
                  uint64_t samples, double most_flops) {
    rk_options options = rk_options_default();
    options.method = study_method(c->method);
    options.samples = samples;
    rk_plan *plan;
    rk_answer *answer = NULL;
    double mse = (double)NAN;
    if (rk_plan_create(&plan, net, NULL, &options, NULL) != RK_OK) return mse;
    bool affordable = (double)rk_plan_cost(plan).flops_executed < most_flops;
    if (affordable && rk_plan_execute(plan, &answer, NULL) == RK_OK) {
        const rk_answer_data *a = rk_answer_view(answer);
        double standard_error;
        if (a->samples) {
            mse = a->error_rms * a->error_rms * (double)a->samples;
        } else {
            mse = study_mse(truth, a->mean, &standard_error);
            if (!isfinite(mse)) mse = (double)INFINITY;
            if (mse < 3 * standard_error) mse = (double)NAN;
        }
    }
    rk_answer_destroy(answer);
    rk_plan_destroy(plan);
    return mse;
}

static bool is(const rk_candidate *c, const char *word) {
    return strstr(c->method, word) != NULL;
}

/* With an anchor, what a pass is worth depends on how many there are. Few designs do not tell their
 * error; up to 64 inputs these are few passes. 0 is refused: not measured. */
static uint64_t samples_for(const rk_network *net, const rk_candidate *c, uint64_t usual) {
    static const uint64_t told = 4 * 66048; /* for up to 256 inputs */
    bool large = is(c, "design") && rk_network_n_in(net) > 64;
    if (is(c, "anchor")) return large && c->samples < told ? 0 : c->samples;
    return large ? told : usual;
}

static double mse_of(ledger *l, const rk_network *net, const rk_candidate *c,
                     const study_truth *truth) {
    uint64_t usual = 20000, samples = samples_for(net, c, usual);
    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->found[i].method, c->method) && l->found[i].samples == samples)
            return l->found[i].mse;
    if (l->n == MAX_METHODS) study_stop("too many methods");
    finding *f = &l->found[l->n++];
    snprintf(f->method, sizeof f->method, "%s", c->method);
    f->samples = samples;
    return f->mse = run(net, c, truth, samples, samples == usual ? most_method : most_dear);
}

typedef struct tally {
    double choices, good, measured, good_measured, worst;
} tally;

static rk_plan *plan_auto(const rk_network *net, double budget) {
    rk_options options = rk_options_default();
    options.method = study_method("auto");
    options.budget_flops = budget;
    rk_plan *plan;
    rk_error error;
    if (rk_plan_create(&plan, net, NULL, &options, &error)) study_stop(error.message);
    return plan;
}

static void judge(const rk_network *net, const char *network, double budget, ledger *known,
                  const study_truth *truth, tally *t) {
    rk_plan *plan = plan_auto(net, budget);
    size_t n;
    const rk_candidate *c = rk_plan_candidates(plan, &n), *chosen = NULL, *best = NULL;
    double least = (double)INFINITY, reached = (double)NAN;
    bool chosen_is_measured = false, best_is_measured = false;
    for (size_t i = 0; i < n; i++) {
        bool is_chosen = !strcmp(c[i].verdict, "chosen");
        if (!(c[i].flops <= budget) && !is_chosen) continue;
        double mse = mse_of(known, net, &c[i], truth), rms;
        if (isnan(mse))
            rms = c[i].error_rms;
        else
            rms = sqrt(mse / (double)(c[i].samples ? c[i].samples : 1));
        if (is_chosen) {
            chosen = &c[i];
            reached = rms;
            chosen_is_measured = !isnan(mse);
        }
        if (rms < least) {
            least = rms;
            best = &c[i];
            best_is_measured = !isnan(mse);
        }
    }
    if (chosen && chosen->flops <= budget && best) {
        double regret = least > 0 ? reached / least : 1;
        bool is_measured = chosen_is_measured && best_is_measured;
        printf("%s,%.3g,\"%s\",\"%s\",%.3g,%.3g,%d\n", network, budget, chosen->method,
               best->method, reached, regret, is_measured);
        fflush(stdout);
        t->choices++;
        t->good += regret <= 1.5;
        t->measured += is_measured;
        t->good_measured += is_measured && regret <= 1.5;
        t->worst = fmax(t->worst, regret);
    }
    rk_plan_destroy(plan);
}

typedef struct purchase {
    char method[128];
    double flops, relative_mse, ratio; /* the last one of plain sampling's FLOPs to these */
} purchase;

static purchase buy(const rk_network *net, double budget, const study_truth *truth) {
    rk_plan *plan = plan_auto(net, budget);
    size_t n;
    const rk_candidate *c = rk_plan_candidates(plan, &n);
    while (strcmp(c->verdict, "chosen") != 0)
        c++;
    double variance = study_variance(truth);
    double mse = run(net, c, truth, samples_for(net, c, 1000000), 1e13) /
                 (double)(c->samples ? c->samples : 1);
    purchase p = {.flops = c->flops, .relative_mse = mse / variance};
    p.ratio = study_pass_flops(net) * variance / (mse * c->flops);
    snprintf(p.method, sizeof p.method, "%.*s", (int)sizeof p.method - 1, c->method);
    rk_plan_destroy(plan);
    return p;
}

static int print_ratios(int networks) {
    enum { N = 8, WIDTH = 256, HIDDEN = 4, FIRST_SEED = 9000 }; /* those of accuracy.c */
    purchase average[N] = {0};
    for (int s = 0; s < networks; s++) {
        rk_network *net = study_relu(WIDTH, HIDDEN, FIRST_SEED + (uint64_t)s);
        study_truth *truth =
            study_truth_create(net, "sample:design,control", 6.3e6, FIRST_SEED + (uint64_t)s);
        for (int b = 0; b < N; b++) {
            purchase p = buy(net, pow(10, 6 + b), truth), *to = &average[b];
            bool differs = s && strcmp(to->method, p.method) != 0;
            snprintf(to->method, sizeof to->method, "%s", differs ? "various" : p.method);
            to->flops += p.flops / networks;
            to->relative_mse += p.relative_mse / networks;
            to->ratio += p.ratio / networks;
        }
        study_truth_destroy(truth);
        rk_network_destroy(net);
    }
    puts("| budget | picks | FLOPs | mean square error / variance | plain sampling's FLOPs over "
         "these |\n|---|---|---|---|---|");
    for (int b = 0; b < N; b++)
        printf("| 1e%d | `%s` | %.3g | %.2e | %.3g |\n", 6 + b, average[b].method, average[b].flops,
               average[b].relative_mse, average[b].ratio);
    return 0;
}

int main(int argc, char **argv) {
    tally t = {0};
    if (argc > 1 && !strcmp(argv[1], "ratio")) return print_ratios(argc > 2 ? atoi(argv[2]) : 5);
    puts("width,hidden,kind,budget,chosen,best,error,regret,measured");
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (size_t j = 0; j < sizeof depths / sizeof *depths; j++)
            for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
                uint64_t seed = 5000 + i + 10 * j + 100 * k;
                rk_network *net =
                    study_network(study_kind_named(kinds[k]), widths[i], depths[j], seed);
                double passes = fmin(3e6, truth_flops / study_pass_flops(net));
                study_truth *truth = study_truth_create(net, "sample:antithetic", passes, seed);
                ledger known = {.n = 0};
                char network[64];
                snprintf(network, sizeof network, "%zu,%zu,%s", widths[i], depths[j], kinds[k]);
                for (size_t b = 0; b < N_BUDGETS; b++)
                    judge(net, network, budget_at(b), &known, truth, &t);
                study_truth_destroy(truth);
                rk_network_destroy(net);
            }
    fprintf(stderr,
            "%.0f choices, %.1f %% within 1.5 of the best; of the %.0f with both errors measured "
            "%.1f %%; worst %.3g\n",
            t.choices, 100 * t.good / t.choices, t.measured, 100 * t.good_measured / t.measured,
            t.worst);
    return 0;
}
