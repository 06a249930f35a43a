#include "third/newborn_fourth_back.h"

#include "base/sum.h"
#include "base/sweep.h"
#include "third/tally.h"

enum { ROWS = 16 };

void rk_followed_fourth_keep_back(rk_work *work, size_t n, const rk_slices *z,
                                  const rk_neurons *neurons, const double *kept_bar,
                                  rk_neurons *neurons_bar, const rk_slices_bar *z_bar) {
    if (!rk_work_charge(work, 30 * (uint64_t)n)) return;
    double core = 0, metric = 0, both = 0, k4 = 0;
    for (size_t i = 0; i < n; i++) {
        double square = neurons->w.k1[i] * neurons->w.k1[i];
        core += square * z->core[i];
        metric += square * z->metric[i];
        both += square * square * z->core[i] * z->metric[i];
        k4 += square * square * z->k4[i];
    }
    double total = rk_sum(n, neurons->k4) + rk_sum(n, neurons->k22);
    double old = k4 + 1. / 3 * (core * metric - both);
    if (!(total > 0 && old > 0 && old < total)) return; /* bounded */
    double old_bar = *kept_bar / total, total_bar = -*kept_bar * old / (total * total);
    for (size_t i = 0; i < n; i++) {
        double w1 = neurons->w.k1[i], square = w1 * w1, C = z->core[i], M = z->metric[i];
        neurons_bar->k4[i] += total_bar;
        neurons_bar->k22[i] += total_bar;
        z_bar->k4[i] += old_bar * square * square;
        z_bar->core[i] += 1. / 3 * old_bar * square * (metric - square * M);
        z_bar->metric[i] += 1. / 3 * old_bar * square * (core - square * C);
        neurons_bar->w.k1[i] +=
            2 * w1 * old_bar *
            (2 * square * z->k4[i] + 1. / 3 * (C * metric + M * core - 2 * square * C * M));
    }
}

typedef struct joining {
    size_t n, heard;
    const double *H, *w1, *G_bar;
    double *H_bar, *w1_bar;
} joining;

static void join_back_columns(void *context, size_t first, size_t last) {
    const joining *x = context;
    for (size_t i = 0; i < x->n; i++)
        for (size_t j = first; j < last; j++) {
            size_t at = i * x->heard + j;
            x->H_bar[at] += x->G_bar[at] * x->w1[j];
            x->w1_bar[j] += x->G_bar[at] * x->H[at];
        }
}

void rk_followed_fourth_join_back(rk_work *work, size_t n, size_t heard, const double *H,
                                  const double *w1, const double *G_bar, double *H_bar,
                                  double *w1_bar) {
    joining x = {n, heard, H, w1, G_bar, H_bar, w1_bar};
    if (rk_work_charge(work, 4 * (uint64_t)n * heard))
        rk_sweep(work->pool, heard, n, join_back_columns, &x);
}

typedef struct ageing {
    size_t n, width;
    const rk_legs *p, *p_bar;
    const double *c, *var_bar;
    rk_tally tally;
} ageing;

static void age_back_rows(void *context, size_t block) {
    const ageing *x = context;
    double *c_bar = rk_tally_open(&x->tally, block);
    size_t first = block * ROWS, last = x->n - first < ROWS ? x->n : first + ROWS;
    for (size_t i = first; i < last; i++) {
        const double *p = x->p->d + i * x->p->stride;
        double *p_bar = x->p_bar->d + i * x->p_bar->stride;
        for (size_t r = 0; r < x->width; r++) {
            c_bar[r] -= p[r] * p[r] * x->var_bar[i];
            p_bar[r] -= 2 * p[r] * x->c[r] * x->var_bar[i];
        }
    }
}

void rk_followed_fourth_age_back(rk_work *work, size_t n, size_t width, const rk_legs *p,
                                 const double *c, const double *var_bar, const rk_legs *p_bar,
                                 double *c_bar) {
    const size_t mark = rk_work_mark(work), n_blocks = rk_pool_blocks(n, ROWS);
    ageing x = {n, width, p, p_bar, c, var_bar, rk_tally_take(work, n_blocks, width)};
    if (rk_work_charge(work, 6 * (uint64_t)n * width))
        rk_pool_run(work->pool, n_blocks, age_back_rows, &x);
    rk_tally_add(work, &x.tally, 0, width, c_bar);
    rk_work_release(work, mark);
}
