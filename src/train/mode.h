/* The normal input nearest to the given one for which the event is what happens on average, and how
 * its divergence moves with the network (docs/MATH.md#envelope). */
#ifndef RK_TRAIN_MODE_H
#define RK_TRAIN_MODE_H

#include "tail/surrogate.h"
#include "train/rare_event.h"

/** N(mu, S) of the standard coordinates. The arrays are whoever's keeps it. */
typedef struct rk_mode {
    double *mu, *S;
    bool moved;              /**< has an S; else it is the identity */
    double lambda;           /**< multiplier of E_q[z] = t */
    double divergence, mean; /**< KL(q | N(0, I)); E_q[z] */
    double exponent;         /**< divergence + lambda (t - mean): P is about exp(-exponent) */
} rk_mode;

/** What the event's functional is propagated with. */
typedef struct rk_event_scene {
    const rk_network *net;
    const rk_rare_event *event;
    const rk_covariance_spec *closure;
} rk_event_scene;

/** One round: from the surrogate about q to the tilt of it for which it is t. Forward, back and an
 *  eigendecomposition; `q`, with what it found, is left. False if nothing finite came of it. */
bool rk_mode_round(rk_work *work, const rk_event_scene *scene, rk_mode *tilt, rk_surrogate *q);

/** Fills mean and exponent; a propagation. */
void rk_mode_look(rk_work *work, const rk_event_scene *scene, rk_mode *tilt);

/** Adds -weight d exponent, q held: what is lost by that is zero where q is the best. */
void rk_mode_back(rk_work *work, const rk_event_scene *scene, const rk_mode *tilt, double weight,
                  const rk_adjoint *to);

#endif
