#include "activation/local.h"

#include "activation/activation.h"

enum { HIGHEST = RK_LOCAL_DEGREE * RK_WICK_MAX_P };

void rk_local_wick(const double q[RK_LOCAL_DEGREE], double var, int k_max, int p_max, double *w,
                   size_t stride) {
    double power[HIGHEST + 1] = {1};                 /* of Q: the coefficient of y^d/d!, at last */
    double moment[HIGHEST + 1] = {1}, factorial = 1; /* E[y^d/d!], d even */
    for (int d = 2; d <= HIGHEST; d += 2)
        moment[d] = moment[d - 2] * var / d;
    int degree = q[2] != 0 ? 3 : q[1] != 0 ? 2 : 1;
    for (int p = 1; p <= p_max; p++) {
        int lowest = p, highest = degree * p; /* Q^p has terms from y^p on */
        for (int d = highest; d >= 0; d--) {
            double sum = 0;
            for (int j = 1; j <= degree && j <= d; j++)
                sum += q[j - 1] * power[d - j];
            power[d] = sum;
        }
        factorial *= p;
        for (int k = 0; k <= k_max; k++, w += stride) {
            double sum = 0, times = factorial;
            for (int d = lowest; d <= highest; times *= ++d)
                if (d >= k && (d - k) % 2 == 0) sum += power[d] * times * moment[d - k];
            *w = sum;
        }
    }
}
