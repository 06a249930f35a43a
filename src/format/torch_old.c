#include "format/pickle.h"
#include "format/torch_source.h"

#include <stdlib.h>
#include <string.h>

/* Protocol 2 and a number of its own. */
static const unsigned char old_magic[] = {0x80, 2,    0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                          0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

bool rk_torch_is_old(const unsigned char *bytes, size_t size) {
    return size >= sizeof old_magic && memcmp(bytes, old_magic, sizeof old_magic) == 0;
}

/* Reads the pickle at *at and steps behind it. */
static rk_status next_pickle(rk_pickle *out, const rk_torch_source *s, size_t size, size_t *at,
                             rk_error *error) {
    rk_status status = rk_pickle_read(out, s->bytes + *at, size - *at, error);
    *at += out->size;
    if (status != RK_OK) rk_pickle_destroy(out);
    return status;
}

/* Magic number, version of the format, and facts about the machine, which are ignored but for the
 * order of its bytes. */
static rk_status read_preamble(rk_torch_source *s, size_t size, size_t *at, rk_error *error) {
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
static rk_status place_storages(rk_torch_source *s, const rk_pickle *keys, size_t at,
                                rk_error *error) {
    static const rk_element count = {RK_UNSIGNED, 8, false};
    const rk_pickle_node *list = &keys->nodes[keys->root];
    rk_status status = RK_OK;
    for (size_t i = 0; list->kind == RK_PICKLE_LIST && i < list->count; i++) {
        const rk_pickle_node *key = rk_pickle_item(keys, list, i);
        rk_torch_place *one =
            key->kind == RK_PICKLE_TEXT ? rk_torch_find_storage(s, key->text) : NULL;
        if (!one || one->found)
            return rk_fail(error, RK_ERROR_FORMAT, "the list of storages is not the pickle's");
        unsigned char bytes[8];
        double announced;
        if (s->file->size - at < sizeof bytes || one->is.bytes > s->file->size - at - sizeof bytes)
            return rk_torch_refuse_storage(error, one->is.key, "is cut short");
        status = rk_file_read(s->file, at, bytes, sizeof bytes, error);
        if (status != RK_OK) return status;
        rk_element_decode(count, bytes, 1, &announced);
        if (announced != (double)(one->is.bytes / one->is.type->element.size))
            return rk_torch_refuse_storage(error, one->is.key,
                                           "is not as large as the pickle says");
        one->found = true;
        one->offset = at + sizeof bytes;
        at = one->offset + one->is.bytes;
    }
    for (size_t i = 0; i < s->n_storages; i++)
        if (!s->storages[i].found)
            return rk_torch_refuse_storage(error, s->storages[i].is.key, "is not in the file");
    if (at != s->file->size)
        return rk_fail_at(error, RK_ERROR_FORMAT, (int64_t)at, "bytes are left over");
    return RK_OK;
}

rk_status rk_torch_read_old(rk_torch_source *s, rk_error *error) {
    const size_t size = s->file->size < RK_PICKLE_MAX ? s->file->size : RK_PICKLE_MAX;
    s->bytes = malloc(size);
    if (!s->bytes) return rk_fail(error, RK_ERROR_MEMORY, "no memory for a pickle");
    size_t at = 0;
    rk_pickle keys = {0};
    rk_status status = rk_file_read(s->file, 0, s->bytes, size, error);
    if (status == RK_OK) status = read_preamble(s, size, &at, error);
    if (status == RK_OK) status = next_pickle(&s->pickle, s, size, &at, error);
    if (status == RK_OK) status = rk_torch_check_globals(&s->pickle, error);
    if (status == RK_OK) status = rk_torch_list_storages(s, error);
    if (status == RK_OK) status = next_pickle(&keys, s, size, &at, error);
    if (status == RK_OK) status = place_storages(s, &keys, at, error);
    rk_pickle_destroy(&keys);
    return status;
}
