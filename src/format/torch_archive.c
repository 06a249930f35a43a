#include "format/archive.h"
#include "format/name.h"
#include "format/pickle.h"
#include "format/torch_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "data.pkl" itself or in one folder: then the length of "folder/", else SIZE_MAX. */
static size_t root_of(const char *name) {
    static const char pickle[] = "data.pkl";
    const size_t length = strlen(name), tail = sizeof pickle - 1;
    if (!rk_name_ends_with(name, pickle)) return SIZE_MAX;
    const char *slash = strchr(name, '/');
    return length == tail || slash == name + length - tail - 1 ? length - tail : SIZE_MAX;
}

zip_int64_t rk_torch_find_pickle(zip_t *archive) {
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

static rk_status find_member(rk_torch_source *s, rk_torch_place *one, const char *pickle,
                             rk_error *error) {
    const zip_int64_t member = locate(s->archive, pickle, "data/", one->is.key);
    zip_stat_t stat;
    if (member < 0 || zip_stat_index(s->archive, (zip_uint64_t)member, 0, &stat) != 0)
        return rk_torch_refuse_storage(error, one->is.key, "is not in the archive");
    if (stat.comp_method != ZIP_CM_STORE)
        return rk_torch_refuse_storage(
            error, one->is.key,
            "is compressed, as torch.save never does; unpack the archive and pack "
            "it with zip -0");
    if (stat.size != one->is.bytes)
        return rk_torch_refuse_storage(error, one->is.key, "is not as large as the pickle says");
    one->member = (zip_uint64_t)member;
    return RK_OK;
}

static rk_status read_byte_order(rk_torch_source *s, const char *pickle, rk_error *error) {
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

rk_status rk_torch_read_archive(rk_torch_source *s, rk_error *error) {
    rk_status status = rk_archive_open(&s->archive, s->file, error);
    if (status != RK_OK) return status;
    rk_archive_tally sum = {.archive = s->file->size};
    zip_stat_t stat;
    for (zip_int64_t i = 0, n = zip_get_num_entries(s->archive, 0); i < n && status == RK_OK; i++)
        status = rk_archive_stat(s->archive, (zip_uint64_t)i, &stat, &sum, error);
    const zip_int64_t pickle = rk_torch_find_pickle(s->archive);
    if (status != RK_OK) return status;
    if (pickle < 0 || zip_stat_index(s->archive, (zip_uint64_t)pickle, 0, &stat) != 0)
        return rk_fail(error, RK_ERROR_FORMAT, "the archive's directory is damaged");
    if (stat.size > RK_PICKLE_MAX)
        return rk_fail(error, RK_ERROR_FORMAT, "the pickle is longer than 16 MiB");
    status = rk_archive_load(&s->bytes, s->archive, &stat, error);
    if (status == RK_OK) status = read_byte_order(s, stat.name, error);
    if (status == RK_OK) status = rk_pickle_read(&s->pickle, s->bytes, (size_t)stat.size, error);
    if (status == RK_OK) status = rk_torch_check_globals(&s->pickle, error);
    if (status == RK_OK) status = rk_torch_list_storages(s, error);
    for (size_t i = 0; i < s->n_storages && status == RK_OK; i++)
        status = find_member(s, &s->storages[i], stat.name, error);
    return status;
}
