#include "format/npz.h"

#include "base/size.h"
#include "format/foreign.h"
#include "format/name.h"
#include "format/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

/* Deflate cannot expand further than this, so whoever claims more lies. */
enum { MAX_EXPANSION = 1032, EXPANSION_SLACK = 1 << 10 };
static const uint64_t max_unpacked = UINT64_C(1) << 36; /* bytes of all members together */

bool rk_npz_recognise(const unsigned char *bytes, size_t size) {
    return size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

static rk_status refuse(rk_error *error, const char *member, const char *why) {
    return rk_fail(error, RK_ERROR_FORMAT, "member '%s' %s", member, why);
}

static bool read_fully(zip_file_t *file, unsigned char *bytes, size_t size) {
    size_t used = 0;
    while (used < size) {
        zip_int64_t got = zip_fread(file, bytes + used, size - used);
        if (got <= 0) return false;
        used += (size_t)got;
    }
    return true;
}

/* At its end libzip verifies the CRC. */
static bool is_at_its_end(zip_file_t *file) {
    unsigned char more;
    return zip_fread(file, &more, 1) == 0;
}

/* The header is all that is unpacked now: a bomb must at least be a truthful array. */
static rk_status read_announcement(rk_npy_header *out, zip_file_t *file, const char *member,
                                   size_t size, rk_error *error) {
    const size_t seen = size < RK_NPY_MAX_HEADER ? size : RK_NPY_MAX_HEADER;
    unsigned char *bytes = malloc(seen ? seen : 1);
    if (!bytes) return rk_fail(error, RK_ERROR_MEMORY, "no memory for member '%s'", member);
    rk_status status = RK_OK;
    if (!read_fully(file, bytes, seen)) status = refuse(error, member, "is damaged");
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

static rk_status read_description(rk_description *description, zip_file_t *file,
                                  const zip_stat_t *stat, rk_error *error) {
    if (stat->size > RK_DESCRIPTION_MAX) return refuse(error, stat->name, "is longer than 1 MiB");
    const size_t size = (size_t)stat->size;
    unsigned char *bytes = malloc(size ? size : 1);
    if (!bytes) return rk_fail(error, RK_ERROR_MEMORY, "no memory for member '%s'", stat->name);
    rk_status status =
        read_fully(file, bytes, size) && is_at_its_end(file)
            ? rk_description_parse(description, RK_NPZ_DESCRIPTION, bytes, size, error)
            : refuse(error, stat->name, "is damaged");
    free(bytes);
    return status;
}

/* ---------------------------------------------------------------------------------- the values */

static rk_status next_of_member(void *from, unsigned char *bytes, size_t size, rk_error *error) {
    return read_fully(from, bytes, size) ? RK_OK : rk_fail(error, RK_ERROR_FORMAT, "is damaged");
}

/* Past the header, to the values, to the end. */
static rk_status decode_member(void *archive, const rk_tensor *tensor, double *out,
                               rk_error *error) {
    zip_file_t *file = zip_fopen_index(archive, tensor->member, 0);
    unsigned char header[1 << 8];
    bool sound = file != NULL;
    for (size_t left = tensor->offset, n; sound && left > 0; left -= n) {
        n = left < sizeof header ? left : sizeof header;
        sound = read_fully(file, header, n);
    }
    sound = sound && rk_tensor_decode(tensor, next_of_member, file, out, NULL) == RK_OK &&
            is_at_its_end(file);
    if (file) zip_fclose(file);
    if (sound) return RK_OK;
    return rk_fail(error, RK_ERROR_FORMAT, "member '%s.npy' is damaged", tensor->name);
}

static void close_archive(void *archive) {
    zip_discard(archive);
}

/* --------------------------------------------------------------------------------- the members */

/* What the members seen so far add up to. */
typedef struct tally {
    uint64_t unpacked, packed, archive;
} tally;

static rk_status check_member(const zip_stat_t *stat, tally *sum, rk_error *error) {
    const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_INDEX | ZIP_STAT_SIZE |
                                ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                ZIP_STAT_ENCRYPTION_METHOD;
    if ((stat->valid & needed) != needed)
        return rk_fail(error, RK_ERROR_FORMAT, "the archive has a member without a size");
    rk_status status = rk_name_check(stat->name, error);
    if (status != RK_OK) return status;
    if (stat->encryption_method != ZIP_EM_NONE) return refuse(error, stat->name, "is encrypted");
    if (stat->comp_method != ZIP_CM_STORE && stat->comp_method != ZIP_CM_DEFLATE)
        return refuse(error, stat->name, "is compressed in an unknown way");
    if (stat->comp_size > sum->archive - sum->packed)
        return refuse(error, stat->name, "overlaps another member");
    sum->packed += stat->comp_size;
    if (stat->size > max_unpacked - sum->unpacked)
        return refuse(error, stat->name, "makes the archive larger than 64 GiB");
    sum->unpacked += stat->size;
    if (stat->size > EXPANSION_SLACK &&
        (stat->size - EXPANSION_SLACK) / MAX_EXPANSION > stat->comp_size)
        return refuse(error, stat->name, "claims to be larger than its data can be");
    return RK_OK;
}

static rk_status read_member(zip_t *archive, zip_uint64_t index, rk_tensors *tensors,
                             rk_description *description, tally *sum, rk_error *error) {
    zip_stat_t stat;
    if (zip_stat_index(archive, index, 0, &stat) != 0)
        return rk_fail(error, RK_ERROR_FORMAT, "the archive's directory is damaged");
    rk_status status = check_member(&stat, sum, error);
    if (status != RK_OK) return status;
    const bool is_description = strcmp(stat.name, RK_NPZ_DESCRIPTION) == 0;
    if (!is_description && !rk_name_ends_with(stat.name, ".npy"))
        return refuse(error, stat.name, "is not an array (.npy)");
    zip_file_t *file = zip_fopen_index(archive, index, 0);
    if (!file) return refuse(error, stat.name, zip_strerror(archive));
    status = is_description ? read_description(description, file, &stat, error)
                            : read_array(tensors, file, &stat, error);
    zip_fclose(file);
    return status;
}

/* libzip's view of the file, which it closes. */
static zip_source_t *open_source(const rk_file *file, zip_error_t *why) {
    if (file->bytes) return zip_source_buffer_create(file->bytes, file->size, 0, why);
    const int fd = dup(file->fd);
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "rb");
    if (!stream) {
        zip_error_set(why, ZIP_ER_MEMORY, 0);
        if (fd >= 0) close(fd);
        return NULL;
    }
    zip_source_t *source = zip_source_filep_create(stream, 0, -1, why);
    if (!source) fclose(stream);
    return source;
}

/* Strict about the archive's consistency; that includes names that occur twice. */
static rk_status open_archive(zip_t **out, const rk_file *file, rk_error *error) {
    zip_error_t why;
    zip_error_init(&why);
    zip_source_t *source = open_source(file, &why);
    *out = source ? zip_open_from_source(source, ZIP_CHECKCONS | ZIP_RDONLY, &why) : NULL;
    int code = zip_error_code_zip(&why);
    rk_status status = RK_OK;
    if (!*out && code == ZIP_ER_EXISTS)
        status = rk_fail(error, RK_ERROR_FORMAT, "two members of the archive share a name");
    else if (!*out)
        status = rk_fail(error, code == ZIP_ER_MEMORY ? RK_ERROR_MEMORY : RK_ERROR_FORMAT,
                         "not a sound ZIP archive: %s", zip_error_strerror(&why));
    if (!*out) zip_source_free(source);
    zip_error_fini(&why);
    return status;
}

/* Refuses a member's beginning as a pickle; of a damaged one, what there is. */
static rk_status refuse_pickle(zip_t *archive, zip_uint64_t index, rk_error *error) {
    enum { SEEN = 1 << 16 };
    unsigned char *bytes = malloc(SEEN);
    if (!bytes) return rk_fail(error, RK_ERROR_MEMORY, "no memory for a pickle");
    size_t used = 0;
    zip_file_t *file = zip_fopen_index(archive, index, 0);
    zip_int64_t got;
    while (file && used < SEEN && (got = zip_fread(file, bytes + used, SEEN - used)) > 0)
        used += (size_t)got;
    if (file) zip_fclose(file);
    rk_status status = rk_foreign_pickle("a PyTorch file (.pt)", bytes, used, error);
    free(bytes);
    return status;
}

/* Archives of others, by what their members are called. */
static rk_status check_foreign(zip_t *archive, zip_int64_t members, rk_error *error) {
    zip_int64_t pickle = -1;
    for (zip_int64_t i = 0; i < members; i++) {
        const char *name = zip_get_name(archive, (zip_uint64_t)i, 0);
        bool is_pickle;
        rk_status status = name ? rk_foreign_check_member(name, &is_pickle, error) : RK_OK;
        if (status != RK_OK) return status;
        if (name && is_pickle) pickle = i;
    }
    return pickle < 0 ? RK_OK : refuse_pickle(archive, (zip_uint64_t)pickle, error);
}

rk_status rk_npz_read(rk_tensors *tensors, rk_description *description, const rk_file *file,
                      rk_error *error) {
    zip_t *archive;
    rk_status status = open_archive(&archive, file, error);
    if (status != RK_OK) return status;
    tensors->source = archive;
    tensors->decode = decode_member;
    tensors->close = close_archive;
    tally sum = {.archive = file->size};
    zip_int64_t members = zip_get_num_entries(archive, 0);
    status = check_foreign(archive, members, error);
    for (zip_int64_t i = 0; i < members && status == RK_OK; i++)
        status = read_member(archive, (zip_uint64_t)i, tensors, description, &sum, error);
    return status;
}
