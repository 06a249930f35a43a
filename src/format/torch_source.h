/* A file of PyTorch's that is open: its pickle, and where the storages are that it names. */
#ifndef RK_FORMAT_TORCH_SOURCE_H
#define RK_FORMAT_TORCH_SOURCE_H

#include "format/torch_pickle.h"

#include <zip.h>

/** Where a storage's bytes are: of a member of the archive, or of the file from `offset` on. */
typedef struct rk_torch_place {
    rk_torch_storage is;
    zip_uint64_t member;
    size_t offset;
    bool found, is_used; /* is_used: a tensor is of it */
} rk_torch_place;

typedef struct rk_torch_source {
    zip_t *archive; /* NULL: the old kind */
    const rk_file *file;
    unsigned char *bytes; /* of the pickles */
    rk_pickle pickle;
    rk_torch_place *storages; /* sorted by key */
    size_t n_storages;
    rk_torch_view *views; /* of the tensors, by their `member` */
    size_t n_views, capacity, room;
    rk_tensors *tensors;
    bool big_endian;
} rk_torch_source;

/** Opens an archive, or a file of the old kind: pickle, storages and the order of bytes. What they
 *  leave behind when they fail is rk_torch_close's. */
rk_status rk_torch_read_archive(rk_torch_source *s, rk_error *error);
rk_status rk_torch_read_old(rk_torch_source *s, rk_error *error);

/** Which member of an archive is the pickle: -1 for none, or for TorchScript. */
zip_int64_t rk_torch_find_pickle(zip_t *archive);
/** True for the first bytes of the old kind. */
bool rk_torch_is_old(const unsigned char *bytes, size_t size);

/** All storages that the pickle names, once each, sorted. */
rk_status rk_torch_list_storages(rk_torch_source *s, rk_error *error);
rk_torch_place *rk_torch_find_storage(const rk_torch_source *s, rk_pickle_text key);
rk_status rk_torch_refuse_storage(rk_error *error, rk_pickle_text key, const char *why);

/** Of an rk_torch_source; a tensor's `member` is its view. */
rk_decoder rk_torch_decode;
void rk_torch_close(void *source);

#endif
