#include "cumulant/expand.h"

#include "linalg/blas.h"

#include <string.h>

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

/* ------------------------------------------------------------------------------- whole tensors */

typedef struct expansion {
    const rk_tower *tower;
    int d;
    double *packed;
    const double *turned; /* degree 3: n x 3 J, neuron by neuron */
    const double *M;      /* degree 4: sum_r A_ijr B_klr over pairs i >= j and k >= l */
    double *dense;
} expansion;

/* Neuron by neuron instead of product by product: row i holds A_i., B_i. and C_i. */
static void turn_legs(rk_work *work, const rk_factors *factors, size_t n, double *turned) {
    size_t J = factors->J;
    if (!rk_work_charge(work, 0)) return;
    for (size_t f = 0; f < 3; f++)
        for (size_t r = 0; r < J; r++)
            for (size_t i = 0; i < n; i++)
                turned[(i * 3 + f) * J + r] = factors->list[f][r * n + i];
}

/* What the products have at neurons i and j, for each list that is left for the third. */
static void join_legs(rk_work *work, const double *turned, size_t J, size_t i, double *joined) {
    if (!rk_work_charge(work, 9 * (uint64_t)J * (i + 1))) return;
    const double *x = turned + i * 3 * J;
    for (size_t j = 0; j <= i; j++)
        for (size_t f = 0; f < 3; f++) {
            const double *y = turned + j * 3 * J;
            size_t one = (f + 1) % 3 * J, two = (f + 2) % 3 * J;
            for (size_t r = 0; r < J; r++)
                *joined++ = x[one + r] * y[two + r] + x[two + r] * y[one + r];
        }
}

/* The entries {i, j, k} with k <= j <= i, for one i: the sum over the ways to hand three neurons to
 * the lists is symmetric in j and k. */
static void third_at(rk_work *work, void *context, size_t i) {
    const expansion *e = context;
    size_t J = e->tower->factors.J, m = i + 1, mark = rk_work_mark(work);
    double *joined = rk_work_doubles(work, m, 3 * J), *sum = rk_work_doubles(work, m, m);
    join_legs(work, e->turned, J, i, joined);
    rk_gemm_symmetric(work, RK_NO_TRANS, RK_TRANS, m, 3 * J, 1. / 6, joined, 3 * J, e->turned,
                      3 * J, 0, sum, m);
    if (rk_work_charge(work, 0))
        for (size_t j = 0; j < m; j++)
            memcpy(e->packed + rk_simplex(i, 3) + rk_simplex(j, 2), sum + j * m,
                   (j + 1) * sizeof *sum);
    rk_work_release(work, mark);
}

static void pack_pairs(rk_work *work, size_t J, size_t n, const double *list, double *packed) {
    if (!rk_work_charge(work, 0)) return;
    for (; J > 0; J--, list += n * n)
        for (size_t i = 0; i < n; i++, packed += i)
            memcpy(packed, list + i * n, (i + 1) * sizeof *packed);
}

/* Three ways to make two pairs of i >= j >= k >= l, each with A here and B there or the reverse. */
static void fourth_at(void *context, size_t i) {
    const expansion *e = context;
    size_t n_pairs = rk_simplex(e->tower->n, 2);
    double *out = e->packed + rk_simplex(i, 4);
    for (size_t j = 0; j <= i; j++)
        for (size_t k = 0; k <= j; k++)
            for (size_t l = 0; l <= k; l++) {
                size_t ij = rk_simplex(i, 2) + j, kl = rk_simplex(k, 2) + l;
                size_t ik = rk_simplex(i, 2) + k, jl = rk_simplex(j, 2) + l;
                size_t il = rk_simplex(i, 2) + l, jk = rk_simplex(j, 2) + k;
                *out++ =
                    (e->M[ij * n_pairs + kl] + e->M[kl * n_pairs + ij] + e->M[ik * n_pairs + jl] +
                     e->M[jl * n_pairs + ik] + e->M[il * n_pairs + jk] + e->M[jk * n_pairs + il]) /
                    6;
            }
}

/* Entry by entry, for the radial ones: the tuples that begin with i. */
static void entries_at(void *context, size_t i) {
    const expansion *e = context;
    size_t index[RK_MAX_ORDER] = {i}, at = rk_simplex(i, e->d);
    do {
        e->packed[at++] = rk_tower_entry(e->tower, e->d, index);
    } while (rk_symmetric_next(index + 1, e->d - 1, i + 1));
}

static void expand_factored(rk_work *work, expansion *e) {
    const rk_factors *factors = &e->tower->factors;
    size_t n = e->tower->n, J = factors->J;
    if (e->d == 3) {
        double *turned = rk_work_doubles(work, n, 3 * J);
        turn_legs(work, factors, n, turned);
        e->turned = turned;
        rk_work_spread(work, n, third_at, e);
        return;
    }
    size_t n_pairs = rk_symmetric_count(n, 2);
    double *M = rk_work_doubles(work, n_pairs, n_pairs);
    double *A = rk_work_doubles(work, J, n_pairs), *B = rk_work_doubles(work, J, n_pairs);
    pack_pairs(work, J, n, factors->list[0], A);
    pack_pairs(work, J, n, factors->list[1], B);
    rk_gemm(work, RK_TRANS, RK_NO_TRANS, n_pairs, n_pairs, J, 1, A, n_pairs, B, n_pairs, 0, M,
            n_pairs);
    e->M = M;
    if (rk_work_charge(work, 6 * rk_symmetric_count(n, 4)))
        rk_pool_run(work->pool, n, fourth_at, e);
}

/* All entries that begin with i. */
static void unpack_at(void *context, size_t i) {
    const expansion *e = context;
    size_t n = e->tower->n, n_rows = 1, fixed[RK_MAX_ORDER];
    for (int a = 2; a < e->d; a++)
        n_rows *= n;
    double *out = e->dense + i * n_rows * n;
    for (size_t row = 0; row < n_rows; row++, out += n) {
        size_t rest = row, n_fixed = 0;
        for (int a = 1; a < e->d; a++) {
            size_t next = a == 1 ? i : rest % n, t = n_fixed++;
            for (; t > 0 && fixed[t - 1] < next; t--)
                fixed[t] = fixed[t - 1];
            fixed[t] = next;
            if (a > 1) rest /= n;
        }
        rk_symmetric_row(e->packed, 1, e->d, fixed, n, out);
    }
}

void rk_tower_expand(rk_work *work, const rk_tower *tower, int d, double *dense) {
    size_t n = tower->n, count = 1, mark = rk_work_mark(work);
    expansion e = {.tower = tower, .d = d, .dense = dense};
    bool factored = tower->factors.J > 0 && tower->factors.degree == d;
    const rk_cumulant *cumulant = &tower->degree[d];
    for (int a = 0; a < d; a++)
        count *= n;
    if (!factored && !cumulant->core) {
        if (rk_work_charge(work, 0)) memset(dense, 0, count * sizeof *dense);
        return;
    }
    if (d < 2) {
        if (rk_work_charge(work, 0)) memcpy(dense, cumulant->core, count * sizeof *dense);
        return;
    }
    bool packed = !factored && cumulant->radial == 0;
    e.packed = packed ? cumulant->core : rk_work_doubles(work, rk_symmetric_count(n, d), 1);
    if (factored)
        expand_factored(work, &e);
    else if (!packed && rk_work_charge(work, 10 * rk_symmetric_count(n, d)))
        rk_pool_run(work->pool, n, entries_at, &e);
    if (rk_work_charge(work, 0)) rk_pool_run(work->pool, n, unpack_at, &e);
    rk_work_release(work, mark);
}
