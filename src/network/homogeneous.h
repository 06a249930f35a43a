/* Biases as weights of a neuron that is always 1. */
#ifndef RK_NETWORK_HOMOGENEOUS_H
#define RK_NETWORK_HOMOGENEOUS_H

#include "network/network.h"

/** True if it has biases that are not all zero. */
bool rk_layer_is_biased(const rk_layer *layer);

/** True if F(c x) = c F(x) for c > 0, x the input: homogeneous activations and no biases at all. */
bool rk_network_scales(const rk_network *net);

/** RK_ERROR_UNSUPPORTED, naming the layer, if it does not. */
rk_status rk_network_check_scales(const rk_network *net, rk_error *error);

/** True if activations and, from the second layer on, biases before an activation leave
 *  F(c h) = c F(h) for c > 0, h the first layer's output. */
bool rk_network_is_homogeneous(const rk_network *net);
/** RK_ERROR_UNSUPPORTED, naming the layer, if not. */
rk_status rk_network_check_homogeneous(const rk_network *net, rk_error *error);

/** The same if the biases were not there. */
bool rk_network_can_be_homogeneous(const rk_network *net);

/**
 * A homogeneous network of the same outputs, for one that can be: every hidden layer has one more
 * neuron, its last, which is about as large as they are, whatever that is for an input of mean
 * square `input_square`. In the first layer it comes from a bias, later from itself; the biases of
 * later layers are the weights on it. Free with rk_network_destroy. Fails on lack of memory only.
 */
rk_status rk_network_homogenise(rk_network **out, const rk_network *net, double input_square,
                                rk_error *error);

/** Adjoints of that network's weights and biases, [n_layers], go back to those of `net`, to which
 *  they are added (NULL: not wanted; so any of theirs). Returns the adjoint of
 *  `input_square`. About 4 FLOPs a weight. */
double rk_network_homogenise_back(const rk_network *net, double input_square,
                                  double *const *weight_bar, double *const *bias_bar,
                                  double *const *dW, double *const *db);

#endif
