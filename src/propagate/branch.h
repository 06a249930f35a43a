/* How far a sum can be trusted whose terms came different ways (docs/MATH.md#residual). */
#ifndef RK_PROPAGATE_BRANCH_H
#define RK_PROPAGATE_BRANCH_H

#include "propagate/expansion.h"

/** How far a value can be trusted that is kept (rk_network_keeps). */
typedef struct rk_branch_mark {
    size_t value;
    rk_expansion e;
    double expansion, slenderness, independent, log_growth;
} rk_branch_mark;

rk_branch_mark rk_branch_keep(size_t value, const rk_expansion *e, const rk_regime *regime);

/** The present value is the kept one again. */
void rk_branch_return(const rk_branch_mark *kept, rk_expansion *e, rk_regime *regime);

/** The present value, a branch from the kept one, is added to it, and then has `share` of the sum's
 *  variance: what was dropped in the branch counts by its root. */
void rk_branch_add(const rk_branch_mark *kept, double share, rk_expansion *e, rk_regime *regime);

#endif
