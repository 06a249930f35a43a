/* The network as the sampler sees it: float layers fed with standard normals. */
#ifndef RK_SAMPLE_FLOAT_LAYER_H
#define RK_SAMPLE_FLOAT_LAYER_H

#include "base/work.h"
#include "network/network.h"
#include "sample/frame.h"
#include "sample/root.h"

typedef struct rk_float_layer {
    size_t rows, cols;
    float *transposed; /* W', cols x rows: sgemm packs it faster than W; NULL: the identity */
    float *kept;  /* rows: what turns units of what an identity reads into its own, else NULL */
    float *added; /* rows: the same of the value it adds; NULL: it adds none */
    float *bias;  /* rows, or NULL */
    rk_activation activation;
    const rk_frame *frame; /* whose units weights, biases and activations are in; NULL: in none */
} rk_float_layer;

/** The layers of `net`, which sees its input once (network/entrance.h), in float, in the units and
 *  about the centres of their frames (frame.h), in memory of `work`: layers[l] for each. The first
 *  takes z ~ N(0, I) instead of x = mu + S z. RK_ERROR_ARGUMENT as of rk_input_root. */
rk_status rk_float_layers_take(rk_work *work, const rk_network *net, const rk_input *input,
                               rk_float_layer *layers, rk_error *error);

/** The same for an input of mean zero that `first` (rows x cols) makes the first layer's of;
 *  `centred` as in frame.h. */
void rk_float_layers_take_standard(rk_work *work, const rk_network *net, const double *first,
                                   bool centred, rk_float_layer *layers);

/** One plain layer as it is, without a frame. */
rk_float_layer rk_float_layer_take(rk_work *work, const rk_layer *layer);

/** out = what the layer makes of n rows of what it reads and adds (NULL: nothing), each in its own
 *  units. `read` NULL: the product W u is in `out` already. Adds the rows of `out` to `sum` (`rows`
 *  entries) if it is not NULL. Without a frame: phi(W u + b). For any thread; not charged. */
void rk_float_layer_pass(const rk_float_layer *layer, size_t n, const float *read,
                         const float *added, float *out, double *sum);

#endif
