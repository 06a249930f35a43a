/* How far a network is from the limit in which the closures are exact (docs/MATH.md#expansion).
 *
 * Cumulants of a wide random layer fall off like powers of 1 / width, so the error of an order-K
 * closure is a power of the sum over layers of roughness / width. Beside the law itself every
 * closure carries what it needs for that sum: averages of the covariance as they would be if the
 * weights and the input were independent. Where the covariance that is really there is much more
 * concentrated, the network is not wide and random, and the sum grows by as much. */
#ifndef RK_PROPAGATE_EXPANSION_H
#define RK_PROPAGATE_EXPANSION_H

#include "propagate/propagate.h"

typedef struct rk_expansion {
    double variance;        /**< average of C_ii */
    double square_variance; /**< of C_ii^2 */
    double square_pair;     /**< of C_ij^2, i != j */
    double random_pair;     /**< the same if the input's entries were independent, too */
    double input_excess;    /**< 1 / effective width of the input beyond that of such an input */
    double roughness;       /**< share of the last one that is no linear function of z */
    double total_roughness; /**< of all of them so far */
    double growth;          /**< and d log E[phi^2] / d log E[(z - b)^2]: 1 if it is homogeneous */
} rk_expansion;

/** The input's law: n entries. */
rk_expansion rk_expansion_start(rk_work *work, size_t n, const rk_input *input);

/** From h (n entries) to z = W h, W of mean square row norm `row`. */
void rk_expansion_linear(rk_expansion *e, size_t n, double row);

/** From z to h = phi(z): centre and Wick coefficients up to k_max >= 2 and p_max, mean and
 * variances of z, variances of h. With p_max < 2 `growth` stays what it was. */
void rk_expansion_activate(rk_work *work, const rk_layer *layer, const double *w, int k_max,
                           int p_max, const double *centre, const double *mu, const double *var_z,
                           const double *var_h, rk_expansion *e);

/** For closures without a covariance, behind the first activation: what it costs them that the
 *  input's entries are not independent and alike, and may cost them that the rows of W are not. */
void rk_expansion_input(rk_work *work, size_t n_in, const rk_expansion *e, rk_outputs *outputs);

/** Adds layer l's term to `outputs`. C (n x n): the covariance the closure really has; NULL if it
 *  has none: what independent weights would make of the input's. */
void rk_expansion_close(rk_work *work, size_t l, size_t n, const rk_expansion *e, const double *C,
                        rk_outputs *outputs);

#endif
