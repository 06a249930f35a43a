/* From the bytes of a model file to a network. */
#ifndef RK_FORMAT_READ_H
#define RK_FORMAT_READ_H

#include "base/status.h"

/** A model file in memory, with its side-car if it has one. */
typedef struct rk_model_bytes {
    const unsigned char *bytes, *sidecar; /**< sidecar may be NULL */
    size_t size, sidecar_size;
} rk_model_bytes;

/** rk_network_read without the files: the format is recognised by the first bytes. */
rk_status rk_network_parse(rk_network **out, const rk_model_bytes *model,
                           const rk_read_options *options, rk_error *error);

#endif
