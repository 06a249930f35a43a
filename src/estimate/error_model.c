#include "estimate/error_model.h"

#include <math.h>

void rk_expected_error(const rk_error_law *law, const rk_outputs *outputs, size_t n_out,
                       double *error) {
    double depth = (double)outputs->closed_layers + 1;
    double relative =
        law->factor * pow(outputs->expansion, law->power) * pow(depth, law->depth_power);
    for (size_t i = 0; i < n_out; i++)
        error[i] = sqrt(relative * outputs->variance[i]);
}
