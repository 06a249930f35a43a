/* An activation close to its mean: a polynomial, whose Gaussian coefficients are exact. */
#ifndef RK_ACTIVATION_LOCAL_H
#define RK_ACTIVATION_LOCAL_H

#include <stddef.h>

enum { RK_LOCAL_DEGREE = 3 };

/** w[((p-1) (k_max+1) + k) stride] = E[d^k/dy^k Q(y)^p] for Q(y) = q[0] y + q[1] y^2 + q[2] y^3, y
 *  ~ N(0, var): nothing in it is large and cancels, however small var is. */
void rk_local_wick(const double q[RK_LOCAL_DEGREE], double var, int k_max, int p_max, double *w,
                   size_t stride);

#endif
