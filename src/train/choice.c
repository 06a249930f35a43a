#include "train/choice.h"

#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"

#include <math.h>
#include <stdint.h>

/* Of a neuron's own second moment: less is rounding. */
static const double NOTHING = 1e-9;

typedef struct choice {
    size_t n, pivot; /* SIZE_MAX: none yet */
    double *R, *RN;  /* what is left of M; times N */
    double *score;   /* sum_i (RN)_ji R_ji */
    const double *R_pivot, *RN_pivot;
} choice;

/* R -= R_p R_p' / R_pp, and what follows. The pivot's own row comes last, for the others read it.
 */
static void choose_row(const choice *c, size_t i) {
    double *R = c->R + i * c->n, *RN = c->RN + i * c->n;
    if (c->pivot != SIZE_MAX) {
        const double f = R[c->pivot] / c->R_pivot[c->pivot];
        for (size_t k = 0; k < c->n; k++) {
            R[k] -= f * c->R_pivot[k];
            RN[k] -= f * c->RN_pivot[k];
        }
    }
    c->score[i] = rk_dot(c->n, R, RN);
}

static void choose_rows(void *context, size_t first, size_t last) {
    const choice *c = context;
    for (size_t i = first; i < last; i++)
        if (i != c->pivot) choose_row(c, i);
}

static void sweep(rk_pool *pool, choice *c, size_t pivot) {
    c->pivot = pivot;
    if (pivot != SIZE_MAX) {
        c->R_pivot = c->R + pivot * c->n;
        c->RN_pivot = c->RN + pivot * c->n;
    }
    rk_sweep(pool, c->n, 2 * c->n, choose_rows, c);
    if (pivot != SIZE_MAX) choose_row(c, pivot);
}

static size_t best(const choice *c, const double *own) {
    size_t pivot = SIZE_MAX;
    double most = 0;
    for (size_t j = 0; j < c->n; j++) {
        const double left = c->R[j * (c->n + 1)];
        if (!(left > NOTHING * own[j])) continue;
        const double gain = c->score[j] / left;
        if (pivot == SIZE_MAX || gain > most) {
            pivot = j;
            most = gain;
        }
    }
    return pivot;
}

void rk_choose_pivots(rk_work *work, size_t n, double *M, const double *N, size_t count,
                      double *scratch, size_t *picks) {
    const size_t mark = rk_work_mark(work);
    double *own = rk_work_doubles(work, n, 2);
    choice c = {.n = n, .pivot = SIZE_MAX, .R = M, .RN = scratch, .score = own + n};
    rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, n, n, n, 1, M, n, N, n, 0, scratch, n);
    if (rk_work_charge(work, 6 * (uint64_t)n * n * count)) {
        for (size_t j = 0; j < n; j++)
            own[j] = M[j * (n + 1)];
        sweep(work->pool, &c, SIZE_MAX);
        for (size_t k = 0; k < count; k++) {
            picks[k] = best(&c, own);
            if (picks[k] != SIZE_MAX) sweep(work->pool, &c, picks[k]);
        }
    }
    rk_work_release(work, mark);
}
