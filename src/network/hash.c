#include "network/network.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

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
    const bool plain = rk_network_is_plain(net);
    for (size_t l = 0; done && l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        const uint64_t shape[] = {layer->rows, layer->cols, layer->bias != NULL};
        const uint64_t values[] = {layer->weight == NULL, rk_network_reads(net, l) + 1,
                                   layer->adds};
        const size_t n_weights = layer->weight ? layer->rows * layer->cols : 0;
        done = hash_words(context, shape, 3) && (plain || hash_words(context, values, 3)) &&
               hash_doubles(context, layer->weight, n_weights) &&
               (!layer->bias || hash_doubles(context, layer->bias, layer->rows));
    }
    done = done && EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    if (!done) return rk_fail(error, RK_ERROR_MEMORY, "the weights could not be hashed");
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return RK_OK;
}
