/* Activations without closed Wick coefficients: gelu (by the error function), tanh, sigmoid, silu,
 * softplus and the caller's own. Values by vectorised elementary functions, coefficients by
 * Gauss-Hermite quadrature. */
#ifndef RK_ACTIVATION_SMOOTH_H
#define RK_ACTIVATION_SMOOTH_H

#include "activation/activation.h"

#define RK_SMOOTH_DECLARE(name)                                                                    \
    void rk_##name##_value(const rk_activation *self, size_t n, const double *z, double *h);       \
    void rk_##name##_value_float(const rk_activation *self, size_t n, const float *z, float *h);   \
    void rk_##name##_slope(const rk_activation *self, size_t n, const double *z, double *d);
RK_SMOOTH_DECLARE(gelu)
RK_SMOOTH_DECLARE(tanh)
RK_SMOOTH_DECLARE(sigmoid)
RK_SMOOTH_DECLARE(silu)
RK_SMOOTH_DECLARE(softplus)
RK_SMOOTH_DECLARE(custom)
#undef RK_SMOOTH_DECLARE

/** The sum over 100 nodes, docs/MATH.md#wick-quadrature, whatever it is worth: 100 values and 100
 *  (k_max + 2) p_max multiplications a neuron. */
void rk_hermite_wick(const rk_activation *self, size_t n, const double *mu, const double *var,
                     int k_max, int p_max, double *centre, double *w);

/** rk_activation_ops.wick of all of them: that sum, or for small and for large variances what is
 *  exact there. */
void rk_quadrature_wick(const rk_activation *self, size_t n, const double *mu, const double *var,
                        int k_max, int p_max, double *centre, double *w);

#endif
