/* The ways an event comes about: tilts from several starts, those that are distinct and not far
 * less likely than the best (docs/MATH.md#envelope). When the network moves they move with it, and
 * others may become the likely ones: they have to be looked for again now and then. */
#ifndef RK_TRAIN_MODES_H
#define RK_TRAIN_MODES_H

#include "train/mode.h"

enum { RK_MAX_MODES = 11 };

typedef struct rk_modes {
    size_t count;
    rk_mode mode[RK_MAX_MODES]; /**< the likeliest first */
    double *storage;
} rk_modes;

/** Room for those of n inputs. */
rk_status rk_modes_create(rk_modes *out, size_t n, rk_error *error);
void rk_modes_free(rk_modes *modes);

/** Looks for them with so many rounds >= 2 from N(0, I), and from three deviations either way along
 *  the slope there and the four directions that curve up most. None may be found. */
void rk_modes_find(rk_work *work, const rk_event_scene *scene, int rounds, rk_modes *modes);

/** One more round for each; those that come out the same or unlikely are dropped. */
void rk_modes_follow(rk_work *work, const rk_event_scene *scene, rk_modes *modes);

/** log P as they tell it, log sum of exp(-exponent), up to a constant; adds `weight` times its
 *  derivative to what `to` wants. -infinity if there are none. */
double rk_modes_gradient(rk_work *work, const rk_event_scene *scene, const rk_modes *modes,
                         double weight, const rk_adjoint *to);

#endif
