/* Curvature of E|y - y*|^2 from propagated second moments, without samples (docs/MATH.md#curvature).
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

/** N (cols x cols) of what `layer` reads from its G (rows x rows; NULL: 1). 3 n^3 FLOPs. */
void rk_curvature_pull(rk_work *work, rk_curvature *c, const rk_layer *layer, const double *G,
                       double *N);

/** G (n x n) of pre-activations z from N of what `activation` makes of them. */
void rk_curvature_activate(rk_work *work, rk_curvature *c, const rk_activation *activation,
                           size_t n, rk_marginals z, const double *N, double *G);

/** Fills the factors of the first kfac->n_layers layers of `net`, of which `tape` was made, up to
 *  and with the last hidden one; `last` are the moments of that one's outputs. 5 n^3 FLOPs a layer. */
void rk_curvature_fill(rk_work *work, rk_curvature *c, const rk_network *net, const rk_input *input,
                       rk_tape *tape, rk_moments last, rk_kfac *kfac);

#endif
