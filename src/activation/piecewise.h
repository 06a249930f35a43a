/* Activations that are one monomial on each side of zero: identity, relu, leaky_relu, abs,
 * heaviside, sign, square, cube. Values by one line each, Wick coefficients by one closed form. */
#ifndef RK_ACTIVATION_PIECEWISE_H
#define RK_ACTIVATION_PIECEWISE_H

#include "activation/activation.h"

#define RK_PIECEWISE_LIST(X)                                                                       \
    X(identity, z)                                                                                 \
    X(relu, z < 0 ? 0 : z)                                                                         \
    X(leaky_relu, (z < 0 ? 0 : z) + slope * (z < 0 ? z : 0))                                       \
    X(abs, z < 0 ? -z : z)                                                                         \
    X(heaviside, z > 0 ? 1 : z < 0 ? 0 : z)                                                        \
    X(sign, z > 0 ? 1 : z < 0 ? -1 : z)                                                            \
    X(square, z *z)                                                                                \
    X(cube, z *z *z)

#define RK_PIECEWISE_DECLARE(name, expression)                                                     \
    void rk_##name##_value(const rk_activation *self, size_t n, const double *z, double *h);       \
    void rk_##name##_value_float(const rk_activation *self, size_t n, const float *z, float *h);
RK_PIECEWISE_LIST(RK_PIECEWISE_DECLARE)
#undef RK_PIECEWISE_DECLARE

/** rk_activation_ops.wick of all of them, docs/MATH.md#wick. A few operations a neuron for each
 *  order and each coefficient, and one exponential and one error function where the sides differ.
 */
void rk_piecewise_wick(const rk_activation *self, size_t n, const double *mu, const double *var,
                       int k_max, int p_max, double *centre, double *w);

#endif
