/* A network as the named arrays that a file has. */
#ifndef RK_FORMAT_PART_H
#define RK_FORMAT_PART_H

#include "base/status.h"

enum { RK_PART_NAME = 40 };

/** One array to be written, borrowed from the network. */
typedef struct rk_part {
    char name[RK_PART_NAME]; /**< "4.weight": as an nn.Sequential of linear layers and activations
                              *   has it */
    size_t n_dims, shape[2], count;
    const double *data;
} rk_part;

/** The name of a layer's "weight" or "bias". */
void rk_part_name(char out[RK_PART_NAME], size_t l, const char *role);

/** The arrays of a network, layer by layer, to be freed; NULL without memory. */
rk_part *rk_network_parts(const rk_network *net, size_t *count);

#endif
