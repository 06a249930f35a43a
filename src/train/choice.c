#include "train/choice.h"

#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Of a neuron's own second moment: less is rounding. */
static const double NOTHING = 1e-9;

/* R = M - U'U is what the chosen neurons leave. Of it only RN is kept, its diagonal, and
 * score_j = (R N R)_jj; the rest follows. */
typedef struct choice {
    size_t n, n_chosen;
    const double *M;
    double *U;            /* count x n */
    double *RN;           /* n x n; rows of chosen neurons are not up to date */
    double *score, *own;  /* n; (M_jj) */
    double *left;         /* n: R_jj; 0: chosen */
    double *u, *w;        /* n: row of the pivot in R and RN */
    double pivot, square; /* u_p, w . u */
} choice;

static void score_rows(void *context, size_t first, size_t last) {
    const choice *c = context;
    for (size_t j = first; j < last; j++)
        c->score[j] = rk_dot(c->n, c->RN + j * c->n, c->M + j * c->n);
}

/* R -= u u' / u_p, and what follows. */
static void choose_rows(void *context, size_t first, size_t last) {
    const choice *c = context;
    for (size_t j = first; j < last; j++) {
        if (c->left[j] == 0) continue;
        double *RN = c->RN + j * c->n;
        const double f = c->u[j] / c->pivot, q = rk_dot(c->n, RN, c->u);
        for (size_t k = 0; k < c->n; k++)
            RN[k] -= f * c->w[k];
        c->score[j] -= f * (2 * q - f * c->square);
        c->left[j] = fmax(0, c->left[j] - f * c->u[j]);
    }
}

static size_t best(const choice *c) {
    size_t pivot = SIZE_MAX;
    double most = 0;
    for (size_t j = 0; j < c->n; j++) {
        if (!(c->left[j] > NOTHING * c->own[j])) continue;
        const double gain = c->score[j] / c->left[j];
        if (pivot == SIZE_MAX || gain > most) {
            pivot = j;
            most = gain;
        }
    }
    return pivot;
}

static void take_out(rk_pool *pool, choice *c, size_t pivot) {
    const size_t n = c->n;
    memcpy(c->u, c->M + pivot * n, n * sizeof *c->u);
    for (size_t k = 0; k < c->n_chosen; k++)
        for (size_t j = 0; j < n; j++)
            c->u[j] -= c->U[k * n + pivot] * c->U[k * n + j];
    memcpy(c->w, c->RN + pivot * n, n * sizeof *c->w);
    c->pivot = c->left[pivot];
    c->square = rk_dot(n, c->w, c->u);
    c->left[pivot] = 0;
    rk_sweep(pool, n, 2 * n, choose_rows, c);
    for (size_t j = 0; j < n; j++)
        c->U[c->n_chosen * n + j] = c->u[j] / sqrt(c->pivot);
    c->n_chosen++;
}

static void choose(rk_pool *pool, choice *c, size_t count, size_t *picks) {
    for (size_t j = 0; j < c->n; j++)
        c->left[j] = c->own[j] = c->M[j * (c->n + 1)];
    rk_sweep(pool, c->n, c->n, score_rows, c);
    for (size_t k = 0; k < count; k++) {
        picks[k] = best(c);
        if (picks[k] != SIZE_MAX) take_out(pool, c, picks[k]);
    }
}

void rk_choose_pivots(rk_work *work, size_t n, const double *M, const double *N, size_t count,
                      size_t *picks) {
    const size_t mark = rk_work_mark(work), most = count < n ? count : n;
    double *vectors = rk_work_doubles(work, n, 5);
    choice c = {.n = n,
                .M = M,
                .U = rk_work_doubles(work, most, n),
                .RN = rk_work_doubles(work, n, n),
                .score = vectors,
                .own = vectors + n,
                .left = vectors + 2 * n,
                .u = vectors + 3 * n,
                .w = vectors + 4 * n};
    rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, n, n, n, 1, M, n, N, n, 0, c.RN, n);
    /* 2 n^2 for the scores; then rows that are left, and rows of U */
    const uint64_t rows = (uint64_t)most * (2 * n - most + 1) / 2;
    if (rk_work_charge(work, 2 * (uint64_t)n * n + 4 * rows * n + (uint64_t)most * most * n))
        choose(work->pool, &c, count, picks);
    rk_work_release(work, mark);
}
