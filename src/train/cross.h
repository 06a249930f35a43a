/* How the neurons of a student co-vary with those of its teacher on the same input, layer by layer,
 * and the way back to the student (docs/MATH.md#cross).
 *
 * Both have equally many layers (train/pairing.h). Either's own law is covariance propagation; the
 * block X_l = Cov(S_l, T_l) between them (student's neurons as rows) does not act on these:
 *
 *     P = X_{l-1} W_T',  Z = W_S P,  X_l = the pair closure of Z.
 *
 * With s and t neurons a layer that is 2 (s t^2 + s^2 t) FLOPs there and 4 s^2 t + 2 s t^2 back. */
#ifndef RK_TRAIN_CROSS_H
#define RK_TRAIN_CROSS_H

#include "propagate/covariance.h"
#include "propagate/pairs.h"

/** One layer's step. Memory of `work`. */
typedef struct rk_cross_layer {
    double *P, *Z;                  /**< s_below x t; s x t: pre-activations */
    rk_pairs_side student, teacher; /**< if it is activated */
    double *student_var_h, *teacher_var_h;
    double *mu_bar, *var_bar; /**< s: adjoints of the student's pre-activations */
} rk_cross_layer;

typedef struct rk_cross {
    rk_work *work;
    rk_pairs_spec pairs;
    const rk_network *student, *teacher;
    size_t n_layers; /**< as far as the block goes */
    rk_cross_layer *layers;
    double *X;              /**< s x t, of the layer that was done last */
    double *X_bar, *P_bar;  /**< likewise; s_below x t */
    double *centre, *w, *m; /**< for any side */
    rk_pairs_adjoint side_bar;
    const double **z_mean, **z_var; /**< [n_layers] mu_bar, var_bar, for rk_cotangent */
} rk_cross;

/** Room for the block through layers 0 .. n_layers - 1 of both networks, whose weights may change,
 *  and what it needs of the teacher, of whom `teacher_tape` was made. `input`: their law.
 * RK_ERROR_MEMORY. */
rk_status rk_cross_create(rk_cross *out, rk_work *work, const rk_pairs_spec *pairs,
                          const rk_network *student, const rk_network *teacher,
                          const rk_tape *teacher_tape, const rk_input *input, size_t n_layers,
                          rk_error *error);
void rk_cross_free(rk_cross *cross);

/** X of layer l from that of the layer before (l = 0: of the input), given the moments of the
 *  student's pre-activations there. */
void rk_cross_step(rk_cross *cross, size_t l, rk_marginals student);

/** From X_bar, the adjoint of the last X: adds to the adjoints of the student's weights
 *  ([n_layers]) and makes mu_bar and var_bar of every layer. */
void rk_cross_back(rk_cross *cross, double *const *weight_bar);

#endif
