/* The gain-aware closure: covariance propagation that knows the network's common random scale. */
#ifndef RK_PROPAGATE_GAIN_H
#define RK_PROPAGATE_GAIN_H

#include "propagate/chain.h"

/**
 * A positively homogeneous network without biases passes a common scale on: z_l = G y_l with one
 * random gain G a layer, whose variance only grows with depth and which no covariance of Gaussian y
 * can hold. This closure carries gamma = Var G^2 (E G^2 = 1) beside the mean and covariance of
 * y, and the exact covariance of rectified Gaussian pairs (docs/MATH.md#gain). The products of
 * `covariance`, plus about 90 n^2 FLOPs a layer; memory 3 n^2.
 */
void rk_propagate_gain(rk_work *work, const rk_network *net, const rk_input *input,
                       rk_outputs *outputs, rk_tape *tape);

#endif
