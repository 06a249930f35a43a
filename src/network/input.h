/* The law of the input, as users give it: the one place that accepts or refuses it. */
#ifndef RK_NETWORK_INPUT_H
#define RK_NETWORK_INPUT_H

#include "base/status.h"

/**
 * Fills `law` with what the mathematics may rely on: finite numbers, and a covariance that is
 * symmetric and, up to rounding of single precision, positive semidefinite; NULL `given` is the
 * standard normal. `law` borrows from `given`, but for a covariance that rounding made asymmetric
 * it points at a symmetric copy: *copy, to be freed, else NULL. RK_ERROR_ARGUMENT names the entry
 * or the eigenvalue; RK_ERROR_UNSUPPORTED: a mixture. O(n^2) where no correlation matters much, n^3
 * / 3 FLOPs and n^2 doubles otherwise.
 */
rk_status rk_input_accept(rk_input *law, double **copy, const rk_input *given, size_t n,
                          rk_error *error);

/** RK_ERROR_ARGUMENT unless the mixture has weights that are a distribution, and components that
 * are none themselves. */
rk_status rk_mixture_check(const rk_input *input, rk_error *error);

/** The seed of component k: samples of different ones are independent, and those of the first are
 *  what they are without a mixture. */
static inline uint64_t rk_mixture_seed(uint64_t seed, size_t k) {
    return seed + k * UINT64_C(0x9e3779b97f4a7c15);
}

/** The average variance of its n entries. */
double rk_input_variance(const rk_input *input, size_t n);

#endif
