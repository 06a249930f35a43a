/* Where sampling hands over to the third order: `sample:...,anchor` (docs/METHODS.md#sample).
 *
 * A control variate knows the mean of one hidden layer and takes off what its points get wrong
 * there. The deeper that layer, the less noise is left above it, and the more `third` errs in
 * saying what its mean is. */
#ifndef RK_ESTIMATE_ANCHOR_H
#define RK_ESTIMATE_ANCHOR_H

#include "network/network.h"

/** Which says that mean, all its arguments resolved. */
extern const rk_method_spec rk_anchor_closure;

typedef struct rk_anchor {
    size_t layer; /**< from 0; the mean of layer 0 is known exactly */
    double error; /**< mean square error of the outputs to expect, over their variance */
} rk_anchor;

/** The hidden layer with the least error to expect in a wide random network. `noise`: the error of
 *  the same passes if the control variate knows the first layer only. For networks that a gauge
 *  takes. */
rk_anchor rk_anchor_choose(const rk_network *net, double noise);

#endif
