/* Where the network is looked at: sets of inputs, each point by itself N(0, I) or its stand-in.
 *
 * Points come in items, a point or a mirrored pair z, -z, and items in replicates, independent of
 * each other: any average over a replicate is unbiased, and replicates tell the standard error.
 *
 *     iid          an item is a point, a replicate any number of them
 *     antithetic   an item is a pair, a replicate any number of them
 *     orthogonal   pairs along the vectors of some unbiased bases (bases.h) under a random rotation
 *     design       along those of all N/2 + 1 bases: 5-designs
 *
 * N is the input's size, rounded up to the next power of 4: the rest of a point is dropped. A
 * vector of a rotated basis is uniform on the sphere; it is given a length |z| that is drawn like
 * that of a normal, or, since homogeneous networks pass it through, its mean E|z|. The rotation is
 * folded into the first layer, which then costs no product at all. See
 * docs/MATH.md#structured-sampling. */
#ifndef RK_SAMPLE_POINTS_H
#define RK_SAMPLE_POINTS_H

#include "base/stream.h"
#include "base/work.h"
#include "reckon/reckon.h"
#include "sample/float_layer.h"

/** Items worked on at once: rk_points_products begins at multiples of it. */
enum { RK_POINTS_CHUNK = 256 };

typedef struct rk_points {
    rk_point_set set;
    rk_stream stream;
    uint64_t first; /**< item, or replicate of a rotated set, that item or replicate 0 stands for */
    size_t rows, cols;           /**< of the first layer */
    const rk_float_layer *layer; /**< itself; NULL: the identity, which shows the points */
    /* of rotated sets */
    size_t dimension; /**< N */
    double length;    /**< E|z| if that is every point's, otherwise 0 */
    unsigned char *table;
    float *normals; /**< cols x N, with room for the rotation's arithmetic */
    double *wide, *gram, *solved;
    float *rounded;
    float *rotated; /**< n_slots times (W_1 Q)': N x rows */
    size_t n_slots;
} rk_points;

static inline bool rk_points_are_mirrored(rk_point_set set) {
    return set != RK_POINTS_IID;
}

static inline bool rk_points_are_rotated(rk_point_set set) {
    return set == RK_POINTS_ORTHOGONAL || set == RK_POINTS_DESIGN;
}

/** Items of a replicate: where it could be any number, RK_POINTS_CHUNK pairs or as many points. */
size_t rk_points_per_replicate(rk_point_set set, size_t n_in);

/** The points of `set` as the network's first layer (rows x cols) sees them, in memory of `work`;
 *  `layer` NULL, rows = cols: the points themselves. A rotated set keeps the rotations of the last
 * `n_slots` replicates and, if `homogeneous`, gives all points the same length. */
rk_points rk_points_take(rk_work *work, rk_point_set set, rk_stream stream, uint64_t first,
                         size_t rows, size_t cols, const rk_float_layer *layer, bool homogeneous,
                         size_t n_slots);

/** Floats that rk_points_products needs, for no more than 2 RK_POINTS_CHUNK items or 16 MiB. */
size_t rk_points_scratch(rk_point_set set, size_t n_in);

/** Draws the rotation of a replicate of a rotated set; needed before its points. About n^2 N +
 *  2nN rows FLOPs. RK_ERROR_NUMERIC if the random matrix is singular, which does not happen. */
rk_status rk_points_rotate(rk_work *work, rk_points *points, uint64_t replicate, rk_error *error);

/** z (n x rows) = W_1 times the points (of pairs, the first halves) of items first .. first + n - 1
 *  of a replicate. `scratch`: rk_points_scratch floats. For any thread. */
void rk_points_products(const rk_points *points, uint64_t replicate, size_t first, size_t n,
                        float *scratch, float *z);

/** FLOPs of rk_points_products per item, for a first layer of rows x cols. */
uint64_t rk_points_flops(rk_point_set set, size_t rows, size_t cols);

/** E|z|^2 over the mean square length of the points: what second moments are short of. */
double rk_points_second_moment(const rk_points *points);

#endif
