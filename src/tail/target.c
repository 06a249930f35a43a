#include "tail/target.h"

#include "base/size.h"
#include "network/homogeneous.h"

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

/* First layer W, b as a function of g ~ N(0, I), x = mean + root g. */
static void fold_input(rk_layer *layer, const double *mean, const double *root, double *W,
                       double *b) {
    size_t m = layer->rows, n = layer->cols;
    for (size_t i = 0; i < m; i++) {
        const double *row = layer->weight + i * n;
        b[i] = layer->bias ? layer->bias[i] : 0;
        for (size_t j = 0; mean && j < n; j++)
            b[i] += row[j] * mean[j];
        if (!root) memcpy(W + i * n, row, n * sizeof *W);
        if (!root) continue;
        memset(W + i * n, 0, n * sizeof *W);
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < n; k++)
                W[i * n + k] += row[j] * root[j * n + k];
    }
    layer->weight = W;
    if (mean || layer->bias) layer->bias = b;
}

static void swap_networks(rk_network *a, rk_network *b) {
    rk_network swap = *a;
    *a = *b;
    *b = swap;
}

rk_status rk_target_create(rk_target *out, const rk_network *net, const double *mean,
                           const double *root, const rk_event *const *functionals, size_t n,
                           rk_error *error) {
    *out = (rk_target){.homogeneous = false};
    size_t depth = functionals[0]->layer ? functionals[0]->layer : net->n_layers;
    bool appended = functionals[0]->layer == 0 && rk_network_is_activated(net, depth - 1) &&
                    net->layers[depth - 1].activation.kind != RK_IDENTITY;
    const rk_layer *read = &net->layers[depth - 1]; /* the layer whose values are combined */
    size_t n_layers = depth + appended, cols = appended ? read->rows : read->cols;
    const rk_layer *first = &net->layers[0];
    size_t rows = 0, folded = 0, room = 0;
    bool fits = rk_size_mul(n, cols + 1, &rows);
    /* with a single layer the first is the last, and folded in its shape as a last one */
    size_t first_rows = n_layers == 1 ? n : first->rows;
    if (mean || root) fits = fits && rk_size_mul(first_rows, first->cols + 1, &folded);
    fits = fits && rk_size_add(rows, folded, &room);
    double *storage = fits ? rk_alloc(room, 1, sizeof *storage) : NULL;
    rk_layer *layers = rk_alloc(n_layers, 1, sizeof *layers);
    if (!storage || !layers) {
        free(storage);
        free(layers);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu functionals", n);
    }
    double *weight = storage, *offset = storage + n * cols, *folded_weight = storage + rows;
    memcpy(layers, net->layers, (n_layers - 1) * sizeof *layers);
    for (size_t k = 0; k < n; k++)
        functional_row(functionals[k], appended ? NULL : read, cols, weight + k * cols, &offset[k]);
    layers[n_layers - 1] =
        (rk_layer){.rows = n, .cols = cols, .weight = weight, .activation = {.kind = RK_IDENTITY}};
    if (mean || root)
        fold_input(&layers[0], mean, root, folded_weight, folded_weight + first_rows * first->cols);
    if (n_layers == 1 && layers[0].bias) { /* the folded mean of an only layer */
        for (size_t k = 0; k < n; k++)
            offset[k] += layers[0].bias[k];
        layers[0].bias = NULL;
    }
    *out = (rk_target){
        .net = {.n_layers = n_layers, .layers = layers}, .offset = offset, .storage = storage};
    out->homogeneous = rk_network_scales(&out->net);
    rk_status status = rk_network_measure(&out->net, error);
    if (status == RK_OK)
        status = rk_normal_form_create(&out->form, &out->net, &(rk_input){.mean = NULL}, error);
    if (status != RK_OK)
        rk_target_destroy(out);
    else if (out->form.net)
        swap_networks(&out->net, out->form.net);
    return status;
}

void rk_target_destroy(rk_target *target) {
    if (target->form.net) swap_networks(&target->net, target->form.net);
    rk_normal_form_clear(&target->form);
    if (target->net.row_square) free(target->net.row_square[0]);
    free(target->net.row_square);
    free(target->net.layers);
    free(target->storage);
    *target = (rk_target){.homogeneous = false};
}
