#include "format/npz.h"

#include "format/archive.h"
#include "format/foreign.h"
#include "format/name.h"
#include "format/npy.h"

#include <stdlib.h>
#include <string.h>

bool rk_npz_recognise(const unsigned char *bytes, size_t size) {
    return size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

static rk_status refuse(rk_error *error, const char *member, const char *why) {
    return rk_fail(error, RK_ERROR_FORMAT, "member '%s' %s", member, why);
}

/* The header is all that is unpacked now: a bomb must at least be a truthful array. */
static rk_status read_announcement(rk_npy_header *out, zip_file_t *file, const char *member,
                                   size_t size, rk_error *error) {
    const size_t seen = size < RK_NPY_MAX_HEADER ? size : RK_NPY_MAX_HEADER;
    unsigned char *bytes = malloc(seen ? seen : 1);
    if (!bytes) return rk_fail(error, RK_ERROR_MEMORY, "no memory for member '%s'", member);
    rk_status status = RK_OK;
    if (!rk_archive_read(file, bytes, seen)) status = refuse(error, member, "is damaged");
    if (status == RK_OK) status = rk_npy_read_header(out, member, bytes, seen, error);
    free(bytes);
    if (status == RK_OK && out->data_offset + out->data_bytes != size)
        return rk_fail(error, RK_ERROR_FORMAT,
                       "member '%s' has %zu bytes where its header announces %zu + %zu", member,
                       size, out->data_offset, out->data_bytes);
    return status;
}

static rk_status read_array(rk_tensors *tensors, zip_file_t *file, const zip_stat_t *stat,
                            rk_error *error) {
    rk_npy_header header;
    rk_status status = read_announcement(&header, file, stat->name, (size_t)stat->size, error);
    if (status != RK_OK) return status;
    rk_tensor *tensor;
    status = rk_tensors_add(tensors, stat->name, &tensor, error);
    if (status != RK_OK) return status;
    tensor->name[strlen(stat->name) - strlen(".npy")] = '\0';
    tensor->member = (size_t)stat->index;
    rk_npy_announce(tensor, &header);
    return RK_OK;
}

static rk_status read_description(rk_description *description, zip_t *archive,
                                  const zip_stat_t *stat, rk_error *error) {
    if (stat->size > RK_DESCRIPTION_MAX) return refuse(error, stat->name, "is longer than 1 MiB");
    unsigned char *bytes;
    rk_status status = rk_archive_load(&bytes, archive, stat, error);
    if (status != RK_OK) return status;
    status =
        rk_description_parse(description, RK_NPZ_DESCRIPTION, bytes, (size_t)stat->size, error);
    free(bytes);
    return status;
}

/* ---------------------------------------------------------------------------------- the values */

static rk_status next_of_member(void *from, unsigned char *bytes, size_t size, rk_error *error) {
    return rk_archive_read(from, bytes, size) ? RK_OK
                                              : rk_fail(error, RK_ERROR_FORMAT, "is damaged");
}

/* Past the header, to the values, to the end. */
static rk_status decode_member(void *archive, const rk_tensor *tensor, double *out,
                               rk_error *error) {
    zip_file_t *file = zip_fopen_index(archive, tensor->member, 0);
    unsigned char header[1 << 8];
    bool sound = file != NULL;
    for (size_t left = tensor->offset, n; sound && left > 0; left -= n) {
        n = left < sizeof header ? left : sizeof header;
        sound = rk_archive_read(file, header, n);
    }
    sound = sound && rk_tensor_decode(tensor, next_of_member, file, out, NULL) == RK_OK &&
            rk_archive_is_at_end(file);
    if (file) zip_fclose(file);
    if (sound) return RK_OK;
    return rk_fail(error, RK_ERROR_FORMAT, "member '%s.npy' is damaged", tensor->name);
}

static void close_archive(void *archive) {
    zip_discard(archive);
}

/* --------------------------------------------------------------------------------- the members */

static rk_status read_member(zip_t *archive, zip_uint64_t index, rk_tensors *tensors,
                             rk_description *description, rk_archive_tally *sum, rk_error *error) {
    zip_stat_t stat;
    rk_status status = rk_archive_stat(archive, index, &stat, sum, error);
    if (status != RK_OK) return status;
    if (strcmp(stat.name, RK_NPZ_DESCRIPTION) == 0)
        return read_description(description, archive, &stat, error);
    if (!rk_name_ends_with(stat.name, ".npy"))
        return refuse(error, stat.name, "is not an array (.npy)");
    zip_file_t *file = zip_fopen_index(archive, index, 0);
    if (!file) return refuse(error, stat.name, zip_strerror(archive));
    status = read_array(tensors, file, &stat, error);
    zip_fclose(file);
    return status;
}

/* Archives of others, by what their members are called. */
static rk_status check_foreign(zip_t *archive, zip_int64_t members, rk_error *error) {
    rk_status status = RK_OK;
    for (zip_int64_t i = 0; i < members && status == RK_OK; i++) {
        const char *name = zip_get_name(archive, (zip_uint64_t)i, 0);
        if (name) status = rk_foreign_check_member(name, error);
    }
    return status;
}

rk_status rk_npz_read(rk_tensors *tensors, rk_description *description, const rk_file *file,
                      rk_error *error) {
    zip_t *archive;
    rk_status status = rk_archive_open(&archive, file, error);
    if (status != RK_OK) return status;
    tensors->source = archive;
    tensors->decode = decode_member;
    tensors->close = close_archive;
    rk_archive_tally sum = {.archive = file->size};
    zip_int64_t members = zip_get_num_entries(archive, 0);
    status = check_foreign(archive, members, error);
    for (zip_int64_t i = 0; i < members && status == RK_OK; i++)
        status = read_member(archive, (zip_uint64_t)i, tensors, description, &sum, error);
    return status;
}
