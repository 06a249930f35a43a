#include "network/network.h"

#include "base/size.h"
#include "base/sum.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Entries of a value, from 0, of layers that have been checked. */
static size_t size_of(const rk_layer *layers, size_t value) {
    return value == 0 ? layers[0].cols : layers[value - 1].rows;
}

/* That the values which layer l reads and adds exist and have the right sizes. */
static rk_status check_values(const rk_layer *layers, size_t l, rk_error *error) {
    const rk_layer *layer = &layers[l];
    if (layer->reads > l + 1 || layer->adds > l + 1)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "layer %zu %s value %zu: there are 1 (the input) to %zu below it", l + 1,
                       layer->reads > l + 1 ? "reads" : "adds",
                       layer->reads > l + 1 ? layer->reads : layer->adds, l + 1);
    const size_t read = layer->reads ? layer->reads - 1 : l;
    if (layer->cols != size_of(layers, read))
        return layer->reads || l == 0
                   ? rk_fail(error, RK_ERROR_ARGUMENT,
                             "layer %zu takes %zu inputs but value %zu, which it reads, has %zu "
                             "entries",
                             l + 1, layer->cols, read + 1, size_of(layers, read))
                   : rk_fail(error, RK_ERROR_ARGUMENT,
                             "layer %zu takes %zu inputs but layer %zu has %zu outputs", l + 1,
                             layer->cols, l, size_of(layers, read));
    if (layer->adds && layer->rows != size_of(layers, layer->adds - 1))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "layer %zu has %zu outputs but value %zu, which it adds, has %zu entries",
                       l + 1, layer->rows, layer->adds, size_of(layers, layer->adds - 1));
    if (!layer->weight && layer->rows != layer->cols)
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu has no weights, and is %zu x %zu",
                       l + 1, layer->rows, layer->cols);
    return RK_OK;
}

static rk_status check_layer(const rk_layer *layers, size_t l, rk_error *error) {
    const rk_layer *layer = &layers[l];
    size_t count;
    if (layer->rows == 0 || layer->cols == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu is empty (%zu x %zu)", l + 1,
                       layer->rows, layer->cols);
    if (layer->rows > INT_MAX || layer->cols > INT_MAX ||
        !rk_size_mul(layer->rows, layer->cols, &count) || count > SIZE_MAX / (2 * sizeof(double)))
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu is too large (%zu x %zu)", l + 1,
                       layer->rows, layer->cols);
    rk_status status = check_values(layers, l, error);
    if (status != RK_OK) return status;
    if ((unsigned)layer->activation.kind >= RK_ACTIVATION_COUNT)
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu: unknown activation %d", l + 1,
                       (int)layer->activation.kind);
    if (layer->activation.kind == RK_CUSTOM && !layer->activation.function)
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu: custom activation without a function",
                       l + 1);
    if (!isfinite(layer->activation.parameter))
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu: activation parameter is not finite",
                       l + 1);
    if (!isfinite(layer->weight_scale) || layer->weight_scale < 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu: weight scale %g is not a variance",
                       l + 1, layer->weight_scale);
    return RK_OK;
}

static size_t weights_of(const rk_layer *layer) {
    return layer->weight ? layer->rows * layer->cols : 0;
}

rk_status rk_network_make_room(rk_network **out, const rk_layer *layers, size_t n_layers,
                               rk_error *error) {
    *out = NULL;
    if (n_layers == 0 || !layers)
        return rk_fail(error, RK_ERROR_ARGUMENT, "a network needs at least one layer");
    size_t total = 0;
    for (size_t l = 0; l < n_layers; l++) {
        rk_status status = check_layer(layers, l, error);
        if (status != RK_OK) return status;
        if (!rk_size_add(total, weights_of(&layers[l]), &total) ||
            !rk_size_add(total, layers[l].rows, &total))
            return rk_fail(error, RK_ERROR_ARGUMENT, "the network is too large");
    }
    rk_network *net = calloc(1, sizeof *net);
    rk_layer *copies = rk_alloc(n_layers, 1, sizeof *copies);
    double *storage = rk_alloc(total, 1, sizeof *storage);
    if (!net || !copies || !storage) {
        free(net);
        free(copies);
        free(storage);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for a network of %zu numbers", total);
    }
    *net = (rk_network){.n_layers = n_layers, .layers = copies, .storage = storage};
    for (size_t l = 0; l < n_layers; l++) {
        copies[l] = layers[l];
        if (layers[l].weight) copies[l].weight = storage;
        storage += weights_of(&layers[l]);
        if (!layers[l].bias) continue;
        copies[l].bias = storage;
        storage += layers[l].rows;
    }
    *out = net;
    return RK_OK;
}

/* They point into `storage`, which is not const. */
double *rk_network_weights(rk_network *net, size_t l) {
    return (double *)net->layers[l].weight;
}

double *rk_network_biases(rk_network *net, size_t l) {
    return (double *)net->layers[l].bias;
}

/* Squares that are finite have no infinite root: only the rows of others are looked through. */
static rk_status check_finite(const rk_network *net, size_t l, rk_error *error) {
    const rk_layer *layer = &net->layers[l];
    for (size_t i = 0; layer->weight && i < layer->rows; i++)
        for (size_t j = 0; !isfinite(net->row_square[l][i]) && j < layer->cols; j++)
            if (!isfinite(layer->weight[i * layer->cols + j]))
                return rk_fail(error, RK_ERROR_ARGUMENT,
                               "layer %zu: weight [%zu, %zu] is not finite", l + 1, i, j);
    for (size_t i = 0; layer->bias && i < layer->rows; i++)
        if (!isfinite(layer->bias[i]))
            return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu: bias [%zu] is not finite", l + 1,
                           i);
    return RK_OK;
}

rk_status rk_network_seal(rk_network **net, rk_error *error) {
    rk_status status = rk_network_measure(*net, error);
    for (size_t l = 0; status == RK_OK && l < (*net)->n_layers; l++)
        status = check_finite(*net, l, error);
    if (status == RK_OK) return RK_OK;
    rk_network_destroy(*net);
    *net = NULL;
    return status;
}

rk_status rk_network_create(rk_network **out, const rk_layer *layers, size_t n_layers,
                            rk_error *error) {
    rk_status status = rk_network_make_room(out, layers, n_layers, error);
    if (status != RK_OK) return status;
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *from = &layers[l];
        const size_t count = weights_of(from);
        if (count) memcpy(rk_network_weights(*out, l), from->weight, count * sizeof(double));
        if (from->bias) memcpy(rk_network_biases(*out, l), from->bias, from->rows * sizeof(double));
    }
    return rk_network_seal(out, error);
}

/* Who needs which value last, and how many are kept. */
static rk_status measure_values(rk_network *net, rk_error *error) {
    if (rk_network_is_plain(net)) return RK_OK;
    const size_t n = net->n_layers;
    net->last_use = rk_alloc(n + 1, 1, sizeof *net->last_use);
    size_t *ends = rk_alloc(n + 1, 1, sizeof *ends); /* [l]: so many are kept until layer l */
    if (!net->last_use || !ends) {
        free(ends);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for a network");
    }
    for (size_t value = 0; value <= n; value++)
        net->last_use[value] = value;
    for (size_t l = 0; l < n; l++) {
        size_t added;
        net->last_use[rk_network_reads(net, l)] = l;
        if (rk_network_adds(net, l, &added)) net->last_use[added] = l;
    }
    memset(ends, 0, (n + 1) * sizeof *ends);
    size_t kept = 0;
    for (size_t l = 0; l < n; l++) {
        if (rk_network_keeps(net, l)) {
            kept++;
            ends[net->last_use[l]]++;
        }
        if (kept > net->most_kept) net->most_kept = kept;
        kept -= ends[l];
    }
    free(ends);
    return net->most_kept <= RK_MOST_KEPT
               ? RK_OK
               : rk_fail(error, RK_ERROR_UNSUPPORTED,
                         "%zu earlier values are needed at a time: no more than %d can be",
                         net->most_kept, (int)RK_MOST_KEPT);
}

void rk_network_measure_rows(rk_network *net) {
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        for (size_t i = 0; i < layer->rows; i++) {
            const double *row = layer->weight ? layer->weight + i * layer->cols : NULL;
            net->row_square[l][i] = row ? rk_dot(layer->cols, row, row) : 1;
        }
    }
}

rk_status rk_network_measure(rk_network *net, rk_error *error) {
    rk_status status = measure_values(net, error);
    if (status != RK_OK) return status;
    size_t total = 0; /* no overflow: the network itself fits */
    for (size_t l = 0; l < net->n_layers; l++)
        total += net->layers[l].rows;
    double *squares = rk_alloc(total, 1, sizeof *squares);
    net->row_square = rk_alloc(net->n_layers, 1, sizeof *net->row_square);
    if (!squares || !net->row_square) {
        free(squares);
        free(net->row_square);
        net->row_square = NULL;
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for a network");
    }
    for (size_t l = 0; l < net->n_layers; l++) {
        net->row_square[l] = squares;
        squares += net->layers[l].rows;
    }
    rk_network_measure_rows(net);
    return RK_OK;
}

void rk_network_destroy(rk_network *net) {
    if (!net) return;
    if (net->row_square) free(net->row_square[0]);
    free(net->row_square);
    free(net->last_use);
    free(net->layers);
    free(net->storage);
    free(net->notes);
    free(net->origin);
    free(net);
}

size_t rk_network_n_layers(const rk_network *net) {
    return net->n_layers;
}

rk_layer rk_network_layer(const rk_network *net, size_t l) {
    return net->layers[l];
}

size_t rk_network_n_in(const rk_network *net) {
    return net->layers[0].cols;
}

size_t rk_network_n_out(const rk_network *net) {
    return net->layers[net->n_layers - 1].rows;
}

size_t rk_network_value_size(const rk_network *net, size_t value) {
    return size_of(net->layers, value);
}

size_t rk_network_reads(const rk_network *net, size_t l) {
    const size_t reads = net->layers[l].reads;
    return reads ? reads - 1 : l;
}

bool rk_network_adds(const rk_network *net, size_t l, size_t *value) {
    const size_t adds = net->layers[l].adds;
    if (adds) *value = adds - 1;
    return adds != 0;
}

size_t rk_network_last_use(const rk_network *net, size_t value) {
    return net->last_use ? net->last_use[value] : value;
}

bool rk_network_keeps(const rk_network *net, size_t value) {
    if (value >= net->n_layers) return false;
    size_t added;
    bool is_added = rk_network_adds(net, value, &added) && added == value;
    return is_added || rk_network_reads(net, value) != value ||
           rk_network_last_use(net, value) > value;
}

static bool is_plain(const rk_network *net, size_t l) {
    return net->layers[l].weight && !net->layers[l].adds && rk_network_reads(net, l) == l;
}

bool rk_network_is_plain(const rk_network *net) {
    for (size_t l = 0; l < net->n_layers; l++)
        if (!is_plain(net, l)) return false;
    return true;
}

rk_status rk_network_check_plain(const rk_network *net, const char *who, rk_error *error) {
    for (size_t l = 0; l < net->n_layers; l++)
        if (!is_plain(net, l))
            return rk_fail(error, RK_ERROR_UNSUPPORTED,
                           "%s takes no residual connections: layer %zu %s", who, l + 1,
                           net->layers[l].adds    ? "adds an earlier value"
                           : net->layers[l].reads ? "reads an earlier value"
                                                  : "has no weights");
    return RK_OK;
}

bool rk_network_is_activated(const rk_network *net, size_t l) {
    return l + 1 < net->n_layers || net->layers[l].activation.kind != RK_IDENTITY;
}

bool rk_network_find_varying(const rk_network *net, const rk_input *input, bool *varies) {
    const size_t n = rk_network_n_in(net);
    size_t total = n; /* no overflow: the network itself fits */
    for (size_t l = 0; l < net->n_layers; l++)
        total += net->layers[l].rows;
    bool *room = rk_alloc(total, 1, sizeof *room), *above = room + n;
    const bool **value = rk_alloc(net->n_layers + 1, 1, sizeof *value);
    const bool known = room && value;
    for (size_t j = 0; known && j < n; j++)
        room[j] = !input->covariance || input->covariance[j * n + j] > 0;
    if (known) value[0] = room;
    for (size_t l = 0; known && l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        const bool *below = value[rk_network_reads(net, l)];
        size_t added;
        const bool *more = rk_network_adds(net, l, &added) ? value[added] : NULL;
        for (size_t i = 0; i < layer->rows; i++) {
            above[i] = (more && more[i]) || (!layer->weight && below[i]);
            for (size_t j = 0; layer->weight && !above[i] && j < layer->cols; j++)
                above[i] = below[j] && layer->weight[i * layer->cols + j] != 0;
        }
        value[l + 1] = above;
        above += layer->rows;
    }
    const size_t n_out = rk_network_n_out(net);
    if (known) memcpy(varies, above - n_out, n_out * sizeof *varies);
    free(value);
    free(room);
    return known;
}

size_t rk_network_max_rows(const rk_network *net) {
    size_t rows = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        if (net->layers[l].rows > rows) rows = net->layers[l].rows;
    return rows;
}

size_t rk_network_max_width(const rk_network *net) {
    size_t rows = rk_network_max_rows(net), n_in = rk_network_n_in(net);
    return rows > n_in ? rows : n_in;
}

double rk_network_weight_scale(const rk_network *net, size_t l) {
    const rk_layer *layer = &net->layers[l];
    if (layer->weight_scale > 0) return layer->weight_scale;
    if (!layer->weight) return 1;
    double sum = 0;
    for (size_t i = 0; i < layer->rows * layer->cols; i++)
        sum += layer->weight[i] * layer->weight[i];
    return sum / (double)layer->rows;
}

const char *rk_network_notes(const rk_network *net) {
    return net->notes ? net->notes : "";
}

rk_status rk_network_set_notes(rk_network *net, const char *text, rk_error *error) {
    char *copy = strdup(text);
    if (!copy) return rk_fail(error, RK_ERROR_MEMORY, "no memory for notes");
    free(net->notes);
    net->notes = copy;
    return RK_OK;
}

const char *rk_network_origin(const rk_network *net) {
    return net->origin ? net->origin : "";
}

bool rk_network_is_origin(const char *text) {
    enum { MOST = 1000 };
    size_t length = 0;
    for (; text[length] && length <= MOST; length++) {
        unsigned char c = (unsigned char)text[length];
        if (c < ' ' || c > '~' || c == '"' || c == '\\') return false;
    }
    return length <= MOST;
}

rk_status rk_network_set_origin(rk_network *net, const char *text, rk_error *error) {
    if (!rk_network_is_origin(text))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "an origin is at most 1000 printable ASCII characters, without quotes");
    char *copy = strdup(text);
    if (!copy) return rk_fail(error, RK_ERROR_MEMORY, "no memory for an origin");
    free(net->origin);
    net->origin = copy;
    return RK_OK;
}
