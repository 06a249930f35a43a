#include "third/state.h"

#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"
#include "propagate/back.h"

typedef struct diagonals {
    const rk_third_back *back;
    const rk_layer *layer;
    const double *core; /* of h */
} diagonals;

/* Column j of W to core_j, and itself. */
static void diagonal_columns(void *context, size_t first, size_t last) {
    const diagonals *x = context;
    const rk_third_back *back = x->back;
    const size_t k = x->layer->cols;
    for (size_t j = first; j < last; j++)
        back->tilt.core[j] = 0;
    for (size_t i = 0; i < x->layer->rows; i++) {
        const double *W = x->layer->weight + i * k;
        const double core_bar = back->z.core[i], metric_bar = back->z.metric[i];
        for (size_t j = first; j < last; j++) {
            back->tilt.core[j] += W[j] * W[j] * core_bar;
            back->W[i * k + j] += 2 * W[j] * (core_bar * x->core[j] + metric_bar);
        }
    }
}

/* The same if one number stands for all squares, which may be that of the weights themselves. */
static void average_back(const diagonals *x, double average) {
    const rk_third_back *back = x->back;
    const size_t n = x->layer->rows, k = x->layer->cols;
    const double core_bar = rk_sum(n, back->z.core);
    const double average_bar = rk_sum(n, back->z.metric) + core_bar * x->core[0];
    for (size_t j = 0; j < k; j++)
        back->tilt.core[j] = j == 0 ? average * core_bar : 0;
    if (x->layer->weight_scale > 0) return;
    for (size_t r = 0; r < n * k; r++)
        back->W[r] += 2 * average_bar / (double)n * x->layer->weight[r];
}

void rk_third_move_fourth_back(rk_third *c, size_t l, const rk_layer *layer, bool pairs) {
    rk_third_back *back = &c->back;
    const size_t n = layer->rows, k = layer->cols;
    const double average = rk_third_metric_average(c, l);
    diagonals x = {back, layer, rk_third_record_of(c, l - 1).core};
    if (rk_work_charge(c->work, 8 * (uint64_t)n * k)) {
        if (average == 0)
            rk_sweep(c->work->pool, k, n, diagonal_columns, &x);
        else
            average_back(&x, average);
        back->tilt.core[0] += *back->z.core_scale;
    }
    if (pairs && c->z.M)
        rk_gemm(c->work, RK_NO_TRANS, RK_NO_TRANS, n, k, n, 2, back->z.M, n, layer->weight, k, 1,
                back->W, k);
}
