/* Probabilities by their logarithms, down to where doubles end and far below. */
#ifndef RK_TAIL_LOG_PROBABILITY_H
#define RK_TAIL_LOG_PROBABILITY_H

#include <stddef.h>
#include <stdint.h>

/** log(e^a + e^b); -infinity is a fine argument. */
double rk_log_add(double a, double b);

/** log(1 - e^a), a <= 0. */
double rk_log_complement(double a);

/** log P(Z > x) for Z ~ N(0, 1), from erfcx: a few ulps for any x. */
double rk_log_normal_tail(double x);

/** phi(x) / P(Z > x) > 0, the derivative of -log P: a few ulps for any x. */
double rk_normal_hazard(double x);

/** x with log P(Z > x) = log_p. Newton steps on the logarithm: a few ulps. */
double rk_normal_tail_inverse(double log_p);

/** log P(chi_n > r): the length of a standard normal vector of n entries. Series and continued
 *  fraction of the incomplete gamma function, 1e-13 relative in P. */
double rk_log_chi_tail(size_t n, double r);

/** The exact (Clopper-Pearson) 95 % interval of a probability from k events in n >= k trials. */
void rk_binomial_interval(uint64_t k, uint64_t n, double *low, double *high);

#endif
