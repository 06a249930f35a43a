#include "linalg/blas.h"
#include "reference/factored.h"

#include <string.h>

/* Three lists of J vectors each: K3 = Sym sum_r A_ir B_jr C_kr. */
enum { LISTS = 3 };

/* Products a layer adds: an edge each, the blocks of K4's core, and the diagonal repair. */
static size_t products_per_layer(const rk_reference_state *s) {
    if (s->spec->kind != RK_REFERENCE_AUGMENT) return 2;
    return RK_MAX_TREE_EDGES + 4;
}

static void take(rk_reference_state *s) {
    size_t width = rk_network_max_rows(s->net), J = products_per_layer(s) * width * s->full_steps;
    s->act.factors.degree = s->pre.factors.degree = LISTS;
    for (int f = 0; f < LISTS; f++) {
        s->act.factors.list[f] = rk_work_doubles(s->work, J, width);
        s->pre.factors.list[f] = rk_work_doubles(s->work, J, width);
    }
}

static void transform(rk_reference_state *s, const rk_layer *layer) {
    size_t m = layer->rows, n = layer->cols, J = s->act.factors.J;
    for (int f = 0; f < LISTS; f++)
        rk_gemm(s->work, RK_NO_TRANS, RK_TRANS, J, m, n, 1, s->act.factors.list[f], n,
                layer->weight, n, 0, s->pre.factors.list[f], m);
    s->pre.factors.J = J;
}

/* out = the entrywise product of two lists. */
static void multiply(rk_work *work, size_t count, const double *x, const double *y, double *out) {
    if (!rk_work_charge(work, count)) return;
    for (size_t i = 0; i < count; i++)
        out[i] = x[i] * y[i];
}

/* The slices (3) and (2, 1) of the factors: d_i = sum A_ir B_ir C_ir, D_ij = a third of the sum of
 * B_ir C_ir A_jr over who is single. */
static void diagonals(rk_work *work, const rk_factors *factors, size_t n, double *d, double *D) {
    size_t J = factors->J, mark = rk_work_mark(work);
    double *product = rk_work_doubles(work, J, n);
    for (int f = 0; f < LISTS; f++) {
        const double *single = factors->list[f];
        multiply(work, J * n, factors->list[(f + 1) % LISTS], factors->list[(f + 2) % LISTS],
                 product);
        rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, n, J, 1.0 / 3, product, n, single, n, f > 0, D, n);
    }
    if (rk_work_charge(work, 0)) /* D_ii = d_i */
        for (size_t i = 0; i < n; i++)
            d[i] = D[i * n + i];
    rk_work_release(work, mark);
}

/* d_i alone. */
static void triple_diagonal(rk_work *work, const rk_factors *factors, size_t n, double *d) {
    const double *A = factors->list[0], *B = factors->list[1], *C = factors->list[2];
    if (!rk_work_charge(work, 3 * (uint64_t)factors->J * n)) return;
    memset(d, 0, n * sizeof *d);
    for (size_t r = 0; r < factors->J; r++, A += n, B += n, C += n)
        for (size_t i = 0; i < n; i++)
            d[i] += A[i] * B[i] * C[i];
}

static void read_slices(rk_reference_state *s, int depth, rk_slice *sources) {
    size_t n = s->pre.n;
    rk_slice *d = &sources[RK_SLICE_3], *D = &sources[RK_SLICE_21];
    d->data = rk_work_doubles(s->work, n, 1);
    if (depth == 1) {
        triple_diagonal(s->work, &s->pre.factors, n, d->data);
        return;
    }
    D->data = rk_work_doubles(s->work, n, n);
    diagonals(s->work, &s->pre.factors, n, d->data, D->data);
}

/* ------------------------------------------------------------------- the slice (1, 1, 1) */

/* The next n products of act.factors: where they start in each list. */
static void append(rk_reference_state *s, size_t n, double *block[LISTS]) {
    for (int f = 0; f < LISTS; f++)
        block[f] = s->act.factors.list[f] + s->act.factors.J * n;
    s->act.factors.J += n;
}

/* Old products, every leg scaled by w1. */
static void keep_old(rk_reference_state *s, size_t n, const double *w1) {
    size_t J = s->pre.factors.J;
    s->act.factors.J = J;
    for (int f = 0; f < LISTS; f++) {
        if (!rk_work_charge(s->work, (uint64_t)J * n)) continue;
        const double *from = s->pre.factors.list[f];
        double *to = s->act.factors.list[f];
        for (size_t r = 0; r < J; r++)
            for (size_t i = 0; i < n; i++)
                to[r * n + i] = w1[i] * from[r * n + i];
    }
}

/* Trees i - r - k: at product r, the outer end i in A, r itself in B, and every edge that may
 * follow in C. A tree has three places for its middle, hence the 3. */
static void add_trees(rk_reference_state *s, size_t n, const rk_slice *sources, int budget) {
    size_t mark = rk_work_mark(s->work);
    rk_tree_edge edge[RK_MAX_TREE_EDGES];
    int n_edges = rk_tree_edges(s->work, n, sources, budget - 1, edge);
    for (int x = 0; x < n_edges; x++) {
        double *block[LISTS];
        append(s, n, block);
        int partners = 0;
        for (int y = 0; y < n_edges; y++)
            partners += edge[x].cost + edge[y].cost <= budget;
        if (!rk_work_charge(s->work, (1 + 3 * (uint64_t)partners) * n * n)) continue;
        for (int f = 1; f < LISTS; f++)
            memset(block[f], 0, n * n * sizeof *block[f]);
        const double *outer = rk_reference_wick(s, sources, edge[x].a, 1);
        for (size_t r = 0; r < n; r++) {
            for (size_t i = 0; i < n; i++)
                block[0][r * n + i] = outer[i] * edge[x].s[i * n + r];
            block[1][r * n + r] = 3;
        }
        for (int y = 0; y < n_edges; y++) {
            if (edge[x].cost + edge[y].cost > budget) continue;
            const double *middle = rk_reference_wick(s, sources, edge[x].b + edge[y].a, 1);
            const double *end = rk_reference_wick(s, sources, edge[y].b, 1);
            for (size_t r = 0; r < n; r++)
                for (size_t k = 0; k < n; k++)
                    block[2][r * n + k] += middle[r] * end[k] * edge[y].s[r * n + k];
        }
    }
    rk_work_release(s->work, mark);
}

/* Half of the slice (2, 1, 1) of Sym(Q x M) with its Wick coefficients, but for what only touches
 * repeated indices. */
static void add_core_of_fourth(rk_reference_state *s, size_t n, const double *w1,
                               const double *w2) {
    const double *Q = s->pre.degree[4].core, *M = s->pre.metric_pairs;
    const double *diagonal = s->pre.metric_diagonal;
    double *first[LISTS], *second[LISTS], *third[LISTS];
    append(s, n, first);
    if (M) append(s, n, second);
    append(s, n, third);
    if (!rk_work_charge(s->work, 8 * (uint64_t)n * n)) return;
    for (int f = 0; f < LISTS; f++) {
        memset(first[f], 0, n * n * sizeof *first[f]);
        if (M) memset(second[f], 0, n * n * sizeof *second[f]);
        memset(third[f], 0, n * n * sizeof *third[f]);
    }
    for (size_t r = 0; r < n; r++) {
        for (size_t i = 0; i < n; i++) {
            size_t at = i > r ? rk_simplex(i, 2) + r : rk_simplex(r, 2) + i;
            double M_ir = i == r ? diagonal[i] : M ? M[at] : 0;
            first[0][r * n + i] = w2[i] * Q[rk_simplex(i, 2) + i];
            first[1][r * n + i] = w1[i] * M_ir;
            third[0][r * n + i] = w1[i] * Q[at];
            third[2][r * n + i] = 0.25 * w2[i] * diagonal[i];
            if (!M) continue;
            second[0][r * n + i] = w1[i] * Q[at];
            second[2][r * n + i] = w1[i] * M_ir;
        }
        first[2][r * n + r] = 0.25 * w1[r];
        third[1][r * n + r] = w1[r];
        if (M) second[1][r * n + r] = w2[r];
    }
}

/* ------------------------------------------------------------------------- repeated indices */

/* Makes the factors right where indices coincide, given that now they have d and D there. */
static void repair(rk_reference_state *s, size_t n, const rk_slice *family, const double *d,
                   const double *D) {
    const double *S3 = family[RK_SLICE_3].data;
    const double *S21 = family[RK_SLICE_21].data;
    double *block[LISTS];
    append(s, n, block);
    if (!rk_work_charge(s->work, 2 * (uint64_t)n * n)) return;
    for (int f = 1; f < LISTS; f++)
        memset(block[f], 0, n * n * sizeof *block[f]);
    for (size_t r = 0; r < n; r++) {
        for (size_t j = 0; j < n; j++)
            block[0][r * n + j] = 3 * (S21[r * n + j] - D[r * n + j]);
        block[0][r * n + r] = S3[r] - d[r];
        block[1][r * n + r] = block[2][r * n + r] = 1;
    }
}

/* out_jk += v_j v_k sum_i u_i F_ijk over distinct i, j, k; D the slice (2, 1) of F. */
static void add_trace(rk_work *work, const rk_factors *factors, size_t n, const double *D,
                      const double *u, const double *v, double *out) {
    size_t J = factors->J, mark = rk_work_mark(work);
    double *sum = rk_work_doubles(work, n, n), *scaled = rk_work_doubles(work, J, n);
    double *weight = rk_work_doubles(work, J, 1);
    for (int f = 0; f < LISTS; f++) {
        const double *next = factors->list[(f + 1) % LISTS], *last = factors->list[(f + 2) % LISTS];
        rk_gemv(work, J, n, factors->list[f], u, NULL, weight);
        if (rk_work_charge(work, (uint64_t)J * n))
            for (size_t r = 0; r < J; r++)
                for (size_t j = 0; j < n; j++)
                    scaled[r * n + j] = weight[r] * next[r * n + j];
        rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, n, J, 1.0 / 3, scaled, n, last, n, f > 0, sum, n);
    }
    if (rk_work_charge(work, 9 * (uint64_t)n * n))
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < n; k++) {
                if (j == k) continue;
                double distinct = 0.5 * (sum[j * n + k] + sum[k * n + j]) - u[j] * D[j * n + k] -
                                  u[k] * D[k * n + j];
                out[j * n + k] += (v ? v[j] * v[k] : 1) * distinct;
            }
    rk_work_release(work, mark);
}

/* What the slice (2, 1, 1) of the activations owes to the third cumulants, which the polynomials
 * could not see, in the core of K4. It has no diagonal, hence no trace: it enters linearly. */
static void complete_fourth(rk_reference_state *s, size_t n, const rk_slice *sources,
                            const rk_slice *family, const rk_factors *power,
                            const double *D_power) {
    size_t mark = rk_work_mark(s->work);
    double *contribution = rk_work_doubles(s->work, n, n), *u = rk_work_doubles(s->work, n, 1);
    const double *P1 = family[RK_SLICE_1].data;
    const double *D = sources[RK_SLICE_21].data;
    if (rk_work_charge(s->work, n)) {
        memset(contribution, 0, n * n * sizeof *contribution);
        for (size_t i = 0; i < n; i++)
            u[i] = -2 * P1[i];
    }
    add_trace(s->work, power, n, D_power, u, NULL, contribution);
    if (s->pre.factors.J > 0)
        add_trace(s->work, &s->pre.factors, n, D, rk_reference_wick(s, sources, 1, 2),
                  rk_reference_wick(s, sources, 1, 1), contribution);
    if (rk_work_charge(s->work, (uint64_t)n * n))
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < j; k++)
                s->act.degree[4].core[rk_simplex(j, 2) + k] +=
                    6 / ((double)n + 4) * contribution[j * n + k];
    rk_work_release(s->work, mark);
}

static void activate(rk_reference_state *s, const rk_slice *sources, const rk_slice *family) {
    size_t n = s->pre.n, mark = rk_work_mark(s->work);
    bool augmented = s->spec->kind == RK_REFERENCE_AUGMENT;
    const double *w1 = rk_reference_wick(s, sources, 1, 1),
                 *w2 = rk_reference_wick(s, sources, 2, 1);
    double *d = rk_work_doubles(s->work, n, 1), *D = rk_work_doubles(s->work, n, n);
    keep_old(s, n, w1);
    add_trees(s, n, sources, augmented ? 3 : 2);
    if (augmented && s->pre.degree[4].core) add_core_of_fourth(s, n, w1, w2);
    diagonals(s->work, &s->act.factors, n, d, D);
    if (augmented && s->act.degree[4].core)
        complete_fourth(s, n, sources, family, &s->act.factors, D);
    repair(s, n, family, d, D);
    rk_work_release(s->work, mark);
}

const rk_factored_ops rk_factored3 = {take, transform, read_slices, activate};
