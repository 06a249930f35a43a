/* What weights do not say: activations, the scales they were drawn with, what layers read and add.
 * One JSON object, found in safetensors metadata, in an npz member or in a side-car file
 * (docs/FORMATS.md#description). */
#ifndef RK_FORMAT_DESCRIPTION_H
#define RK_FORMAT_DESCRIPTION_H

#include "base/status.h"

#include <jansson.h>

/** Zero-initialise; free with rk_description_destroy. Absent members are NULL. */
typedef struct rk_description {
    const char *source;  /**< who says so, for messages; borrowed; NULL in an empty description */
    rk_status fault;     /**< whose fault a mistake in it is: the file's or the caller's */
    json_t *activations; /**< array of strings */
    json_t *output_activation; /**< string */
    json_t *weight_scales;     /**< array of numbers, one a layer */
    json_t *layers;    /**< array of objects (format/wiring.h); then the arrays are theirs */
    json_t *origin;    /**< string: how the network was made */
    rk_layout layout;  /**< of matrices; RK_LAYOUT_BY_NAME: it does not say */
    char misspelt[96]; /**< "'activaton' for 'activation'": of keys that were ignored, or "" */
} rk_description;

enum { RK_DESCRIPTION_MAX = 1 << 20 }; /* bytes */

/** From a JSON text of at most RK_DESCRIPTION_MAX bytes; unknown keys are refused, for they may be
 * misspelt. */
rk_status rk_description_parse(rk_description *out, const char *source, const unsigned char *bytes,
                               size_t size, rk_error *error);
/** From the metadata of a file that others wrote too: unknown keys are ignored, and remembered if
 *  they look like one of ours. */
rk_status rk_description_from_metadata(rk_description *out, json_t *object, rk_error *error);
/** From a comma-separated list of activations, and the output's (NULL: not by itself). */
rk_status rk_description_from_text(rk_description *out, const char *source, const char *activations,
                                   const char *output_activation, rk_error *error);
void rk_description_destroy(rk_description *description);

/** Who named the activations; NULL: nobody, so the identity. */
typedef struct rk_deciders {
    const char *hidden, *output;
} rk_deciders;

/** The first source that spells the layers out, or NULL. */
const rk_description *rk_description_wiring(const rk_description *sources, size_t n_sources);

/** Sets activation and weight_scale of the layers. The first source that speaks of activations
 *  decides all of them, likewise for scales; one that seems to misspell a key is refused. */
rk_status rk_description_apply(const rk_description *sources, size_t n_sources, rk_layer *layers,
                               size_t n_layers, rk_deciders *by, rk_error *error);

/** The origin that the first source which has one tells; NULL: none. */
const char *rk_description_origin(const rk_description *sources, size_t n_sources);

/** Describes a network; every value is a string, as safetensors metadata wants. A new reference, or
 *  NULL without memory. */
json_t *rk_description_of(const rk_network *net);

/** Compact JSON text, to be freed; NULL without memory. (json_dumps of jansson 2.14 answers with
 *  pieces missing when memory runs out while it grows its buffer.) */
char *rk_json_text(const json_t *value, size_t *length);

#endif
