/* Events: what their text means. */
#ifndef RK_TAIL_EVENT_H
#define RK_TAIL_EVENT_H

#include "network/network.h"

/** RK_ERROR_ARGUMENT unless layer and indices exist and all numbers are finite. */
rk_status rk_event_check(const rk_event *event, const rk_network *net, rk_error *error);

/** The same functional of the same layer, whatever threshold and direction. */
bool rk_event_same_functional(const rk_event *a, const rk_event *b);

#endif
