/* The law of the input, as users give it. */
#ifndef RK_NETWORK_INPUT_H
#define RK_NETWORK_INPUT_H

#include "base/status.h"

/** RK_ERROR_ARGUMENT unless mean and covariance are finite and the latter could be one. */
rk_status rk_input_check(const rk_input *input, size_t n, rk_error *error);

/** The average variance of its n entries. */
double rk_input_variance(const rk_input *input, size_t n);

#endif
