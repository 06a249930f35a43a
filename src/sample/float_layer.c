#include "sample/float_layer.h"

#include "activation/activation.h"
#include "base/simd.h"
#include "linalg/blas.h"
#include "sample/increment.h"

#include <float.h>
#include <math.h>

/* In units of a frame only a neuron that never moves can have so large a factor: 0 times that is 0.
 */
static float narrow(double x, bool framed) {
    return framed && x > FLT_MAX ? FLT_MAX : framed && x < -FLT_MAX ? -FLT_MAX : (float)x;
}

/* W' in units of what goes in and comes out (NULL: 1), tile by tile, to stay in the cache on both
 * sides. */
static void transpose(size_t m, size_t n, const double *x, const double *unit_in,
                      const double *unit_out, float *out) {
    enum { TILE = 32 };
    for (size_t first_i = 0; first_i < m; first_i += TILE)
        for (size_t first_j = 0; first_j < n; first_j += TILE)
            for (size_t i = first_i; i < m && i < first_i + TILE; i++) {
                const double unit = unit_out ? 1 / unit_out[i] : 1;
                for (size_t j = first_j; j < n && j < first_j + TILE; j++) {
                    const double factor = unit_in ? unit_in[j] * unit : unit;
                    out[j * m + i] = narrow(x[i * n + j] * factor, unit_out != NULL);
                }
            }
}

static rk_float_layer take(rk_work *work, const rk_layer *layer, bool biased) {
    const size_t m = layer->rows, n = layer->cols;
    return (rk_float_layer){.rows = m,
                            .cols = n,
                            .transposed = layer->weight ? rk_work_floats(work, n, m) : NULL,
                            .kept = layer->weight ? NULL : rk_work_floats(work, m, 1),
                            .added = layer->adds ? rk_work_floats(work, m, 1) : NULL,
                            .bias = biased ? rk_work_floats(work, m, 1) : NULL,
                            .activation = layer->activation};
}

rk_float_layer rk_float_layer_take(rk_work *work, const rk_layer *layer) {
    const rk_float_layer to = take(work, layer, layer->bias != NULL);
    if (!rk_work_charge(work, 0)) return to;
    transpose(to.rows, to.cols, layer->weight, NULL, NULL, to.transposed);
    for (size_t i = 0; layer->bias && i < to.rows; i++)
        to.bias[i] = (float)layer->bias[i];
    return to;
}

/* From the units of a value to those in which `frame` has what goes in. */
static void fill_units(const rk_frame *from, const rk_frame *frame, size_t m, float *factor) {
    for (size_t i = 0; factor && i < m; i++)
        factor[i] = narrow(from->unit[i] / frame->unit_in[i], true);
}

/* `read` is NULL for the first layer, `added` where nothing is. Centred layers have their biases in
 * what they are centred about. */
static void fill(rk_float_layer *to, const double *weight, const double *bias, const rk_frame *read,
                 const rk_frame *added) {
    const rk_frame *frame = to->frame;
    if (to->transposed)
        transpose(to->rows, to->cols, weight, read ? read->unit : NULL, frame->unit_in,
                  to->transposed);
    fill_units(read, frame, to->rows, to->kept);
    fill_units(added, frame, to->rows, to->added);
    if (frame->centred) to->bias = NULL;
    for (size_t i = 0; to->bias && i < to->rows; i++)
        to->bias[i] = narrow(bias[i] / frame->unit_in[i], true);
}

static rk_status take_first(rk_work *work, const rk_layer *layer, const double *covariance,
                            double **out, rk_error *error) {
    const size_t m = layer->rows, n = layer->cols;
    double *product = rk_work_doubles(work, m, n), *root = rk_work_doubles(work, n, n);
    const rk_status status = rk_input_root(work, n, covariance, root, error);
    if (status == RK_OK)
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 1, layer->weight, n, root, n, 0, product,
                n);
    *out = product;
    return status;
}

/* Room for all layers and their frames, which are returned. */
static rk_frame *take_framed(rk_work *work, const rk_network *net, bool has_mean,
                             rk_float_layer *layers) {
    rk_frame *frames = rk_work_take(work, net->n_layers, sizeof *frames);
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        rk_float_layer to = take(work, layer, layer->bias || (l == 0 && has_mean));
        const rk_frame frame = rk_frame_take(work, layer->rows);
        if (!rk_work_charge(work, 0)) continue;
        frames[l] = frame;
        to.frame = &frames[l];
        layers[l] = to;
    }
    return frames;
}

static void fill_framed(rk_work *work, const rk_network *net, const double *mean,
                        const double *first, bool centred, rk_frame *frames,
                        rk_float_layer *layers) {
    rk_frames_fill(work, net, mean, first, centred, frames);
    for (size_t l = 0; l < net->n_layers && rk_work_charge(work, 0); l++) {
        const rk_layer *layer = &net->layers[l];
        size_t added, read = rk_network_reads(net, l);
        const bool adds = rk_network_adds(net, l, &added);
        fill(&layers[l], l == 0 ? first : layer->weight, l == 0 ? frames[0].at : layer->bias,
             l == 0 ? NULL : &frames[read - 1], adds ? &frames[added - 1] : NULL);
    }
}

rk_status rk_float_layers_take(rk_work *work, const rk_network *net, const rk_input *input,
                               rk_float_layer *layers, rk_error *error) {
    rk_frame *frames = take_framed(work, net, input->mean != NULL, layers);
    const size_t mark = rk_work_mark(work);
    double *product = NULL;
    rk_status status = RK_OK;
    if (input->covariance)
        status = take_first(work, &net->layers[0], input->covariance, &product, error);
    if (status != RK_OK) return status;
    const double *first = product ? product : net->layers[0].weight;
    fill_framed(work, net, input->mean, first, false, frames, layers);
    rk_work_release(work, mark);
    return RK_OK;
}

void rk_float_layers_take_standard(rk_work *work, const rk_network *net, const double *first,
                                   bool centred, rk_float_layer *layers) {
    rk_frame *frames = take_framed(work, net, false, layers);
    fill_framed(work, net, NULL, first, centred, frames, layers);
}

RK_HOT static void widen_floats(size_t n, const float *restrict v, const double *restrict unit,
                                double *restrict d) {
    for (size_t i = 0; i < n; i++)
        d[i] = (double)v[i] * unit[i];
}

RK_HOT static void shorten(size_t n, const double *restrict d, const double *restrict unit,
                           float *restrict u) {
    for (size_t i = 0; i < n; i++)
        u[i] = (float)(d[i] / unit[i]);
}

/* The change from the centre, in double. */
static void change(const rk_activation *activation, const rk_frame *frame, size_t m, float *v) {
    enum { CHUNK = 256 };
    double d[CHUNK];
    for (size_t first = 0; first < m; first += CHUNK) {
        const size_t n = m - first < CHUNK ? m - first : CHUNK;
        widen_floats(n, v + first, frame->unit_in + first, d);
        rk_increments(activation, n, frame->at + first, frame->centre + first, d);
        shorten(n, d, frame->unit + first, v + first);
    }
}

RK_HOT static void keep_row(size_t m, const float *restrict factor, const float *restrict u,
                            float *restrict v) {
    for (size_t i = 0; i < m; i++)
        v[i] = factor[i] * u[i];
}

RK_HOT static void add_value(size_t m, const float *restrict factor, const float *restrict u,
                             float *restrict v) {
    for (size_t i = 0; i < m; i++)
        v[i] += factor[i] * u[i];
}

/* Row by row while a row is at hand. */
static void finish(const rk_float_layer *layer, size_t n, const float *added, float *v,
                   double *sum) {
    const rk_activation *activation = &layer->activation;
    const rk_activation_ops *ops = rk_activation_get(activation->kind);
    const bool centred = layer->frame && layer->frame->centred;
    const size_t m = layer->rows;
    for (size_t r = 0; r < n; r++, v += m) {
        if (layer->added) add_value(m, layer->added, added + r * m, v);
        for (size_t i = 0; layer->bias && i < m; i++)
            v[i] += layer->bias[i];
        if (centred)
            change(activation, layer->frame, m, v);
        else if (activation->kind != RK_IDENTITY)
            ops->value_float(activation, m, v, v);
        for (size_t i = 0; sum && i < m; i++)
            sum[i] += (double)v[i];
    }
}

void rk_float_layer_pass(const rk_float_layer *layer, size_t n, const float *read,
                         const float *added, float *out, double *sum) {
    const size_t m = layer->rows;
    if (read && layer->transposed) rk_block_sgemm(n, m, layer->cols, read, layer->transposed, out);
    for (size_t r = 0; read && !layer->transposed && r < n; r++)
        keep_row(m, layer->kept, read + r * m, out + r * m);
    finish(layer, n, added, out, sum);
}
