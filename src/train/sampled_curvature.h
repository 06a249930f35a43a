/* Curvature of a loss on data, Gauss and Newton's, in Kronecker factors (docs/MATH.md#kfac).
 *
 * A is the second moment of what a layer reads, over the data. G is that of adjoints which begin at
 * the output with the loss's own curvature there as their covariance: signs at random for |y -
 * t|^2, and for -log softmax(y)_label, whose curvature is diag(p) - p p', softmax less an indicator
 * that is drawn from it (Martens and Grosse, 2015). */
#ifndef RK_TRAIN_SAMPLED_CURVATURE_H
#define RK_TRAIN_SAMPLED_CURVATURE_H

#include "gradient/sampled_loss.h"
#include "train/kfac.h"

/** Fills all factors of plain `net`, whose layers are those of `kfac`, from given samples
 *  (examples->x). A pass there and back and two products a layer, over all of them; memory of
 * `work` for a block of passes, that is not given back. */
void rk_sampled_curvature_fill(rk_work *work, const rk_examples *data, const rk_network *net,
                               uint64_t seed, rk_kfac *kfac);

#endif
