/* Inputs x = mu + S z of samples, in double, and the way back to their law.
 *
 * z are the points of sample/points.h, row r of a run a function of (seed, stream, r) alone, and S
 * is the root of rk_input_root: the same inputs that rk_sample takes. Rows of mirrored sets come as
 * halves of what is drawn at once: z first, then -z. Rotated sets get lengths that are drawn, so
 * any network may look at them. */
#ifndef RK_GRADIENT_INPUTS_H
#define RK_GRADIENT_INPUTS_H

#include "base/work.h"
#include "sample/points.h"

typedef struct rk_inputs {
    rk_points points;
    size_t n, most, rows; /**< entries; rows there is room for; that were drawn last */
    uint64_t at_hand;     /**< replicate whose rotation is at hand, from 1; 0: none */
    float *drawn, *scratch;
    double *z, *x;                   /**< rows x n; the same array for the standard normal */
    const double *mean, *covariance; /**< of the law, borrowed; NULL as in rk_input */
    double *root;                    /**< S, n x n; NULL: the identity */
} rk_inputs;

/** The fewest rows, at least `rows`, that can be drawn at once: whole pairs, of rotated sets whole
 *  chunks of a basis. A run is drawn in such blocks. */
size_t rk_inputs_block(rk_point_set set, size_t n, size_t rows);

/** Rows whose averages are independent of each other: a sample, a pair, a replicate. */
uint64_t rk_inputs_unit(rk_point_set set, size_t n);

/** Room for a block of `most` rows of an input law (mean, covariance); the same in the dry and the
 *  wet run. RK_ERROR_ARGUMENT as of rk_input_root, RK_ERROR_UNSUPPORTED: more inputs than there are
 *  bases for. */
rk_status rk_inputs_take(rk_work *work, const rk_input *input, size_t n, rk_point_set set,
                         rk_stream stream, size_t most, rk_inputs *out, rk_error *error);

/** Makes inputs->x of rows first .. first + rows - 1, both multiples of what rk_inputs_block gives
 *  for 1, rows <= most. Not charged but for S z, 2 n^2 a row, and rotations. */
rk_status rk_inputs_draw(rk_work *work, rk_inputs *inputs, uint64_t first, size_t rows,
                         rk_error *error);

/** From adjoints of x: adds to those of the mean (n) and of S (n x n), which rk_input_root_back
 *  takes on to the covariance; NULL: not wanted. 1 and 2n FLOPs an entry of x. */
void rk_inputs_back(rk_work *work, const rk_inputs *inputs, const double *xbar, double *mean,
                    double *root);

#endif
