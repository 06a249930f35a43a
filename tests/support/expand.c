#include "support/expand.h"

#include <stdlib.h>

static double metric(const rk_tower *tower, size_t i, size_t j) {
    if (i == j) return tower->metric_diagonal ? tower->metric_diagonal[i] : 1;
    size_t pair[2] = {i > j ? i : j, i > j ? j : i};
    return tower->metric_pairs ? tower->metric_pairs[rk_symmetric_at(pair, 2)] : 0;
}

typedef struct legs {
    const rk_tower *tower;
    const double *core;
    const size_t *index;
    int d;
    double sum, ways;
} legs;

/* Legs below `leg` are settled: `used` in pairs whose metrics multiply to `product`, the others in
 * the core. */
static void settle(legs *x, int leg, unsigned used, int pairs, size_t *core_index, int n_core,
                   double product) {
    while (leg < x->d && (used & 1u << leg))
        leg++;
    if (leg == x->d) {
        if (pairs > 0) return;
        size_t sorted[RK_MAX_DEGREE];
        for (int a = 0; a < n_core; a++) {
            int t = a;
            for (; t > 0 && sorted[t - 1] < core_index[a]; t--)
                sorted[t] = sorted[t - 1];
            sorted[t] = core_index[a];
        }
        x->sum += product * x->core[rk_symmetric_at(sorted, n_core)];
        x->ways++;
        return;
    }
    core_index[n_core] = x->index[leg];
    settle(x, leg + 1, used, pairs, core_index, n_core + 1, product);
    for (int other = leg + 1; pairs > 0 && other < x->d; other++)
        if (!(used & 1u << other))
            settle(x, leg + 1, used | 1u << other, pairs - 1, core_index, n_core,
                   product * metric(x->tower, x->index[leg], x->index[other]));
}

double expand_entry(const rk_tower *tower, int d, const size_t *index) {
    legs x = {.tower = tower, .core = tower->degree[d].core, .index = index, .d = d};
    size_t core_index[RK_MAX_DEGREE];
    settle(&x, 0, 0, tower->degree[d].radial, core_index, 0, 1);
    return x.sum / x.ways;
}

double *expand(const rk_tower *tower, int d) {
    size_t count = 1, index[RK_MAX_DEGREE];
    for (int a = 0; a < d; a++)
        count *= tower->n;
    double *dense = malloc(count * sizeof *dense);
    for (size_t at = 0; dense && at < count; at++) {
        size_t rest = at;
        for (int a = d - 1; a >= 0; a--, rest /= tower->n)
            index[a] = rest % tower->n;
        dense[at] = expand_entry(tower, d, index);
    }
    return dense;
}
