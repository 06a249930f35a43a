#include "activation/vector_math.h"

#include <sleef.h>

/* SLEEF's cinz functions use no FMA and agree bit for bit between the vector widths. AVX is chosen
 * at run time, so its prototypes, which sleef.h shows to AVX builds only, are repeated here. */
#if defined(__x86_64__) && defined(__GNUC__)

#define AVX __attribute__((target("avx")))
#define DEFINE_AVX(name, type, suffix, vector, width, sleef, load, store)                          \
    AVX vector sleef(vector);                                                                      \
    AVX static size_t name##suffix##_avx(size_t n, type *x) {                                      \
        if (!__builtin_cpu_supports("avx")) return 0;                                              \
        size_t i = 0;                                                                              \
        for (; i + width <= n; i += width)                                                         \
            store(x + i, sleef(load(x + i)));                                                      \
        return i;                                                                                  \
    }
#define DEFINE_WIDE(name)                                                                          \
    DEFINE_AVX(name, double, , __m256d, 4, Sleef_cinz_##name##d4_u10avx, _mm256_loadu_pd,          \
               _mm256_storeu_pd)                                                                   \
    DEFINE_AVX(name, float, _float, __m256, 8, Sleef_cinz_##name##f8_u10avx, _mm256_loadu_ps,      \
               _mm256_storeu_ps)
RK_VECTOR_LIST(DEFINE_WIDE)
#define DONE_WIDE(name, n, x) name##_avx(n, x)

#else
#define DONE_WIDE(name, n, x) 0
#endif

#define DEFINE(name)                                                                               \
    void rk_vector_##name(size_t n, double *x) {                                                   \
        for (size_t i = DONE_WIDE(name, n, x); i < n; i++)                                         \
            x[i] = Sleef_cinz_##name##d1_u10purec(x[i]);                                           \
    }                                                                                              \
    void rk_vector_##name##_float(size_t n, float *x) {                                            \
        for (size_t i = DONE_WIDE(name##_float, n, x); i < n; i++)                                 \
            x[i] = Sleef_cinz_##name##f1_u10purec(x[i]);                                           \
    }
RK_VECTOR_LIST(DEFINE)
