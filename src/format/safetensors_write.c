#include "base/size.h"
#include "format/element.h"
#include "format/part.h"
#include "format/safetensors.h"

#include <stdlib.h>
#include <string.h>

/* {"dtype": "F64", "shape": [...], "data_offsets": [begin, end]} */
static json_t *announce(const rk_part *part, size_t begin) {
    json_t *shape = json_array();
    for (size_t d = 0; d < part->n_dims; d++)
        json_array_append_new(shape, json_integer((json_int_t)part->shape[d]));
    if (json_array_size(shape) != part->n_dims) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F64", "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + part->count * sizeof(double)));
}

/* The header's text, or NULL without memory; *bytes is the size of the values. */
static char *make_header(const rk_network *net, const rk_part *parts, size_t n_parts,
                         size_t *length, size_t *bytes) {
    json_t *header = json_object();
    bool ok = json_object_set_new(header, "__metadata__", rk_description_of(net)) == 0;
    *bytes = 0;
    for (size_t i = 0; i < n_parts && ok; i++) {
        ok = json_object_set_new(header, parts[i].name, announce(&parts[i], *bytes)) == 0;
        *bytes += parts[i].count * sizeof(double);
    }
    char *text = ok ? rk_json_text(header, length) : NULL;
    json_decref(header);
    return text;
}

/* Length, header padded with spaces so that the values are aligned, values. */
static unsigned char *assemble(const char *header, size_t length, const rk_part *parts,
                               size_t n_parts, size_t bytes, size_t *size) {
    size_t padded = (length + 7) / 8 * 8;
    unsigned char *out = malloc(8 + padded + bytes);
    if (!out) return NULL;
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)((uint64_t)padded >> (8 * i));
    memcpy(out + 8, header, length);
    memset(out + 8 + length, ' ', padded - length);
    unsigned char *at = out + 8 + padded;
    for (size_t i = 0; i < n_parts; i++)
        for (size_t k = 0; k < parts[i].count; k++, at += 8)
            rk_store_double(at, parts[i].data[k]);
    *size = 8 + padded + bytes;
    return out;
}

rk_status rk_safetensors_write(unsigned char **out, size_t *size, const rk_network *net,
                               rk_error *error) {
    size_t n_parts, length, bytes;
    rk_part *parts = rk_network_parts(net, &n_parts);
    char *header = parts ? make_header(net, parts, n_parts, &length, &bytes) : NULL;
    *out = header ? assemble(header, length, parts, n_parts, bytes, size) : NULL;
    free(header);
    free(parts);
    return *out ? RK_OK : rk_fail(error, RK_ERROR_MEMORY, "no memory to write the network");
}
