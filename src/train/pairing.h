/* Networks of different depths side by side: the shorter one stands still where the other goes on.
 *
 * Hidden layer k of the L of the shorter one is at the height ceil(k D / L) of the D of the deeper
 * one, so the last ones are together; in between are layers without weights and activation, which
 * change nothing. */
#ifndef RK_TRAIN_PAIRING_H
#define RK_TRAIN_PAIRING_H

#include "network/network.h"

/** Height, from 0, of hidden layer k of n_hidden in a network of `depth` hidden layers. */
size_t rk_pairing_height(size_t k, size_t n_hidden, size_t depth);

/** A copy of plain `net` with `depth` >= its own hidden layers. */
rk_status rk_pairing_stretch(rk_network **out, const rk_network *net, size_t depth,
                             rk_error *error);

/** A copy without such layers. */
rk_status rk_pairing_tighten(rk_network **out, const rk_network *net, rk_error *error);

#endif
