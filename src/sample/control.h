/* A control variate: a hidden layer's mean is known, the first one's exactly, so what a set of
 * points gets wrong there is known, and what it does to the output nearly so. With fixed slopes A_l
 * the estimate
 *
 *     mean y - A_L W_L ... A_l+1 W_l+1 (mean h_l - E h_l)
 *
 * is as unbiased as E h_l whatever the A are; good ones are the activations' mean slopes, which a
 * closure tells (frame.h, docs/MATH.md#structured-sampling). */
#ifndef RK_SAMPLE_CONTROL_H
#define RK_SAMPLE_CONTROL_H

#include "base/work.h"
#include "sample/float_layer.h"

typedef struct rk_control {
    const rk_network *net;
    const rk_float_layer *layers;
    size_t width;
    size_t anchor;  /**< the hidden layer whose mean is known, from 0 */
    size_t room;    /**< doubles of a carry */
    size_t *slot;   /**< of it, that of each layer */
    double *mean;   /**< its mean, in its units and about its centre */
    double *slopes; /**< A_l from index l * width, in units of both sides */
} rk_control;

/** For `layers`, those of `net` for standard normals, in memory of `work`. `known` is the mean of
 *  the layer `anchor`; NULL: that of the first layer is computed, as good as double allows if the
 *  first activation is piecewise a monomial, or smooth on a thousandth of its input's spread. */
rk_control rk_control_take(rk_work *work, const rk_network *net, const rk_float_layer *layers,
                           size_t anchor, const double *known);

/** What points with this sum over n passes at the anchor get wrong there, in `carry`, which has
 *  control->room entries; and, layer by layer, what that makes wrong at layer l behind it: W_l and
 *  A_l times what it reads, and what it adds. 2mn FLOPs, not charged. */
const double *rk_control_start(const rk_control *control, const double *sum, double n,
                               double *carry);
const double *rk_control_carry(const rk_control *control, size_t l, double *carry);

#endif
