#include "format/tensor.h"

#include "base/size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* C0 and C1 controls, and marks that change the direction of what follows: what a terminal obeys.
 */
static bool is_control(const unsigned char *c) {
    if (c[0] < ' ' || c[0] == 0x7f) return true;
    if (c[0] == 0xc2) return c[1] >= 0x80 && c[1] <= 0x9f;
    if (c[0] != 0xe2) return false;
    return (c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) ||
           (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

rk_status rk_name_check(const char *name, rk_error *error) {
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if (is_control((const unsigned char *)name + i))
            return rk_fail(error, RK_ERROR_FORMAT, "a tensor's name contains control characters");
    if (length > 255)
        return rk_fail(error, RK_ERROR_FORMAT, "a tensor's name is %zu bytes long", length);
    return RK_OK;
}

static bool grow(rk_tensors *list) {
    size_t capacity = list->capacity ? 2 * list->capacity : 16, bytes;
    if (!rk_size_mul(capacity, sizeof *list->items, &bytes)) return false;
    rk_tensor *items = realloc(list->items, bytes);
    if (!items) return false;
    list->items = items;
    list->capacity = capacity;
    return true;
}

rk_status rk_tensors_add(rk_tensors *list, const char *name, rk_tensor **out, rk_error *error) {
    rk_status status = rk_name_check(name, error);
    if (status != RK_OK) return status;
    char *copy = strdup(name);
    if (!copy || (list->count == list->capacity && !grow(list))) {
        free(copy);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for tensor '%s'", name);
    }
    *out = &list->items[list->count++];
    **out = (rk_tensor){.name = copy};
    return RK_OK;
}

const rk_tensor *rk_tensors_find(const rk_tensors *list, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0) return &list->items[i];
    return NULL;
}

void rk_tensor_clear(rk_tensor *tensor) {
    free(tensor->name);
    rk_array_destroy(&tensor->array);
}

void rk_tensors_destroy(rk_tensors *list) {
    for (size_t i = 0; i < list->count; i++)
        rk_tensor_clear(&list->items[i]);
    free(list->items);
    if (list->close) list->close(list->source);
    *list = (rk_tensors){0};
}

bool rk_shape_bytes(const size_t *shape, size_t n_dims, size_t size, size_t *out) {
    size_t bytes = size;
    for (size_t i = 0; i < n_dims; i++)
        if (!rk_size_mul(bytes, shape[i], &bytes)) return false;
    *out = bytes;
    return true;
}

rk_status rk_tensor_load(const rk_tensors *list, rk_tensor *tensor, rk_error *error) {
    double *data = rk_alloc(rk_array_count(&tensor->array), 1, sizeof *data);
    if (!data)
        return rk_fail(error, RK_ERROR_MEMORY, "tensor '%s': no memory for its values",
                       tensor->name);
    rk_status status = list->decode(list->source, tensor, data, error);
    if (status == RK_OK)
        tensor->array.data = data;
    else
        free(data);
    return status;
}

/* ------------------------------------------------------------------------------------ decoding */

/* To row-major from another order: the place of one value after the other, as the file has them. */
typedef struct walk {
    size_t n_dims, side[RK_MAX_DIMS], stride[RK_MAX_DIMS]; /* the file's fastest dimension first */
    size_t index[RK_MAX_DIMS], at;
} walk;

static bool is_row_major(const rk_tensor *tensor) {
    return !tensor->fortran_order && !tensor->swapped;
}

static walk walk_begin(const rk_tensor *tensor) {
    const rk_array *array = &tensor->array;
    const size_t n = array->n_dims;
    size_t stride[RK_MAX_DIMS];
    walk w = {.n_dims = n};
    for (size_t d = n, step = 1; d-- > 0; step *= array->shape[d])
        stride[d] = step;
    for (size_t k = 0; k < n; k++) {
        size_t d = tensor->fortran_order ? k : n - 1 - k;
        if (tensor->swapped && d + 2 >= n) d = 2 * n - 3 - d;
        w.side[k] = array->shape[d];
        w.stride[k] = stride[d];
    }
    return w;
}

static void walk_on(walk *w) {
    for (size_t k = 0; k < w->n_dims; k++) {
        w->at += w->stride[k];
        if (++w->index[k] < w->side[k]) return;
        w->at -= w->stride[k] * w->side[k];
        w->index[k] = 0;
    }
}

rk_status rk_tensor_decode(const rk_tensor *tensor, rk_next_bytes *next, void *from, double *out,
                           rk_error *error) {
    enum { BLOCK = 1 << 12 };
    unsigned char bytes[8 * BLOCK];
    double values[BLOCK];
    const bool in_order = is_row_major(tensor);
    walk w = walk_begin(tensor);
    size_t left = rk_array_count(&tensor->array);
    while (left > 0) {
        const size_t n = left < BLOCK ? left : BLOCK;
        rk_status status = next(from, bytes, n * tensor->element.size, error);
        if (status != RK_OK) return status;
        rk_element_decode(tensor->element, bytes, n, in_order ? out : values);
        for (size_t i = 0; !in_order && i < n; i++, walk_on(&w))
            out[w.at] = values[i];
        if (in_order) out += n;
        left -= n;
    }
    return RK_OK;
}

/* A file that is read on. */
typedef struct place {
    const rk_file *file;
    size_t at;
} place;

static rk_status next_of_file(void *from, unsigned char *bytes, size_t size, rk_error *error) {
    place *p = from;
    rk_status status = rk_file_read(p->file, p->at, bytes, size, error);
    p->at += size;
    return status;
}

rk_status rk_tensor_decode_file(void *source, const rk_tensor *tensor, double *out,
                                rk_error *error) {
    place from = {source, tensor->offset};
    return rk_tensor_decode(tensor, next_of_file, &from, out, error);
}

/* -------------------------------------------------------------------------------------- shapes */

size_t rk_array_count(const rk_array *array) {
    size_t count = 1;
    for (size_t i = 0; i < array->n_dims; i++)
        count *= array->shape[i];
    return count;
}

const char *rk_array_shape_text(const rk_array *array, rk_shape_text *out) {
    size_t used = (size_t)sprintf(out->text, "(");
    for (size_t i = 0; i < array->n_dims; i++)
        used += (size_t)sprintf(out->text + used, i ? ", %zu" : "%zu", array->shape[i]);
    sprintf(out->text + used, array->n_dims == 1 ? ",)" : ")"); /* as Python writes a tuple */
    return out->text;
}

void rk_array_destroy(rk_array *array) {
    if (!array) return;
    free(array->data);
    *array = (rk_array){0};
}
