/* A control variate: the first hidden layer's mean is known exactly, so what a set of points gets
 * wrong there is known, and what it does to the output nearly so. With fixed slopes A_l the
 * estimate
 *
 *     mean y - A_L W_L ... A_2 W_2 (mean h_1 - E h_1)
 *
 * is unbiased whatever the A_l are; good ones are the activations' mean slopes, which a closure
 * tells (docs/MATH.md#structured-sampling). */
#ifndef RK_SAMPLE_CONTROL_H
#define RK_SAMPLE_CONTROL_H

#include "base/work.h"
#include "sample/float_layer.h"

typedef struct rk_control {
    const rk_float_layer *layers;
    size_t width;
    double *first_mean; /**< E h_1 */
    double *slopes;     /**< A_l from index l * width */
} rk_control;

/** For `layers`, those of `net` for standard normals, in memory of `work`. E h_1 is as good as
 * double allows if the first activation is piecewise a monomial, or smooth on a hundredth of its
 * input's spread. 5mn FLOPs a layer. */
rk_control rk_control_take(rk_work *work, const rk_network *net, const rk_float_layer *layers);

/** d (rows of layer l) = A_l W_l d', d' = `below` of its cols entries. 2mn FLOPs, not charged. */
void rk_control_carry(const rk_control *control, size_t l, const double *below, double *d);

#endif
