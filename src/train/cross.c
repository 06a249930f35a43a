#include "train/cross.h"

#include "base/size.h"
#include "linalg/blas.h"
#include "propagate/back.h"

#include <stdlib.h>

static bool is_activated(const rk_cross *x, size_t l) {
    return l + 1 < x->n_layers || x->student->layers[l].activation.kind != RK_IDENTITY ||
           x->teacher->layers[l].activation.kind != RK_IDENTITY;
}

/* ------------------------------------------------------------------------------ products, W or I
 */

/* to (rows x W's rows) = from W', from rows x W's cols. */
static void times_transposed(rk_work *work, size_t rows, const double *from, const rk_layer *W,
                             double *to) {
    if (W->weight)
        rk_gemm(work, RK_NO_TRANS, RK_TRANS, rows, W->rows, W->cols, 1, from, W->cols, W->weight,
                W->cols, 0, to, W->rows);
    else
        rk_set(work, rows * W->cols, from, to);
}

/* to (rows x W's cols) = from W. */
static void times(rk_work *work, size_t rows, const double *from, const rk_layer *W, double *to) {
    if (W->weight)
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, rows, W->cols, W->rows, 1, from, W->rows, W->weight,
                W->cols, 0, to, W->cols);
    else
        rk_set(work, rows * W->cols, from, to);
}

/* to (W's rows x cols) = W from. */
static void apply(rk_work *work, const rk_layer *W, const double *from, size_t cols, double *to) {
    if (W->weight)
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, W->rows, cols, W->cols, 1, W->weight, W->cols, from,
                cols, 0, to, cols);
    else
        rk_set(work, W->rows * cols, from, to);
}

/* to (W's cols x cols) = W' from. */
static void apply_transposed(rk_work *work, const rk_layer *W, const double *from, size_t cols,
                             double *to) {
    if (W->weight)
        rk_gemm(work, RK_TRANS, RK_NO_TRANS, W->cols, cols, W->rows, 1, W->weight, W->cols, from,
                cols, 0, to, cols);
    else
        rk_set(work, W->cols * cols, from, to);
}

/* ------------------------------------------------------------------------------------ sides */

static void prepare_side(rk_cross *x, const rk_activation *activation, size_t n, rk_marginals z,
                         double *var_h, rk_pairs_side *side) {
    rk_wick_step(x->work, activation, n, z.mu, z.var, 2, 2, x->centre, x->w);
    rk_wick_moments(x->work, n, 2, x->centre, x->w, x->m, var_h);
    rk_pairs_side_prepare(x->work, &x->pairs, activation, n, z.mu, z.var,
                          x->w + rk_wick_at(n, 2, 1, 1), var_h, side);
}

/* P of the first layer, Cov(x) W_T', never changes. */
static void prepare_input(rk_cross *x, const rk_input *input) {
    const rk_layer *W = &x->teacher->layers[0];
    const size_t n = W->cols;
    double *P = x->layers[0].P;
    if (input->covariance) {
        times_transposed(x->work, n, input->covariance, W, P);
        return;
    }
    if (!rk_work_charge(x->work, 0)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < W->rows; j++)
            P[i * W->rows + j] = W->weight ? W->weight[j * n + i] : i == j;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static void layer_take(rk_cross *x, size_t l) {
    const size_t below = x->student->layers[l].cols;
    const size_t s = x->student->layers[l].rows, t = x->teacher->layers[l].rows;
    rk_cross_layer *layer = &x->layers[l];
    *layer = (rk_cross_layer){.P = rk_work_doubles(x->work, below, t),
                              .Z = rk_work_doubles(x->work, s, t),
                              .student = rk_pairs_side_take(x->work, &x->pairs, s),
                              .teacher = rk_pairs_side_take(x->work, &x->pairs, t),
                              .student_var_h = rk_work_doubles(x->work, s, 1),
                              .teacher_var_h = rk_work_doubles(x->work, t, 1),
                              .mu_bar = rk_work_doubles(x->work, s, 1),
                              .var_bar = rk_work_doubles(x->work, s, 1)};
    x->z_mean[l] = layer->mu_bar;
    x->z_var[l] = layer->var_bar;
}

rk_status rk_cross_create(rk_cross *out, rk_work *work, const rk_pairs_spec *pairs,
                          const rk_network *student, const rk_network *teacher,
                          const rk_tape *teacher_tape, const rk_input *input, size_t n_layers,
                          rk_error *error) {
    rk_cross *x = out;
    *x = (rk_cross){.work = work,
                    .pairs = *pairs,
                    .student = student,
                    .teacher = teacher,
                    .n_layers = n_layers,
                    .layers = rk_alloc(n_layers, 1, sizeof *x->layers),
                    .z_mean = rk_alloc(n_layers, 1, sizeof *x->z_mean),
                    .z_var = rk_alloc(n_layers, 1, sizeof *x->z_var)};
    if (!x->layers || !x->z_mean || !x->z_var) {
        rk_cross_free(x);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu layers", n_layers);
    }
    const size_t s = rk_network_max_width(student), t = rk_network_max_width(teacher);
    x->X = rk_work_doubles(work, s, t);
    x->X_bar = rk_work_doubles(work, s, t);
    x->P_bar = rk_work_doubles(work, s, t);
    x->centre = rk_work_doubles(work, larger(s, t), 1);
    x->w = rk_work_doubles(work, larger(s, t), 6);
    x->m = rk_work_doubles(work, larger(s, t), 1);
    x->side_bar = rk_pairs_adjoint_take(work, pairs, s);
    for (size_t l = 0; l < n_layers; l++) {
        layer_take(x, l);
        if (is_activated(x, l))
            prepare_side(x, &teacher->layers[l].activation, teacher->layers[l].rows,
                         rk_covariance_marginals(teacher_tape, l), x->layers[l].teacher_var_h,
                         &x->layers[l].teacher);
    }
    prepare_input(x, input);
    return RK_OK;
}

void rk_cross_free(rk_cross *cross) {
    free(cross->layers);
    free(cross->z_mean);
    free(cross->z_var);
    cross->layers = NULL;
    cross->z_mean = cross->z_var = NULL;
}

/* ------------------------------------------------------------------------------------ there and
 * back */

void rk_cross_step(rk_cross *x, size_t l, rk_marginals student) {
    const rk_layer *W = &x->student->layers[l];
    const size_t s = W->rows, t = x->teacher->layers[l].rows;
    rk_cross_layer *layer = &x->layers[l];
    if (l > 0) times_transposed(x->work, W->cols, x->X, &x->teacher->layers[l], layer->P);
    apply(x->work, W, layer->P, t, layer->Z);
    rk_set(x->work, s * t, layer->Z, x->X);
    if (!is_activated(x, l)) return;
    prepare_side(x, &W->activation, s, student, layer->student_var_h, &layer->student);
    rk_pairs_activate(x->work, &x->pairs, &layer->student, &layer->teacher, x->X);
}

void rk_cross_back(rk_cross *x, double *const *weight_bar) {
    for (size_t l = x->n_layers; l-- > 0;) {
        const rk_layer *W = &x->student->layers[l];
        const size_t s = W->rows, t = x->teacher->layers[l].rows;
        rk_cross_layer *layer = &x->layers[l];
        rk_set(x->work, s, NULL, layer->mu_bar);
        rk_set(x->work, s, NULL, layer->var_bar);
        if (is_activated(x, l)) {
            rk_pairs_adjoint_zero(x->work, &x->pairs, s, &x->side_bar);
            rk_pairs_activate_back(x->work, &x->pairs, &layer->student, &layer->teacher, layer->Z,
                                   x->X_bar, &x->side_bar, NULL);
            rk_pairs_side_back(x->work, &x->pairs, &layer->student, &x->side_bar, NULL,
                               layer->mu_bar, layer->var_bar);
        }
        if (weight_bar[l])
            rk_gemm(x->work, RK_NO_TRANS, RK_TRANS, s, W->cols, t, 1, x->X_bar, t, layer->P, t, 1,
                    weight_bar[l], W->cols);
        if (l == 0) return;
        apply_transposed(x->work, W, x->X_bar, t, x->P_bar);
        times(x->work, W->cols, x->P_bar, &x->teacher->layers[l], x->X_bar);
    }
}
