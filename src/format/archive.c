#include "format/archive.h"

#include "format/tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Deflate cannot expand further than this, so whoever claims more lies. */
enum { MAX_EXPANSION = 1032, EXPANSION_SLACK = 1 << 10 };
static const uint64_t max_unpacked = UINT64_C(1) << 36; /* bytes of all members together */

static rk_status refuse(rk_error *error, const char *member, const char *why) {
    return rk_fail(error, RK_ERROR_FORMAT, "member '%s' %s", member, why);
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

rk_status rk_archive_open(zip_t **out, const rk_file *file, rk_error *error) {
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

static rk_status check_member(const zip_stat_t *stat, rk_archive_tally *sum, rk_error *error) {
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

rk_status rk_archive_stat(zip_t *archive, zip_uint64_t index, zip_stat_t *out,
                          rk_archive_tally *sum, rk_error *error) {
    if (zip_stat_index(archive, index, 0, out) != 0)
        return rk_fail(error, RK_ERROR_FORMAT, "the archive's directory is damaged");
    return check_member(out, sum, error);
}

bool rk_archive_read(zip_file_t *file, unsigned char *bytes, size_t size) {
    size_t used = 0;
    while (used < size) {
        zip_int64_t got = zip_fread(file, bytes + used, size - used);
        if (got <= 0) return false;
        used += (size_t)got;
    }
    return true;
}

bool rk_archive_is_at_end(zip_file_t *file) {
    unsigned char more;
    return zip_fread(file, &more, 1) == 0;
}

rk_status rk_archive_load(unsigned char **out, zip_t *archive, const zip_stat_t *stat,
                          rk_error *error) {
    const size_t size = (size_t)stat->size;
    unsigned char *bytes = malloc(size ? size : 1);
    if (!bytes) return rk_fail(error, RK_ERROR_MEMORY, "no memory for member '%s'", stat->name);
    zip_file_t *file = zip_fopen_index(archive, stat->index, 0);
    const bool sound = file && rk_archive_read(file, bytes, size) && rk_archive_is_at_end(file);
    if (file) zip_fclose(file);
    if (!sound) {
        free(bytes);
        return refuse(error, stat->name, "is damaged");
    }
    *out = bytes;
    return RK_OK;
}
