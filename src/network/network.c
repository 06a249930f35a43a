#include "network/network.h"

#include "base/size.h"
#include "base/sum.h"

#include <limits.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Index of the first entry that is not finite, or false. */
static bool find_non_finite(const double *x, size_t count, size_t *at) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(x[i])) {
            *at = i;
            return true;
        }
    return false;
}

static rk_status check_layer(const rk_layer *layer, size_t l, size_t n_in, rk_error *error) {
    size_t count, at;
    if (layer->rows == 0 || layer->cols == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu is empty (%zu x %zu)", l + 1,
                       layer->rows, layer->cols);
    if (layer->rows > INT_MAX || layer->cols > INT_MAX ||
        !rk_size_mul(layer->rows, layer->cols, &count) || count > SIZE_MAX / (2 * sizeof(double)))
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu is too large (%zu x %zu)", l + 1,
                       layer->rows, layer->cols);
    if (n_in != 0 && layer->cols != n_in)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "layer %zu takes %zu inputs but layer %zu has %zu outputs", l + 1,
                       layer->cols, l, n_in);
    if (!layer->weight) return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu has no weights", l + 1);
    if (find_non_finite(layer->weight, count, &at))
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu: weight [%zu, %zu] is not finite",
                       l + 1, at / layer->cols, at % layer->cols);
    if (layer->bias && find_non_finite(layer->bias, layer->rows, &at))
        return rk_fail(error, RK_ERROR_ARGUMENT, "layer %zu: bias [%zu] is not finite", l + 1, at);
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

rk_status rk_network_create(rk_network **out, const rk_layer *layers, size_t n_layers,
                            rk_error *error) {
    *out = NULL;
    if (n_layers == 0 || !layers)
        return rk_fail(error, RK_ERROR_ARGUMENT, "a network needs at least one layer");
    size_t total = 0;
    for (size_t l = 0; l < n_layers; l++) {
        rk_status status = check_layer(&layers[l], l, l ? layers[l - 1].rows : 0, error);
        if (status != RK_OK) return status;
        if (!rk_size_add(total, layers[l].rows * layers[l].cols, &total) ||
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
        size_t count = layers[l].rows * layers[l].cols;
        copies[l] = layers[l];
        memcpy(storage, layers[l].weight, count * sizeof *storage);
        copies[l].weight = storage;
        storage += count;
        if (!layers[l].bias) continue;
        memcpy(storage, layers[l].bias, layers[l].rows * sizeof *storage);
        copies[l].bias = storage;
        storage += layers[l].rows;
    }
    rk_status status = rk_network_measure(net, error);
    if (status != RK_OK) {
        rk_network_destroy(net);
        return status;
    }
    *out = net;
    return RK_OK;
}

rk_status rk_network_measure(rk_network *net, rk_error *error) {
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
        const rk_layer *layer = &net->layers[l];
        net->row_square[l] = squares;
        for (size_t i = 0; i < layer->rows; i++) {
            const double *row = layer->weight + i * layer->cols;
            *squares++ = rk_dot(layer->cols, row, row);
        }
    }
    return RK_OK;
}

void rk_network_destroy(rk_network *net) {
    if (!net) return;
    if (net->row_square) free(net->row_square[0]);
    free(net->row_square);
    free(net->layers);
    free(net->storage);
    free(net->notes);
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

bool rk_network_is_activated(const rk_network *net, size_t l) {
    return l + 1 < net->n_layers || net->layers[l].activation.kind != RK_IDENTITY;
}

bool rk_network_find_varying(const rk_network *net, const rk_input *input, bool *varies) {
    const size_t n = rk_network_n_in(net), width = rk_network_max_width(net);
    bool *room = rk_alloc(width, 2, sizeof *room), *below = room, *above = room + width;
    if (!room) return false;
    for (size_t j = 0; j < n; j++)
        below[j] = !input->covariance || input->covariance[j * n + j] > 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        for (size_t i = 0; i < layer->rows; i++) {
            above[i] = false;
            for (size_t j = 0; !above[i] && j < layer->cols; j++)
                above[i] = below[j] && layer->weight[i * layer->cols + j] != 0;
        }
        bool *swap = below;
        below = above;
        above = swap;
    }
    memcpy(varies, below, rk_network_n_out(net) * sizeof *varies);
    free(room);
    return true;
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

static bool hash_words(EVP_MD_CTX *context, const uint64_t *words, size_t count) {
    unsigned char bytes[512 * 8]; /* little-endian, whatever the machine */
    for (size_t i = 0; i < count; i++)
        for (int b = 0; b < 8; b++)
            bytes[8 * i + (size_t)b] = (unsigned char)(words[i] >> (8 * b));
    return EVP_DigestUpdate(context, bytes, 8 * count);
}

static bool hash_doubles(EVP_MD_CTX *context, const double *x, size_t count) {
    uint64_t words[512];
    bool done = true;
    while (done && count > 0) {
        size_t part = count < 512 ? count : 512;
        memcpy(words, x, part * sizeof *words);
        done = hash_words(context, words, part);
        x += part;
        count -= part;
    }
    return done;
}

rk_status rk_network_sha256(const rk_network *net, char hex[65], rk_error *error) {
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (size_t l = 0; done && l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        const uint64_t shape[] = {layer->rows, layer->cols, layer->bias != NULL};
        done = hash_words(context, shape, 3) &&
               hash_doubles(context, layer->weight, layer->rows * layer->cols) &&
               (!layer->bias || hash_doubles(context, layer->bias, layer->rows));
    }
    done = done && EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    if (!done) return rk_fail(error, RK_ERROR_MEMORY, "the weights could not be hashed");
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return RK_OK;
}
