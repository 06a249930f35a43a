/* The fourth cumulant made anew at every layer from a diagonal and one fitted number
 * (docs/MATH.md#regenerated).
 *
 * In a wide random relu network the core of the fourth cumulant of z is nearly diag(g) + lambda C,
 * C without its diagonal: g is moved by the squares of the weights, and lambda, an amplitude c_l
 * times the ratio of their averages, stands for all that is coherent. Nothing else of it needs to
 * be carried, and no law is known for c_l: it is fitted. */
#ifndef RK_PROPAGATE_REGENERATED_H
#define RK_PROPAGATE_REGENERATED_H

#include "propagate/gauge.h"

/** c_l = far - gap ratio^(l - 1) behind l activations. */
typedef struct rk_amplitude {
    double far, gap, ratio;
} rk_amplitude;

/** The fourth cumulant of z behind l activations: its coherence lambda, and its core completed, in
 *  which is what the squares of `layer`'s weights make of that of h. var_h, var: variances of h and
 *  z. `amplitude` NULL: the fitted one. 5 FLOPs a weight. */
void rk_regenerate(rk_work *work, const rk_amplitude *amplitude, size_t l, const rk_layer *layer,
                   const double *var_h, const double *var, rk_slices *z);

/**
 * What it makes of h = phi(z), whose cumulants are in `neurons` and covariance in C (n x n): the
 * core of `tilt`, and its feed, y of the third cumulant Sym C_ij y_k that kappa_iijk of z is there.
 * Of that the newborn's s and residual (heard rows) know what has equal indices: it is taken off.
 * 6 n^2 FLOPs.
 */
void rk_regenerated_feed(rk_work *work, size_t n, size_t heard, const rk_slices *z,
                         const rk_neurons *neurons, const double *C, const rk_source *newborn,
                         const rk_legs *residual, rk_tilt *tilt);

#endif
