#include "linalg/blas.h"
#include "reference/factored.h"

#include <string.h>

/* Two lists of J symmetric matrices each: K4 = Sym sum_r A_ijr B_klr. */
enum { LISTS = 2 };

/* Products a layer adds: an edge each, K5's core, and the diagonal repair; and one more. */
static size_t products_per_layer(const rk_reference_state *s, size_t width) {
    return s->spec->kind == RK_REFERENCE_AUGMENT ? (RK_MAX_TREE_EDGES + 2) * width + 1 : 2 * width;
}

static void take(rk_reference_state *s) {
    size_t width = rk_network_max_rows(s->net);
    size_t J = products_per_layer(s, width) * s->full_steps;
    s->act.factors.degree = s->pre.factors.degree = 4;
    for (int f = 0; f < LISTS; f++) {
        s->act.factors.list[f] = rk_work_doubles(s->work, J * width, width);
        s->pre.factors.list[f] = rk_work_doubles(s->work, J * width, width);
    }
}

typedef struct congruences {
    const rk_layer *layer;
    const double *from; /* J matrices */
    double *to;
} congruences;

static void transform_one(rk_work *work, void *context, size_t r) {
    const congruences *c = context;
    size_t m = c->layer->rows, n = c->layer->cols, mark = rk_work_mark(work);
    double *scratch = rk_work_doubles(work, m, n);
    rk_congruence(work, m, n, c->layer->weight, c->from + r * n * n, scratch, c->to + r * m * m);
    rk_work_release(work, mark);
}

static void transform(rk_reference_state *s, const rk_layer *layer) {
    for (int f = 0; f < LISTS; f++) {
        congruences c = {layer, s->act.factors.list[f], s->pre.factors.list[f]};
        rk_work_spread(s->work, s->act.factors.J, transform_one, &c);
    }
    s->pre.factors.J = s->act.factors.J;
}

/* --------------------------------------------------------- slices with repeated indices */

/* Slices of a fourth cumulant, laid out as rk_slice. */
typedef struct diagonals {
    double *s4, *s31, *s22, *s211;
} diagonals;

static diagonals take_diagonals(rk_work *work, size_t n) {
    return (diagonals){rk_work_doubles(work, n, 1), rk_work_doubles(work, n, n),
                       rk_work_doubles(work, rk_symmetric_count(n, 2), 1),
                       rk_work_doubles(work, n, rk_symmetric_count(n, 2))};
}

static void copy_diagonals(rk_work *work, size_t J, size_t n, const double *list, double *out) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t r = 0; r < J; r++)
        for (size_t i = 0; i < n; i++)
            out[r * n + i] = list[(r * n + i) * n + i];
}

/* With G_jk = sum A_ij B_ik and E_jk = sum A_ii B_jk + B_ii A_jk for one i. */
static void read_row(rk_work *work, size_t n, size_t i, const double *G, const double *E,
                     diagonals out) {
    size_t n_pairs = rk_simplex(n, 2);
    if (!rk_work_charge(work, 4 * (uint64_t)n_pairs)) return;
    double *row = out.s211 + i * n_pairs;
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k <= j; k++)
            *row++ = (G[j * n + k] + G[k * n + j]) / 3 + E[j * n + k] / 6;
    out.s4[i] = E[i * n + i] / 2;
    for (size_t j = 0; j < n; j++)
        out.s31[i * n + j] = E[i * n + j] / 2;
    for (size_t j = 0; j <= i; j++)
        out.s22[rk_simplex(i, 2) + j] = 2 * G[j * n + j] / 3 + E[j * n + j] / 6;
}

static void compute_diagonals(rk_work *work, const rk_factors *factors, size_t n, diagonals out) {
    size_t J = factors->J, mark = rk_work_mark(work);
    const double *A = factors->list[0], *B = factors->list[1];
    double *diagonal = rk_work_doubles(work, J, n), *E = rk_work_doubles(work, n, n * n);
    double *G = rk_work_doubles(work, n, n);
    for (int f = 0; f < LISTS; f++) {
        copy_diagonals(work, J, n, factors->list[f], diagonal);
        rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, n * n, J, 1, diagonal, n, f ? A : B, n * n, f, E,
                n * n);
    }
    for (size_t i = 0; i < n; i++) {
        rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, n, J, 1, A + i * n, n * n, B + i * n, n * n, 0, G,
                n);
        read_row(work, n, i, G, E + i * n * n, out);
    }
    rk_work_release(work, mark);
}

static diagonals diagonals_of(const rk_slice *family) {
    return (diagonals){family[RK_SLICE_4].data, family[RK_SLICE_31].data, family[RK_SLICE_22].data,
                       family[RK_SLICE_211].data};
}

/* s4 alone. */
static void quadruple_diagonal(rk_work *work, const rk_factors *factors, size_t n, double *s4) {
    const double *A = factors->list[0], *B = factors->list[1];
    if (!rk_work_charge(work, 2 * (uint64_t)factors->J * n)) return;
    memset(s4, 0, n * sizeof *s4);
    for (size_t r = 0; r < factors->J; r++, A += n * n, B += n * n)
        for (size_t i = 0; i < n; i++)
            s4[i] += A[i * n + i] * B[i * n + i];
}

static void read_slices(rk_reference_state *s, int depth, rk_slice *sources) {
    size_t n = s->pre.n;
    if (depth == 1) {
        sources[RK_SLICE_4].data = rk_work_doubles(s->work, n, 1);
        quadruple_diagonal(s->work, &s->pre.factors, n, sources[RK_SLICE_4].data);
        return;
    }
    diagonals d = take_diagonals(s->work, n);
    compute_diagonals(s->work, &s->pre.factors, n, d);
    sources[RK_SLICE_4].data = d.s4;
    sources[RK_SLICE_31].data = d.s31;
    sources[RK_SLICE_22].data = d.s22;
    sources[RK_SLICE_211].data = d.s211;
}

/* ---------------------------------------------------------------- the slice (1, 1, 1, 1) */

/* The next `count` products of act.factors. */
static void append(rk_reference_state *s, size_t n, size_t count, double *block[LISTS]) {
    for (int f = 0; f < LISTS; f++)
        block[f] = s->act.factors.list[f] + s->act.factors.J * n * n;
    s->act.factors.J += count;
}

/* X <- (X + X') / 2 for each of `count` matrices. */
static void symmetrise(size_t count, size_t n, double *X) {
    for (size_t r = 0; r < count; r++, X += n * n)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < i; j++)
                X[i * n + j] = X[j * n + i] = 0.5 * (X[i * n + j] + X[j * n + i]);
}

static void keep_old(rk_reference_state *s, size_t n, const double *w1) {
    size_t J = s->pre.factors.J;
    s->act.factors.J = J;
    for (int f = 0; f < LISTS; f++) {
        if (!rk_work_charge(s->work, 2 * (uint64_t)J * n * n)) continue;
        const double *from = s->pre.factors.list[f];
        double *to = s->act.factors.list[f];
        for (size_t r = 0; r < J; r++)
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++, from++, to++)
                    *to = w1[i] * w1[j] * *from;
    }
}

/* B_klr += the two edges x, y that follow an edge with `b` legs at r: paths r - k - l, of which a
 * tree on four indices has 12, and stars k - r - l, 4. */
static void add_two_edges(rk_reference_state *s, size_t n, const rk_slice *sources, int b,
                          const rk_tree_edge *x, const rk_tree_edge *y, double *B) {
    if (!rk_work_charge(s->work, 6 * (uint64_t)n * n * n)) return;
    const double *path_r = rk_reference_wick(s, sources, b + x->a, 1);
    const double *path_k = rk_reference_wick(s, sources, x->b + y->a, 1);
    const double *star_r = rk_reference_wick(s, sources, b + x->a + y->a, 1);
    const double *star_k = rk_reference_wick(s, sources, x->b, 1);
    const double *end = rk_reference_wick(s, sources, y->b, 1);
    for (size_t r = 0; r < n; r++)
        for (size_t k = 0; k < n; k++) {
            double path = 12 * path_r[r] * path_k[k] * x->s[r * n + k];
            double star = 4 * star_r[r] * star_k[k] * x->s[r * n + k];
            for (size_t l = 0; l < n; l++)
                B[(r * n + k) * n + l] +=
                    end[l] * (path * y->s[k * n + l] + star * y->s[r * n + l]);
        }
}

/* A cumulant between r, k and l with t legs at each, divided by their symmetry. */
typedef struct joint {
    int t[3], cost;
    double factor;
    const rk_slice *slice;
} joint;

static int joints(const rk_slice *sources, int max_cost, joint out[4]) {
    const rk_slice *third = &sources[RK_SLICE_111];
    const rk_slice *fourth = &sources[RK_SLICE_211];
    int n = 0;
    if (third->data && max_cost >= 2) out[n++] = (joint){{1, 1, 1}, 2, 1, third};
    for (int doubled = 0; fourth->data && max_cost >= 3 && doubled < 3; doubled++) {
        out[n] = (joint){{1, 1, 1}, 3, 0.5, fourth};
        out[n++].t[doubled] = 2;
    }
    return n;
}

/* B_klr += the joint that follows a leg with `b` ends at r: 12 choices of r and of its edge's
 * other end. */
static void add_joint(rk_reference_state *s, size_t n, const rk_slice *sources, int b,
                      const joint *x, double *B) {
    if (!rk_work_charge(s->work, 3 * (uint64_t)n * n * n)) return;
    const double *w_r = rk_reference_wick(s, sources, b + x->t[0], 1);
    const double *w_k = rk_reference_wick(s, sources, x->t[1], 1);
    const double *w_l = rk_reference_wick(s, sources, x->t[2], 1);
    int doubled = x->t[2] == 2 ? 2 : x->t[1] == 2 ? 1 : 0; /* first in the slice */
    for (size_t r = 0; r < n; r++)
        for (size_t k = 0; k < n; k++)
            for (size_t l = 0; l < n; l++) {
                size_t at[3] = {r, k, l}, first = at[doubled];
                at[doubled] = at[0];
                at[0] = first;
                B[(r * n + k) * n + l] += 12 * x->factor * w_r[r] * w_k[k] * w_l[l] *
                                          x->slice->data[rk_slice_at(x->slice, at)];
            }
}

/* For each edge i - r: at product r, A holds i and r, B whatever may follow. */
static void add_trees(rk_reference_state *s, size_t n, const rk_slice *sources, int budget) {
    size_t mark = rk_work_mark(s->work);
    rk_tree_edge edge[RK_MAX_TREE_EDGES];
    joint joint_at_r[4];
    int n_edges = rk_tree_edges(s->work, n, sources, budget - 2, edge);
    for (int q = 0; q < n_edges; q++) {
        int b = edge[q].b, rest = budget - edge[q].cost;
        double *block[LISTS];
        append(s, n, n, block);
        if (rk_work_charge(s->work, (uint64_t)n * n)) {
            const double *outer = rk_reference_wick(s, sources, edge[q].a, 1);
            for (int f = 0; f < LISTS; f++)
                memset(block[f], 0, n * n * n * sizeof *block[f]);
            for (size_t r = 0; r < n; r++)
                for (size_t i = 0; i < n; i++)
                    block[0][(r * n + i) * n + r] = outer[i] * edge[q].s[i * n + r];
        }
        for (int x = 0; x < n_edges; x++)
            for (int y = 0; y < n_edges; y++)
                if (edge[x].cost + edge[y].cost <= rest)
                    add_two_edges(s, n, sources, b, &edge[x], &edge[y], block[1]);
        int n_joints = joints(sources, rest, joint_at_r);
        for (int x = 0; x < n_joints; x++)
            add_joint(s, n, sources, b, &joint_at_r[x], block[1]);
        if (!rk_work_charge(s->work, 2 * (uint64_t)n * n * n)) continue;
        symmetrise(n, n, block[0]);
        symmetrise(n, n, block[1]);
    }
    rk_work_release(s->work, mark);
}

/* The slice (2, 1, 1, 1) of Sym(T x M) with its Wick coefficients, but for what only touches
 * repeated indices. */
static void add_core_of_fifth(rk_reference_state *s, size_t n, const double *w1, const double *w2) {
    const double *T = s->pre.degree[5].core, *M = s->pre.metric_pairs;
    const double *diagonal = s->pre.metric_diagonal;
    double *block[LISTS], *single[LISTS] = {NULL};
    append(s, n, n, block);
    if (M) append(s, n, 1, single);
    if (!rk_work_charge(s->work, 3 * (uint64_t)n * n * n)) return;
    memset(block[1], 0, n * n * n * sizeof *block[1]);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                size_t at[3];
                rk_multiset((rk_vector){3, {1, 1, 1}}, (size_t[]){i, j, r}, at);
                block[0][(r * n + i) * n + j] = w1[i] * w1[j] * T[rk_symmetric_at(at, 3)];
            }
            size_t pair = i > r ? rk_simplex(i, 2) + r : rk_simplex(r, 2) + i;
            double B = w1[r] * w2[i] * diagonal[i] / 5 + (M ? 1.2 * w2[r] * w1[i] * M[pair] : 0);
            block[1][(r * n + r) * n + i] = B; /* k = r, l = i */
            if (!M) continue;
            size_t at[3];
            rk_multiset((rk_vector){2, {2, 1}}, (size_t[]){i, r}, at);
            single[0][i * n + r] = i == r ? 0 : w2[i] * w1[r] * T[rk_symmetric_at(at, 3)];
            single[1][i * n + r] = 0.6 * w1[i] * w1[r] * M[pair];
        }
    symmetrise(n, n, block[1]);
    if (M) symmetrise(1, n, single[0]);
}

/* ----------------------------------------------------------------------- repeated indices */

/* Makes the factors right where indices coincide, given what they have there now. */
static void repair(rk_reference_state *s, size_t n, const rk_slice *family, diagonals now) {
    diagonals S = diagonals_of(family);
    double *block[LISTS];
    size_t n_pairs = rk_simplex(n, 2);
    append(s, n, n, block);
    if (!rk_work_charge(s->work, 2 * (uint64_t)n * n * n)) return;
    memset(block[0], 0, n * n * n * sizeof *block[0]);
    for (size_t r = 0; r < n; r++) {
        double *A = block[0] + r * n * n, *B = block[1] + r * n * n;
        A[r * n + r] = 1;
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < j; k++) {
                size_t at = r * n_pairs + rk_simplex(j, 2) + k;
                B[j * n + k] = B[k * n + j] = 6 * (S.s211[at] - now.s211[at]);
            }
        for (size_t j = 0; j < n; j++) {
            size_t pair = j > r ? rk_simplex(j, 2) + r : rk_simplex(r, 2) + j;
            B[j * n + j] = 3 * (S.s22[pair] - now.s22[pair]);
            B[j * n + r] = B[r * n + j] = 2 * (S.s31[r * n + j] - now.s31[r * n + j]);
        }
        B[r * n + r] = S.s4[r] - now.s4[r];
    }
}

/* out_jkl += v_j v_k v_l sum_i u_i F_ijkl over distinct i, j, k, l; `s211` the slice of F. */
static void add_trace(rk_work *work, const rk_factors *factors, size_t n, const double *s211,
                      const double *u, const double *v, double *out) {
    size_t J = factors->J, mark = rk_work_mark(work), n_pairs = rk_symmetric_count(n, 2);
    double *H = rk_work_doubles(work, n, n * n), *sum = rk_work_doubles(work, J, n);
    for (int f = 0; f < LISTS; f++) {
        rk_gemv(work, J * n, n, factors->list[f], u, NULL, sum);
        rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, n * n, J, 1, sum, n, factors->list[1 - f], n * n, f,
                H, n * n);
    }
    if (rk_work_charge(work, 10 * rk_symmetric_count(n, 3))) {
        size_t x[3] = {0}; /* j >= k >= l */
        do {
            size_t j = x[0], k = x[1], l = x[2];
            if (j > k && k > l) {
                double all =
                    H[(j * n + k) * n + l] + H[(k * n + j) * n + l] + H[(l * n + j) * n + k];
                double repeated = u[j] * s211[j * n_pairs + rk_simplex(k, 2) + l] +
                                  u[k] * s211[k * n_pairs + rk_simplex(j, 2) + l] +
                                  u[l] * s211[l * n_pairs + rk_simplex(j, 2) + k];
                *out += (v ? v[j] * v[k] * v[l] : 1) * (all / 6 - repeated);
            }
            out++;
        } while (rk_symmetric_next(x, 3, n));
    }
    rk_work_release(work, mark);
}

/* What the slice (2, 1, 1, 1) of the activations owes to the fourth cumulants, which the
 * polynomials could not see, in the core of K5. It is traceless, so it enters linearly. */
static void complete_fifth(rk_reference_state *s, size_t n, const rk_slice *sources,
                           const rk_slice *family, const double *s211_power) {
    size_t mark = rk_work_mark(s->work), count = rk_symmetric_count(n, 3);
    double *contribution = rk_work_doubles(s->work, count, 1), *u = rk_work_doubles(s->work, n, 1);
    const double *P1 = family[RK_SLICE_1].data;
    if (rk_work_charge(s->work, n)) {
        memset(contribution, 0, count * sizeof *contribution);
        for (size_t i = 0; i < n; i++)
            u[i] = -2 * P1[i];
    }
    add_trace(s->work, &s->act.factors, n, s211_power, u, NULL, contribution);
    if (s->pre.factors.J > 0)
        add_trace(s->work, &s->pre.factors, n, diagonals_of(sources).s211,
                  rk_reference_wick(s, sources, 1, 2), rk_reference_wick(s, sources, 1, 1),
                  contribution);
    if (rk_work_charge(s->work, 2 * count))
        for (size_t i = 0; i < count; i++)
            s->act.degree[5].core[i] += 20 / (2 * (double)n + 12) * contribution[i];
    rk_work_release(s->work, mark);
}

static void activate(rk_reference_state *s, const rk_slice *sources, const rk_slice *family) {
    size_t n = s->pre.n, mark = rk_work_mark(s->work);
    bool augmented = s->spec->kind == RK_REFERENCE_AUGMENT;
    const double *w1 = rk_reference_wick(s, sources, 1, 1),
                 *w2 = rk_reference_wick(s, sources, 2, 1);
    diagonals now = take_diagonals(s->work, n);
    keep_old(s, n, w1);
    add_trees(s, n, sources, augmented ? 4 : 3);
    if (s->pre.degree[5].core) add_core_of_fifth(s, n, w1, w2);
    compute_diagonals(s->work, &s->act.factors, n, now);
    if (s->act.degree[5].core) complete_fifth(s, n, sources, family, now.s211);
    repair(s, n, family, now);
    rk_work_release(s->work, mark);
}

const rk_factored_ops rk_factored4 = {take, transform, read_slices, activate};
