#include "reference/spec.h"

rk_status rk_reference_check(const rk_reference_spec *spec, const rk_input *input, bool covariance,
                             rk_error *error) {
    if (spec->K < 1 || spec->K > 4)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "K must be 1, 2, 3 or 4");
    if (spec->no_power_cumulants && spec->kind != RK_REFERENCE_BASE)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "only the base kind omits power cumulants");
    if (spec->K == 1 && spec->kind == RK_REFERENCE_BASE && covariance)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "base with K = 1 knows no covariance");
    if (spec->K == 3 && spec->factored && input && input->third_cumulant)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "factored K = 3 does not take a third input cumulant");
    return RK_OK;
}
