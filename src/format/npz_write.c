#include "base/size.h"
#include "format/npy.h"
#include "format/npz.h"
#include "format/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <zip.h>

/* Takes `bytes`, which libzip frees, also on failure. */
static bool add_member(zip_t *archive, const char *name, void *bytes, size_t size) {
    zip_source_t *source = bytes ? zip_source_buffer(archive, bytes, size, 1) : NULL;
    if (!source) {
        free(bytes);
        return false;
    }
    zip_int64_t index = zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source);
        return false;
    }
    /* 1980-01-01, as NumPy does: the same network, the same bytes. */
    return zip_file_set_dostime(archive, (zip_uint64_t)index, 0, 1 << 5 | 1, 0) == 0 &&
           zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0) == 0;
}

static bool add_part(zip_t *archive, const rk_part *part) {
    char name[sizeof part->name + 4];
    size_t size;
    unsigned char *bytes = rk_npy_write(part->data, part->shape, part->n_dims, &size);
    snprintf(name, sizeof name, "%s.npy", part->name);
    return add_member(archive, name, bytes, size);
}

static bool add_description(zip_t *archive, const rk_network *net) {
    json_t *description = rk_description_of(net);
    size_t length = 0;
    char *text = description ? rk_json_text(description, &length) : NULL;
    json_decref(description);
    return add_member(archive, RK_NPZ_DESCRIPTION, text, length);
}

/* What libzip wrote into the source. */
static unsigned char *take_bytes(zip_source_t *source, size_t *size) {
    zip_stat_t stat;
    if (zip_source_stat(source, &stat) != 0 || zip_source_open(source) != 0) return NULL;
    unsigned char *bytes = malloc((size_t)stat.size);
    if (bytes && zip_source_read(source, bytes, stat.size) != (zip_int64_t)stat.size) {
        free(bytes);
        bytes = NULL;
    }
    zip_source_close(source);
    *size = (size_t)stat.size;
    return bytes;
}

static unsigned char *write_archive(zip_source_t *source, const rk_network *net,
                                    const rk_part *parts, size_t n_parts, size_t *size) {
    zip_t *archive = zip_open_from_source(source, ZIP_TRUNCATE, NULL);
    if (!archive) return NULL;
    zip_source_keep(source); /* it outlives the archive, which owns one reference */
    bool ok = true;
    for (size_t i = 0; i < n_parts && ok; i++)
        ok = add_part(archive, &parts[i]);
    ok = ok && add_description(archive, net) && zip_close(archive) == 0;
    if (!ok) zip_discard(archive);
    return ok ? take_bytes(source, size) : NULL;
}

rk_status rk_npz_write(unsigned char **out, size_t *size, const rk_network *net, rk_error *error) {
    size_t n_parts;
    rk_part *parts = rk_network_parts(net, &n_parts);
    zip_source_t *source = parts ? zip_source_buffer_create(NULL, 0, 0, NULL) : NULL;
    *out = source ? write_archive(source, net, parts, n_parts, size) : NULL;
    zip_source_free(source);
    free(parts);
    return *out ? RK_OK : rk_fail(error, RK_ERROR_MEMORY, "no memory to write the network");
}
