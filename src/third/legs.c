#include "third/legs.h"

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

RK_HOT static void widen(size_t count, const float *x, double *y) {
    RK_INDEPENDENT
    for (size_t j = 0; j < count; j++)
        y[j] = (double)x[j];
}

RK_HOT static void narrow(size_t count, const double *x, float *y) {
    RK_INDEPENDENT
    for (size_t j = 0; j < count; j++)
        y[j] = (float)x[j];
}

const double *rk_legs_read(const rk_legs *legs, size_t row, size_t col, size_t count,
                           double *buffer) {
    size_t at = row * legs->stride + col;
    if (legs->d) return legs->d + at;
    widen(count, legs->f + at, buffer);
    return buffer;
}

void rk_legs_write(const rk_legs *legs, size_t row, size_t col, size_t count, const double *x) {
    size_t at = row * legs->stride + col;
    if (legs->d)
        memcpy(legs->d + at, x, count * sizeof *x);
    else
        narrow(count, x, legs->f + at);
}

void rk_legs_zero(rk_work *work, size_t rows, size_t cols, const rk_legs *legs) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < rows; i++)
        if (legs->d)
            memset(legs->d + i * legs->stride, 0, cols * sizeof *legs->d);
        else
            memset(legs->f + i * legs->stride, 0, cols * sizeof *legs->f);
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
