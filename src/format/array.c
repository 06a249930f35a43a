/* Single arrays out of files: .npy, a member of .npz, text. */
#include "base/status.h"
#include "format/csv.h"
#include "format/foreign.h"
#include "format/npy.h"
#include "format/npz.h"
#include "format/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { NPY, NPZ, CSV } kind;

/* What its first bytes say it is. */
static rk_status recognise(kind *out, const rk_file *file, rk_error *error) {
    unsigned char *bytes;
    size_t size;
    rk_status status = rk_file_begin(&bytes, &size, file, error);
    const bool read = status == RK_OK, is_npy = read && rk_npy_recognise(bytes, size),
               is_npz = read && rk_npz_recognise(bytes, size);
    *out = is_npy ? NPY : is_npz ? NPZ : CSV;
    if (read && *out == CSV) {
        if (rk_safetensors_recognise(bytes, size))
            status = rk_fail(error, RK_ERROR_FORMAT,
                             "this is a .safetensors file of several arrays: save the one as .npy, "
                             "in Python: numpy.save('array.npy', a)");
        else
            status = rk_foreign_check(bytes, size, error);
        if (status == RK_OK && !rk_csv_recognise(bytes, size))
            status = rk_fail(error, RK_ERROR_FORMAT,
                             "neither a .npy or .npz file nor a table of numbers as text");
    }
    free(bytes);
    return status;
}

/* "a, b and c" of the arrays there are. */
static void list_names(const rk_tensors *tensors, char *out, size_t size) {
    size_t used = 0;
    *out = 0;
    for (size_t i = 0; i < tensors->count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s'%.40s'", i ? ", " : "",
                                 tensors->items[i].name);
}

/* The tensor that has one of the names between commas, the first first; NULL: the only one. */
static rk_tensor *find(const rk_tensors *tensors, const char *names) {
    if (!names) return tensors->count == 1 ? tensors->items : NULL;
    for (const char *at = names; *at;) {
        const size_t length = strcspn(at, ",");
        for (size_t i = 0; i < tensors->count; i++) {
            const char *name = tensors->items[i].name;
            if (strlen(name) == length && strncmp(name, at, length) == 0) return &tensors->items[i];
        }
        at += length + (at[length] == ',');
    }
    return NULL;
}

static rk_status refuse_names(const rk_tensors *tensors, const char *names, rk_error *error) {
    char list[300];
    list_names(tensors, list, sizeof list);
    return names ? rk_fail(error, RK_ERROR_FORMAT, "there is no array '%s': there are %s", names,
                           tensors->count ? list : "none")
                 : rk_fail(error, RK_ERROR_FORMAT,
                           "one array is wanted, the file has %zu: %s; save the one as .npy",
                           tensors->count, tensors->count ? list : "none");
}

static rk_status read(rk_array *out, rk_file *file, kind is, const char *path, const char *names,
                      rk_error *error) {
    rk_tensors tensors = {0};
    rk_description unused = {0};
    rk_status status = is == NPZ ? rk_npz_read(&tensors, &unused, file, error)
                                 : rk_npy_read(&tensors, path, file, error);
    rk_tensor *found = status == RK_OK ? find(&tensors, names) : NULL;
    if (status == RK_OK && !found) status = refuse_names(&tensors, names, error);
    if (status == RK_OK) status = rk_tensor_load(&tensors, found, error);
    if (status == RK_OK) {
        *out = found->array;
        found->array.data = NULL;
    }
    rk_description_destroy(&unused);
    rk_tensors_destroy(&tensors);
    return status;
}

rk_status rk_array_read_named(rk_array *out, const char *path, const char *names, rk_error *error) {
    *out = (rk_array){0};
    rk_file file;
    kind is = CSV;
    rk_status status = rk_file_open(&file, path, error);
    if (status != RK_OK) return status;
    status = recognise(&is, &file, error);
    if (status == RK_OK && names && is != NPZ)
        status =
            rk_fail(error, RK_ERROR_FORMAT, "an .npz file is wanted, with an array '%s'", names);
    if (status == RK_OK)
        status =
            is == CSV ? rk_csv_read(out, &file, error) : read(out, &file, is, path, names, error);
    rk_file_close(&file);
    return status;
}

rk_status rk_array_read(rk_array *out, const char *path, rk_error *error) {
    return rk_array_read_named(out, path, NULL, error);
}
