/* Cumulants entry by entry, whatever form they are tracked in: for answers and tests, not for
 * speed.
 */
#ifndef RK_CUMULANT_EXPAND_H
#define RK_CUMULANT_EXPAND_H

#include "cumulant/tower.h"

/** kappa(X_index[0], .., X_index[d - 1]); 0 if degree d is not tracked. A factored degree takes
 *  about 12 J FLOPs. */
double rk_tower_entry(const rk_tower *tower, int d, const size_t *index);

/** The dense symmetric tensor: n^d entries, one evaluation for each multiset of indices. */
void rk_tower_expand(const rk_tower *tower, int d, double *dense);

#endif
