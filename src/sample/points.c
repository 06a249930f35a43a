#include "sample/points.h"

#include "base/normal.h"
#include "linalg/blas.h"
#include "linalg/lapack.h"
#include "sample/bases.h"

#include <math.h>

/* Pairs of an orthogonal replicate, if the bases have as many: enough for the rotation to cost
 * little, few enough for runs of some seconds to have replicates to compare. */
enum { ORTHOGONAL_ITEMS = 4096 };

/* Floats of points at hand at once: no more where these are long. */
enum { SCRATCH = 1 << 22 };

static size_t items_at_once(size_t n_in) {
    const size_t fit = SCRATCH / n_in, most = 2 * RK_POINTS_CHUNK;
    return fit < 1 ? 1 : fit < most ? fit : most;
}

size_t rk_points_scratch(rk_point_set set, size_t n_in) {
    if (rk_points_are_rotated(set)) return rk_bases_dimension(n_in);
    return items_at_once(n_in) * n_in;
}

size_t rk_points_per_replicate(rk_point_set set, size_t n_in) {
    switch (set) {
    case RK_POINTS_IID:
        return 2 * RK_POINTS_CHUNK;
    case RK_POINTS_ANTITHETIC:
        return RK_POINTS_CHUNK;
    case RK_POINTS_ORTHOGONAL:
    case RK_POINTS_DESIGN:
        break;
    }
    const size_t N = rk_bases_dimension(n_in), all = N * rk_bases_count(N);
    const size_t some = N > ORTHOGONAL_ITEMS ? N : ORTHOGONAL_ITEMS;
    return set == RK_POINTS_DESIGN || all < some ? all : some;
}

/* E|z| of z ~ N(0, 1_N), N even: sqrt(pi/2) for 2, and (N + 1) / N times as much for N + 2. */
static double mean_length(size_t dimension) {
    double length = sqrt(acos(-1) / 2);
    for (size_t n = 2; n < dimension; n += 2)
        length *= (double)(n + 1) / (double)n;
    return length;
}

rk_points rk_points_take(rk_work *work, rk_point_set set, rk_stream stream, uint64_t first,
                         size_t rows, size_t cols, const rk_float_layer *layer, bool homogeneous,
                         size_t n_slots) {
    rk_points points = {
        .set = set, .stream = stream, .first = first, .rows = rows, .cols = cols, .layer = layer};
    if (!rk_points_are_rotated(set)) return points;
    const size_t m = rows, n = cols, N = rk_bases_dimension(n);
    points.dimension = N;
    points.length = homogeneous ? mean_length(N) : 0;
    points.table = rk_work_take(work, rk_bases_table(N), sizeof *points.table);
    points.normals = rk_work_floats(work, n, N);
    points.wide = rk_work_doubles(work, n, N);
    points.gram = rk_work_doubles(work, n, n);
    points.solved = rk_work_doubles(work, n, m);
    points.rounded = rk_work_floats(work, n, m);
    points.n_slots = n_slots;
    points.rotated = rk_work_floats(work, n_slots * N, m);
    if (rk_work_charge(work, 0)) rk_bases_fill(N, points.table);
    return points;
}

static float *rotation_of(const rk_points *points, uint64_t replicate) {
    const size_t slot = (size_t)(replicate % points->n_slots);
    return points->rotated + slot * points->dimension * points->rows;
}

static void widen(size_t count, const float *x, double *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = (double)x[i];
}

/* W', cols x rows; of no layer: the identity. */
static void widen_layer(const rk_float_layer *layer, size_t cols, size_t rows, double *out) {
    if (layer) widen(cols * rows, layer->transposed, out);
    for (size_t i = 0; !layer && i < cols * rows; i++)
        out[i] = i % (cols + 1) == 0;
}

static void narrow(size_t count, const double *x, float *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = (float)x[i];
}

/* Normals G (n x N) and G G' = L L' make orthonormal rows L^-1 G: those of a uniformly distributed
 * rotation, of which only n are needed. (W L^-1 G)' = G' (L'^-1 W'). */
rk_status rk_points_rotate(rk_work *work, rk_points *points, uint64_t replicate, rk_error *error) {
    const size_t m = points->rows, n = points->cols, N = points->dimension;
    if (rk_work_charge(work, 0)) { /* items from the end: the others tell lengths */
        rk_normal_floats(points->stream, ~(points->first + replicate), n * N, points->normals);
        widen(n * N, points->normals, points->wide);
    }
    rk_gemm_symmetric(work, RK_NO_TRANS, RK_TRANS, n, N, 1, points->wide, N, points->wide, N, 0,
                      points->gram, n);
    if (!rk_cholesky(work, n, points->gram))
        return rk_fail(error, RK_ERROR_NUMERIC, "a random matrix is singular");
    if (rk_work_charge(work, 0)) widen_layer(points->layer, n, m, points->solved);
    rk_solve_lower(work, RK_TRANS, n, m, points->gram, points->solved);
    if (rk_work_charge(work, 0)) narrow(n * m, points->solved, points->rounded);
    const double length = points->length > 0 ? points->length : 1;
    rk_sgemm(work, RK_TRANS, RK_NO_TRANS, N, m, n, (float)(length / sqrt((double)N)),
             points->normals, N, points->rounded, m, 0, rotation_of(points, replicate), m);
    return RK_OK;
}

static float length_of(size_t n, const float *z) {
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (double)z[i] * (double)z[i];
    return (float)sqrt(square);
}

static void make_rotated(const rk_points *points, uint64_t replicate, size_t first, size_t n,
                         float *scratch, float *z) {
    const size_t N = points->dimension, m = points->rows;
    const size_t rows = N < RK_POINTS_CHUNK ? N : RK_POINTS_CHUNK;
    for (size_t i = 0; i < n; i += rows)
        rk_bases_products(N, points->table, (first + i) / N, (first + i) % N, rows, m,
                          rotation_of(points, replicate), z + i * m);
    if (points->length > 0) return;
    const uint64_t items = rk_points_per_replicate(points->set, points->cols);
    const uint64_t item = (points->first + replicate) * items + first;
    for (size_t i = 0; i < n; i++) {
        rk_normal_floats(points->stream, item + i, N, scratch);
        const float length = length_of(N, scratch);
        for (size_t j = 0; j < m; j++)
            z[i * m + j] *= length;
    }
}

void rk_points_products(const rk_points *points, uint64_t replicate, size_t first, size_t n,
                        float *scratch, float *z) {
    if (rk_points_are_rotated(points->set)) {
        make_rotated(points, replicate, first, n, scratch, z);
        return;
    }
    const size_t m = points->rows, n_in = points->cols, chunk = items_at_once(n_in);
    const uint64_t items = rk_points_per_replicate(points->set, n_in);
    for (size_t done = 0; done < n; done += chunk) {
        const size_t count = n - done < chunk ? n - done : chunk;
        const uint64_t item = points->first + replicate * items + first + done;
        float *drawn = points->layer ? scratch : z + done * m;
        for (size_t i = 0; i < count; i++)
            rk_normal_floats(points->stream, item + i, n_in, drawn + i * n_in);
        if (points->layer)
            rk_block_sgemm(count, m, n_in, drawn, points->layer->transposed, z + done * m);
    }
}

uint64_t rk_points_flops(rk_point_set set, size_t rows, size_t cols) {
    if (!rk_points_are_rotated(set)) return 2 * (uint64_t)rows * cols;
    const size_t N = rk_bases_dimension(cols), chunk = N < RK_POINTS_CHUNK ? N : RK_POINTS_CHUNK;
    size_t stages = 0;
    while ((size_t)1 << stages < chunk)
        stages++;
    return (uint64_t)rows * (N / chunk + stages);
}

double rk_points_second_moment(const rk_points *points) {
    return points->length > 0 ? (double)points->dimension / (points->length * points->length) : 1;
}
