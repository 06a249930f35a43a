/* One activation layer's contribution to the third cumulant, carried through the layers above.
 *
 * Born at a layer of `width` neurons, at a later layer of n neurons it is
 *
 *     Sym sum_r [3 w2_r a_ir a_jr p_kr + x_ir p_jr p_kr],   x = p diag(s) + 3 a diag(e) + z,
 *
 * with legs p, a, z (n x width): at birth p is the identity, a the first-order covariance, z the
 * residual that makes the entries with repeated indices right (docs/MATH.md#third). Only the legs
 * move; w2, s and e stay as they were born. */
#ifndef RK_PROPAGATE_THIRD_SOURCE_H
#define RK_PROPAGATE_THIRD_SOURCE_H

#include "propagate/third_legs.h"

typedef struct rk_source {
    size_t width;
    rk_legs legs;       /* n x 3 width: [p | a | z] */
    double *w2, *s, *e; /* width each */
} rk_source;

/** to->legs (m x 3 width) = T from->legs, T m x n. 6 m n width FLOPs. */
void rk_source_transport(rk_work *work, size_t m, size_t n, rk_legs T, const rk_source *from,
                         const rk_source *to);

/** The first transport: p is the identity, [a | z] (n x 2 width) is in `born`. 4 m n width FLOPs.
 */
void rk_source_first_transport(rk_work *work, size_t m, size_t n, rk_legs T, rk_legs born,
                               const rk_source *to);

/** d3_i += kappa_iii. If D is not NULL, also D_ij += kappa_iij (entries i = j are meaningless), or
 *  = if `first`; `left` (n x 3 width) is scratch. 6 n^2 width FLOPs with D. */
void rk_source_slices(rk_work *work, size_t n, const rk_source *source, double *d3,
                      const rk_legs *left, bool first, const rk_legs *D);

#endif
