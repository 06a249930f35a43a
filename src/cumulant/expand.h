/* Cumulants written out, whatever form they are tracked in. */
#ifndef RK_CUMULANT_EXPAND_H
#define RK_CUMULANT_EXPAND_H

#include "cumulant/tower.h"

/** kappa(X_index[0], .., X_index[d - 1]); 0 if degree d is not tracked. A factored degree takes
 *  about 12 J FLOPs: for a few entries. */
double rk_tower_entry(const rk_tower *tower, int d, const size_t *index);

/** The dense symmetric tensor of degree d <= RK_MAX_ORDER: n^d entries. Factored degrees by matrix
 *  products, n^3 J FLOPs for the third, n^4 J / 2 for the fourth. Takes up to n^d / d! doubles, and
 *  n^4 / 4 for a factored fourth; runs over the pool. */
void rk_tower_expand(rk_work *work, const rk_tower *tower, int d, double *dense);

#endif
