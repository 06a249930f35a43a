#include "format/torch.h"

#include "base/size.h"
#include "format/archive.h"
#include "format/checkpoint.h"
#include "format/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Protocol 2 and a number of its own. */
static const unsigned char old_magic[] = {0x80, 2,    0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                          0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

/* Where a storage's bytes are: of a member of the archive, or of the file from `offset` on. */
typedef struct storage {
    rk_torch_storage is;
    zip_uint64_t member;
    size_t offset;
    bool found;
} storage;

typedef struct source {
    zip_t *archive; /* NULL: the old kind */
    const rk_file *file;
    unsigned char *bytes; /* of the pickles */
    rk_pickle pickle;
    storage *storages; /* sorted by key */
    size_t n_storages;
    rk_torch_view *views; /* of the tensors, by their `member` */
    size_t n_views, capacity, room;
    rk_tensors *tensors;
    bool big_endian;
} source;

static rk_status refuse_storage(rk_error *error, rk_pickle_text key, const char *why) {
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)(key.length < 20 ? key.length : 20), key.bytes);
    for (char *c = name; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
    return rk_fail(error, RK_ERROR_FORMAT, "storage '%s' %s", name, why);
}

/* --------------------------------------------------------------------------------- the storages */

static int by_key(const void *a, const void *b) {
    const rk_pickle_text *x = &((const storage *)a)->is.key, *y = &((const storage *)b)->is.key;
    const int order = memcmp(x->bytes, y->bytes, x->length < y->length ? x->length : y->length);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static storage *find_storage(const source *s, rk_pickle_text key) {
    const storage wanted = {.is.key = key};
    return s->n_storages ? bsearch(&wanted, s->storages, s->n_storages, sizeof wanted, by_key)
                         : NULL;
}

/* All that the pickle names, once each. */
static rk_status list_storages(source *s, rk_error *error) {
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
        storage *last = s->n_storages ? &s->storages[s->n_storages - 1] : NULL;
        if (!last || by_key(last, &s->storages[i]) != 0)
            s->storages[s->n_storages++] = s->storages[i];
        else if (last->is.bytes != s->storages[i].is.bytes)
            return refuse_storage(error, last->is.key, "is of two sizes");
    }
    return RK_OK;
}

/* ---------------------------------------------------------------------------------- the values */

/* Bytes of a storage that are read on. */
typedef struct stream {
    const source *from;
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

static rk_status decode(void *from, const rk_tensor *tensor, double *out, rk_error *error) {
    const source *s = from;
    const rk_torch_view *view = &s->views[tensor->member];
    if (rk_array_count(&tensor->array) == 0) return RK_OK;
    const storage *of = find_storage(s, view->storage.key);
    const size_t begin = view->start * view->type->element.size;
    stream in = {.from = s, .at = of->offset + begin};
    if (s->archive) {
        in.member = zip_fopen_index(s->archive, of->member, 0);
        if (!in.member || (begin > 0 && zip_fseek(in.member, (zip_int64_t)begin, SEEK_SET) != 0)) {
            if (in.member) zip_fclose(in.member);
            return refuse_storage(error, of->is.key, "is damaged");
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
    return status == RK_ERROR_FORMAT ? refuse_storage(error, of->is.key, "is damaged") : status;
}

static void close_source(void *from) {
    source *s = from;
    if (s->archive) zip_discard(s->archive);
    rk_pickle_destroy(&s->pickle);
    free(s->bytes);
    free(s->storages);
    free(s->views);
    free(s);
}

/* --------------------------------------------------------------------------------- the tensors */

static rk_status add_view(source *s, const rk_torch_view *view, rk_error *error) {
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
    source *s = to;
    rk_tensor *tensor;
    rk_status status = rk_tensors_add(s->tensors, name, &tensor, error);
    if (status == RK_OK) status = add_view(s, view, error);
    if (status != RK_OK) return status;
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

/* ------------------------------------------------------------------------------------ archives */

/* "data.pkl" itself or in one folder: then the length of "folder/", else SIZE_MAX. */
static size_t root_of(const char *name) {
    static const char pickle[] = "data.pkl";
    const size_t length = strlen(name), tail = sizeof pickle - 1;
    if (!rk_name_ends_with(name, pickle)) return SIZE_MAX;
    const char *slash = strchr(name, '/');
    return length == tail || slash == name + length - tail - 1 ? length - tail : SIZE_MAX;
}

/* Which member is the pickle: -1 for none, or for TorchScript. */
static zip_int64_t find_pickle(zip_t *archive) {
    zip_int64_t found = -1;
    for (zip_int64_t i = 0, n = zip_get_num_entries(archive, 0); i < n; i++) {
        const char *name = zip_get_name(archive, (zip_uint64_t)i, 0);
        if (name && rk_name_ends_with(name, "constants.pkl")) return -1;
        if (found < 0 && name && root_of(name) != SIZE_MAX) found = i;
    }
    return found;
}

/* The member ROOT/NAME; ROOT is that of the pickle. */
static zip_int64_t locate(zip_t *archive, const char *pickle, const char *folder,
                          rk_pickle_text name) {
    char path[512];
    const size_t root = root_of(pickle);
    if (root + name.length + 16 > sizeof path || memchr(name.bytes, '\0', name.length)) return -1;
    snprintf(path, sizeof path, "%.*s%s%.*s", (int)root, pickle, folder, (int)name.length,
             name.bytes);
    return zip_name_locate(archive, path, 0);
}

static rk_status find_member(source *s, storage *one, const char *pickle, rk_error *error) {
    const zip_int64_t member = locate(s->archive, pickle, "data/", one->is.key);
    zip_stat_t stat;
    if (member < 0 || zip_stat_index(s->archive, (zip_uint64_t)member, 0, &stat) != 0)
        return refuse_storage(error, one->is.key, "is not in the archive");
    if (stat.comp_method != ZIP_CM_STORE)
        return refuse_storage(
            error, one->is.key,
            "is compressed, as torch.save never does; unpack the archive and pack "
            "it with zip -0");
    if (stat.size != one->is.bytes)
        return refuse_storage(error, one->is.key, "is not as large as the pickle says");
    one->member = (zip_uint64_t)member;
    return RK_OK;
}

static rk_status read_byte_order(source *s, const char *pickle, rk_error *error) {
    static const rk_pickle_text name = {"byteorder", 9};
    const zip_int64_t member = locate(s->archive, pickle, "", name);
    zip_stat_t stat;
    if (member < 0) return RK_OK;
    if (zip_stat_index(s->archive, (zip_uint64_t)member, 0, &stat) != 0 || stat.size > 16)
        return rk_fail(error, RK_ERROR_FORMAT, "member 'byteorder' is damaged");
    unsigned char *bytes;
    rk_status status = rk_archive_load(&bytes, s->archive, &stat, error);
    if (status != RK_OK) return status;
    const rk_pickle_text order = {(const char *)bytes, (size_t)stat.size};
    s->big_endian = rk_pickle_text_is(order, "big");
    if (!s->big_endian && !rk_pickle_text_is(order, "little"))
        status = rk_fail(error, RK_ERROR_FORMAT, "member 'byteorder' is neither little nor big");
    free(bytes);
    return status;
}

static rk_status read_archive(source *s, rk_error *error) {
    rk_status status = rk_archive_open(&s->archive, s->file, error);
    if (status != RK_OK) return status;
    rk_archive_tally sum = {.archive = s->file->size};
    zip_stat_t stat;
    for (zip_int64_t i = 0, n = zip_get_num_entries(s->archive, 0); i < n && status == RK_OK; i++)
        status = rk_archive_stat(s->archive, (zip_uint64_t)i, &stat, &sum, error);
    const zip_int64_t pickle = find_pickle(s->archive);
    if (status != RK_OK) return status;
    if (pickle < 0 || zip_stat_index(s->archive, (zip_uint64_t)pickle, 0, &stat) != 0)
        return rk_fail(error, RK_ERROR_FORMAT, "the archive's directory is damaged");
    if (stat.size > RK_PICKLE_MAX)
        return rk_fail(error, RK_ERROR_FORMAT, "the pickle is longer than 16 MiB");
    status = rk_archive_load(&s->bytes, s->archive, &stat, error);
    if (status == RK_OK) status = read_byte_order(s, stat.name, error);
    if (status == RK_OK) status = rk_pickle_read(&s->pickle, s->bytes, (size_t)stat.size, error);
    if (status == RK_OK) status = rk_torch_check_globals(&s->pickle, error);
    if (status == RK_OK) status = list_storages(s, error);
    for (size_t i = 0; i < s->n_storages && status == RK_OK; i++)
        status = find_member(s, &s->storages[i], stat.name, error);
    return status;
}

/* --------------------------------------------------------------------------------- the old kind */

/* Reads the pickle at *at and steps behind it. */
static rk_status next_pickle(rk_pickle *out, const source *s, size_t size, size_t *at,
                             rk_error *error) {
    rk_status status = rk_pickle_read(out, s->bytes + *at, size - *at, error);
    *at += out->size;
    if (status != RK_OK) rk_pickle_destroy(out);
    return status;
}

/* Magic number, version of the format, and facts about the machine, which are ignored but for the
 * order of its bytes. */
static rk_status read_preamble(source *s, size_t size, size_t *at, rk_error *error) {
    rk_status status = RK_OK;
    for (int i = 0; i < 3 && status == RK_OK; i++) {
        rk_pickle facts;
        status = next_pickle(&facts, s, size, at, error);
        if (status != RK_OK) return status;
        const rk_pickle_node *root = &facts.nodes[facts.root], *key;
        for (size_t k = 0; root->kind == RK_PICKLE_DICT && k < root->count; k += 2) {
            key = rk_pickle_item(&facts, root, k);
            if (key->kind == RK_PICKLE_TEXT && rk_pickle_text_is(key->text, "little_endian"))
                s->big_endian = rk_pickle_item(&facts, root, k + 1)->integer == 0;
        }
        rk_pickle_destroy(&facts);
    }
    return status;
}

/* In the order of the list of keys: how many numbers, and those. */
static rk_status place_storages(source *s, const rk_pickle *keys, size_t at, rk_error *error) {
    static const rk_element count = {RK_UNSIGNED, 8, false};
    const rk_pickle_node *list = &keys->nodes[keys->root];
    rk_status status = RK_OK;
    for (size_t i = 0; list->kind == RK_PICKLE_LIST && i < list->count; i++) {
        const rk_pickle_node *key = rk_pickle_item(keys, list, i);
        storage *one = key->kind == RK_PICKLE_TEXT ? find_storage(s, key->text) : NULL;
        if (!one || one->found)
            return rk_fail(error, RK_ERROR_FORMAT, "the list of storages is not the pickle's");
        unsigned char bytes[8];
        double announced;
        if (s->file->size - at < sizeof bytes || one->is.bytes > s->file->size - at - sizeof bytes)
            return refuse_storage(error, one->is.key, "is cut short");
        status = rk_file_read(s->file, at, bytes, sizeof bytes, error);
        if (status != RK_OK) return status;
        rk_element_decode(count, bytes, 1, &announced);
        if (announced != (double)(one->is.bytes / one->is.type->element.size))
            return refuse_storage(error, one->is.key, "is not as large as the pickle says");
        one->found = true;
        one->offset = at + sizeof bytes;
        at = one->offset + one->is.bytes;
    }
    for (size_t i = 0; i < s->n_storages; i++)
        if (!s->storages[i].found)
            return refuse_storage(error, s->storages[i].is.key, "is not in the file");
    if (at != s->file->size)
        return rk_fail_at(error, RK_ERROR_FORMAT, (int64_t)at, "bytes are left over");
    return RK_OK;
}

static rk_status read_old(source *s, rk_error *error) {
    const size_t size = s->file->size < RK_PICKLE_MAX ? s->file->size : RK_PICKLE_MAX;
    s->bytes = malloc(size);
    if (!s->bytes) return rk_fail(error, RK_ERROR_MEMORY, "no memory for a pickle");
    size_t at = 0;
    rk_pickle keys = {0};
    rk_status status = rk_file_read(s->file, 0, s->bytes, size, error);
    if (status == RK_OK) status = read_preamble(s, size, &at, error);
    if (status == RK_OK) status = next_pickle(&s->pickle, s, size, &at, error);
    if (status == RK_OK) status = rk_torch_check_globals(&s->pickle, error);
    if (status == RK_OK) status = list_storages(s, error);
    if (status == RK_OK) status = next_pickle(&keys, s, size, &at, error);
    if (status == RK_OK) status = place_storages(s, &keys, at, error);
    rk_pickle_destroy(&keys);
    return status;
}

/* ------------------------------------------------------------------------------------ the whole */

bool rk_torch_recognise(const rk_file *file, const unsigned char *bytes, size_t size) {
    if (size >= sizeof old_magic && memcmp(bytes, old_magic, sizeof old_magic) == 0) return true;
    if (size < 4 || memcmp(bytes, "PK\3\4", 4) != 0) return false;
    zip_t *archive;
    if (rk_archive_open(&archive, file, NULL) != RK_OK) return false;
    const bool found = find_pickle(archive) >= 0;
    zip_discard(archive);
    return found;
}

rk_status rk_torch_read(rk_tensors *tensors, const rk_file *file, rk_error *error) {
    source *s = calloc(1, sizeof *s);
    if (!s) return rk_fail(error, RK_ERROR_MEMORY, "no memory for a PyTorch file");
    *s = (source){.file = file, .tensors = tensors, .room = file->size + (1 << 22)};
    tensors->source = s;
    tensors->decode = decode;
    tensors->close = close_source;
    unsigned char first[2];
    rk_status status = file->size < sizeof first
                           ? rk_fail(error, RK_ERROR_FORMAT, "the file is cut short")
                           : rk_file_read(file, 0, first, sizeof first, error);
    if (status == RK_OK) status = first[0] == 'P' ? read_archive(s, error) : read_old(s, error);
    return status == RK_OK ? rk_checkpoint_walk(&s->pickle, add_tensor, s, error) : status;
}
