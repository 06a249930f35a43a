#include "sample/control.h"

#include "base/simd.h"
#include "sample/increment.h"
#include "sample/slots.h"

#include <math.h>
#include <string.h>

/* out = W x. */
RK_HOT static void apply(size_t m, size_t n, const float *restrict transposed,
                         const double *restrict x, double *restrict out) {
    memset(out, 0, m * sizeof *out);
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < m; i++)
            out[i] += (double)transposed[j * m + i] * x[j];
}

/* Deviations of the pre-activations that passes of standard normals have: with rounded weights. */
RK_HOT static void add_squares(size_t m, size_t n, const float *restrict transposed,
                               double *restrict out) {
    memset(out, 0, m * sizeof *out);
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < m; i++)
            out[i] += (double)transposed[j * m + i] * (double)transposed[j * m + i];
}

/* Of the first layer, in its units and about its centre. */
static void first_means(const rk_float_layer *layer, double *at, double *base, double *mean) {
    const rk_frame *frame = layer->frame;
    const size_t m = layer->rows;
    double *spread = mean;
    add_squares(m, layer->cols, layer->transposed, spread);
    for (size_t i = 0; i < m; i++) {
        spread[i] = frame->unit_in[i] * sqrt(spread[i]);
        at[i] = frame->at[i];
        if (!frame->centred) at[i] = layer->bias ? frame->unit_in[i] * (double)layer->bias[i] : 0;
    }
    rk_activation_get(layer->activation.kind)->value(&layer->activation, m, at, base);
    rk_increment_means(&layer->activation, m, at, spread, mean);
    for (size_t i = 0; i < m; i++)
        mean[i] = (mean[i] + (base[i] - frame->centre[i])) / frame->unit[i];
}

static void fill(rk_control *control, const rk_network *net, const double *known, double *scratch) {
    const rk_float_layer *anchor = &control->layers[control->anchor];
    if (!known) first_means(anchor, scratch, scratch + control->width, control->mean);
    for (size_t i = 0; known && i < anchor->rows; i++)
        control->mean[i] = (known[i] - anchor->frame->centre[i]) / anchor->frame->unit[i];
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_frame *frame = control->layers[l].frame;
        for (size_t i = 0; i < control->layers[l].rows; i++)
            control->slopes[l * control->width + i] =
                frame->slope[i] * (frame->unit_in[i] / frame->unit[i]);
    }
}

rk_control rk_control_take(rk_work *work, const rk_network *net, const rk_float_layer *layers,
                           size_t anchor, const double *known) {
    const size_t width = rk_network_max_width(net);
    rk_control control = {.net = net,
                          .layers = layers,
                          .width = width,
                          .anchor = anchor,
                          .room = rk_slots(net, NULL) * width,
                          .slot = rk_work_take(work, 2 * net->n_layers, sizeof *control.slot),
                          .mean = rk_work_doubles(work, width, 1),
                          .slopes = rk_work_doubles(work, net->n_layers, width)};
    const size_t mark = rk_work_mark(work);
    double *scratch = rk_work_doubles(work, width, 2);
    if (rk_work_charge(work, 0)) {
        rk_slots(net, control.slot);
        fill(&control, net, known, scratch);
    }
    rk_work_release(work, mark);
    return control;
}

const double *rk_control_start(const rk_control *control, const double *sum, double n,
                               double *carry) {
    double *d = carry + control->slot[control->anchor] * control->width;
    for (size_t i = 0; i < control->layers[control->anchor].rows; i++)
        d[i] = sum[i] / n - control->mean[i];
    return d;
}

/* NULL: nothing is known of what was made before the anchor. */
static const double *wrong_in(const rk_control *control, size_t value, const double *carry) {
    return value > control->anchor ? carry + control->slot[value - 1] * control->width : NULL;
}

const double *rk_control_carry(const rk_control *control, size_t l, double *carry) {
    const rk_float_layer *layer = &control->layers[l];
    const double *slope = control->slopes + l * control->width;
    const double *read = wrong_in(control, rk_network_reads(control->net, l), carry), *more = NULL;
    double *d = carry + control->slot[l] * control->width;
    const size_t m = layer->rows;
    size_t added;
    if (rk_network_adds(control->net, l, &added)) more = wrong_in(control, added, carry);
    if (read && layer->transposed)
        apply(m, layer->cols, layer->transposed, read, d);
    else
        for (size_t i = 0; i < m; i++)
            d[i] = read ? (double)layer->kept[i] * read[i] : 0;
    for (size_t i = 0; more && i < m; i++)
        d[i] += (double)layer->added[i] * more[i];
    for (size_t i = 0; i < m; i++)
        d[i] *= slope[i];
    return d;
}
