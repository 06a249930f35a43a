#include "estimate/receipt.h"
rk_status rk_receipt(const rk_problem *problem, const double *estimate, rk_pool *pool, double *mse,
                     double *standard_error, rk_error *error) {
    (void)problem;
    (void)estimate;
    (void)pool;
    (void)mse;
    (void)standard_error;
    return rk_fail(error, RK_ERROR_UNSUPPORTED, "no sampler yet");
}
