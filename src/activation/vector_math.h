/* Elementary functions over arrays, in place: x_i = f(x_i). To 1 ulp, and with the same bits on
 * every machine, whatever vectors it has. */
#ifndef RK_ACTIVATION_VECTOR_MATH_H
#define RK_ACTIVATION_VECTOR_MATH_H

#include <stddef.h>

#define RK_VECTOR_LIST(X)                                                                          \
    X(exp)                                                                                         \
    X(expm1)                                                                                       \
    X(log1p)                                                                                       \
    X(erf)

#define RK_VECTOR_DECLARE(name)                                                                    \
    void rk_vector_##name(size_t n, double *x);                                                    \
    void rk_vector_##name##_float(size_t n, float *x);
RK_VECTOR_LIST(RK_VECTOR_DECLARE)
#undef RK_VECTOR_DECLARE

#endif
