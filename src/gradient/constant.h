/* The way back through a network whose biases are weights on a neuron that is always 1
 * (network/homogeneous.h). */
#ifndef RK_GRADIENT_CONSTANT_H
#define RK_GRADIENT_CONSTANT_H

#include "estimate/method.h"

/** rk_tape_back of a tape of problem->homogeneous, from f to derivatives by the network's own
 *  weights, biases and input. `lists`: room for 3 n_layers pointers. Memory of that network's
 *  weights. */
void rk_tape_back_through_constant(rk_work *work, const rk_problem *problem, rk_tape *tape,
                                   const rk_cotangent *f, const rk_adjoint *to, double **lists);

#endif
