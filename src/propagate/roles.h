/* Which neurons of a layer are worth following (docs/MATH.md#roles).
 *
 * Deep in a network most neurons keep to one side of their kink. One that is nearly always on is
 * linear: nothing is born there. One that is nearly always off says nothing to the next layer. What
 * costs n^3 needs only the others: how many they are is part of the plan, which ones is seen on the
 * way. */
#ifndef RK_PROPAGATE_ROLES_H
#define RK_PROPAGATE_ROLES_H

#include "propagate/propagate.h"

/** How many neurons of a layer are heard by the next, how many of those are not linear, and how
 * many have a mean that higher cumulants shift: bent <= heard <= shifted. All at least 1. */
typedef struct rk_role {
    size_t bent, heard, shifted;
} rk_role;

/** Counts one rk_role a layer, `roles` of n_layers entries, from means and independent variances
 *  alone; in the last layer all neurons are both. About 4 FLOPs a weight. Fails on lack of memory
 *  only. */
rk_status rk_roles_guess(rk_role *roles, const rk_network *net, const rk_input *input,
                         rk_error *error);

/** Orders n neurons, mean and variance of their pre-activations given: the first role.bent are the
 *  most bent of the first role.heard, and the others follow by falling voice. */
void rk_roles_order(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                    const double *var, rk_role role, size_t *order);

#endif
