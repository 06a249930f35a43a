#include "gradient/rows.h"

#include "base/sweep.h"

typedef struct sum {
    size_t rows, cols;
    const double *from;
    double *to;
} sum;

static void sum_columns(void *context, size_t first, size_t last) {
    const sum *s = context;
    for (size_t r = 0; r < s->rows; r++)
        for (size_t i = first; i < last; i++)
            s->to[i] += s->from[r * s->cols + i];
}

void rk_rows_sum(rk_work *work, size_t rows, size_t cols, const double *from, double *to) {
    if (!rk_work_charge(work, (uint64_t)rows * cols)) return;
    sum s = {rows, cols, from, to};
    rk_sweep(work->pool, cols, rows, sum_columns, &s);
}

static void add_rows(void *context, size_t first, size_t last) {
    const sum *s = context;
    for (size_t i = first * s->cols; i < last * s->cols; i++)
        s->to[i] += s->from[i];
}

void rk_rows_add(rk_work *work, size_t rows, size_t cols, const double *from, double *to) {
    if (!rk_work_charge(work, (uint64_t)rows * cols)) return;
    sum s = {rows, cols, from, to};
    rk_sweep(work->pool, rows, cols, add_rows, &s);
}
