#include "propagate/third_residual.h"

#include "base/stream.h"

#include <math.h>
#include <string.h>

static void draw_probes(rk_work *work, size_t rank, size_t n, rk_legs probes) {
    if (!rk_work_charge(work, 0)) return;
    enum { CHUNK = 64 * RK_STREAM_BLOCK };
    rk_stream stream = {0, RK_STREAM_PROBES};
    uint64_t words[CHUNK];
    double signs[CHUNK];
    for (size_t k = 0; k < rank; k++)
        for (size_t j = 0; j < n; j += CHUNK) {
            size_t count = n - j < CHUNK ? n - j : CHUNK;
            rk_stream_words(stream, k, j, count, words);
            for (size_t i = 0; i < count; i++)
                signs[i] = words[i] >> 63 ? 1 : -1;
            rk_legs_write(&probes, k, j, count, signs);
        }
}

static double dot(size_t n, const double *x, const double *y) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Gram-Schmidt on rows, twice to be sure; a row that depends on those before it becomes zero. */
static void orthonormalise(rk_work *work, size_t rank, size_t n, rk_legs rows, double *basis) {
    if (!rk_work_charge(work, 4 * (uint64_t)rank * rank * n)) return;
    for (size_t k = 0; k < rank; k++) {
        double *x = basis + k * n;
        const double *row = rk_legs_read(&rows, k, 0, n, x);
        if (row != x) memcpy(x, row, n * sizeof *x);
        double before = dot(n, x, x);
        for (size_t other = 0; other < 2 * k; other++) {
            const double *y = basis + other % k * n;
            double overlap = dot(n, x, y);
            for (size_t i = 0; i < n; i++)
                x[i] -= overlap * y[i];
        }
        double left = dot(n, x, x), scale = left > 1e-12 * before ? 1 / sqrt(left) : 0;
        for (size_t i = 0; i < n; i++)
            x[i] *= scale;
        rk_legs_write(&rows, k, 0, n, x);
    }
}

static void transpose(rk_work *work, size_t n, size_t rank, const double *basis, rk_legs z) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < rank; k++)
            rk_legs_write(&z, i, k, 1, &basis[k * n + i]);
}

void rk_residual_compress(rk_work *work, size_t n, size_t m, size_t rank, rk_legs R, rk_legs thin,
                          double *basis, rk_legs z, rk_legs L) {
    draw_probes(work, rank, m, L);
    for (int iteration = 0; iteration < 2; iteration++) {
        rk_legs_product(work, RK_TRANS, rank, n, m, L, R, 0, thin);
        orthonormalise(work, rank, n, thin, basis);
        rk_legs_product(work, RK_NO_TRANS, rank, m, n, thin, R, 0, L);
    }
    transpose(work, n, rank, basis, z);
}
