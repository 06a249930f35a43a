#include "format/torch.h"

#include "format/archive.h"
#include "format/checkpoint.h"
#include "format/torch_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rk_status add_view(rk_torch_source *s, const rk_torch_view *view, rk_error *error) {
    if (s->n_views == s->capacity) {
        const size_t capacity = s->capacity ? 2 * s->capacity : 16;
        rk_torch_view *views = realloc(s->views, capacity * sizeof *views);
        if (!views) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu tensors", capacity);
        s->views = views;
        s->capacity = capacity;
    }
    s->views[s->n_views++] = *view;
    return RK_OK;
}

static rk_status add_tensor(void *to, const char *name, size_t holder, const rk_torch_view *view,
                            rk_error *error) {
    rk_torch_source *s = to;
    rk_tensor *tensor;
    rk_status status = rk_tensors_add(s->tensors, name, &tensor, error);
    if (status == RK_OK) status = add_view(s, view, error);
    if (status != RK_OK) return status;
    rk_torch_place *of = rk_torch_find_storage(s, view->storage.key);
    if (of) of->is_used = true;
    tensor->holder = holder;
    tensor->member = s->n_views - 1;
    tensor->element = view->type->element;
    tensor->element.big_endian = s->big_endian;
    tensor->array.n_dims = view->n_dims;
    memcpy(tensor->array.shape, view->shape, view->n_dims * sizeof *view->shape);
    if (!view->type->is_read) strcpy(tensor->unread, view->type->label);
    const size_t count = rk_array_count(&tensor->array);
    if (count > s->room)
        return rk_fail(error, RK_ERROR_FORMAT,
                       "tensor '%s' repeats the file's numbers too often (expanded without end?)",
                       name);
    s->room -= count;
    return RK_OK;
}

/* Storages of objects that were passed over. */
static void note_unused(const rk_torch_source *s) {
    size_t unused = 0;
    for (size_t i = 0; i < s->n_storages; i++)
        unused += !s->storages[i].is_used;
    if (unused > 0)
        snprintf(s->tensors->note, sizeof s->tensors->note,
                 "%zu storages are of objects that are not read", unused);
}

bool rk_torch_recognise(const rk_file *file, const unsigned char *bytes, size_t size) {
    if (rk_torch_is_old(bytes, size)) return true;
    if (size < 4 || memcmp(bytes, "PK\3\4", 4) != 0) return false;
    zip_t *archive;
    if (rk_archive_open(&archive, file, NULL) != RK_OK) return false;
    const bool found = rk_torch_find_pickle(archive) >= 0;
    zip_discard(archive);
    return found;
}

rk_status rk_torch_read(rk_tensors *tensors, const rk_file *file, rk_error *error) {
    rk_torch_source *s = calloc(1, sizeof *s);
    if (!s) return rk_fail(error, RK_ERROR_MEMORY, "no memory for a PyTorch file");
    *s = (rk_torch_source){.file = file, .tensors = tensors, .room = file->size + (1 << 22)};
    tensors->source = s;
    tensors->decode = rk_torch_decode;
    tensors->close = rk_torch_close;
    unsigned char first[2];
    rk_status status = file->size < sizeof first
                           ? rk_fail(error, RK_ERROR_FORMAT, "the file is cut short")
                           : rk_file_read(file, 0, first, sizeof first, error);
    if (status == RK_OK)
        status = first[0] == 'P' ? rk_torch_read_archive(s, error) : rk_torch_read_old(s, error);
    if (status == RK_OK) status = rk_checkpoint_walk(&s->pickle, add_tensor, s, error);
    if (status == RK_OK) note_unused(s);
    return status;
}
