/* A network that sees its input once: through the weights of its first layer and nowhere else, so
 * that whatever is folded into these is what the network is fed with. */
#ifndef RK_NETWORK_ENTRANCE_H
#define RK_NETWORK_ENTRANCE_H

#include "network/network.h"

/** True if it does: every plain network, and a residual one whose first layer is its stem. */
bool rk_network_enters_once(const rk_network *net);

/** The same network after one more layer, h = 1 x, which the others see in the place of x: value v
 *  of `net` is its value v + 1. Borrows weights and biases of `net`. Free with
 *  rk_network_destroy. Fails on lack of memory only. */
rk_status rk_network_enter_once(rk_network **out, const rk_network *net, rk_error *error);

#endif
