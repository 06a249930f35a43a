#include "cumulant/expand.h"

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

/* The average over the ways to hand the legs to the lists. */
static double factored_entry(const rk_factors *x, size_t n, const size_t *index) {
    static const int triples[6][4] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                      {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const int pairs[6][4] = {{0, 1, 2, 3}, {2, 3, 0, 1}, {0, 2, 1, 3},
                                    {1, 3, 0, 2}, {0, 3, 1, 2}, {1, 2, 0, 3}};
    double sum = 0;
    for (int way = 0; way < 6; way++) {
        const int *at = x->degree == 3 ? triples[way] : pairs[way];
        size_t i = index[at[0]], j = index[at[1]], k = index[at[2]];
        for (size_t r = 0; r < x->J; r++)
            sum +=
                x->degree == 3
                    ? x->list[0][r * n + i] * x->list[1][r * n + j] * x->list[2][r * n + k]
                    : x->list[0][(r * n + i) * n + j] * x->list[1][(r * n + k) * n + index[at[3]]];
    }
    return sum / 6;
}

double rk_tower_entry(const rk_tower *tower, int d, const size_t *index) {
    if (tower->factors.J > 0 && tower->factors.degree == d)
        return factored_entry(&tower->factors, tower->n, index);
    if (!tower->degree[d].core) return 0;
    legs x = {.tower = tower, .core = tower->degree[d].core, .index = index, .d = d};
    size_t core_index[RK_MAX_DEGREE];
    settle(&x, 0, 0, tower->degree[d].radial, core_index, 0, 1);
    return x.sum / x.ways;
}

void rk_tower_expand(const rk_tower *tower, int d, double *dense) {
    size_t n = tower->n, count = 1, index[RK_MAX_DEGREE];
    for (int a = 0; a < d; a++)
        count *= n;
    for (size_t at = 0; at < count; at++) {
        size_t rest = at, twin = 0;
        for (int a = d - 1; a >= 0; a--, rest /= n)
            index[a] = rest % n;
        for (int a = 1; a < d; a++) /* ascending: the first of its permutations in the array */
            for (int t = a; t > 0 && index[t - 1] > index[t]; t--) {
                size_t swap = index[t];
                index[t] = index[t - 1];
                index[t - 1] = swap;
            }
        for (int a = 0; a < d; a++)
            twin = twin * n + index[a];
        dense[at] = twin < at ? dense[twin] : rk_tower_entry(tower, d, index);
    }
}
