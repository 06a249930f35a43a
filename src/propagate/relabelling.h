/* A network seen layer by layer with its neurons in another order. */
#ifndef RK_PROPAGATE_RELABELLING_H
#define RK_PROPAGATE_RELABELLING_H

#include "propagate/propagate.h"

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
