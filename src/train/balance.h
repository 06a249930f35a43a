/* Rows of a student brought to one size, for steps that do not know curvature. */
#ifndef RK_TRAIN_BALANCE_H
#define RK_TRAIN_BALANCE_H

#include "propagate/covariance.h"
#include "train/parameters.h"

/** Scales each neuron of a hidden layer of `student`, of which `tape` was made, so that its
 *  pre-activation has second moment 1, and what reads it by the inverse: the same network, where
 *  activations are homogeneous of degree 1; other layers stay. */
void rk_balance(rk_work *work, rk_parameters *student, const rk_tape *tape);

#endif
