/* Data in a .npz: samples x, and y, what outputs should be there. */
#include "base/size.h"
#include "format/npz.h"

#include <stdlib.h>
#include <string.h>

static bool is_integer(const rk_tensor *t) {
    return t->element.kind == RK_SIGNED || t->element.kind == RK_UNSIGNED;
}

static rk_status take_labels(rk_dataset *d, const rk_array *y, rk_error *error) {
    size_t *labels = rk_alloc(y->shape[0], 1, sizeof *labels);
    d->labels = labels;
    if (!labels) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu labels", y->shape[0]);
    for (size_t i = 0; i < y->shape[0]; i++) {
        if (!(y->data[i] >= 0 && y->data[i] < 0x1p53))
            return rk_fail(error, RK_ERROR_FORMAT,
                           "y[%zu] is %.0f: labels are outputs, counted from 0", i, y->data[i]);
        labels[i] = (size_t)y->data[i];
    }
    return RK_OK;
}

static rk_status check_shapes(const rk_array *x, const rk_array *y, rk_error *error) {
    rk_shape_text xs, ys;
    if (x->n_dims != 2)
        return rk_fail(error, RK_ERROR_FORMAT,
                       "x has shape %s, and not (samples, inputs): in Python, x.reshape(len(x), "
                       "-1)",
                       rk_array_shape_text(x, &xs));
    if ((y->n_dims == 1 || y->n_dims == 2) && x->shape[0] == y->shape[0] && x->shape[0] > 0 &&
        x->shape[1] > 0)
        return RK_OK;
    return rk_fail(error, RK_ERROR_FORMAT,
                   "x has shape %s and y %s: there should be as many rows of one as of the other, "
                   "and some",
                   rk_array_shape_text(x, &xs), rk_array_shape_text(y, &ys));
}

static rk_status take(rk_dataset *d, rk_tensors *tensors, rk_tensor *x, rk_tensor *y,
                      rk_error *error) {
    rk_status status = check_shapes(&x->array, &y->array, error);
    if (status == RK_OK) status = rk_tensor_load(tensors, x, error);
    if (status == RK_OK) status = rk_tensor_load(tensors, y, error);
    if (status != RK_OK) return status;
    d->size = sizeof *d;
    d->n = x->array.shape[0];
    d->n_in = x->array.shape[1];
    d->x = x->array.data;
    x->array.data = NULL;
    if (y->array.n_dims == 1 && is_integer(y)) return take_labels(d, &y->array, error);
    d->n_out = y->array.n_dims == 2 ? y->array.shape[1] : 1;
    d->values = y->array.data;
    y->array.data = NULL;
    return RK_OK;
}

static rk_tensor *find(const rk_tensors *tensors, const char *name) {
    const rk_tensor *found = rk_tensors_find(tensors, name);
    return found ? &tensors->items[found - tensors->items] : NULL;
}

static rk_status read_members(rk_dataset **out, const rk_file *file, rk_error *error) {
    rk_tensors tensors = {0};
    rk_description description = {0};
    rk_status status = rk_npz_read(&tensors, &description, file, error);
    rk_tensor *x = find(&tensors, "x"), *y = find(&tensors, "y");
    if (status == RK_OK && x && y) {
        *out = calloc(1, sizeof **out);
        status = *out ? take(*out, &tensors, x, y, error)
                      : rk_fail(error, RK_ERROR_MEMORY, "no memory for the data");
    }
    rk_tensors_destroy(&tensors);
    rk_description_destroy(&description);
    return status;
}

rk_status rk_dataset_read(rk_dataset **out, const char *path, rk_error *error) {
    unsigned char first[4];
    rk_file file;
    *out = NULL;
    if (strcmp(path, "-") == 0) return RK_OK; /* what is read from there is gone */
    rk_status status = rk_file_open(&file, path, error);
    if (status != RK_OK) return status;
    const size_t seen = file.size < sizeof first ? file.size : sizeof first;
    status = rk_file_read(&file, 0, first, seen, error);
    if (status == RK_OK && rk_npz_recognise(first, seen)) status = read_members(out, &file, error);
    rk_file_close(&file);
    if (status != RK_OK) {
        rk_dataset_destroy(*out);
        *out = NULL;
    }
    return status;
}

void rk_dataset_destroy(rk_dataset *dataset) {
    if (!dataset) return;
    free((double *)dataset->x);
    free((double *)dataset->values);
    free((size_t *)dataset->labels);
    free(dataset);
}
