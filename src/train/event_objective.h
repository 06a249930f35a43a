/* The log-probability of an event as closures tell it, to be trained on: deterministic, with its
 * gradient, however rare the event is. What it says of the probability itself is not to be
 * believed (docs/METHODS.md#rare); which way is down, is. */
#ifndef RK_TRAIN_EVENT_OBJECTIVE_H
#define RK_TRAIN_EVENT_OBJECTIVE_H

#include "train/modes.h"

typedef struct rk_event_objective {
    rk_event_view view;
    rk_covariance_spec closure;
    const rk_rare_event *event;
    int rounds;        /**< of a search for tilts */
    unsigned research; /**< they are looked for anew whenever so many steps have passed */
    uint64_t step;
    size_t found_again; /**< searches that found likelier modes than were followed */
    rk_modes modes;
    double log_normal, log_tilts; /**< of the last step; NaN: not asked for */
} rk_event_objective;

/** With the defaults of trial: six rounds, a search every eight steps. */
rk_status rk_event_objective_create(rk_event_objective *out, rk_event_view view,
                                    const rk_rare_event *event, rk_error *error);
void rk_event_objective_free(rk_event_objective *objective);

/** log P of `net` as it is now; adds `weight` times its derivative to what `to` wants. Tilts move
 *  along. NaN where there is nothing to go by: no variance, or neither tilt found. */
double rk_event_objective_step(rk_work *work, rk_event_objective *objective, const rk_network *net,
                               double weight, const rk_adjoint *to);

#endif
