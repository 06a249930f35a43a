/* Layers spelled out one by one, where a chain of tensors would not tell what they read and add:
 * the key "layers" of a description (docs/FORMATS.md#layers). */
#ifndef RK_FORMAT_WIRING_H
#define RK_FORMAT_WIRING_H

#include "format/chain.h"

#include <jansson.h>

/** RK_ERROR_FORMAT, naming layer and key, unless `layers` is a list of objects whose keys are known
 *  and have values of their types. `source`, for messages, says so. */
rk_status rk_wiring_check(const json_t *layers, const char *source, rk_error *error);

/** One value a layer: what it has for `key`, or else `missing`, whose reference it takes. A new
 *  reference; NULL without memory. */
json_t *rk_wiring_column(const json_t *layers, const char *key, json_t *missing);

/** The chain that checked `layers` name, using every tensor, or a refusal that names layer and key.
 *  Free with rk_tensor_chain_destroy. */
rk_status rk_wiring_chain(rk_tensor_chain *out, const json_t *layers, const char *source,
                          const rk_tensors *tensors, rk_error *error);

/** The layers of a network with the tensors of rk_network_parts. A new reference; NULL without
 *  memory. */
json_t *rk_wiring_of(const rk_network *net);

#endif
