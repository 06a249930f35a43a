#include "format/safetensors.h"

#include "base/size.h"
#include "format/element.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, MAX_HEADER = 100000000 };

/* One tensor as the header announces it. */
typedef struct entry {
    const char *name;
    rk_element element;
    size_t n_dims, shape[RK_MAX_DIMS];
    size_t begin, end; /* within the values */
    char unread[sizeof((rk_tensor *)0)->unread];
} entry;

/* ------------------------------------------------------------------------------- the header */

/* Types that are not read are noted: whether that matters depends on what the tensor is. */
static bool parse_dtype(entry *out, const json_t *value) {
    static const struct {
        const char *name;
        rk_element element;
    } known[] = {
        {"F64", {RK_FLOAT, 8, false}},
        {"F32", {RK_FLOAT, 4, false}},
        {"F16", {RK_FLOAT, 2, false}},
        {"BF16", {RK_BFLOAT, 2, false}},
    };
    const char *dtype = json_string_value(value);
    if (!dtype || !*dtype || strlen(dtype) >= sizeof out->unread ||
        rk_name_check(dtype, NULL) != RK_OK)
        return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(dtype, known[i].name) == 0) {
            out->element = known[i].element;
            return true;
        }
    strcpy(out->unread, dtype);
    return true;
}

static bool parse_size(const json_t *value, size_t *out) {
    json_int_t integer = json_is_integer(value) ? json_integer_value(value) : -1;
    *out = (size_t)integer;
    return integer >= 0 && (uint64_t)integer <= SIZE_MAX;
}

static bool parse_shape(entry *out, const json_t *value) {
    if (!json_is_array(value) || json_array_size(value) > RK_MAX_DIMS) return false;
    out->n_dims = json_array_size(value);
    for (size_t i = 0; i < out->n_dims; i++)
        if (!parse_size(json_array_get(value, i), &out->shape[i])) return false;
    return true;
}

static rk_status parse_entry(entry *out, const char *name, json_t *value, rk_error *error) {
    rk_status status = rk_name_check(name, error);
    if (status != RK_OK) return status;
    *out = (entry){.name = name};
    const json_t *dtype = json_object_get(value, "dtype"), *shape = json_object_get(value, "shape"),
                 *offsets = json_object_get(value, "data_offsets");
    if (!dtype || !shape || !offsets || json_object_size(value) != 3)
        return rk_fail(error, RK_ERROR_FORMAT,
                       "tensor '%s' is not described by dtype, shape and data_offsets", name);
    if (!parse_dtype(out, dtype))
        return rk_fail(error, RK_ERROR_FORMAT, "tensor '%s': malformed dtype", name);
    if (!parse_shape(out, shape))
        return rk_fail(error, RK_ERROR_FORMAT, "tensor '%s': malformed shape", name);
    if (json_array_size(offsets) != 2 || !parse_size(json_array_get(offsets, 0), &out->begin) ||
        !parse_size(json_array_get(offsets, 1), &out->end) || out->end < out->begin)
        return rk_fail(error, RK_ERROR_FORMAT, "tensor '%s': malformed data_offsets", name);
    size_t bytes;
    if (!rk_shape_bytes(out->shape, out->n_dims, *out->unread ? 1 : out->element.size, &bytes))
        return rk_fail(error, RK_ERROR_FORMAT, "tensor '%s': its shape overflows", name);
    if (!*out->unread && bytes != out->end - out->begin)
        return rk_fail(error, RK_ERROR_FORMAT,
                       "tensor '%s': its shape needs %zu bytes, its data_offsets hold %zu", name,
                       bytes, out->end - out->begin);
    return RK_OK;
}

/* The format wants strings only; what others write there is theirs. */
static rk_status read_metadata(rk_description *out, json_t *metadata, rk_error *error) {
    if (!json_is_object(metadata))
        return rk_fail(error, RK_ERROR_FORMAT, "__metadata__ is not an object");
    return rk_description_from_metadata(out, metadata, error);
}

/* ------------------------------------------------------------------------------- the values */

static int by_place(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* Sorted entries must tile [0, size). */
static rk_status check_tiling(const entry *entries, size_t count, size_t offset, size_t size,
                              rk_error *error) {
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].begin != at)
            return rk_fail_at(
                error, RK_ERROR_FORMAT, (int64_t)(offset + at), "tensor '%s' %s", entries[i].name,
                entries[i].begin < at ? "overlaps its predecessor" : "leaves a gap before it");
        if (entries[i].end > size)
            return rk_fail_at(error, RK_ERROR_FORMAT, (int64_t)(offset + size),
                              "tensor '%s' reaches beyond the end of the file", entries[i].name);
        at = entries[i].end;
    }
    if (at != size)
        return rk_fail_at(error, RK_ERROR_FORMAT, (int64_t)(offset + at),
                          "%zu bytes after the last tensor", size - at);
    return RK_OK;
}

static rk_status add_tensor(rk_tensors *tensors, const entry *from, size_t offset,
                            rk_error *error) {
    rk_tensor *tensor;
    rk_status status = rk_tensors_add(tensors, from->name, &tensor, error);
    if (status != RK_OK) return status;
    memcpy(tensor->unread, from->unread, sizeof tensor->unread);
    memcpy(tensor->array.shape, from->shape, sizeof from->shape);
    tensor->array.n_dims = from->n_dims;
    tensor->element = from->element;
    tensor->offset = offset + from->begin;
    return RK_OK;
}

static rk_status read_tensors(rk_tensors *tensors, rk_description *description, json_t *header,
                              size_t offset, size_t size, rk_error *error) {
    size_t count = 0;
    entry *entries = rk_alloc(json_object_size(header), 1, sizeof *entries);
    if (!entries) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the header");
    rk_status status = RK_OK;
    const char *name;
    json_t *value;
    json_object_foreach(header, name, value) {
        status = strcmp(name, "__metadata__") == 0
                     ? read_metadata(description, value, error)
                     : parse_entry(&entries[count++], name, value, error);
        if (status != RK_OK) break;
    }
    if (status == RK_OK) {
        qsort(entries, count, sizeof *entries, by_place);
        status = check_tiling(entries, count, offset, size - offset, error);
    }
    for (size_t i = 0; i < count && status == RK_OK; i++)
        status = add_tensor(tensors, &entries[i], offset, error);
    free(entries);
    return status;
}

static uint64_t announced_length(const unsigned char *bytes) {
    uint64_t length = 0;
    for (int i = LENGTH_BYTES; i-- > 0;)
        length = length << 8 | bytes[i];
    return length;
}

bool rk_safetensors_recognise(const unsigned char *bytes, size_t size) {
    return size > LENGTH_BYTES && announced_length(bytes) <= MAX_HEADER &&
           bytes[LENGTH_BYTES] == '{';
}

/* The JSON after the length. */
static rk_status parse_header(json_t **out, const char *text, size_t length, rk_error *error) {
    if (length == 0 || text[0] != '{')
        return rk_fail_at(error, RK_ERROR_FORMAT, LENGTH_BYTES, "the header is not a JSON object");
    json_error_t why;
    *out = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
    if (*out) return RK_OK;
    enum json_error_code code = json_error_code(&why);
    return rk_fail_at(error, code == json_error_out_of_memory ? RK_ERROR_MEMORY : RK_ERROR_FORMAT,
                      LENGTH_BYTES + why.position, "the header %s",
                      code == json_error_duplicate_key
                          ? "has a key twice"
                          : "is not valid JSON, or too much for the memory");
}

static rk_status read_header(json_t **out, size_t *values, const rk_file *file, rk_error *error) {
    unsigned char bytes[LENGTH_BYTES];
    if (file->size < LENGTH_BYTES)
        return rk_fail_at(error, RK_ERROR_FORMAT, (int64_t)file->size, "the file is cut short");
    rk_status status = rk_file_read(file, 0, bytes, LENGTH_BYTES, error);
    if (status != RK_OK) return status;
    const uint64_t length = announced_length(bytes);
    if (length > MAX_HEADER)
        return rk_fail_at(
            error, RK_ERROR_FORMAT, 0,
            "neither .npz nor .npy nor .safetensors (or with a header longer than 100 MB)");
    if (length > file->size - LENGTH_BYTES)
        return rk_fail_at(error, RK_ERROR_FORMAT, 0,
                          "the header is announced to be longer than the file");
    char *text = malloc((size_t)length + 1);
    if (!text) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the header");
    *values = LENGTH_BYTES + (size_t)length;
    status = rk_file_read(file, LENGTH_BYTES, text, (size_t)length, error);
    if (status == RK_OK) status = parse_header(out, text, (size_t)length, error);
    free(text);
    return status;
}

rk_status rk_safetensors_read(rk_tensors *tensors, rk_description *description, rk_file *file,
                              rk_error *error) {
    json_t *header;
    size_t values = 0;
    rk_status status = read_header(&header, &values, file, error);
    if (status != RK_OK) return status;
    tensors->decode = rk_tensor_decode_file;
    tensors->source = file;
    status = read_tensors(tensors, description, header, values, file->size, error);
    json_decref(header);
    return status;
}
