/* A smooth activation over many of its own units: its asymptote and what is left near zero. */
#ifndef RK_ACTIVATION_WIDE_H
#define RK_ACTIVATION_WIDE_H

#include "activation/activation.h"

/** A variance from which on it is seen so: below, Gauss-Hermite nodes lie close enough
 *  (docs/MATH.md#wick-quadrature). */
#define RK_WIDE_VARIANCE 2.5

/** Wick coefficients as rk_wick of one neuron, w[((p-1) (k_max+1) + k) stride], of an activation
 *  that has an asymptote; var at least RK_WIDE_VARIANCE. */
void rk_wide_wick(const rk_activation *self, double mu, double var, int k_max, int p_max,
                  double centre, double *w, size_t stride);

#endif
