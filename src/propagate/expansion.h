/* How far a network is from the limit in which the closures are exact (docs/MATH.md#expansion).
 *
 * Cumulants of a wide random layer fall off like powers of 1 / width, so the error of an order-K
 * closure is a power of the sum over layers of roughness / width. Beside the law itself every
 * closure carries what it needs for that sum: what random weights would make of the correlations,
 * and what is really there. A layer is as much narrower than it looks as its neurons are more
 * correlated, or the rows that read them more uneven, than random weights would make them. */
#ifndef RK_PROPAGATE_EXPANSION_H
#define RK_PROPAGATE_EXPANSION_H

#include "propagate/propagate.h"

typedef struct rk_expansion {
    double variance;        /**< average of C_ii */
    double spread;          /**< of C_ii^2 over the square of that */
    double correlation;     /**< average of C_ij^2 over the same, i != j, if weights were random and
                                 the input's entries independent */
    double pair;            /**< the same as far as closures without a covariance know it */
    double input_excess;    /**< 1 / effective width of the input beyond that of such an input */
    double roughness;       /**< share of the last variance that is no linear function of z */
    double unmixed;         /**< share of the present one that activations made since W was last
                             *   there to mix it: `roughness` behind one */
    double total_roughness; /**< of all of them so far */
    bool entered;           /**< the first layer is passed */
    double growth;          /**< how much the last layer enlarged a relative error of its input */
} rk_expansion;

/** The input's law: n entries. */
rk_expansion rk_expansion_start(rk_work *work, size_t n, const rk_input *input);

/** From h to z = W h; a few pairs of rows tell whether all are parallel. */
void rk_expansion_linear(rk_work *work, const rk_layer *layer, rk_expansion *e, rk_regime *regime);

/** The same for closures without a covariance: a few pairs of rows tell whether all are alike. */
void rk_expansion_linear_sampled(rk_work *work, const rk_layer *layer, rk_expansion *e,
                                 rk_regime *regime);

/** The present value goes through W, or without weights stays what it is. */
void rk_expansion_read(const rk_layer *layer, rk_expansion *e);

/** From z to h = phi(z): centre and Wick coefficients up to k_max >= 2 and p_max, mean and
 *  variances of z, variances of h. With p_max < 2 `growth` stays what it was. */
void rk_expansion_activate(rk_work *work, const rk_layer *layer, const double *w, int k_max,
                           int p_max, const double *centre, const double *mu, const double *var_z,
                           const double *var_h, rk_expansion *e, rk_regime *regime);

/** For closures without a covariance, behind the first activation: what it costs them that the
 *  input's entries are not independent and alike, and may cost them that the rows of W are not. */
void rk_expansion_input(rk_work *work, size_t n_in, const rk_expansion *e, rk_regime *regime);

/** Adds the term of layer l, which `next` reads; where `next` is the last layer and has no
 *  activation (`is_last`) only to the sums by which a covariance errs. C:
 *  the covariance the closure really has of it; NULL if it has none. var_z: the variances that
 *  `next` makes of it; NULL: not known. About 10 n^2 FLOPs, 8 more without var_z; without C a
 *  few n. */
void rk_expansion_close(rk_work *work, size_t l, const rk_layer *next, bool is_last,
                        const rk_expansion *e, const double *C, const double *var_z,
                        rk_regime *regime);

/** Makes e->variance of `layer`'s activations, which a `last` layer without activation reads, what
 *  that sees of it: exact, in a few of its rows, to first order in correlations. C: the covariance
 *  of what `layer` reads (NULL: the identity); slope, var_z, var_h: its w(1, 1) and variances;
 *  order[i]: what `last` calls neuron i, NULL: i. About 16 n^2 FLOPs. */
void rk_expansion_look_ahead(rk_work *work, const rk_layer *layer, const size_t *order,
                             const rk_layer *last, const double *C, const double *slope,
                             const double *var_z, const double *var_h, rk_expansion *e);

#endif
