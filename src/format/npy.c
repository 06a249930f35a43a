#include "format/npy.h"

#include "base/size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

bool rk_npy_recognise(const unsigned char *bytes, size_t size) {
    return size >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

/* ------------------------------------------------- the dictionary, a fragment of Python's grammar
 */

typedef struct cursor {
    const unsigned char *start, *at, *end; /* start: of the file, for offsets in messages */
} cursor;

static void skip_space(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

static bool accept(cursor *c, char wanted) {
    skip_space(c);
    if (c->at == c->end || *c->at != (unsigned char)wanted) return false;
    c->at++;
    return true;
}

static bool accept_word(cursor *c, const char *word) {
    size_t length = strlen(word);
    skip_space(c);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0) return false;
    c->at += length;
    return true;
}

/* A quoted string of fewer than `capacity` characters, without escapes. */
static bool read_string(cursor *c, char *out, size_t capacity) {
    skip_space(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return false;
    unsigned char quote = *c->at++;
    size_t used = 0;
    for (; c->at < c->end && *c->at != quote; c->at++) {
        if (*c->at == '\\' || *c->at < ' ' || used + 1 == capacity) return false;
        out[used++] = (char)*c->at;
    }
    out[used] = '\0';
    return accept(c, (char)quote);
}

static bool read_size(cursor *c, size_t *out) {
    skip_space(c);
    const unsigned char *first = c->at;
    size_t value = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
        if (!rk_size_mul(value, 10, &value) || !rk_size_add(value, (size_t)(*c->at - '0'), &value))
            return false;
    *out = value;
    return c->at > first;
}

/* "()", "(3,)", "(3, 4)", "(3, 4,)". */
static bool read_shape(cursor *c, rk_npy_header *out) {
    if (!accept(c, '(')) return false;
    while (!accept(c, ')')) {
        if (out->n_dims == RK_MAX_DIMS || !read_size(c, &out->shape[out->n_dims])) return false;
        out->n_dims++;
        if (accept(c, ',')) continue;
        return out->n_dims > 1 && accept(c, ')'); /* "(3)" is a number, not a tuple */
    }
    return true;
}

static bool read_order(cursor *c, bool *fortran_order) {
    *fortran_order = accept_word(c, "True");
    return *fortran_order || accept_word(c, "False");
}

/* "<f8", ">i4", "|u1" */
static bool parse_descr(const char *descr, rk_element *out) {
    static const struct {
        const char *type;
        rk_element_kind kind;
        size_t size;
    } known[] = {
        {"f2", RK_FLOAT, 2},    {"f4", RK_FLOAT, 4},    {"f8", RK_FLOAT, 8},
        {"i1", RK_SIGNED, 1},   {"i2", RK_SIGNED, 2},   {"i4", RK_SIGNED, 4},
        {"i8", RK_SIGNED, 8},   {"u1", RK_UNSIGNED, 1}, {"u2", RK_UNSIGNED, 2},
        {"u4", RK_UNSIGNED, 4}, {"u8", RK_UNSIGNED, 8},
    };
    char order = descr[0];
    if (order != '<' && order != '>' && order != '|') return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(descr + 1, known[i].type) == 0 && (order != '|' || known[i].size == 1)) {
            *out = (rk_element){known[i].kind, known[i].size, order == '>'};
            return true;
        }
    return false;
}

/* Why not, and what to do, by the letter of the type. */
static rk_status refuse_descr(const char *descr, const char *name, int64_t offset,
                              rk_error *error) {
    static const struct {
        char letter;
        const char *what, *way_out;
    } known[] = {
        {'O', "is a pickled object array, perhaps a list of arrays",
         "in Python: a = numpy.load(FILE, allow_pickle=True); numpy.savez('net.npz', *a), with "
         "a[NAME] for a of an .npz"},
        {'V', "holds raw bytes or records, perhaps bfloat16", "save it as .astype('float32')"},
        {'f', "holds floats of a size that is not read", "save it as .astype('float64')"},
        {'c', "holds complex numbers", "reckon knows real ones only"},
        {'b', "holds booleans", "save it as .astype('float64')"},
        {'U', "holds text", "leave it out of the file"},
        {'S', "holds text", "leave it out of the file"},
        {'M', "holds dates", "leave it out of the file"},
        {'m', "holds spans of time", "leave it out of the file"},
    };
    const char letter = descr[strspn(descr, "<>|=")];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (letter == known[i].letter)
            return rk_fail_at(error, RK_ERROR_FORMAT, offset, "array '%s' %s (type '%s'): %s", name,
                              known[i].what, descr, known[i].way_out);
    return rk_fail_at(error, RK_ERROR_FORMAT, offset,
                      "array '%s': elements of type '%s' are not supported", name, descr);
}

static rk_status malformed(const cursor *c, const char *name, const char *what, rk_error *error) {
    return rk_fail_at(error, RK_ERROR_FORMAT, c->at - c->start, "array '%s': %s", name, what);
}

static rk_status read_dictionary(cursor *c, const char *name, rk_npy_header *out, rk_error *error) {
    bool has_descr = false, has_order = false, has_shape = false;
    if (!accept(c, '{')) return malformed(c, name, "the header is not a dictionary", error);
    while (!accept(c, '}')) {
        char key[16], descr[32];
        if (!read_string(c, key, sizeof key) || !accept(c, ':'))
            return malformed(c, name, "malformed header", error);
        if (strcmp(key, "descr") == 0 && !has_descr) {
            has_descr = true;
            if (!read_string(c, descr, sizeof descr))
                return malformed(c, name, "its elements are not plain numbers", error);
            if (!parse_descr(descr, &out->element))
                return refuse_descr(descr, name, c->at - c->start, error);
        } else if (strcmp(key, "fortran_order") == 0 && !has_order) {
            has_order = true;
            if (!read_order(c, &out->fortran_order))
                return malformed(c, name, "fortran_order is neither True nor False", error);
        } else if (strcmp(key, "shape") == 0 && !has_shape) {
            has_shape = true;
            if (!read_shape(c, out)) return malformed(c, name, "malformed shape", error);
        } else {
            return malformed(c, name, "unexpected key in the header", error);
        }
        if (accept(c, ',')) continue;
        if (!accept(c, '}')) return malformed(c, name, "malformed header", error);
        break;
    }
    skip_space(c);
    if (c->at != c->end) return malformed(c, name, "text after the header", error);
    if (!has_descr || !has_order || !has_shape)
        return malformed(c, name, "the header lacks descr, fortran_order or shape", error);
    return RK_OK;
}

/* --------------------------------------------------------------------------------- the file */

rk_status rk_npy_read_header(rk_npy_header *out, const char *name, const unsigned char *bytes,
                             size_t size, rk_error *error) {
    *out = (rk_npy_header){0};
    if (!rk_npy_recognise(bytes, size))
        return rk_fail_at(error, RK_ERROR_FORMAT, 0, "array '%s' is not in .npy format", name);
    size_t version = size > 6 ? bytes[6] : 0;
    size_t preamble = version == 1 ? 10 : 12;
    if (size < preamble)
        return rk_fail_at(error, RK_ERROR_FORMAT, (int64_t)size, "array '%s' is cut short", name);
    if (version < 1 || version > 3 || bytes[7] != 0)
        return rk_fail_at(error, RK_ERROR_FORMAT, 6, "array '%s': .npy version %d.%d is unknown",
                          name, bytes[6], bytes[7]);
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (version > 1) length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > RK_NPY_MAX_HEADER - preamble)
        return rk_fail_at(error, RK_ERROR_FORMAT, 8, "array '%s': a header of %zu bytes is absurd",
                          name, length);
    if (length > size - preamble)
        return rk_fail_at(error, RK_ERROR_FORMAT, (int64_t)size, "array '%s' is cut short", name);
    cursor c = {bytes, bytes + preamble, bytes + preamble + length};
    rk_status status = read_dictionary(&c, name, out, error);
    if (status != RK_OK) return status;
    size_t total;
    out->data_offset = preamble + length;
    if (!rk_shape_bytes(out->shape, out->n_dims, out->element.size, &out->data_bytes) ||
        !rk_size_add(out->data_offset, out->data_bytes, &total))
        return malformed(&c, name, "its shape overflows", error);
    return RK_OK;
}

void rk_npy_announce(rk_tensor *tensor, const rk_npy_header *header) {
    tensor->array.n_dims = header->n_dims;
    memcpy(tensor->array.shape, header->shape, sizeof header->shape);
    tensor->element = header->element;
    tensor->fortran_order = header->fortran_order;
    tensor->offset = header->data_offset;
}

static rk_status read_header(rk_npy_header *out, const char *name, const rk_file *file,
                             rk_error *error) {
    const size_t seen = file->size < RK_NPY_MAX_HEADER ? file->size : RK_NPY_MAX_HEADER;
    unsigned char *head = malloc(seen ? seen : 1);
    if (!head) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the header of '%s'", name);
    rk_status status = rk_file_read(file, 0, head, seen, error);
    if (status == RK_OK) status = rk_npy_read_header(out, name, head, seen, error);
    free(head);
    return status;
}

rk_status rk_npy_read(rk_tensors *tensors, const char *name, rk_file *file, rk_error *error) {
    rk_npy_header header;
    rk_status status = read_header(&header, name, file, error);
    if (status != RK_OK) return status;
    if (file->size - header.data_offset != header.data_bytes)
        return rk_fail_at(error, RK_ERROR_FORMAT, (int64_t)header.data_offset,
                          "array '%s' has %zu bytes of values where its header announces %zu", name,
                          file->size - header.data_offset, header.data_bytes);
    rk_tensor *tensor;
    status = rk_tensors_add(tensors, "array", &tensor, error);
    if (status != RK_OK) return status;
    rk_npy_announce(tensor, &header);
    tensors->decode = rk_tensor_decode_file;
    tensors->source = file;
    return RK_OK;
}

/* The values begin at a multiple of 64 bytes: the header is padded with spaces, then a newline. */
unsigned char *rk_npy_write(const double *data, const size_t *shape, size_t n_dims, size_t *size) {
    rk_array array = {.n_dims = n_dims};
    memcpy(array.shape, shape, n_dims * sizeof *shape);
    rk_shape_text text;
    char dictionary[sizeof text.text + 64];
    size_t length =
        (size_t)sprintf(dictionary, "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }",
                        rk_array_shape_text(&array, &text));
    size_t count = rk_array_count(&array), offset = (10 + length + 1 + 63) / 64 * 64;
    unsigned char *bytes = malloc(offset + count * sizeof *data);
    if (!bytes) return NULL;
    memcpy(bytes, magic, sizeof magic);
    bytes[6] = 1;
    bytes[7] = 0;
    bytes[8] = (unsigned char)((offset - 10) & 255);
    bytes[9] = (unsigned char)((offset - 10) >> 8);
    memcpy(bytes + 10, dictionary, length);
    memset(bytes + 10 + length, ' ', offset - 10 - length);
    bytes[offset - 1] = '\n';
    for (size_t i = 0; i < count; i++)
        rk_store_double(bytes + offset + 8 * i, data[i]);
    *size = offset + count * sizeof *data;
    return bytes;
}
