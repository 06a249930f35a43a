/* Activations that are one monomial on each side of zero: identity, relu, leaky_relu, abs,
 * heaviside, sign, square, cube. Values by one line each, Wick coefficients by one closed form. */
#ifndef RK_ACTIVATION_PIECEWISE_H
#define RK_ACTIVATION_PIECEWISE_H

#include "activation/activation.h"

/* Name, value, derivative. */
#define RK_PIECEWISE_LIST(X)                                                                       \
    X(identity, z, 1)                                                                              \
    X(relu, z < 0 ? 0 : z, z <= 0 ? 0 : 1)                                                         \
    X(leaky_relu, (z < 0 ? 0 : z) + left * (z < 0 ? z : 0), z < 0 ? left : 1)                      \
    X(abs, z < 0 ? -z : z, z < 0 ? -1 : 1)                                                         \
    X(heaviside, z > 0 ? 1 : z < 0 ? 0 : z, 0)                                                     \
    X(sign, z > 0 ? 1 : z < 0 ? -1 : z, 0)                                                         \
    X(square, z *z, 2 * z)                                                                         \
    X(cube, z *z *z, 3 * z * z)

#define RK_PIECEWISE_DECLARE(name, value, slope)                                                   \
    void rk_##name##_value(const rk_activation *self, size_t n, const double *z, double *h);       \
    void rk_##name##_slope(const rk_activation *self, size_t n, const double *z, double *d);       \
    void rk_##name##_value_float(const rk_activation *self, size_t n, const float *z, float *h);
RK_PIECEWISE_LIST(RK_PIECEWISE_DECLARE)
#undef RK_PIECEWISE_DECLARE

/** rk_activation_ops.wick of all of them, docs/MATH.md#wick. A few operations a neuron for each
 *  order and each coefficient, and one exponential and one error function where the sides differ.
 */
void rk_piecewise_wick(const rk_activation *self, size_t n, const double *mu, const double *var,
                       int k_max, int p_max, double *centre, double *w);

#endif
