/* The finish: what steps on samples take away of the bias that a closure's optimum has. */
#ifndef RK_TRAIN_FINISH_H
#define RK_TRAIN_FINISH_H

#include "train/sampled_steps.h"

/** Rate and batch that suit networks as wide as the teacher. */
rk_sampled_steps_spec rk_finish_spec(const rk_network *teacher);

/** Whether so many samples see that bias: it costs about 3 / width of the loss, width being the
 *  harmonic mean of the student's hidden ones doubled, and N samples leave p / (n_out N) of it, p
 *  being the number of parameters (docs/METHODS.md#distill). */
bool rk_finish_pays(const rk_network *student, double samples);

#endif
