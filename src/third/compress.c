#include "third/compress.h"

#include "base/stream.h"
#include "base/sum.h"
#include "linalg/lapack.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 256 };

/* The share of a layer's directions that are kept: what they miss of kappa_iij at that age is a
 * percent or two of the sum over sources. Measured in docs/FRONTIER.md. */
static const double SHARE = 3. / 16;

size_t rk_fold_span(size_t width, size_t n) {
    size_t span = (size_t)(SHARE * (double)n);
    return 3 * span < 2 * width ? span : 0;
}

static void copy_columns(size_t n, const rk_legs *from, size_t from_col, size_t count,
                         const rk_legs *to, size_t to_col) {
    double buffer[CHUNK];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < count; j += CHUNK) {
            size_t some = count - j < CHUNK ? count - j : CHUNK;
            const double *x = rk_legs_read(from, i, from_col + j, some, buffer);
            rk_legs_write(to, i, to_col + j, some, x);
        }
}

rk_source rk_source_unfold(rk_work *work, size_t n, const rk_source *source, rk_legs room) {
    rk_source whole = *source;
    if (source->span == 0) return whole;
    size_t m2 = 2 * source->width;
    whole.span = 0;
    size_t cols = rk_source_columns(&whole);
    whole.legs = rk_legs_view(room, 0, cols);
    rk_legs_product(work, RK_NO_TRANS, n, m2, source->span, source->legs, source->K, 0, whole.legs);
    if (rk_work_charge(work, 0))
        copy_columns(n, &source->legs, source->span, cols - m2, &whole.legs, m2);
    return whole;
}

/* wide = S [p | a] diag(weights): S adds rows of equal number modulo span, with random signs. The
 * weights are what a column's error is worth in kappa_iij, squared. */
static void sketch(rk_work *work, size_t n, const rk_source *whole, size_t span,
                   const rk_legs *wide) {
    size_t m = whole->width;
    if (!rk_work_charge(work, (4 * (uint64_t)n + 16) * m)) return;
    rk_stream stream = {0, RK_STREAM_PROBES};
    double sum[CHUNK], buffer[CHUNK];
    uint64_t words[RK_STREAM_BLOCK];
    for (size_t k = 0; k < span; k++)
        for (size_t j = 0; j < 2 * m; j += CHUNK) {
            size_t count = 2 * m - j < CHUNK ? 2 * m - j : CHUNK;
            for (size_t r = 0; r < count; r++)
                sum[r] = 0;
            for (size_t i = k; i < n; i += span) {
                const double *x = rk_legs_read(&whole->legs, i, j, count, buffer);
                rk_stream_words(stream, i, 0, 1, words);
                double sign = words[0] >> 63 ? 1 : -1;
                for (size_t r = 0; r < count; r++)
                    sum[r] += sign * x[r];
            }
            for (size_t r = 0; r < count; r++) {
                size_t neuron = (j + r) % m;
                double w2 = whole->w2[neuron], e = whole->e[neuron], s = whole->s[neuron];
                sum[r] *= j + r < m ? 1 + s * s : 9 + w2 * w2 + 9 * e * e;
            }
            rk_legs_write(wide, k, j, count, sum);
        }
}

/* Rows of `narrow` (span x n) become orthonormal. */
static void orthonormalise(rk_work *work, size_t span, size_t n, const rk_fold_scratch *scratch) {
    const rk_legs *rows = &scratch->narrow;
    double *basis = scratch->basis, *gram = scratch->gram;
    if (rk_work_charge(work, 0)) {
        rk_legs copy = {.stride = n, .d = basis};
        copy_columns(span, rows, 0, n, &copy, 0);
    }
    rk_gemm_symmetric(work, RK_NO_TRANS, RK_TRANS, span, n, 1, basis, n, basis, n, 0, gram, span);
    if (rk_work_charge(work, 2 * span)) {
        double trace = 0;
        for (size_t k = 0; k < span; k++)
            trace += gram[k * span + k];
        for (size_t k = 0; k < span; k++) /* or rounding might make it indefinite */
            gram[k * span + k] += trace > 0 ? 1e-14 * trace : 1;
    }
    if (rk_cholesky(work, span, gram)) rk_solve_lower(work, RK_NO_TRANS, span, n, gram, basis);
    if (rk_work_charge(work, 0))
        for (size_t k = 0; k < span; k++)
            rk_legs_write(rows, k, 0, n, basis + k * n);
}

/* [u | z | y], row by row: a row's new place ends before what is still to be read. */
static void write_legs(rk_work *work, size_t n, const rk_source *whole, const double *basis,
                       const rk_source *to) {
    if (!rk_work_charge(work, 0)) return;
    size_t span = to->span, m2 = 2 * whole->width, thin = rk_source_columns(to) - span;
    double u[CHUNK], rest[CHUNK];
    for (size_t i = 0; i < n; i++) {
        const double *zy = rk_legs_read(&whole->legs, i, m2, thin, rest);
        for (size_t k = 0; k < span; k += CHUNK) {
            size_t count = span - k < CHUNK ? span - k : CHUNK;
            for (size_t r = 0; r < count; r++)
                u[r] = basis[(k + r) * n + i];
            rk_legs_write(&to->legs, i, k, count, u);
        }
        rk_legs_write(&to->legs, i, span, thin, zy);
    }
}

void rk_source_fold(rk_work *work, size_t n, const rk_source *whole, const rk_fold_scratch *scratch,
                    const rk_source *to) {
    size_t span = to->span, m2 = 2 * whole->width;
    sketch(work, n, whole, span, &scratch->wide);
    rk_legs_product(work, RK_TRANS, span, n, m2, scratch->wide, whole->legs, 0, scratch->narrow);
    orthonormalise(work, span, n, scratch);
    rk_legs_product(work, RK_NO_TRANS, span, m2, n, scratch->narrow, whole->legs, 0, to->K);
    write_legs(work, n, whole, scratch->basis, to);
}

static void draw_probes(rk_work *work, size_t rank, size_t n, rk_legs probes) {
    if (!rk_work_charge(work, 0)) return;
    enum { AT_ONCE = 64 * RK_STREAM_BLOCK };
    rk_stream stream = {0, RK_STREAM_PROBES};
    uint64_t words[AT_ONCE];
    double signs[AT_ONCE];
    for (size_t k = 0; k < rank; k++)
        for (size_t j = 0; j < n; j += AT_ONCE) {
            size_t count = n - j < AT_ONCE ? n - j : AT_ONCE;
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
static void gram_schmidt(rk_work *work, size_t rank, size_t n, rk_legs rows, double *basis) {
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
        gram_schmidt(work, rank, n, thin, basis);
        rk_legs_product(work, RK_NO_TRANS, rank, m, n, thin, R, 0, L);
    }
    transpose(work, n, rank, basis, z);
}
