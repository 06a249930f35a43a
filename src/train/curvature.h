/* Curvature of E|y - y*|^2 from propagated second moments, without samples
 * (docs/MATH.md#curvature).
 *
 * What the loss makes of changes of pre-activations, going down from the output, where it is 1:
 *
 *     N_l = W_{l+1}' G_{l+1} W_{l+1},   G_l = Q_l o N_l,
 *
 * with Q_ij = dCov(h_i, h_j) / dCov(z_i, z_j): off the diagonal the product of mean slopes, on it
 * what the completed closure has at correlation 1. */
#ifndef RK_TRAIN_CURVATURE_H
#define RK_TRAIN_CURVATURE_H

#include "propagate/covariance.h"
#include "train/kfac.h"

typedef struct rk_curvature {
    double *product, *N, *G; /* for the widest layer */
    rk_pairs_side side;
    double *var_h, *m, *centre, *w;
} rk_curvature;

rk_curvature rk_curvature_take(rk_work *work, const rk_network *net);

/** From c->G of layer l + 1 of `net`, of which `tape` was made (`last`: from 1 at the output), to
 *  c->N and c->G of layer l. 3 n^3 FLOPs. */
void rk_curvature_descend(rk_work *work, rk_curvature *c, const rk_network *net,
                          const rk_tape *tape, size_t l, bool last);

/** Fills the factors of the first kfac->n_layers layers of `net`, of which `tape` was made, up to
 *  and with the last hidden one; `last` are the moments of that one's outputs. 5 n^3 FLOPs a layer.
 */
void rk_curvature_fill(rk_work *work, rk_curvature *c, const rk_network *net, const rk_input *input,
                       rk_tape *tape, rk_moments last, rk_kfac *kfac);

#endif
