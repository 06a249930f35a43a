#include "linalg/blas.h"
#include "propagate/kept.h"

void rk_kept_affine_forward(rk_kept *kept, const rk_stage *stage, const double *C,
                            const double *dW) {
    const size_t m = stage->layer->rows, n = stage->layer->cols;
    rk_kept_affine(kept, stage);
    for (size_t i = 0; dW && kept->pairs && i < kept->n_slots; i++) {
        const rk_kept_value *v = &kept->slot[i];
        if (v->n == 0 || !stage->layer->weight) continue;
        bool swapped;
        const double *cross = rk_kept_cross_of(kept, stage, v, C, &swapped);
        if (cross)
            rk_gemm(kept->work, RK_NO_TRANS, swapped ? RK_TRANS : RK_NO_TRANS, m, v->n, n, 1, dW, n,
                    cross, swapped ? n : v->n, 1, v->X, v->n);
        else
            rk_kept_sum_pair(kept->work, m, n, dW, false, v->X);
    }
}

void rk_kept_activate_forward(rk_kept *kept, const rk_stage *stage, const double *slope_dot) {
    const size_t n = stage->layer->rows, l = stage->l;
    for (size_t s = 0; s < kept->n_slots; s++) {
        const rk_kept_value *v = &kept->slot[s];
        if (v->n == 0 || v->last <= l) continue; /* nobody will look */
        const double *slope = kept->slopes + rk_kept_slopes_at(kept->chain, l);
        const double *X = kept->crosses + rk_kept_cross_at(kept->chain, v->value, l);
        if (!rk_work_charge(kept->work, 3 * (uint64_t)n * v->n)) continue;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0, at = i * v->n; j < v->n; j++, at++)
                v->X[at] = slope[i] * v->X[at] + slope_dot[i] * X[at];
    }
}
