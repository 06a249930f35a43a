/* The residual of a newborn source at low rank. */
#ifndef RK_PROPAGATE_THIRD_RESIDUAL_H
#define RK_PROPAGATE_THIRD_RESIDUAL_H

#include "propagate/third_legs.h"

/**
 * z L = R projected on the `rank` directions that random probes find most of R in, after one power
 * iteration: R n x m, z n x rank with orthonormal columns, L rank x m. `thin` (rank x n) and
 * `basis` (rank x n doubles) are scratch. About 8 n m rank FLOPs.
 */
void rk_residual_compress(rk_work *work, size_t n, size_t m, size_t rank, rk_legs R, rk_legs thin,
                          double *basis, rk_legs z, rk_legs L);

#endif
