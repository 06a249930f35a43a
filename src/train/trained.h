/* What came of training against an event: the result that users see. */
#ifndef RK_TRAIN_TRAINED_H
#define RK_TRAIN_TRAINED_H

#include "train/warnings.h"

struct rk_trained {
    rk_train_event_data data;
    rk_network *network;
    rk_event_point *curve;
    size_t room;
    rk_warnings warnings;
};

rk_status rk_trained_create(rk_trained **out, rk_error *error);

/** One more point of the curve. RK_ERROR_MEMORY. */
rk_status rk_trained_point(rk_trained *trained, const rk_event_point *point, rk_error *error);

#endif
