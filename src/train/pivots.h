/* A student in closed form: the teacher's own neurons, chosen and refitted (docs/MATH.md#pivots).
 *
 * From the output down, each layer's neurons that matter most are chosen (train/choice.h). From the
 * input up, the student's pre-activations are the best that what it has below can make of theirs.
 * No step is taken: about what two gradients cost. */
#ifndef RK_TRAIN_PIVOTS_H
#define RK_TRAIN_PIVOTS_H

#include "train/curvature.h"
#include "train/expected_loss.h"

/** Fills loss->student, the last layer fitted; *value: its loss. Where it has more neurons than the
 * teacher, or these are alike, mixtures of the teacher's neurons drawn from `seed` are the others'
 * aim. RK_ERROR_MEMORY. */
rk_status rk_pivots_start(rk_expected_loss *loss, uint64_t seed, double *value, rk_error *error);

#endif
