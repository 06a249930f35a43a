/* The network as the sampler sees it: float layers fed with standard normals. */
#ifndef RK_SAMPLE_FLOAT_LAYER_H
#define RK_SAMPLE_FLOAT_LAYER_H

#include "base/work.h"
#include "network/network.h"

typedef struct rk_float_layer {
    size_t rows, cols;
    float *transposed; /* W', cols x rows: sgemm packs it faster than W */
    float *bias;       /* rows, or NULL */
    rk_activation activation;
} rk_float_layer;

/** Layer l of `net` in float, in memory of `work`. The first layer takes z ~ N(0, I) instead of
 *  x = mu + S z: W S and b + W mu, computed in double, are its weights and biases.
 *  RK_ERROR_ARGUMENT as of rk_input_root. */
rk_status rk_float_layer_take(rk_work *work, const rk_network *net, size_t l, const rk_input *input,
                              rk_float_layer *out, rk_error *error);

/** root = the symmetric square root of `covariance` (n x n each): it is unique, unlike a Cholesky
 *  factor of a singular matrix or eigenvectors, so x = mu + root z does not depend on anybody's
 *  LAPACK. Eigenvalues below zero count as zero: rk_input_accept has seen that they are rounding.
 *  RK_ERROR_ARGUMENT if there are more inputs than LAPACK can count. */
rk_status rk_input_root(rk_work *work, size_t n, const double *covariance, double *root,
                        rk_error *error);

/** h = phi(z + b) in place for n rows of z, row by row while a row is at hand; adds them to `sum`
 *  (`rows` entries) if it is not NULL. */
void rk_float_layer_finish(const rk_float_layer *layer, size_t n, float *z, double *sum);

#endif
