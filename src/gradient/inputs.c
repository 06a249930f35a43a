#include "gradient/inputs.h"

#include "base/sweep.h"
#include "gradient/rows.h"
#include "linalg/blas.h"
#include "sample/bases.h"
#include "sample/root.h"

#include <assert.h>

static size_t copies_of(rk_point_set set) {
    return rk_points_are_mirrored(set) ? 2 : 1;
}

size_t rk_inputs_block(rk_point_set set, size_t n, size_t rows) {
    size_t unit = copies_of(set);
    if (rk_points_are_rotated(set)) {
        const size_t basis = rk_bases_dimension(n);
        unit *= basis < RK_POINTS_CHUNK ? basis : RK_POINTS_CHUNK;
    }
    return (rows + unit - 1) / unit * unit;
}

uint64_t rk_inputs_unit(rk_point_set set, size_t n) {
    return copies_of(set) * (rk_points_are_rotated(set) ? rk_points_per_replicate(set, n) : 1);
}

rk_status rk_inputs_take(rk_work *work, const rk_input *input, size_t n, rk_point_set set,
                         rk_stream stream, size_t most, rk_inputs *out, rk_error *error) {
    if (rk_points_are_rotated(set) && n > RK_BASES_MAX)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "orthogonal points and designs are for at most %d inputs", RK_BASES_MAX);
    *out = (rk_inputs){.points = rk_points_take(work, set, stream, 0, n, n, NULL, false, 1),
                       .n = n,
                       .most = most,
                       .drawn = rk_work_floats(work, most / copies_of(set), n),
                       .scratch = rk_work_floats(work, rk_points_scratch(set, n), 1),
                       .z = rk_work_doubles(work, most, n),
                       .mean = input->mean,
                       .covariance = input->covariance};
    out->x = input->mean || input->covariance ? rk_work_doubles(work, most, n) : out->z;
    if (!input->covariance) return RK_OK;
    out->root = rk_work_doubles(work, n, n);
    const size_t mark = rk_work_mark(work);
    rk_status status = rk_input_root(work, n, input->covariance, out->root, error);
    rk_work_release(work, mark);
    return status;
}

/* Of items (pairs of a mirrored set) one after another; a rotated set has to turn on its way. */
static rk_status draw_points(rk_work *work, rk_inputs *inputs, uint64_t item, size_t items,
                             rk_error *error) {
    const uint64_t per_replicate = rk_points_per_replicate(inputs->points.set, inputs->n);
    for (size_t done = 0; done < items;) {
        const uint64_t replicate = (item + done) / per_replicate;
        const uint64_t first = (item + done) % per_replicate, left = per_replicate - first;
        const size_t count = items - done < left ? items - done : (size_t)left;
        if (rk_points_are_rotated(inputs->points.set) && inputs->at_hand != replicate + 1) {
            rk_status status = rk_points_rotate(work, &inputs->points, replicate, error);
            if (status != RK_OK) return status;
            inputs->at_hand = replicate + 1;
        }
        if (rk_work_charge(work, 0))
            rk_points_products(&inputs->points, replicate, (size_t)first, count, inputs->scratch,
                               inputs->drawn + done * inputs->n);
        done += count;
    }
    return RK_OK;
}

static void widen_rows(void *context, size_t first, size_t last) {
    const rk_inputs *inputs = context;
    const bool mirrored = rk_points_are_mirrored(inputs->points.set);
    const size_t n = inputs->n, half = inputs->rows / 2;
    for (size_t r = first; r < last; r++) {
        const bool mirror = mirrored && r >= half;
        const float *from = inputs->drawn + (mirror ? r - half : r) * n;
        for (size_t i = 0; i < n; i++)
            inputs->z[r * n + i] = mirror ? -(double)from[i] : (double)from[i];
    }
}

static void shift_rows(void *context, size_t first, size_t last) {
    const rk_inputs *inputs = context;
    const size_t n = inputs->n;
    for (size_t r = first; r < last; r++)
        for (size_t i = 0, at = r * n; i < n; i++, at++)
            inputs->x[at] =
                (inputs->mean ? inputs->mean[i] : 0) + (inputs->root ? 0 : inputs->z[at]);
}

rk_status rk_inputs_draw(rk_work *work, rk_inputs *inputs, uint64_t first, size_t rows,
                         rk_error *error) {
    const size_t n = inputs->n, copies = copies_of(inputs->points.set);
    const size_t unit = rk_inputs_block(inputs->points.set, n, 1);
    assert(first % unit == 0 && rows % unit == 0 && rows <= inputs->most);
    inputs->rows = rows;
    rk_status status = draw_points(work, inputs, first / copies, rows / copies, error);
    if (status != RK_OK) return status;
    if (rk_work_charge(work, 0)) rk_sweep(work->pool, rows, n, widen_rows, inputs);
    if (!inputs->mean && !inputs->root) return RK_OK;
    if (rk_work_charge(work, inputs->mean ? (uint64_t)rows * n : 0))
        rk_sweep(work->pool, rows, n, shift_rows, inputs);
    if (inputs->root)
        rk_gemm(work, RK_NO_TRANS, RK_TRANS, rows, n, n, 1, inputs->z, n, inputs->root, n, 1,
                inputs->x, n);
    return RK_OK;
}

/* ---------------------------------------------------------------------------------------- back */

void rk_inputs_back(rk_work *work, const rk_inputs *inputs, const double *xbar, double *mean,
                    double *root) {
    const size_t rows = inputs->rows, n = inputs->n;
    if (mean) rk_rows_sum(work, rows, n, xbar, mean);
    if (root)
        rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, n, rows, 1, xbar, n, inputs->z, n, 1, root, n);
}
