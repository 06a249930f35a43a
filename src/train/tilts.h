/* The ways an event comes about: tilts from several starts, those that are distinct and not far
 * less likely than the best (docs/MATH.md#envelope). When the network moves they move with it, and
 * others may become the likely ones: they have to be looked for again now and then. */
#ifndef RK_TRAIN_TILTS_H
#define RK_TRAIN_TILTS_H

#include "train/tilt.h"

enum { RK_MAX_TILTS = 11 };

typedef struct rk_tilts {
    size_t count;
    rk_tilt tilt[RK_MAX_TILTS]; /**< the likeliest first */
    double *storage;
} rk_tilts;

/** Room for those of n inputs. */
rk_status rk_tilts_create(rk_tilts *out, size_t n, rk_error *error);
void rk_tilts_free(rk_tilts *tilts);

/** Looks for them with so many rounds >= 2 from N(0, I), and from three deviations either way along
 *  the slope there and the four directions that curve up most. None may be found. */
void rk_tilts_find(rk_work *work, const rk_tilt_scene *scene, int rounds, rk_tilts *tilts);

/** One more round for each; those that come out the same or unlikely are dropped. */
void rk_tilts_follow(rk_work *work, const rk_tilt_scene *scene, rk_tilts *tilts);

/** log P as they tell it, log sum of exp(-exponent), up to a constant; adds `weight` times its
 *  derivative to what `to` wants. -infinity if there are none. */
double rk_tilts_gradient(rk_work *work, const rk_tilt_scene *scene, const rk_tilts *tilts,
                         double weight, const rk_adjoint *to);

#endif
