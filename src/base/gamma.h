#ifndef RK_BASE_GAMMA_H
#define RK_BASE_GAMMA_H

#include <math.h>

/** log |Gamma(x)|, without the global that lgamma writes. */
static inline double rk_log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

#endif
