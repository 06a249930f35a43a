/* Monte Carlo: the mean of many forward passes, its standard error, the output covariance.
 *
 * The inputs are a set of points (points.h). Each depends on (seed, stream) and its index only, so
 * a longer run extends a shorter one. NumPy makes the same: tests/numpy/sample.py repeats whole
 * runs. From a point z, or standard normals, the network's input is
 *
 *     x = mu + S z,   S a root of the input covariance (singular ones too: rk_input_root),
 *
 * folded into the first layer in double. Passes are done in float, in units and about a centre that
 * suit it (frame.h), sums over passes in double. */
#ifndef RK_SAMPLE_SAMPLE_H
#define RK_SAMPLE_SAMPLE_H

#include "base/work.h"
#include "network/network.h"
#include "sample/points.h"

typedef struct rk_sample_spec {
    uint64_t n_samples; /**< forward passes asked for, at least 1: see rk_divide */
    uint64_t seed, stream;
    uint64_t first_item; /**< of the stream: skips that many samples, pairs or rotated replicates */
    rk_point_set points;
    /** 0: as rk_divide has it; otherwise the run is cut into so many independent groups. */
    uint64_t n_groups;
    bool control; /**< correct by a control variate (control.h), replicate by replicate */
    /** The hidden layer, from 0, whose mean the control variate knows, and that mean; NULL: the
     *  first one's, exactly. */
    size_t anchor;
    const double *anchor_mean;
    size_t lanes; /**< blocks in work at once, at least 1: the pool's threads. Costs memory;
                   *   the same in the dry and the wet run; no effect on the results */
} rk_sample_spec;

/** Filled by the wet run; memory of the caller. */
typedef struct rk_sample_result {
    uint64_t n_samples;     /**< done: fewer than asked if interrupted; then maybe 0, all NaN */
    double *mean;           /**< n_out; NaN where passes overflow */
    double *standard_error; /**< n_out, of the mean, its rounding included; NaN after a single
                             * sample, pair or replicate, or where the mean is */
    double *variance;       /**< n_out, of one pass */
    double *covariance;     /**< n_out x n_out, of one pass; NULL: not wanted */
    double **hidden_mean;   /**< [n_layers - 1][rows of layer l]; NULL: not wanted */
    double *group_mean;     /**< spec.n_groups x n_out; NULL: not wanted */
} rk_sample_result;

/** RK_ERROR_UNSUPPORTED: more inputs than there are bases for, or no hidden layer to control. */
rk_status rk_sample_check(const rk_network *net, rk_point_set points, bool control,
                          rk_error *error);

/** Samples `net` with input N(mean, covariance) of `input`. Charges 2mnk a product as executed
 *  (pairs share the first layer's) and 1 a bias and an activation. RK_ERROR_ARGUMENT: no samples, a
 *  covariance that is not positive semidefinite; RK_ERROR_TOO_LARGE: more FLOPs than the ledger
 *  counts; RK_ERROR_UNSUPPORTED: see rk_sample_check. */
rk_status rk_sample(rk_work *work, const rk_network *net, const rk_input *input,
                    const rk_sample_spec *spec, rk_sample_result *result, rk_error *error);

#endif
