/* A preconditioner of Kronecker factors: what a loss's curvature is like, layer by layer.
 *
 * Of a layer with weights V = [W b] and inputs u, whose outputs' adjoints are zbar, the curvature
 * is taken to be 2 A x G, A = E[(u, 1) (u, 1)'], G what the loss makes of changes of z: for E |y|^2
 * at the output 1, below Q o (W' G W). Then P(V) = G^-1 V A^-1 / 2, with A + sqrt(lambda) a 1 for
 * A, a the average variance of u (and of the constant 1 itself), and the same for G.
 * docs/MATH.md#kfac. */
#ifndef RK_TRAIN_KFAC_H
#define RK_TRAIN_KFAC_H

#include "base/work.h"
#include "network/network.h"

typedef struct rk_kfac {
    const rk_network *net;              /**< for its shape */
    size_t n_layers;                    /**< the first so many */
    double *factors;                    /**< and then their inverses: of each layer A, then G */
    double *vector, *product, *scratch; /**< for the widest layer */
} rk_kfac;

/** Room for the first `n_layers` layers of `net`: of each layer with weights its two factors, and 3
 *  matrices for the largest. */
rk_kfac rk_kfac_take(rk_work *work, const rk_network *net, size_t n_layers);

/** Where the factors of layer l go, row-major; NULL if it has no parameters. A is rk_kfac_inputs
 *  square, G rows square. */
double *rk_kfac_A(const rk_kfac *kfac, size_t l);
double *rk_kfac_G(const rk_kfac *kfac, size_t l);
/** Entries of (u, 1): columns of weights, and one for biases; 0 if it has neither. */
size_t rk_kfac_inputs(const rk_kfac *kfac, size_t l);

/** Fills A of layer l from mean (NULL: 0) and covariance (NULL: 1) of what it reads. */
void rk_kfac_set_inputs(rk_work *work, rk_kfac *kfac, size_t l, const double *mean,
                        const double *covariance);

/** Inverts the factors, damped by lambda >= 0: about 7/3 n^3 FLOPs each. A factor that is all zero
 *  (nothing reaches the layer, or nothing comes of it) becomes 1. False if one is not positive
 *  definite or not finite: P is not to be used then. The dry run answers true. */
bool rk_kfac_invert(rk_work *work, rk_kfac *kfac, double lambda);

/** out = P in: vectors of parameters (train/parameters.h), their first so many as the layers have;
 *  they may be the same. Two products a layer. */
void rk_kfac_apply(rk_work *work, const rk_kfac *kfac, const double *in, double *out);

#endif
