/* Values that are needed later than by the next layer: their means and covariances, and how each
 * co-varies with the present value and with the others (docs/MATH.md#residual).
 *
 * All of it is moved as covariances are: through W exactly, through an activation by its mean
 * slope, which is exact for jointly Gaussian pairs. */
#ifndef RK_PROPAGATE_KEPT_H
#define RK_PROPAGATE_KEPT_H

#include "propagate/kept_slots.h"

/** Room for what `chain` keeps at a time: for k values of up to n entries k (k + 3) / 2 + 1 n^2
 *  doubles, none for none, and if `chain` is recorded X of every layer they live through. Without
 *  `pairs` values are taken as independent, and 2 k n do. */
rk_kept rk_kept_take(const rk_chain *chain, bool pairs);

/** Keeps the present value, n entries, of this mean (NULL: zero) and covariance (NULL: the
 *  identity), or without pairs variances. */
void rk_kept_add(rk_kept *kept, size_t value, size_t n, const double *m, const double *C);

/** The present value becomes W u, u what the stage reads; what no stage needs from here on is
 *  forgotten. 2 m n k FLOPs for each value of k entries. */
void rk_kept_affine(rk_kept *kept, const rk_stage *stage);

/** Adds to the present value, of mean mu and covariance Z (not without pairs) with diagonal var,
 * the one that the stage adds. 3 n^2 FLOPs, and n k for every value of k entries. */
void rk_kept_sum(rk_kept *kept, const rk_stage *stage, double *mu, double *Z, double *var);

/** The present value goes through the stage's activation, of these mean slopes. */
void rk_kept_activate(rk_kept *kept, const rk_stage *stage, const double *slope);

/* --------------------------------------------------------------------------------- the way back */

/** Nothing is kept: before the last layer, or for changes before the first. */
void rk_kept_clear(rk_kept *kept);

/** Of rk_kept_add: adds what has come to the value meanwhile to its adjoints as the present one.
 *  C_bar NULL: not wanted. */
void rk_kept_add_back(rk_kept *kept, size_t value, double *m_bar, double *C_bar);

/** Of rk_kept_activate: adds to the adjoints of the mean slopes. 3 n k FLOPs for every value of k
 *  entries. */
void rk_kept_activate_back(rk_kept *kept, const rk_stage *stage, double *slope_bar);

/** Of rk_kept_sum, from the adjoints of the sum, which are those of its first term, too. */
void rk_kept_sum_back(rk_kept *kept, const rk_stage *stage, const double *mu_bar,
                      const double *Z_bar);

/** Of rk_kept_affine: adds to dW (NULL: not wanted). C is the covariance of what the stage reads,
 *  NULL: the identity; m_bar and C_bar (NULL: none) its adjoints. If it was kept they go to it, and
 *  m_bar, now the present value's, becomes zero, as C_bar is to be taken. Twice the FLOPs. */
void rk_kept_affine_back(rk_kept *kept, const rk_stage *stage, const double *C, double *m_bar,
                         const double *C_bar, double *dW);

/* ------------------------------------------------------------------------------------ and changes
 *
 * Slots and pairs hold changes then. rk_kept_add and rk_kept_sum are linear and their own twins. */

/** Of rk_kept_affine: dW NULL is zero, C the covariance of what the stage reads, NULL: the
 * identity. Twice the FLOPs. */
void rk_kept_affine_forward(rk_kept *kept, const rk_stage *stage, const double *C,
                            const double *dW);

/** Of rk_kept_activate, by the changes of the mean slopes. 3 n k FLOPs for every value. */
void rk_kept_activate_forward(rk_kept *kept, const rk_stage *stage, const double *slope_dot);

#endif
