/* A student before anything is known of its weights: its layers, after the teacher's. */
#ifndef RK_TRAIN_STUDENT_H
#define RK_TRAIN_STUDENT_H

#include "network/network.h"

/** Hidden layers of `widths`, activated and with biases as the teacher's layers beside them
 *  (train/pairing.h); weights drawn from `seed` as rk_network_random draws them with RK_INIT_HE, in
 *  units of inputs of variance `input_variance`, and biases 0. */
rk_status rk_student_draw(rk_network **out, const rk_network *teacher, const size_t *widths,
                          size_t n_hidden, double input_variance, uint64_t seed, rk_error *error);

/** RK_ERROR_ARGUMENT, saying what to do, unless `student` can be trained towards `teacher`. */
rk_status rk_student_check(const rk_network *student, const rk_network *teacher, rk_error *error);

#endif
