#include "propagate/third_activation.h"

#include "base/simd.h"
#include "base/sum.h"

#include <string.h>

enum { MAX_P = 4, ROWS = 16 };

rk_neurons rk_neurons_take(rk_work *work, size_t width) {
    return (rk_neurons){
        .wick = rk_work_doubles(work, width, (RK_NEURONS_MAX_K + 1) * MAX_P),
        .m = rk_work_doubles(work, width, 1),
        .var = rk_work_doubles(work, width, 1),
        .k3 = rk_work_doubles(work, width, 1),
        .k4 = rk_work_doubles(work, width, 1),
        .w1 = rk_work_doubles(work, width, 1),
        .w2 = rk_work_doubles(work, width, 1),
        .e = rk_work_doubles(work, width, 1),
        .f = rk_work_doubles(work, width, 1),
        .row = rk_work_doubles(work, width, 1),
        .zeros = rk_work_doubles(work, width, 1),
        .D12 = rk_work_doubles(work, width, width),
    };
}

void rk_neurons_step(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                     const double *var, const rk_slices *z, bool pairs, rk_neurons *neurons) {
    int max_p = pairs ? MAX_P : 2;
    rk_wick_step(work, activation, n, mu, var, RK_NEURONS_MAX_K, max_p, neurons->wick);
    if (!rk_work_charge(work, (pairs ? 40 : 10) * (uint64_t)n)) return;
    for (size_t i = 0; i < n; i++) {
        double w[RK_NEURONS_MAX_K + 1][MAX_P + 1], moment[MAX_P + 1] = {1};
        double d3 = z->d3[i], d4 = *z->kappa4 * z->diagonal[i] * z->diagonal[i];
        for (int p = 1; p <= max_p; p++) {
            for (int k = 0; k <= RK_NEURONS_MAX_K; k++)
                w[k][p] = neurons->wick[rk_wick_at(n, RK_NEURONS_MAX_K, k, p) + i];
            moment[p] = w[0][p] + d3 / 6 * w[3][p] + d4 / 24 * w[4][p];
        }
        double m = moment[1];
        neurons->m[i] = m;
        double m2 = m * m;
        neurons->var[i] = moment[2] - m2;
        if (!pairs) continue;
        neurons->k3[i] = moment[3] - 3 * moment[2] * m + 2 * m2 * m;
        neurons->k4[i] = moment[4] - 4 * moment[3] * m - 3 * moment[2] * moment[2] +
                         12 * moment[2] * m2 - 6 * m2 * m2;
        neurons->w1[i] = w[1][1];
        neurons->w2[i] = w[2][1];
        neurons->e[i] = w[1][2] - 2 * m * w[1][1];
        neurons->f[i] = w[2][2] - 2 * m * w[2][1];
        neurons->zeros[i] = 0;
    }
}

typedef struct pairs {
    size_t n;
    const rk_slices *z;
    const rk_neurons *neurons;
    double *C;
    const rk_legs *born;
} pairs;

static size_t n_blocks(size_t n) {
    return (n + ROWS - 1) / ROWS;
}

/* Rows of D12 = columns of D. */
static void transpose_rows(void *context, size_t block) {
    const pairs *job = context;
    size_t n = job->n, first = block * ROWS, count = n - first < ROWS ? n - first : ROWS;
    double buffer[ROWS];
    for (size_t j = 0; j < n; j++) {
        const double *D = rk_legs_read(&job->z->D, j, first, count, buffer);
        for (size_t i = 0; i < count; i++)
            job->neurons->D12[(first + i) * n + j] = D[i];
    }
}

/* One neuron i against a chunk of others j; the entry j = i is put right by the caller. */
typedef struct pair_chunk {
    size_t count;
    const double *D21, *D12, *metric;                /* kappa_iij, kappa_ijj, metric_ij */
    const double *diagonal, *w1, *w2, *e, *f;        /* of j */
    double diagonal_i, w1_i, w2_i, e_i, f_i, kappa4; /* of i */
    double *C;                                       /* in: of z; out: of phi(z) */
    double *a, *z, *k22;                             /* out, or NULL */
} pair_chunk;

/* H_ij stands for the two diagrams that have (2, 2) at (i, j): kappa_iijj / 4 and C_ij^2 / 2. */
RK_HOT_PART double double_edge(double kappa4, double M_ii, double M_jj, double M_ij, double C) {
    return kappa4 / 12 * (M_ii * M_jj + 2 * M_ij * M_ij) + 0.5 * C * C;
}

RK_HOT_PART void covariance_chunk(const pair_chunk *x) {
    const double *D21 = x->D21, *D12 = x->D12, *M = x->metric;
    const double *diagonal = x->diagonal, *w1 = x->w1, *w2 = x->w2;
    double *C = x->C;
    RK_INDEPENDENT
    for (size_t j = 0; j < x->count; j++) {
        double H = double_edge(x->kappa4, x->diagonal_i, diagonal[j], M[j], C[j]);
        C[j] = (x->w1_i * C[j] + 0.5 * x->w2_i * D21[j]) * w1[j] +
               (0.5 * x->w1_i * D12[j] + x->w2_i * H) * w2[j];
    }
}

/* kappa_iijj of phi(z), and the newborn's a and z: 3 (kappa_rri - what p, a, s, e and the older
 * sources already say of it). */
RK_HOT_PART void birth_chunk(const pair_chunk *x) {
    const double *D21 = x->D21, *D12 = x->D12, *M = x->metric;
    const double *diagonal = x->diagonal, *w1 = x->w1, *w2 = x->w2;
    const double *e = x->e, *f = x->f;
    const double *C = x->C;
    double *a = x->a, *z = x->z, *k22 = x->k22;
    RK_INDEPENDENT
    for (size_t j = 0; j < x->count; j++) {
        double H = double_edge(x->kappa4, x->diagonal_i, diagonal[j], M[j], C[j]);
        double k11 = (x->w1_i * C[j] + 0.5 * x->w2_i * D21[j]) * w1[j] +
                     (0.5 * x->w1_i * D12[j] + x->w2_i * H) * w2[j];
        k22[j] = (x->e_i * C[j] + 0.5 * x->f_i * D21[j]) * e[j] +
                 (0.5 * x->e_i * D12[j] + x->f_i * H) * f[j] - 2 * k11 * k11;
        a[j] = x->w1_i * C[j];
        z[j] = 3 * (x->w1_i * D12[j] * (0.5 * f[j] - w1[j] * w1[j]) +
                    x->w2_i * (0.5 * D21[j] * e[j] + H * f[j] - w1[j] * w1[j] * C[j] * C[j]));
    }
}

RK_HOT static void pair_rows(void *context, size_t block) {
    const pairs *job = context;
    const rk_neurons *neurons = job->neurons;
    const rk_slices *slices = job->z;
    enum { CHUNK = 256 };
    double D21[CHUNK], a[CHUNK], z[CHUNK], k22[CHUNK];
    size_t n = job->n, first = block * ROWS, last = n - first < ROWS ? n : first + ROWS;
    for (size_t i = first; i < last; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j += CHUNK) {
            pair_chunk x = {
                .count = n - j < CHUNK ? n - j : CHUNK,
                .D12 = slices->has_D ? neurons->D12 + i * n + j : neurons->zeros,
                .metric = slices->metric ? slices->metric + i * n + j : neurons->zeros,
                .diagonal = slices->diagonal + j,
                .w1 = neurons->w1 + j,
                .w2 = neurons->w2 + j,
                .e = neurons->e + j,
                .f = neurons->f + j,
                .diagonal_i = slices->diagonal[i],
                .w1_i = neurons->w1[i],
                .w2_i = neurons->w2[i],
                .e_i = neurons->e[i],
                .f_i = neurons->f[i],
                .kappa4 = *slices->kappa4,
                .C = job->C + i * n + j,
                .a = a,
                .z = z,
                .k22 = k22,
            };
            x.D21 = slices->has_D ? rk_legs_read(&slices->D, i, j, x.count, D21) : neurons->zeros;
            if (job->born) {
                birth_chunk(&x);
                if (j <= i && i < j + x.count) a[i - j] = z[i - j] = k22[i - j] = 0;
                rk_legs_write(job->born, i, j, x.count, a);
                rk_legs_write(job->born, i, n + j, x.count, z);
                sum += rk_sum(x.count, k22);
            }
            covariance_chunk(&x);
        }
        job->C[i * n + i] = neurons->var[i];
        neurons->row[i] = sum;
    }
}

void rk_pairs_step(rk_work *work, size_t n, rk_slices *z, rk_neurons *neurons, double *C,
                   const rk_legs *born, rk_source *source) {
    if (!rk_work_charge(work, (born ? 56 : 16) * (uint64_t)n * n)) return;
    pairs job = {n, z, neurons, C, born};
    if (z->has_D) rk_pool_run(work->pool, n_blocks(n), transpose_rows, &job);
    rk_pool_run(work->pool, n_blocks(n), pair_rows, &job);
    if (!born) return;
    size_t bytes = n * sizeof(double);
    memcpy(source->w2, neurons->w2, bytes);
    memcpy(source->e, neurons->e, bytes);
    for (size_t i = 0; i < n; i++) {
        double w1 = neurons->w1[i];
        source->s[i] = neurons->k3[i] - w1 * w1 * w1 * z->d3[i];
    }
    double trace = rk_sum(n, neurons->k4) + rk_sum(n, neurons->row);
    *z->kappa4 = 3 * trace / ((double)n * ((double)n + 2));
}
