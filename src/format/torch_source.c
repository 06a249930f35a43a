#include "format/torch_source.h"

#include "base/size.h"
#include "format/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rk_status rk_torch_refuse_storage(rk_error *error, rk_pickle_text key, const char *why) {
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)(key.length < 20 ? key.length : 20), key.bytes);
    for (char *c = name; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
    return rk_fail(error, RK_ERROR_FORMAT, "storage '%s' %s", name, why);
}

/* --------------------------------------------------------------------------------- the storages */

static int by_key(const void *a, const void *b) {
    const rk_pickle_text *x = &((const rk_torch_place *)a)->is.key,
                         *y = &((const rk_torch_place *)b)->is.key;
    const int order = memcmp(x->bytes, y->bytes, x->length < y->length ? x->length : y->length);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

rk_torch_place *rk_torch_find_storage(const rk_torch_source *s, rk_pickle_text key) {
    const rk_torch_place wanted = {.is.key = key};
    return key.bytes && s->n_storages
               ? bsearch(&wanted, s->storages, s->n_storages, sizeof wanted, by_key)
               : NULL;
}

rk_status rk_torch_list_storages(rk_torch_source *s, rk_error *error) {
    size_t count = 0, n = 0;
    for (uint32_t i = 0; i < s->pickle.count; i++)
        count += s->pickle.nodes[i].kind == RK_PICKLE_PERSISTENT;
    s->storages = rk_alloc(count ? count : 1, 1, sizeof *s->storages);
    if (!s->storages) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu storages", count);
    for (uint32_t i = 0; i < s->pickle.count; i++) {
        const rk_pickle_node *node = &s->pickle.nodes[i];
        if (node->kind != RK_PICKLE_PERSISTENT) continue;
        rk_status status = rk_torch_storage_of(&s->storages[n++].is, &s->pickle, node, error);
        if (status != RK_OK) return status;
    }
    qsort(s->storages, n, sizeof *s->storages, by_key);
    for (size_t i = 0; i < n; i++) {
        rk_torch_place *last = s->n_storages ? &s->storages[s->n_storages - 1] : NULL;
        if (!last || by_key(last, &s->storages[i]) != 0)
            s->storages[s->n_storages++] = s->storages[i];
        else if (last->is.bytes != s->storages[i].is.bytes)
            return rk_torch_refuse_storage(error, last->is.key, "is of two sizes");
    }
    return RK_OK;
}

/* ---------------------------------------------------------------------------------- the values */

/* Bytes of a storage that are read on. */
typedef struct stream {
    const rk_torch_source *from;
    zip_file_t *member;
    size_t at;
} stream;

static rk_status next_of_storage(void *from, unsigned char *bytes, size_t size, rk_error *error) {
    stream *in = from;
    if (!in->member) {
        rk_status status = rk_file_read(in->from->file, in->at, bytes, size, error);
        in->at += size;
        return status;
    }
    return rk_archive_read(in->member, bytes, size) ? RK_OK
                                                    : rk_fail(error, RK_ERROR_FORMAT, "is damaged");
}

/* Element after element of a view, the last index fastest, from the bytes [low, ...) of its
 * storage. */
typedef struct gatherer {
    const rk_torch_view *view;
    const unsigned char *bytes;
    size_t index[RK_MAX_DIMS], at; /* at: elements behind the first */
} gatherer;

static rk_status next_of_view(void *from, unsigned char *bytes, size_t size, rk_error *error) {
    (void)error;
    gatherer *g = from;
    const rk_torch_view *view = g->view;
    const size_t width = view->type->element.size;
    for (size_t done = 0; done < size; done += width) {
        memcpy(bytes + done, g->bytes + g->at * width, width);
        for (size_t d = view->n_dims; d-- > 0;) {
            g->at += view->stride[d];
            if (++g->index[d] < view->shape[d]) break;
            g->at -= view->stride[d] * view->shape[d];
            g->index[d] = 0;
        }
    }
    return RK_OK;
}

static bool is_contiguous(const rk_torch_view *view) {
    size_t step = 1;
    for (size_t d = view->n_dims; d-- > 0; step *= view->shape[d])
        if (view->shape[d] != 1 && view->stride[d] != step) return false;
    return true;
}

static rk_status decode_scattered(const rk_tensor *tensor, const rk_torch_view *view, stream *in,
                                  double *out, rk_error *error) {
    size_t elements = 1;
    for (size_t d = 0; d < view->n_dims; d++)
        elements += (view->shape[d] - 1) * view->stride[d];
    const size_t size = elements * view->type->element.size;
    unsigned char *window = malloc(size);
    if (!window) return rk_fail(error, RK_ERROR_MEMORY, "no memory for a storage");
    rk_status status = next_of_storage(in, window, size, error);
    gatherer g = {.view = view, .bytes = window};
    if (status == RK_OK) status = rk_tensor_decode(tensor, next_of_view, &g, out, error);
    free(window);
    return status;
}

rk_status rk_torch_decode(void *from, const rk_tensor *tensor, double *out, rk_error *error) {
    const rk_torch_source *s = from;
    const rk_torch_view *view = &s->views[tensor->member];
    if (rk_array_count(&tensor->array) == 0) return RK_OK;
    const rk_torch_place *of = rk_torch_find_storage(s, view->storage.key);
    if (!of) return rk_fail(error, RK_ERROR_FORMAT, "tensor '%s' has no storage", tensor->name);
    const size_t begin = view->start * view->type->element.size;
    stream in = {.from = s, .at = of->offset + begin};
    if (s->archive) {
        in.member = zip_fopen_index(s->archive, of->member, 0);
        if (!in.member || (begin > 0 && zip_fseek(in.member, (zip_int64_t)begin, SEEK_SET) != 0)) {
            if (in.member) zip_fclose(in.member);
            return rk_torch_refuse_storage(error, of->is.key, "is damaged");
        }
    }
    rk_status status = is_contiguous(view)
                           ? rk_tensor_decode(tensor, next_of_storage, &in, out, error)
                           : decode_scattered(tensor, view, &in, out, error);
    /* Read from end to end it has its check sum compared. */
    if (status == RK_OK && in.member && begin == 0 && is_contiguous(view) &&
        rk_array_count(&tensor->array) * view->type->element.size == of->is.bytes &&
        !rk_archive_is_at_end(in.member))
        status = RK_ERROR_FORMAT;
    if (in.member) zip_fclose(in.member);
    return status == RK_ERROR_FORMAT ? rk_torch_refuse_storage(error, of->is.key, "is damaged")
                                     : status;
}

void rk_torch_close(void *from) {
    rk_torch_source *s = from;
    if (s->archive) zip_discard(s->archive);
    rk_pickle_destroy(&s->pickle);
    free(s->bytes);
    free(s->storages);
    free(s->views);
    free(s);
}
