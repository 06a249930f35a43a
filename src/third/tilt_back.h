/* The tilt run backwards (docs/MATH.md#third-back). */
#ifndef RK_THIRD_TILT_BACK_H
#define RK_THIRD_TILT_BACK_H

#include "third/tilt.h"

/**
 * rk_tilt_step backwards, from `bar` (adjoints of a, feed, core, along_C, excess and of what the
 * step added to gain) and those of the tilted covariance, symmetric, in C_bar. `tilt` is as the
 * step left it, C (n x n) what it was given. Out: C_bar, and added to those of the neurons' m, var,
 * k3, k4, q, k22 and k21_q in `neurons_bar`. `bar` is used up. 60 n^2 FLOPs.
 */
void rk_tilt_back(rk_work *work, size_t n, const rk_neurons *neurons, const double *C,
                  const rk_tilt *tilt, const rk_tilt *bar, double *C_bar, rk_neurons *neurons_bar);

#endif
