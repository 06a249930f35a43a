/* What a number looks like from a normal law q = N(mu, S) of its input: E[z] to second order, and
 * the normals that this is tilted to (docs/MATH.md#tilt).
 *
 * Among all normals the one of least divergence from N(0, I) with E_q[z] = t obeys S^-1 = I - 2
 * lambda dE_q[z]/dS, mu = lambda dE_q[z]/dmu. For the surrogate that is one equation for lambda,
 * and where surrogate and q agree it is the law that was looked for. */
#ifndef RK_TAIL_SURROGATE_H
#define RK_TAIL_SURROGATE_H

#include "gradient/mean_gradient.h"

/** value + slope.y + y'Ky/2, K = diag(curvature), y = axes u. Memory of `work`. */
typedef struct rk_surrogate {
    size_t n;
    double value, *slope, *curvature; /**< n */
    double *axes;                     /**< n x n, the eigenvectors of the curvature, one a row */
} rk_surrogate;

rk_surrogate rk_surrogate_take(rk_work *work, size_t n);

/** From E_q[z] and its derivatives at N(mu, S), S NULL: I. An eigendecomposition. False if there is
 *  none: a width beyond LAPACK, or numbers that are not finite. */
bool rk_surrogate_expand(rk_work *work, const double *mu, const double *S,
                         const rk_mean_gradient *gradient, rk_surrogate *q);

/* In a kernel, wet: */

/** Of Var z, what it knows, for N(0, I). */
double rk_surrogate_variance(const rk_surrogate *q);

/** lambda >= 0 for which its expectation under the tilt is t, or the strongest tilt there is. */
double rk_surrogate_solve(const rk_surrogate *q, double t);

/** The tilt lambda in its axes: independent N(mean_i, deviation_i^2). */
void rk_surrogate_tilt(const rk_surrogate *q, double lambda, double *mean, double *deviation);

/** Out of the axes: mu = axes' mean, S = axes' diag(deviation^2) axes. 2 n^3 FLOPs. */
void rk_surrogate_turn_back(rk_work *work, const rk_surrogate *q, const double *mean,
                            const double *deviation, double *mu, double *S);

#endif
