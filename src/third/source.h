/* One activation layer's contribution to the third cumulant, carried through the layers above.
 *
 * Born at a layer with `width` bent neurons, at a later layer of n neurons it is
 *
 *     Sym sum_r [3 w2_r a_ir a_jr p_kr + x_ir p_jr p_kr + c_r p_ir p_jr y_k],
 *     x = p diag(s) + 3 a diag(e) + z L,
 *
 * with legs p and a (n x width), z (n x rank) and y (n x 1). At birth p is the identity, a the
 * first-order covariance, z the residual that makes the entries with repeated indices right (exact
 * if rank = width and L is the identity), y the tilt's feed (docs/MATH.md#third, #gauge). Only the
 * legs move; the rest stays as it was born. */
#ifndef RK_THIRD_SOURCE_H
#define RK_THIRD_SOURCE_H

#include "third/legs.h"

typedef struct rk_source {
    size_t width, rank;
    bool fed;           /* it has a y */
    size_t span;        /* 0, or it is folded (third_fold.h) */
    rk_legs legs;       /* n rows: [p | a | z | y], folded [u | z | y] */
    rk_legs K;          /* span x 2 width: [p | a] = u K */
    rk_legs L;          /* rank x width; unused if rank == width */
    double *w2, *s, *e; /* width each */
    double *c;          /* width if fed */
} rk_source;

/** Columns of `legs`. */
static inline size_t rk_source_columns(const rk_source *source) {
    size_t thick = source->span ? source->span : 2 * source->width;
    return thick + source->rank + (source->fed ? 1 : 0);
}

/** to->legs (m rows) = T from->legs, T m x n. */
void rk_source_transport(rk_work *work, size_t m, size_t n, rk_legs T, const rk_source *from,
                         const rk_source *to);

/** The first transport: p is the identity (its first columns) and not stored, [a | z | y] (n rows)
 *  is in `born`. */
void rk_source_first_transport(rk_work *work, size_t m, size_t n, rk_legs T, rk_legs born,
                               const rk_source *to);

/** Scratch of rk_source_slices, each of at least the source's n rows. */
typedef struct rk_slice_scratch {
    rk_legs left;   /* as wide as the legs */
    rk_legs square; /* as wide as p; unused if rank == width and not folded */
} rk_slice_scratch;

/** d3_i += kappa_iii of n neurons. With `pairs` also leaves in `scratch` what the products below
 *  make kappa_iij of, for i < bent: the left factors. `whole` is the source with its legs in full.
 *  O(n width) FLOPs, times the rank if it is low. */
void rk_source_slices(rk_work *work, size_t n, size_t bent, const rk_source *whole, bool pairs,
                      const rk_slice_scratch *scratch, double *d3);

/** D_ij (bent x heard) = kappa_iij + beta D, i of the layer of the left factors, j of the layer
 * where the source is `there` (if it is the same, entries i = j are meaningless). About 6 bent
 * heard width FLOPs, 4 if the rank is low; 2 bent span (heard + 2 width) if it is folded. */
void rk_source_pairs(rk_work *work, size_t bent, size_t heard, const rk_source *there,
                     const rk_slice_scratch *scratch, double beta, rk_legs D);

/** The same with j of the layer where the source was born, its legs there being [1 | born]: 2 bent
 *  heard width FLOPs less. */
void rk_source_pairs_at_birth(rk_work *work, size_t bent, size_t heard, const rk_source *source,
                              rk_legs born, const rk_slice_scratch *scratch, rk_legs G);

#endif
