#include "third/neurons_back.h"
#include "third/tally.h"

#include "base/sum.h"
#include "base/sweep.h"

#include <string.h>

enum { ROWS = 16, CHUNK = 256 };

/* What of a neuron has a part in all its pairs: its adjoint is a sum over them. Up to N_BOTH it is
 * met in the first neuron of a pair, i, and in the second, j; the rest only in the first. */
typedef enum part {
    W1,
    W2,
    W3,
    W_TAIL,
    E1,
    E2,
    E3,
    E_TAIL,
    BEND,
    CORE,
    METRIC,
    Q,
    Y,
    N_BOTH,
    T1 = N_BOTH,
    T2,
    T3,
    T_TAIL,
    SCALE,
    FOLLOWED22,
    N_PARTS
} part;

typedef double parts[CHUNK];

/* One neuron i against a stretch of others j. */
typedef struct stretch {
    size_t count;
    const double *C, *D21, *D12, *M, *K31, *K13;
    const double *metric, *core, *q, *y, *bend; /* of j */
    rk_ends w, e;                               /* of j */
    double metric_i, core_i, core_scale, followed22, followed31, bend_i;
    rk_end w_i, e_i, t_i;
    /* adjoints of what was made: of sums over j, and of pairs */
    double k22_bar, k21_q_bar, left22_sum_bar;
    const double *C_bar, *a_bar, *residual_bar, *left22_bar, *left31_bar, *tree_bar;
    /* of what it was made of */
    double *c_bar, *D21_bar, *D12_bar, *M_bar, *K31_bar, *K13_bar;
    parts *first, *second; /* N_PARTS, N_BOTH */
} stretch;

RK_HOT_PART void put_end(rk_end x, parts *to, part first, size_t j) {
    to[first][j] = x.k1;
    to[first + 1][j] = x.k2;
    to[first + 2][j] = x.k3;
    to[first + 3][j] = x.tail;
}

/* A pair: its links and ends, what was made of them on the way, and adjoints of all that. */
typedef struct pair {
    rk_links ij, ji, ij_bar, ji_bar;
    rk_end w_i, w_j, e_i, e_j, w_i_bar, w_j_bar, e_i_bar, e_j_bar, t_i_bar;
    double k11, a, a_ji, k11_bar, k22_bar, a_bar, a_ji_bar, y_bar, followed22_bar;
} pair;

RK_HOT_PART void residual_back(pair *p, double y, double bar) {
    rk_end w_i = p->w_i, w_j = p->w_j;
    double third = 3 * bar, gain = 2 * bar * w_j.k1, slopes = w_i.k1 * w_j.k1;
    p->e_j_bar.k1 -= third * p->a;
    p->a_bar -= third * p->e_j.k1;
    p->w_i_bar.k1 -= third * w_j.k1 * w_j.k1 * p->ij.xyy;
    p->w_j_bar.k1 -= third * 2 * slopes * p->ij.xyy;
    p->ij_bar.xyy -= third * slopes * w_j.k1;
    p->w_i_bar.k2 -= third * p->a_ji * p->a_ji;
    p->a_ji_bar -= third * 2 * w_i.k2 * p->a_ji;
    /* 2 (k11 - w_i.k1 w_j.k1 c) w_j.k1 y */
    double C_gains = p->k11 - slopes * p->ij.xy;
    p->k11_bar -= gain * y;
    p->w_i_bar.k1 += gain * y * w_j.k1 * p->ij.xy;
    p->w_j_bar.k1 += gain * y * w_i.k1 * p->ij.xy - 2 * bar * C_gains * y;
    p->ij_bar.xy += gain * y * slopes;
    p->y_bar -= gain * C_gains;
}

/* left22, left31 and the edge of a tree. */
RK_HOT_PART void fourth_back(pair *p, double followed22, double followed31, double bar22,
                             double bar31, double tree_bar) {
    rk_end w_i = p->w_i, w_j = p->w_j, e_i = p->e_i, e_j = p->e_j;
    double D21 = p->ij.xxy, D12 = p->ij.xyy, a = p->a, a_ji = p->a_ji, tree = p->ij.xy * w_j.k2;
    double square_i = w_i.k1 * w_i.k1, square_j = w_j.k1 * w_j.k1;
    double centre_i = e_i.k2 - 2 * square_i, centre_j = e_j.k2 - 2 * square_j;
    double centre_i_bar = -bar22 * a_ji * a_ji, centre_j_bar = -bar22 * a * a;
    double old22 = 4 * followed22 * p->ij.xxyy, old31 = 6 * followed31 * p->ij.xxxy;
    p->k22_bar += bar22;
    p->a_bar -= bar22 * (2 * centre_j * a + 4 * w_i.k2 * tree * a_ji) +
                bar31 * (3 * e_i.k1 * tree + 3 * w_j.k3 * a * a);
    p->a_ji_bar -= bar22 * (2 * centre_i * a_ji + 4 * w_i.k2 * tree * a);
    tree_bar -= bar22 * 4 * w_i.k2 * a * a_ji + bar31 * 3 * e_i.k1 * a;
    p->e_i_bar.k1 -= bar22 * square_j * D12 + 3 * bar31 * (tree * a + w_i.k1 * w_j.k1 * D21);
    p->e_j_bar.k1 -= bar22 * square_i * D21;
    p->e_i_bar.k2 += centre_i_bar;
    p->e_j_bar.k2 += centre_j_bar;
    p->w_i_bar.k1 -= 4 * w_i.k1 * centre_i_bar +
                     2 * bar22 * w_i.k1 * (e_j.k1 * D21 + square_j * old22) +
                     3 * bar31 * w_j.k1 * (e_i.k1 * D21 + square_i * old31);
    p->w_j_bar.k1 -= 4 * w_j.k1 * centre_j_bar +
                     2 * bar22 * w_j.k1 * (e_i.k1 * D12 + square_i * old22) +
                     bar31 * w_i.k1 * (3 * e_i.k1 * D21 + square_i * old31);
    p->w_i_bar.k2 -= bar22 * 4 * tree * a * a_ji;
    p->w_j_bar.k2 += tree_bar * p->ij.xy;
    p->w_j_bar.k3 -= bar31 * a * a * a;
    p->ij_bar.xy += tree_bar * w_j.k2;
    p->ij_bar.xxy -= bar22 * e_j.k1 * square_i + 3 * bar31 * e_i.k1 * w_i.k1 * w_j.k1;
    p->ij_bar.xyy -= bar22 * e_i.k1 * square_j;
    p->ij_bar.xxyy -= bar22 * square_i * square_j * 4 * followed22;
    p->ij_bar.xxxy -= bar31 * square_i * w_i.k1 * w_j.k1 * 6 * followed31;
    p->followed22_bar -= bar22 * square_i * square_j * 4 * p->ij.xxyy;
}

RK_HOT_PART void back_stretch(const stretch *x, bool newborn, rk_pair_terms terms) {
    const double *D21 = x->D21, *D12 = x->D12, *M = x->M, *metric = x->metric, *core = x->core;
    double core_i = x->core_i, metric_i = x->metric_i, scale = x->core_scale;
    bool fourth = terms == RK_PAIRS_FOURTH;
    parts *first = x->first, *second = x->second;
    RK_INDEPENDENT
    for (size_t j = 0; j < x->count; j++) {
        pair p = {.w_i = x->w_i,
                  .e_i = x->e_i,
                  .w_j = rk_end_at(&x->w, j),
                  .ij = {.xy = x->C[j], .xxy = D21[j], .xyy = D12[j]},
                  .ji = {.xy = x->C[j], .xxy = D12[j], .xyy = D21[j]},
                  .k11_bar = x->C_bar[j]};
        p.ij.xxyy = 1. / 24 * (core_i * metric[j] + core[j] * metric_i + 4 * scale * M[j] * M[j]);
        if (fourth) {
            p.ij.xxxy = 1. / 6 * x->K31[j];
            p.ij.xyyy = 1. / 6 * x->K13[j];
        }
        double bend_i_bar = 0, bend_j_bar = 0, q_bar = 0;
        if (newborn) {
            p.e_j = rk_end_at(&x->e, j);
            p.k11 = rk_connect(terms, p.ij, p.w_i, p.w_j);
            p.a = rk_edge(terms, p.ij, p.w_i, x->bend[j]);
            p.a_ji = rk_edge(terms, p.ji, p.w_j, x->bend_i);
            p.a_bar = x->a_bar[j];
            p.k22_bar = x->k22_bar;
            double residual_bar = x->residual_bar[j];
            residual_back(&p, x->y[j], residual_bar);
            if (fourth) {
                double bar31 = x->left31_bar[j];
                fourth_back(&p, x->followed22, x->followed31, x->left22_sum_bar + x->left22_bar[j],
                            bar31, x->tree_bar[j]);
                rk_connect_back(terms, p.ij, x->t_i, p.w_j, bar31, &p.ij_bar, &p.t_i_bar,
                                &p.w_j_bar);
                put_end(p.t_i_bar, first, T1, j);
                first[FOLLOWED22][j] = p.followed22_bar;
            }
            q_bar = x->k21_q_bar * rk_connect(terms, p.ij, p.e_i, p.w_j);
            rk_connect_back(terms, p.ij, p.e_i, p.w_j, x->k21_q_bar * x->q[j], &p.ij_bar,
                            &p.e_i_bar, &p.w_j_bar);
            p.k11_bar -= 4 * p.k11 * p.k22_bar;
            rk_connect_back(terms, p.ij, p.e_i, p.e_j, p.k22_bar, &p.ij_bar, &p.e_i_bar,
                            &p.e_j_bar);
            rk_connect_back(terms, p.ij, p.w_i, p.e_j, 3 * residual_bar, &p.ij_bar, &p.w_i_bar,
                            &p.e_j_bar);
            rk_edge_back(terms, p.ij, p.w_i, x->bend[j], p.a_bar, &p.ij_bar, &p.w_i_bar,
                         &bend_j_bar);
            rk_edge_back(terms, p.ji, p.w_j, x->bend_i, p.a_ji_bar, &p.ji_bar, &p.w_j_bar,
                         &bend_i_bar);
        }
        rk_connect_back(terms, p.ij, p.w_i, p.w_j, p.k11_bar, &p.ij_bar, &p.w_i_bar, &p.w_j_bar);
        double xxyy_bar = 1. / 24 * p.ij_bar.xxyy;
        x->c_bar[j] = p.ij_bar.xy + p.ji_bar.xy;
        x->D21_bar[j] = p.ij_bar.xxy + p.ji_bar.xyy;
        x->D12_bar[j] = p.ij_bar.xyy + p.ji_bar.xxy;
        x->M_bar[j] = 8 * xxyy_bar * scale * M[j];
        x->K31_bar[j] = 1. / 6 * p.ij_bar.xxxy;
        x->K13_bar[j] = 1. / 6 * p.ij_bar.xyyy;
        put_end(p.w_i_bar, first, W1, j);
        put_end(p.w_j_bar, second, W1, j);
        put_end(p.e_i_bar, first, E1, j);
        put_end(p.e_j_bar, second, E1, j);
        first[BEND][j] = bend_i_bar;
        second[BEND][j] = bend_j_bar;
        first[CORE][j] = xxyy_bar * metric[j];
        second[CORE][j] = xxyy_bar * metric_i;
        first[METRIC][j] = xxyy_bar * core[j];
        second[METRIC][j] = xxyy_bar * core_i;
        second[Q][j] = q_bar;
        second[Y][j] = p.y_bar;
        first[SCALE][j] = 4 * xxyy_bar * M[j] * M[j];
    }
}

typedef struct pairs_back {
    size_t n;
    const rk_slices *z;
    rk_pair_terms terms;
    const rk_neurons *neurons;
    const double *C;
    const rk_source *newborn;
    const rk_legs *a, *residual;
    const rk_pair_cumulants *fourth;
    double *C_bar;
    const rk_neurons *bar;
    const rk_slices_bar *z_bar;
    double *to[N_PARTS], *totals; /* SCALE and FOLLOWED22 of each i are in totals */
    rk_tally tally;
} pairs_back;

/* What a neuron makes with itself is made elsewhere. */
static void skip(const stretch *x, size_t j) {
    double *const made[] = {x->c_bar, x->D21_bar, x->D12_bar, x->M_bar, x->K31_bar, x->K13_bar};
    for (size_t k = 0; k < sizeof made / sizeof *made; k++)
        made[k][j] = 0;
    for (size_t k = 0; k < N_PARTS; k++)
        x->first[k][j] = 0;
    for (size_t k = 0; k < N_BOTH; k++)
        x->second[k][j] = 0;
}

RK_HOT static void pairs_back_rows(void *context, size_t block) {
    const pairs_back *job = context;
    const rk_neurons *neurons = job->neurons, *bar = job->bar;
    const rk_slices *z = job->z;
    const rk_slices_bar *z_bar = job->z_bar;
    const rk_pair_cumulants *fourth = job->fourth;
    const double *none = neurons->zeros;
    double D21[CHUNK], K31[CHUNK], a[CHUNK], residual[CHUNK], b22[CHUNK], b31[CHUNK], tree[CHUNK];
    double M_bar[CHUNK], D21_bar[CHUNK], K31_bar[CHUNK], C_bar[CHUNK];
    parts first[N_PARTS] = {{0}}, second[N_BOTH] = {{0}};
    double *theirs = rk_tally_open(&job->tally, block);
    bool newborn = job->newborn != NULL, each = fourth && fourth->each;
    size_t n = job->n, from = block * ROWS, last = n - from < ROWS ? n : from + ROWS;
    for (size_t i = from; i < last; i++) {
        for (size_t j = 0; j < n; j += CHUNK) {
            size_t at = i * n + j, count = n - j < CHUNK ? n - j : CHUNK;
            memcpy(C_bar, job->C_bar + at, count * sizeof *C_bar);
            stretch x = {
                .count = count,
                .C = job->C + at,
                .D21 = z->has_D ? rk_legs_read(&z->D, i, j, count, D21) : none,
                .D12 = z->has_D ? neurons->D12 + at : none,
                .M = z->M ? z->M + at : none,
                .K31 = z->has_K31 ? rk_legs_read(&z->K31, i, j, count, K31) : none,
                .K13 = z->has_K31 ? neurons->K13 + at : none,
                .metric = z->metric + j,
                .core = z->core + j,
                .q = neurons->q + j,
                .y = z->y + j,
                .bend = neurons->bend + j,
                .w = rk_ends_from(&neurons->w, j),
                .e = rk_ends_from(&neurons->e, j),
                .metric_i = z->metric[i],
                .core_i = z->core[i],
                .core_scale = *z->core_scale,
                .followed22 = z->followed22,
                .followed31 = z->followed31,
                .bend_i = neurons->bend[i],
                .w_i = rk_end_at(&neurons->w, i),
                .e_i = rk_end_at(&neurons->e, i),
                .t_i = rk_end_at(&neurons->t, i),
                .k22_bar = bar->k22[i],
                .k21_q_bar = bar->k21_q[i],
                .left22_sum_bar = fourth ? fourth->k22_sum[i] : 0,
                .C_bar = C_bar,
                .a_bar = newborn ? rk_legs_read(job->a, i, j, count, a) : none,
                .residual_bar = newborn ? rk_legs_read(job->residual, i, j, count, residual) : none,
                .left22_bar = each ? rk_legs_read(&fourth->k22, i, j, count, b22) : none,
                .left31_bar = each ? rk_legs_read(&fourth->k31, i, j, count, b31) : none,
                .tree_bar = each ? rk_legs_read(&fourth->edge, i, j, count, tree) : none,
                .c_bar = job->C_bar + at,
                .D21_bar = D21_bar,
                .D12_bar = bar->D12 + at,
                .M_bar = z->M ? z_bar->M + at : M_bar,
                .K31_bar = K31_bar,
                .K13_bar = z->has_K31 ? bar->K13 + at : K31,
                .first = first,
                .second = second,
            };
            if (job->terms == RK_PAIRS_FOURTH)
                back_stretch(&x, newborn, RK_PAIRS_FOURTH);
            else if (job->terms == RK_PAIRS_AUGMENTED)
                back_stretch(&x, newborn, RK_PAIRS_AUGMENTED);
            else
                back_stretch(&x, newborn, RK_PAIRS_SIMPLE);
            if (j <= i && i < j + count) skip(&x, i - j);
            for (size_t k = 0; k < N_PARTS; k++)
                if (job->to[k]) job->to[k][i] += rk_sum(count, first[k]);
            for (size_t k = 0; k < N_BOTH; k++)
                for (size_t r = 0; r < count; r++)
                    theirs[k * n + j + r] += second[k][r];
            if (z->has_D) rk_legs_write(&z_bar->D, i, j, count, D21_bar);
            if (z->has_K31) rk_legs_write(&z_bar->K31, i, j, count, K31_bar);
        }
    }
}

/* x_ij and x_ji become their average. */
static void symmetrise(size_t n, size_t i, double *x) {
    for (size_t j = 0; j < i; j++)
        x[i * n + j] = x[j * n + i] = 0.5 * (x[i * n + j] + x[j * n + i]);
}

static void add_transposed(size_t n, size_t i, const double *x, const rk_legs *to) {
    for (size_t j = 0; j < n; j++)
        to->d[i * to->stride + j] += x[j * n + i];
}

static void mirror_rows(void *context, size_t first, size_t last) {
    const pairs_back *job = context;
    const rk_slices *z = job->z;
    for (size_t i = first; i < last; i++) {
        symmetrise(job->n, i, job->C_bar);
        if (z->M) symmetrise(job->n, i, job->z_bar->M);
        if (z->has_D) add_transposed(job->n, i, job->bar->D12, &job->z_bar->D);
        if (z->has_K31) add_transposed(job->n, i, job->bar->K13, &job->z_bar->K31);
    }
}

/* What the newborn has of single neurons. */
static void newborn_back(size_t n, const rk_slices *z, const rk_neurons *neurons,
                         const rk_source *newborn, rk_neurons *bar, const rk_slices_bar *z_bar) {
    for (size_t i = 0; i < n; i++) {
        double w1 = neurons->w.k1[i], s = newborn->s[i];
        bar->w.k2[i] += newborn->w2[i];
        bar->e.k1[i] += newborn->e[i];
        bar->k3[i] += s;
        bar->w.k1[i] -= 3 * w1 * w1 * z->d3[i] * s;
        z_bar->d3[i] -= w1 * w1 * w1 * s;
    }
}

static void take_diagonal(size_t n, const double *C_bar, double *var_bar) {
    for (size_t i = 0; i < n; i++)
        var_bar[i] += C_bar[i * n + i];
}

void rk_pairs_back(rk_work *work, size_t n, const rk_slices *z, rk_pair_terms terms,
                   const rk_neurons *neurons, const double *C, const rk_source *newborn,
                   const rk_legs *a, const rk_legs *residual, const rk_pair_cumulants *fourth,
                   double *C_bar, rk_neurons *bar, const rk_slices_bar *z_bar) {
    static const uint64_t flops[] = {260, 400, 0, 520};
    const size_t mark = rk_work_mark(work), n_blocks = rk_pool_blocks(n, ROWS);
    pairs_back job = {.n = n,
                      .z = z,
                      .terms = terms,
                      .neurons = neurons,
                      .C = C,
                      .newborn = newborn,
                      .a = a,
                      .residual = residual,
                      .fourth = fourth,
                      .C_bar = C_bar,
                      .bar = bar,
                      .z_bar = z_bar};
    job.tally = rk_tally_take(work, n_blocks, N_BOTH * n);
    job.totals = rk_work_doubles(work, 2, n);
    double *const to[N_PARTS] = {
        bar->w.k1,   bar->w.k2, bar->w.k3,   bar->w.tail,   bar->e.k1,     bar->e.k2, bar->e.k3,
        bar->e.tail, bar->bend, z_bar->core, z_bar->metric, bar->q,        z_bar->y,  bar->t.k1,
        bar->t.k2,   bar->t.k3, bar->t.tail, job.totals,    job.totals + n};
    memcpy(job.to, to, sizeof to);
    if (rk_work_charge(work, (newborn ? flops[terms] : 100) * (uint64_t)n * n)) {
        memset(job.totals, 0, 2 * n * sizeof *job.totals);
        take_diagonal(n, C_bar, bar->var);
        rk_pool_run(work->pool, n_blocks, pairs_back_rows, &job);
        rk_sweep(work->pool, n, n, mirror_rows, &job);
        *z_bar->core_scale += rk_sum(n, job.totals);
        if (z_bar->followed22) *z_bar->followed22 += rk_sum(n, job.totals + n);
        if (newborn) newborn_back(n, z, neurons, newborn, bar, z_bar);
    }
    for (size_t k = 0; k < N_BOTH; k++)
        rk_tally_add(work, &job.tally, k * n, n, to[k]);
    rk_work_release(work, mark);
}
