/* The parameters of a network as one vector.
 *
 * In order: the weights of a layer, row by row, its biases, the next layer; so the parameters of
 * the layers before any one come first. The network itself, gradients, steps and averages all have
 * this shape. */
#ifndef RK_TRAIN_PARAMETERS_H
#define RK_TRAIN_PARAMETERS_H

#include "network/network.h"

/** Numbers x_i, i < n, one a parameter, and where each layer's are; NULL where it has none. */
typedef struct rk_parameter_vector {
    size_t n;
    size_t n_hidden; /**< of all layers but the last: the first so many */
    double *x;
    double **weight, **bias; /**< [n_layers] */
    double *own;             /**< x if it is this vector's to free */
} rk_parameter_vector;

/** Of zeros, or a view of `x` (borrowed) if it is not NULL. Ends with rk_parameter_vector_free. */
rk_status rk_parameter_vector_create(rk_parameter_vector *out, const rk_network *net, double *x,
                                     rk_error *error);
void rk_parameter_vector_free(rk_parameter_vector *vector);

/** A network that changes, and what its parameters are to change by. */
typedef struct rk_parameters {
    rk_network
        *net; /**< may be read by whatever reads networks once rk_parameters_moved was told */
    rk_parameter_vector theta; /**< of `net` */
    rk_parameter_vector gradient;
} rk_parameters;

/** A copy of `net`, whose layers forget what they were drawn from (weight_scale). */
rk_status rk_parameters_create(rk_parameters *out, const rk_network *net, rk_error *error);
void rk_parameters_free(rk_parameters *parameters);

/** theta has changed. False if it is not finite any more. */
bool rk_parameters_moved(rk_parameters *parameters);

#endif
