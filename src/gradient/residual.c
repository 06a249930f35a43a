#include "gradient/residual.h"

#include "base/sweep.h"

#include <math.h>

/* Of one row; ybar may be NULL. */
typedef double row_loss(size_t n, const double *y, const double *value, size_t label, double weight,
                        double *ybar);

static double squared(size_t n, const double *y, const double *value, size_t label, double weight,
                      double *ybar) {
    (void)label;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = y[i] - value[i];
        sum += d * d;
        if (ybar) ybar[i] = 2 * weight * d;
    }
    return sum;
}

/* About the largest, so that no exponential is too large. */
static double cross_entropy(size_t n, const double *y, const double *value, size_t label,
                            double weight, double *ybar) {
    (void)value;
    double largest = y[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        largest = fmax(largest, y[i]);
    for (size_t i = 0; i < n; i++)
        sum += exp(y[i] - largest);
    for (size_t i = 0; ybar && i < n; i++)
        ybar[i] = weight * (exp(y[i] - largest) / sum - (i == label));
    return log(sum) - (y[label] - largest);
}

static row_loss *const losses[] = {
    [RK_RESIDUAL_SQUARED] = squared,
    [RK_RESIDUAL_CROSS_ENTROPY] = cross_entropy,
};

typedef struct sweep {
    row_loss *of_row;
    size_t n;
    const double *y;
    const rk_targets *targets;
    double weight, *loss, *ybar;
} sweep;

static void apply_rows(void *context, size_t first, size_t last) {
    const sweep *s = context;
    const double *values = s->targets->values;
    const size_t *labels = s->targets->labels;
    for (size_t r = first; r < last; r++)
        s->loss[r] =
            s->of_row(s->n, s->y + r * s->n, values ? values + r * s->n : NULL,
                      labels ? labels[r] : 0, s->weight, s->ybar ? s->ybar + r * s->n : NULL);
}

void rk_residual_apply(rk_work *work, rk_residual residual, size_t rows, size_t n_out,
                       const double *y, const rk_targets *targets, double weight, double *loss,
                       double *ybar) {
    if (!rk_work_charge(work, 3 * (uint64_t)rows * n_out)) return;
    sweep s = {losses[residual], n_out, y, targets, weight, loss, ybar};
    rk_sweep(work->pool, rows, n_out, apply_rows, &s);
}
