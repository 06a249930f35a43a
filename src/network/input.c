#include "network/input.h"

#include <math.h>

rk_status rk_input_check(const rk_input *input, size_t n, rk_error *error) {
    for (size_t i = 0; input->mean && i < n; i++)
        if (!isfinite(input->mean[i]))
            return rk_fail(error, RK_ERROR_ARGUMENT, "input mean [%zu] is not finite", i);
    const double *C = input->covariance;
    for (size_t i = 0; C && i < n; i++) {
        if (!(C[i * n + i] >= 0 && isfinite(C[i * n + i])))
            return rk_fail(error, RK_ERROR_ARGUMENT, "input covariance [%zu, %zu] is %g", i, i,
                           C[i * n + i]);
        for (size_t j = 0; j < i; j++) {
            double a = C[i * n + j], b = C[j * n + i], scale = sqrt(C[i * n + i] * C[j * n + j]);
            if (!(fabs(a - b) <= 1e-9 * scale) || !(fabs(a) <= scale * (1 + 1e-9)))
                return rk_fail(error, RK_ERROR_ARGUMENT,
                               "input covariance [%zu, %zu] is %g and [%zu, %zu] is %g: not a "
                               "covariance of variances %g and %g",
                               i, j, a, j, i, b, C[i * n + i], C[j * n + j]);
        }
    }
    return RK_OK;
}

double rk_input_variance(const rk_input *input, size_t n) {
    if (!input->covariance) return 1;
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += input->covariance[i * n + i];
    return trace / (double)n;
}
