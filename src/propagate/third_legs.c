#include "propagate/third_legs.h"

#include "base/simd.h"

#include <string.h>

rk_legs rk_legs_take(rk_work *work, bool in_double, size_t rows, size_t cols) {
    if (in_double) return (rk_legs){.stride = cols, .d = rk_work_doubles(work, rows, cols)};
    return (rk_legs){.stride = cols, .f = rk_work_floats(work, rows, cols)};
}

rk_legs rk_legs_view(rk_legs legs, size_t offset, size_t stride) {
    return (rk_legs){.stride = stride,
                     .f = legs.f ? legs.f + offset : NULL,
                     .d = legs.d ? legs.d + offset : NULL};
}

RK_HOT const double *rk_legs_read(const rk_legs *legs, size_t row, size_t col, size_t count,
                                  double *buffer) {
    if (legs->d) return legs->d + row * legs->stride + col;
    const float *x = legs->f + row * legs->stride + col;
    RK_INDEPENDENT
    for (size_t j = 0; j < count; j++)
        buffer[j] = (double)x[j];
    return buffer;
}

RK_HOT void rk_legs_write(const rk_legs *legs, size_t row, size_t col, size_t count,
                          const double *x) {
    size_t at = row * legs->stride + col;
    if (legs->d) {
        memcpy(legs->d + at, x, count * sizeof *x);
        return;
    }
    float *to = legs->f + at;
    RK_INDEPENDENT
    for (size_t j = 0; j < count; j++)
        to[j] = (float)x[j];
}

void rk_legs_product(rk_work *work, rk_trans trans_b, size_t m, size_t n, size_t k, rk_legs a,
                     rk_legs b, double beta, rk_legs c) {
    if (a.f)
        rk_sgemm(work, RK_NO_TRANS, trans_b, m, n, k, 1, a.f, a.stride, b.f, b.stride, (float)beta,
                 c.f, c.stride);
    else
        rk_gemm(work, RK_NO_TRANS, trans_b, m, n, k, 1, a.d, a.stride, b.d, b.stride, beta, c.d,
                c.stride);
}
