#include "activation/smooth.h"

#include "activation/vector_math.h"

#include <math.h>

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
#define VALUE(name, type, suffix, before, function, after)                                         \
    void rk_##name##_value##suffix(const rk_activation *self, size_t n, const type *x, type *h) {  \
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
    VALUE(name, double, , before, function, after)                                                 \
    VALUE(name, float, _float, before, function, after)

#define MINUS_ABS(z) ((z) < 0 ? (z) : -(z))

VALUES(gelu, z *(real)M_SQRT1_2, rk_vector_erf, z / 2 * (1 + t))
VALUES(tanh, 2 * MINUS_ABS(z), rk_vector_expm1, (z < 0 ? t : -t) / (2 + t))
VALUES(sigmoid, -z, rk_vector_exp, 1 / (1 + t))
VALUES(silu, -z, rk_vector_exp, z / (1 + t))
VALUES(softplus, MINUS_ABS(z), log1p_exp, (z > 0 ? z : 0) + t)

void rk_custom_value(const rk_activation *self, size_t n, const double *z, double *h) {
    for (size_t i = 0; i < n; i++)
        h[i] = self->function(z[i], self->context);
}

void rk_custom_value_float(const rk_activation *self, size_t n, const float *z, float *h) {
    for (size_t i = 0; i < n; i++)
        h[i] = (float)self->function((double)z[i], self->context);
}
