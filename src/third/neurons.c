#include "third/neurons.h"

#include "base/sum.h"

#include <math.h>
#include <string.h>

enum { MAX_K = RK_NEURONS_MAX_K, MAX_P = 4, ROWS = 16, CHUNK = 256 };

static rk_ends take_ends(rk_work *work, size_t width) {
    return (rk_ends){rk_work_doubles(work, width, 1), rk_work_doubles(work, width, 1),
                     rk_work_doubles(work, width, 1), rk_work_doubles(work, width, 1)};
}

rk_neurons rk_neurons_take(rk_work *work, size_t width, bool pair_cumulants) {
    return (rk_neurons){
        .wick = rk_work_doubles(work, width, (MAX_K + 1) * MAX_P),
        .centre = rk_work_doubles(work, width, 1),
        .m = rk_work_doubles(work, width, 1),
        .var = rk_work_doubles(work, width, 1),
        .k3 = rk_work_doubles(work, width, 1),
        .k4 = rk_work_doubles(work, width, 1),
        .w = take_ends(work, width),
        .e = take_ends(work, width),
        .t = take_ends(work, width),
        .bend = rk_work_doubles(work, width, 1),
        .zeros = rk_work_doubles(work, width, 1),
        .D12 = rk_work_doubles(work, width, width),
        .K13 = pair_cumulants ? rk_work_doubles(work, width, width) : NULL,
        .q = rk_work_doubles(work, width, 1),
        .k22 = rk_work_doubles(work, width, 1),
        .k21_q = rk_work_doubles(work, width, 1),
    };
}

/* From the coefficients of k = 1 .. 5 legs and the neuron's own cumulants. */
static void set_ends(const rk_ends *ends, size_t i, const double *k, double d3, double d4) {
    ends->k1[i] = k[1];
    ends->k2[i] = k[2];
    ends->k3[i] = k[3];
    ends->tail[i] = k[4] * d3 / 6 + k[5] * d4 / 24;
}

rk_bounds rk_neurons_bounds(double var, double typical) {
    static const double next_to_nothing = 1e-4, most_skewed = 10, most_peaked = 100;
    if (!(var < next_to_nothing * typical)) return (rk_bounds){INFINITY, INFINITY};
    return (rk_bounds){most_skewed * var * sqrt(var), most_peaked * var * var};
}

void rk_neurons_step(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                     double *var, const rk_slices *z, bool pairs, rk_neurons *neurons) {
    int max_p = pairs ? MAX_P : 2;
    rk_wick_step(work, activation, n, mu, var, MAX_K, max_p, neurons->centre, neurons->wick);
    if (!rk_work_charge(work, (pairs ? 60 : 12) * (uint64_t)n)) return;
    double square = 0, typical = rk_sum(n, var) / (double)n;
    for (size_t i = 0; i < n; i++) {
        double w[MAX_K + 1][MAX_P + 1], moment[MAX_P + 1] = {1};
        const rk_bounds most = rk_neurons_bounds(var[i], typical);
        const double d3 = rk_within(most.skewed, z->d3[i]);
        const double d4 = rk_within(most.peaked, rk_slices_k4(z, i));
        for (int p = 1; p <= max_p; p++) {
            for (int k = 0; k <= MAX_K; k++)
                w[k][p] = neurons->wick[rk_wick_at(n, MAX_K, k, p) + i];
            moment[p] = w[0][p] + d3 / 6 * w[3][p] + d4 / 24 * w[4][p];
        }
        double m = moment[1], m2 = m * m;
        neurons->m[i] = neurons->centre[i] + m;
        neurons->var[i] = moment[2] - m2;
        if (!pairs) continue;
        square += neurons->m[i] * neurons->m[i];
        neurons->k3[i] = moment[3] - 3 * moment[2] * m + 2 * m2 * m;
        neurons->k4[i] = moment[4] - 4 * moment[3] * m - 3 * moment[2] * moment[2] +
                         12 * moment[2] * m2 - 6 * m2 * m2;
        double one[MAX_K + 1], two[MAX_K + 1], three[MAX_K + 1];
        for (int k = 0; k <= MAX_K; k++) {
            one[k] = w[k][1];
            two[k] = w[k][2] - 2 * m * w[k][1];
            three[k] = w[k][3] - 3 * m * w[k][2] + (6 * m2 - 3 * moment[2]) * w[k][1];
        }
        set_ends(&neurons->w, i, one, d3, d4);
        set_ends(&neurons->e, i, two, d3, d4);
        set_ends(&neurons->t, i, three, d3, d4);
        neurons->bend[i] = one[2] != 0 ? one[3] / one[2] : 0;
        neurons->zeros[i] = 0;
    }
    for (size_t i = 0; pairs && i < n; i++)
        neurons->q[i] = square > 0 ? neurons->m[i] / square : 0;
}

typedef struct pairs {
    size_t n;
    const rk_slices *z;
    rk_pair_terms terms;
    const rk_neurons *neurons;
    double *C;
    const rk_legs *a, *residual; /* NULL: no newborn */
    size_t heard, bent;          /* the rows and columns that these have */
    const rk_pair_cumulants *fourth;
} pairs;

static void transpose(size_t n, const rk_legs *from, size_t first, size_t count, double *to) {
    double buffer[ROWS];
    for (size_t j = 0; j < n; j++) {
        const double *x = rk_legs_read(from, j, first, count, buffer);
        for (size_t i = 0; i < count; i++)
            to[(first + i) * n + j] = x[i];
    }
}

static void transpose_rows(void *context, size_t block) {
    const pairs *job = context;
    size_t n = job->n, first = block * ROWS, count = n - first < ROWS ? n - first : ROWS;
    transpose(n, &job->z->D, first, count, job->neurons->D12);
    if (job->z->has_K31) transpose(n, &job->z->K31, first, count, job->neurons->K13);
}

/* One neuron i against a stretch of others j; the entry j = i is put right by the caller. */
typedef struct stretch {
    size_t count;
    const double *D21, *D12, *M;         /* kappa_iij, kappa_ijj, metric_ij */
    const double *K31, *K13;             /* kappa_iiij, kappa_ijjj */
    const double *metric, *core, *q, *y; /* of j */
    rk_ends w, e;                        /* of j */
    const double *bend;
    double metric_i, core_i, core_scale, coherence, followed22, followed31;
    rk_end w_i, e_i, t_i;
    double bend_i;
    double *C;                           /* in: of z; out: of phi(z) */
    double *a, *residual, *k22, *k21_q;  /* out, if newborn */
    double *left22, *left31, *tree_edge; /* out, too: a rk_pair_cumulants */
} stretch;

RK_HOT_PART void pair_stretch(const stretch *x, bool newborn, rk_pair_terms terms) {
    const double *D21 = x->D21, *D12 = x->D12, *M = x->M;
    const double *K31 = x->K31, *K13 = x->K13;
    const double *metric = x->metric, *core = x->core, *q = x->q, *y = x->y;
    const double *w1 = x->w.k1, *w2 = x->w.k2, *w3 = x->w.k3, *wt = x->w.tail;
    const double *e1 = x->e.k1, *e2 = x->e.k2, *e3 = x->e.k3, *et = x->e.tail, *bend = x->bend;
    double core_i = x->core_i, metric_i = x->metric_i, scale = x->core_scale;
    double bend_i = x->bend_i, sixth = 1. / 6 * x->coherence;
    rk_end w_i = x->w_i, e_i = x->e_i, t_i = x->t_i;
    double *C = x->C, *a = x->a, *residual = x->residual;
    double *k22 = x->k22, *k21_q = x->k21_q;
    double *left22 = x->left22, *left31 = x->left31, *tree_edge = x->tree_edge;
    double centre_i = e_i.k2 - 2 * w_i.k1 * w_i.k1;
    double followed22 = 4 * x->followed22, followed31 = 6 * x->followed31;
    RK_INDEPENDENT
    for (size_t j = 0; j < x->count; j++) {
        double c = C[j];
        rk_links ij = {.xy = c, .xxy = D21[j], .xyy = D12[j]};
        ij.xxyy = 1. / 24 * (core_i * metric[j] + core[j] * metric_i + 4 * scale * M[j] * M[j]);
        if (terms == RK_PAIRS_FOURTH) {
            ij.xxxy = 1. / 6 * K31[j];
            ij.xyyy = 1. / 6 * K13[j];
        } else {
            ij.xxxy = ij.xyyy = sixth * c;
        }
        rk_end w_j = {w1[j], w2[j], w3[j], wt[j]};
        double k11 = rk_connect(terms, ij, w_i, w_j);
        C[j] = k11;
        if (!newborn) continue;
        rk_end e_j = {e1[j], e2[j], e3[j], et[j]};
        k21_q[j] = rk_connect(terms, ij, e_i, w_j) * q[j];
        k22[j] = rk_connect(terms, ij, e_i, e_j) - 2 * k11 * k11;
        a[j] = rk_edge(terms, ij, w_i, bend[j]);
        rk_links ji = {.xy = c, .xxy = D12[j], .xyy = D21[j]};
        double a_ji = rk_edge(terms, ji, w_j, bend_i);
        /* 3 (kappa_ijj - what p, a, e, the older sources and the new C already say of it) */
        double C_gains = k11 - w_i.k1 * w_j.k1 * c;
        residual[j] = 3 * (rk_connect(terms, ij, w_i, e_j) - e_j.k1 * a[j] -
                           w_i.k1 * w_j.k1 * w_j.k1 * D12[j] - w_i.k2 * a_ji * a_ji) -
                      2 * C_gains * w_j.k1 * y[j];
        if (terms != RK_PAIRS_FOURTH) continue;
        double centre_j = e_j.k2 - 2 * w_j.k1 * w_j.k1;
        tree_edge[j] = c * w_j.k2;
        left22[j] = k22[j] - centre_i * a_ji * a_ji - centre_j * a[j] * a[j] -
                    e_i.k1 * w_j.k1 * w_j.k1 * D12[j] - e_j.k1 * w_i.k1 * w_i.k1 * D21[j] -
                    4 * w_i.k2 * tree_edge[j] * a[j] * a_ji -
                    w_i.k1 * w_i.k1 * w_j.k1 * w_j.k1 * followed22 * ij.xxyy;
        left31[j] = rk_connect(terms, ij, t_i, w_j) - 3 * e_i.k1 * tree_edge[j] * a[j] -
                    3 * e_i.k1 * w_i.k1 * w_j.k1 * D21[j] - w_j.k3 * a[j] * a[j] * a[j] -
                    w_i.k1 * w_i.k1 * w_i.k1 * w_j.k1 * followed31 * ij.xxxy;
    }
}

static void write_fourth(const pairs *job, size_t i, const stretch *x, size_t j) {
    if (i >= job->bent) return;
    if (j <= i && i < j + x->count) x->left22[i - j] = x->left31[i - j] = x->tree_edge[i - j] = 0;
    size_t heard = rk_legs_within(job->heard, j, x->count);
    size_t bent = rk_legs_within(job->bent, j, x->count);
    double *sum = &job->fourth->k22_sum[i];
    *sum = (j > 0 ? *sum : 0) + rk_sum(bent, x->left22);
    if (!job->fourth->each) return;
    rk_legs_write(&job->fourth->k22, i, j, bent, x->left22);
    rk_legs_write(&job->fourth->k31, i, j, heard, x->left31);
    rk_legs_write(&job->fourth->edge, i, j, bent, x->tree_edge);
}

RK_HOT static void pair_rows(void *context, size_t block) {
    const pairs *job = context;
    const rk_neurons *neurons = job->neurons;
    const rk_slices *z = job->z;
    const double *none = neurons->zeros;
    double D21[CHUNK], K31[CHUNK], a[CHUNK], residual[CHUNK], k22[CHUNK], k21_q[CHUNK];
    double left22[CHUNK], left31[CHUNK], tree_edge[CHUNK];
    size_t n = job->n, first = block * ROWS, last = n - first < ROWS ? n : first + ROWS;
    for (size_t i = first; i < last; i++) {
        neurons->k22[i] = neurons->k21_q[i] = 0;
        for (size_t j = 0; j < n; j += CHUNK) {
            size_t at = i * n + j, count = n - j < CHUNK ? n - j : CHUNK;
            stretch x = {
                .count = count,
                .D21 = z->has_D ? rk_legs_read(&z->D, i, j, count, D21) : none,
                .D12 = z->has_D ? neurons->D12 + at : none,
                .M = z->M ? z->M + at : none,
                .K31 = z->has_K31 ? rk_legs_read(&z->K31, i, j, count, K31) : none,
                .K13 = z->has_K31 ? neurons->K13 + at : none,
                .metric = z->metric + j,
                .core = z->core + j,
                .q = neurons->q + j,
                .y = z->y + j,
                .w = rk_ends_from(&neurons->w, j),
                .e = rk_ends_from(&neurons->e, j),
                .bend = neurons->bend + j,
                .metric_i = z->metric[i],
                .core_i = z->core[i],
                .core_scale = *z->core_scale,
                .coherence = *z->coherence,
                .followed22 = z->followed22,
                .followed31 = z->followed31,
                .w_i = rk_end_at(&neurons->w, i),
                .e_i = rk_end_at(&neurons->e, i),
                .t_i = rk_end_at(&neurons->t, i),
                .bend_i = neurons->bend[i],
                .C = job->C + at,
                .a = a,
                .residual = residual,
                .k22 = k22,
                .k21_q = k21_q,
                .left22 = left22,
                .left31 = left31,
                .tree_edge = tree_edge,
            };
            bool newborn = job->a != NULL;
            if (job->terms == RK_PAIRS_FOURTH)
                pair_stretch(&x, newborn, RK_PAIRS_FOURTH);
            else if (job->terms == RK_PAIRS_REGENERATED)
                pair_stretch(&x, newborn, RK_PAIRS_REGENERATED);
            else if (job->terms == RK_PAIRS_AUGMENTED)
                pair_stretch(&x, newborn, RK_PAIRS_AUGMENTED);
            else
                pair_stretch(&x, newborn, RK_PAIRS_SIMPLE);
            if (!newborn) continue;
            if (j <= i && i < j + count) a[i - j] = residual[i - j] = k22[i - j] = k21_q[i - j] = 0;
            size_t kept = rk_legs_within(job->bent, j, count);
            if (i < job->heard && kept) {
                rk_legs_write(job->a, i, j, kept, a);
                rk_legs_write(job->residual, i, j, kept, residual);
            }
            if (job->fourth) write_fourth(job, i, &x, j);
            neurons->k22[i] += rk_sum(count, k22);
            neurons->k21_q[i] += rk_sum(count, k21_q);
        }
        job->C[i * n + i] = neurons->var[i];
    }
}

void rk_pairs_step(rk_work *work, size_t n, const rk_slices *z, rk_pair_terms terms,
                   rk_neurons *neurons, double *C, size_t heard, const rk_source *newborn,
                   const rk_legs *a, const rk_legs *residual, const rk_pair_cumulants *fourth) {
    static const uint64_t flops[] = {100, 150, 170, 200};
    if (!rk_work_charge(work, (newborn ? flops[terms] : 30) * (uint64_t)n * n)) return;
    size_t bent = newborn ? newborn->width : 0;
    pairs job = {n, z, terms, neurons, C, newborn ? a : NULL, residual, heard, bent, fourth};
    if (z->has_D) rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), transpose_rows, &job);
    rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), pair_rows, &job);
    if (!newborn) return;
    size_t bytes = bent * sizeof(double);
    memcpy(newborn->w2, neurons->w.k2, bytes);
    memcpy(newborn->e, neurons->e.k1, bytes);
    for (size_t i = 0; i < bent; i++) {
        double w1 = neurons->w.k1[i];
        newborn->s[i] = neurons->k3[i] - w1 * w1 * w1 * z->d3[i];
    }
}
