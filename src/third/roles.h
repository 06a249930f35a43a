/* Which neurons of a layer are worth following (docs/MATH.md#roles).
 *
 * Deep in a network most neurons keep to one side of their kink. One that is nearly always on is
 * linear: nothing is born there. One that is nearly always off says nothing to the next layer. What
 * costs n^3 needs only the others: how many they are is part of the plan, which ones is seen on the
 * way. */
#ifndef RK_THIRD_ROLES_H
#define RK_THIRD_ROLES_H

#include "propagate/propagate.h"

/** How many neurons of a layer are heard by the next, how many of those are not linear, and how
 * many have a mean that higher cumulants shift: bent <= heard <= shifted. All at least 1. */
typedef struct rk_roles {
    size_t bent, heard, shifted;
} rk_roles;

/** Counts one rk_roles a layer, `roles` of n_layers entries, from means and independent variances
 *  alone; in the last layer all neurons are both. About 4 FLOPs a weight. Fails on lack of memory
 *  only. */
rk_status rk_roles_guess(rk_roles *roles, const rk_network *net, const rk_input *input,
                         rk_error *error);

/** Orders n neurons, mean and variance of their pre-activations given: the first role.bent are the
 *  most bent of the first role.heard, and the others follow by falling voice. */
void rk_roles_order(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                    const double *var, rk_roles role, size_t *order);

typedef struct rk_relabelling {
    size_t *rows, *cols; /* what the network calls the layer's neurons, and those it reads */
    rk_layer layer;      /* the present one; its weights and bias are the next two */
    double *weight, *bias;
} rk_relabelling;

rk_relabelling rk_relabelling_take(rk_work *work, const rk_network *net);

/** The next layer: its own neurons as they stand, those it reads in the order they were left in. */
const rk_layer *rk_relabelling_enter(rk_work *work, const rk_layer *layer, rk_relabelling *r);

/** The layer's own neurons in the order `rows`, which the caller has changed. `scratch`: as many as
 *  it has weights. */
void rk_relabelling_apply(rk_work *work, const rk_relabelling *r, double *scratch);

/** x_i becomes x_order[i], n numbers; scratch n. */
void rk_reorder(rk_work *work, const size_t *order, size_t n, double *x, double *scratch);

/** to_ij = from_order[i],order[j], n x n. */
void rk_reorder_pairs(rk_work *work, const size_t *order, size_t n, const double *from, double *to);

#endif
