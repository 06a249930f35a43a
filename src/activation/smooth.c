#include "activation/smooth.h"

#include "activation/vector_math.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 256 };

static void log1p_exp(size_t n, double *x) {
    rk_vector_exp(n, x);
    rk_vector_log1p(n, x);
}

static void log1p_exp_float(size_t n, float *x) {
    rk_vector_exp_float(n, x);
    rk_vector_log1p_float(n, x);
}

/* h = after(z, t) with t = function(before(z)), a block at a time. */
#define EACH(linkage, name, type, suffix, before, function, after)                                 \
    linkage void name##suffix(const rk_activation *self, size_t n, const type *x, type *h) {       \
        (void)self;                                                                                \
        typedef type real;                                                                         \
        real block[BLOCK];                                                                         \
        for (size_t first = 0; first < n; first += BLOCK) {                                        \
            const size_t count = n - first < BLOCK ? n - first : BLOCK;                            \
            for (size_t i = 0; i < count; i++) {                                                   \
                const real z = x[first + i];                                                       \
                block[i] = before;                                                                 \
            }                                                                                      \
            function##suffix(count, block);                                                        \
            for (size_t i = 0; i < count; i++) {                                                   \
                const real z = x[first + i], t = block[i];                                         \
                (void)z;                                                                           \
                h[first + i] = after;                                                              \
            }                                                                                      \
        }                                                                                          \
    }
#define VALUES(name, before, function, after)                                                      \
    EACH(extern, rk_##name##_value, double, , before, function, after)                             \
    EACH(extern, rk_##name##_value, float, _float, before, function, after)

#define MINUS_ABS(z) ((z) < 0 ? (z) : -(z))

VALUES(gelu, z *(real)M_SQRT1_2, rk_vector_erf, z / 2 * (1 + t))
VALUES(tanh, 2 * MINUS_ABS(z), rk_vector_expm1, (z < 0 ? t : -t) / (2 + t))
VALUES(sigmoid, -z, rk_vector_exp, 1 / (1 + t))
VALUES(silu, -z, rk_vector_exp, z / (1 + t))
VALUES(softplus, MINUS_ABS(z), log1p_exp, (z > 0 ? z : 0) + t)

EACH(extern, rk_tanh_slope, double, , 2 * MINUS_ABS(z), rk_vector_exp, 4 * t / (1 + t) / (1 + t))
EACH(extern, rk_sigmoid_slope, double, , MINUS_ABS(z), rk_vector_exp, t / (1 + t) / (1 + t))
EACH(extern, rk_silu_slope, double, , MINUS_ABS(z), rk_vector_exp,
     ((z < 0 ? t : 1) + z * t / (1 + t)) / (1 + t))
EACH(extern, rk_softplus_slope, double, , -z, rk_vector_exp, 1 / (1 + t))
EACH(static, gelu_bell, double, , -z *z / 2, rk_vector_exp, t *(0.5 * M_2_SQRTPI * M_SQRT1_2))
EACH(static, gelu_step, double, , z *M_SQRT1_2, rk_vector_erf, (1 + t) / 2)

void rk_gelu_slope(const rk_activation *self, size_t n, const double *z, double *d) {
    double step[BLOCK];
    gelu_bell(self, n, z, d);
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t count = n - first < BLOCK ? n - first : BLOCK;
        gelu_step(self, count, z + first, step);
        for (size_t i = 0; i < count; i++)
            d[first + i] = step[i] + z[first + i] * d[first + i];
    }
}

void rk_custom_value(const rk_activation *self, size_t n, const double *z, double *h) {
    for (size_t i = 0; i < n; i++)
        h[i] = self->function(z[i], self->context);
}

void rk_custom_value_float(const rk_activation *self, size_t n, const float *z, float *h) {
    for (size_t i = 0; i < n; i++)
        h[i] = (float)self->function((double)z[i], self->context);
}

/* As a difference of few digits would not do: by the coefficient of a neuron without variance. */
void rk_custom_slope(const rk_activation *self, size_t n, const double *z, double *d) {
    enum { SOME = 32 };
    static const double none[SOME];
    double centre[SOME], w[2 * SOME];
    for (size_t first = 0; first < n; first += SOME) {
        const size_t count = n - first < SOME ? n - first : SOME;
        rk_quadrature_wick(self, count, z + first, none, 1, 1, centre, w);
        memcpy(d + first, w + count, count * sizeof *d);
    }
}
