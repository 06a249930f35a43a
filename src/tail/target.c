#include "tail/target.h"

#include "base/size.h"
#include "base/sum.h"
#include "linalg/blas.h"
#include "network/entrance.h"
#include "network/homogeneous.h"
#include "sample/float_layer.h"
#include "sample/frame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* row = sum of coefficients times rows of `layer`'s matrix (NULL: of the identity). */
static void functional_row(const rk_event *event, const rk_layer *layer, size_t cols, double *row,
                           double *offset) {
    memset(row, 0, cols * sizeof *row);
    *offset = 0;
    for (size_t k = 0; k < event->n_terms; k++) {
        const rk_event_term *term = &event->terms[k];
        if (!layer) {
            row[term->index] += term->coefficient;
            continue;
        }
        const double *W = layer->weight + term->index * cols;
        for (size_t j = 0; j < cols; j++)
            row[j] += term->coefficient * W[j];
        if (layer->bias) *offset += term->coefficient * layer->bias[term->index];
    }
}

/* b + W mean. */
static void fold_mean(const rk_layer *layer, const double *mean, double *b) {
    for (size_t i = 0; i < layer->rows; i++)
        b[i] = (layer->bias ? layer->bias[i] : 0) +
               rk_dot(layer->cols, layer->weight + i * layer->cols, mean);
}

static void swap_networks(rk_network *a, rk_network *b) {
    rk_network swap = *a;
    *a = *b;
    *b = swap;
}

/* The first `depth` layers of a network that sees its input once. */
static rk_status create(rk_target *out, const rk_network *net, size_t depth, const double *mean,
                        const rk_event *const *functionals, size_t n, rk_error *error) {
    const rk_layer *read = &net->layers[depth - 1]; /* the layer whose values are combined */
    const bool of_outputs = functionals[0]->layer == 0;
    const bool activated = of_outputs && read->activation.kind != RK_IDENTITY;
    const bool appended = activated || !read->weight || read->adds;
    size_t n_layers = depth + appended, cols = appended ? read->rows : read->cols, room = 0;
    /* with a single layer the first is the last, and folded in its shape as a last one */
    size_t first_rows = n_layers == 1 ? n : net->layers[0].rows;
    bool fits = rk_size_mul(n, cols + 4, &room) && rk_size_add(room, first_rows, &room);
    double *storage = fits ? rk_alloc(room, 1, sizeof *storage) : NULL;
    rk_layer *layers = rk_alloc(n_layers, 1, sizeof *layers);
    if (!storage || !layers) {
        free(storage);
        free(layers);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu functionals", n);
    }
    double *weight = storage, *offset = storage + n * cols, *bias = offset + 4 * n;
    memcpy(layers, net->layers, (n_layers - 1) * sizeof *layers);
    for (size_t k = 0; k < n; k++)
        functional_row(functionals[k], appended ? NULL : read, cols, weight + k * cols, &offset[k]);
    if (!of_outputs) layers[depth - 1].activation = (rk_activation){.kind = RK_IDENTITY};
    layers[n_layers - 1] = (rk_layer){.rows = n,
                                      .cols = cols,
                                      .weight = weight,
                                      .activation = {.kind = RK_IDENTITY},
                                      .reads = appended ? 0 : read->reads};
    if (mean) {
        fold_mean(&layers[0], mean, bias);
        layers[0].bias = bias;
    }
    if (n_layers == 1 && mean) { /* the folded mean of an only layer */
        for (size_t k = 0; k < n; k++)
            offset[k] += bias[k];
        layers[0].bias = NULL;
    }
    *out = (rk_target){.net = {.n_layers = n_layers, .layers = layers},
                       .offset = offset,
                       .rounding = offset + n,
                       .blur = offset + 2 * n,
                       .origin = offset + 3 * n,
                       .storage = storage};
    out->homogeneous = rk_network_scales(&out->net);
    return RK_OK;
}

rk_status rk_target_create(rk_target *out, const rk_network *net, const double *mean,
                           const rk_event *const *functionals, size_t n, rk_error *error) {
    size_t depth = functionals[0]->layer ? functionals[0]->layer : net->n_layers;
    rk_network *entered = NULL;
    rk_status status = RK_OK;
    if (!rk_network_enters_once(net)) status = rk_network_enter_once(&entered, net, error);
    if (status == RK_OK)
        status = create(out, entered ? entered : net, depth + (entered != NULL), mean, functionals,
                        n, error);
    if (status == RK_OK)
        out->entered = entered;
    else
        rk_network_destroy(entered);
    return status;
}

rk_status rk_target_fold(rk_target *out, const rk_network *net, const rk_event *functional,
                         rk_error *error) {
    const size_t depth = functional->layer ? functional->layer : net->n_layers;
    rk_status status = create(out, net, depth, NULL, &functional, 1, error);
    if (status != RK_OK) return status;
    status = rk_network_measure(&out->net, error);
    if (status != RK_OK) rk_target_destroy(out);
    return status;
}

/* A with A A' = G (m x m, overwritten): rows by their own sizes, times the root of correlations. */
static rk_status root_of_rows(rk_work *work, size_t m, double *G, double *A, rk_error *error) {
    double *size = rk_work_doubles(work, m, 1), *root = rk_work_doubles(work, m, m);
    if (rk_work_charge(work, 2 * (uint64_t)m * m)) {
        for (size_t i = 0; i < m; i++)
            size[i] = sqrt(fmax(G[i * m + i], 0));
        for (size_t i = 0; i < m * m; i++) {
            double scale = size[i / m] * size[i % m];
            G[i] = scale > 0 ? G[i] / scale : 0;
        }
    }
    rk_status status = rk_input_root(work, m, G, root, error);
    if (rk_work_charge(work, (uint64_t)m * m))
        for (size_t i = 0; i < m * m; i++)
            A[i] = size[i / m] * root[i];
    return status;
}

rk_status rk_target_standardise(rk_work *work, rk_target *target, const double *covariance,
                                rk_error *error) {
    rk_layer *first = &target->net.layers[0];
    size_t m = first->rows, n = first->cols, least = m < n ? m : n;
    if (!covariance && m >= n) return RK_OK;
    double *A = work->dry ? NULL : rk_alloc(m, least, sizeof *A);
    if (!work->dry && !A) return rk_fail(error, RK_ERROR_MEMORY, "no memory for a first layer");
    if (A) target->first = A;
    if (!A) A = rk_work_doubles(work, 0, 0); /* not touched */
    rk_status status;
    double *square = rk_work_doubles(work, least, least);
    if (m < n) {
        double *scratch = covariance ? rk_work_doubles(work, m, n) : NULL;
        rk_congruence(work, m, n, first->weight, covariance, scratch, square);
        status = root_of_rows(work, m, square, A, error);
    } else {
        status = rk_input_root(work, n, covariance, square, error);
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 1, first->weight, n, square, n, 0, A, n);
    }
    if (rk_work_charge(work, 0)) {
        first->weight = A;
        first->cols = least;
    }
    return status;
}

rk_status rk_target_finish(rk_target *target, rk_error *error) {
    rk_status status = rk_network_measure(&target->net, error);
    if (status == RK_OK)
        status =
            rk_normal_form_create(&target->form, &target->net, &(rk_input){.mean = NULL}, error);
    if (status != RK_OK)
        rk_normal_form_clear(&target->form);
    else if (target->form.net)
        swap_networks(&target->net, target->form.net);
    return status;
}

/* Of doubles, as RK_SINGLE_ROUNDING; what is added up is off by some of it. */
static const double ROUNDINGS = 8 * 0x1p-53;

static void take_off(rk_target *target, const rk_frame *frame) {
    rk_layer *last = &target->net.layers[target->net.n_layers - 1];
    bool known = true;
    for (size_t k = 0; k < last->rows; k++) {
        const double blur = frame->rounding[k] / frame->deviation[k];
        target->blur[k] = frame->deviation[k] > 0 ? blur : 0;
        target->rounding[k] = 0;
        known = known && isfinite(frame->at[k]);
    }
    target->centred = frame->centred && known;
    for (size_t k = 0; target->centred && k < last->rows; k++) {
        target->origin[k] = -frame->at[k];
        target->offset[k] += frame->at[k];
        target->rounding[k] = ROUNDINGS * frame->of_offsets[k];
    }
    if (!target->centred) return;
    last->bias = target->origin;
    target->homogeneous = false;
}

void rk_target_centre(rk_work *work, rk_target *target) {
    const rk_network *net = &target->net;
    rk_frame *frames = rk_work_take(work, net->n_layers, sizeof *frames);
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_frame frame = rk_frame_take(work, net->layers[l].rows);
        if (rk_work_charge(work, 0)) frames[l] = frame;
    }
    rk_frames_fill(work, net, NULL, net->layers[0].weight, false, frames);
    if (rk_work_charge(work, 0)) take_off(target, &frames[net->n_layers - 1]);
}

void rk_target_destroy(rk_target *target) {
    if (target->form.net) swap_networks(&target->net, target->form.net); /* each frees its own */
    rk_normal_form_clear(&target->form);
    if (target->net.row_square) free(target->net.row_square[0]);
    free(target->net.row_square);
    free(target->net.last_use);
    free(target->net.layers);
    rk_network_destroy(target->entered);
    free(target->first);
    free(target->storage);
    *target = (rk_target){.homogeneous = false};
}
