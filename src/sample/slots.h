/* Which values of a network are alive together: passes have no room for more. */
#ifndef RK_SAMPLE_SLOTS_H
#define RK_SAMPLE_SLOTS_H

#include "network/network.h"

/** How many buffers hold what each layer makes until its last use: 2 for plain networks, and never
 *  fewer. If not NULL, slot[l] is that of layer l, and the n_layers entries after these scratch. */
size_t rk_slots(const rk_network *net, size_t *slot);

#endif
