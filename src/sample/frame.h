/* How large a network's values are, where, and what rounding does to them: foreseen in double, so
 * that passes in single precision can be made in any units and about any offset.
 *
 * The reference is the network at the input's mean: z = at, h = phi(at) there. Around it a closure
 * that takes neurons as uncorrelated follows the changes z - at and h - phi(at) from layer to
 * layer, by their mean and deviation; none of it knows the units of anything. From that follow
 *
 *     units     powers of two near each neuron's size: passes are made in them, without any further
 *               rounding
 *     centre    if the offsets' rounding outweighed the changes' (by OFFSETS), what is passed from
 *               layer to layer is h - phi(at), made in double; otherwise h itself
 *     rounding  a deviation of each neuron's mean, layer by layer, carried on by the mean slopes'
 *               rms and the squares of the weights
 *
 * What a residual connection adds is one more summand, uncorrelated with the others.
 *
 * See docs/MATH.md#units-of-passes. */
#ifndef RK_SAMPLE_FRAME_H
#define RK_SAMPLE_FRAME_H

#include "base/work.h"
#include "network/network.h"

/** What rounding to single precision changes, relatively: a deviation. */
#define RK_SINGLE_ROUNDING 0x1p-25

/** Of one layer; every array has an entry a neuron, in the network's own units. */
typedef struct rk_frame {
    bool centred;     /**< the same in all layers */
    double *at;       /**< z at the reference */
    double *centre;   /**< what is subtracted from h: phi(at), or 0 */
    double *unit_in;  /**< of z - at, or of z: a power of two */
    double *unit;     /**< of h - centre: a power of two */
    double *slope;    /**< mean of phi', 0 of a constant neuron */
    double *size;     /**< rms of h - centre, roughly */
    double *rounding; /**< of the mean of h, roughly: one deviation */
    /* changes from the reference: mean and deviation of z's and of h's */
    double *shift, *spread, *mean, *deviation;
    double *of_changes, *of_offsets; /* rounding in units of single precision's */
} rk_frame;

/** Room for one of n neurons, in memory of `work`. */
rk_frame rk_frame_take(rk_work *work, size_t n);

/** Fills the frames of all layers. `first` is the first layer's matrix for standard normals (rows x
 *  cols), and no other layer sees the input (network/entrance.h); `centred`: they are to be,
 *  whatever rounding does. 10 mn FLOPs a layer. */
void rk_frames_fill(rk_work *work, const rk_network *net, const double *input_mean,
                    const double *first, bool centred, rk_frame *frames);

#endif
