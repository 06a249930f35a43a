/* The tilted gauge: the same means from a law with less to close (docs/MATH.md#gauge).
 *
 * If all that follows is positively homogeneous, F(c h) = c F(h), then for every S > 0 of mean 1
 * E[F(h)] = E[S F(h/S)]: the law of h may be replaced by that of h/S weighted with S. With
 * S = 1 + a.(h - m), a = theta m/|m|^2, that takes the common factor out of the fluctuations, and
 * with it most of the fourth cumulant. The mean m stays; legs of h are projected by 1 - m a'. */
#ifndef RK_PROPAGATE_GAUGE_H
#define RK_PROPAGATE_GAUGE_H

#include "propagate/third_activation.h"

typedef enum rk_gauge {
    RK_GAUGE_AUTO,     /**< see rk_gauge_choose */
    RK_GAUGE_NONE,     /**< the fourth cumulant is one scalar */
    RK_GAUGE_ZERO,     /**< it is gauged away, and what is left neglected */
    RK_GAUGE_DIAGONAL, /**< half of it is gauged away, and the diagonal of what is left carried */
    RK_GAUGE_LEAN,     /**< the same, and what activations make of it, followed for some layers: of
                            pairs of neurons only sums */
    RK_GAUGE_FULL,     /**< the same, with every pair */
    RK_GAUGE_FITTED    /**< no gauge, but a fitted law: propagate/regenerated.h */
} rk_gauge;

/** Resolves RK_GAUGE_AUTO: NONE if there can be no gauge, else DIAGONAL, or ZERO for networks that
 *  have biases, or are so deep or narrow that carrying less is safer. The tilted law has the means
 *  of the law itself, not its covariance: if that is wanted there can be no gauge. */
rk_gauge rk_gauge_choose(rk_gauge asked, const rk_network *net, bool covariance);

/** Of a layer of n neurons. */
typedef struct rk_tilt {
    double *a;                /* n */
    double *feed;             /* n: the y of the newborn source, unprojected: -6 C a */
    double *core;             /* n, diagonal of the core of the fourth cumulant that is left */
    double *along_C, *excess; /* the tilt's own is Sum_6 G_ij C_kl, G = along_C C + diag(excess) */
    rk_gauge gauge;
    double *gain; /* one number: variance of the common factors taken out so far */
    double *c, *delta, *g, *r, *b, *d, *de, *te_cp, *cp_cp; /* scratch */
} rk_tilt;

rk_tilt rk_tilt_take(rk_work *work, size_t width, rk_gauge gauge);

/** t_i = sum_j kappa_iijj, in place, to the diagonal of the core that has it. 3 n FLOPs, not
 *  charged. */
void rk_core_of_traces(size_t n, double *t);

/**
 * Chooses theta such that the total fourth cumulant sum_ij kappa_iijj vanishes (unless ZERO: at the
 * first layer, a constant after it); fills `tilt` and replaces C (n x n), the covariance of h, by
 * that of the tilted law. Reads of `neurons` the cumulants of h (m, var, k3, k4, k22, k21_q). 30
 * n^2 FLOPs.
 */
void rk_tilt_step(rk_work *work, size_t n, const rk_neurons *neurons, double *C, rk_tilt *tilt);

#endif
