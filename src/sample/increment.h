/* What an activation does to a small change, without the cancellation of phi(mu + d) - phi(mu). */
#ifndef RK_SAMPLE_INCREMENT_H
#define RK_SAMPLE_INCREMENT_H

#include "activation/activation.h"

/** d_i = phi(mu_i + d_i) - phi(mu_i), with base_i = phi(mu_i): to a rounding of the result where
 *  phi is piecewise a monomial, else to one of phi(mu_i) in double. */
void rk_increments(const rk_activation *activation, size_t n, const double *mu, const double *base,
                   double *d);

/** E[phi(mu + sigma Z)] - phi(mu) of n neurons as exactly: by rk_wick where phi is piecewise a
 *  monomial, else by a sum that converges where phi is smooth on a thousandth of sigma, farther
 * than the quadrature of rk_wick. */
void rk_increment_means(const rk_activation *activation, size_t n, const double *mu,
                        const double *sigma, double *mean);

#endif
