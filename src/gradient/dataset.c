#include "gradient/dataset.h"

#include "base/size.h"
#include "estimate/words.h"

#include <math.h>

static rk_status check_finite(const char *what, size_t n, size_t cols, const double *x,
                              rk_error *error) {
    for (size_t i = 0; i < n * cols; i++)
        if (!isfinite(x[i]))
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "%s of sample %zu of the data: entry %zu is %g", what, i / cols,
                           i % cols, x[i]);
    return RK_OK;
}

static rk_status check_values(const rk_dataset *d, const rk_network *net, rk_error *error) {
    const size_t n_out = rk_network_n_out(net);
    if (d->n_out == n_out) return check_finite("values", d->n, n_out, d->values, error);
    return rk_fail(error, RK_ERROR_ARGUMENT,
                   "the data have %zu values a sample and the network %zu outputs%s", d->n_out,
                   n_out, d->n_out == 1 ? "; labels are integers" : "");
}

static rk_status check_labels(const rk_dataset *d, const rk_network *net, rk_error *error) {
    const size_t n_out = rk_network_n_out(net);
    if (n_out == 1)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "the data have labels, but the network has one output: give values, which "
                       "are not integers");
    for (size_t r = 0; r < d->n; r++)
        if (d->labels[r] >= n_out)
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "sample %zu of the data has label %zu, but there are outputs 0 to %zu",
                           r, d->labels[r], n_out - 1);
    return RK_OK;
}

rk_status rk_dataset_accept(rk_examples *out, const rk_dataset *given, const rk_network *net,
                            rk_error *error) {
    rk_dataset d;
    if (!rk_read_sized(&d, sizeof d, sizeof d, given))
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_dataset", given->size,
                       sizeof d);
    if (d.n == 0 || !d.x || !d.values == !d.labels)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "data are samples x, and either values or labels of them");
    if (d.n_in != rk_network_n_in(net))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "the data have %zu numbers a sample and the network %zu inputs", d.n_in,
                       rk_network_n_in(net));
    *out = (rk_examples){.residual = d.values ? RK_RESIDUAL_SQUARED : RK_RESIDUAL_CROSS_ENTROPY,
                         .x = d.x,
                         .targets = {d.values, d.labels},
                         .n = d.n};
    const rk_status status = check_finite("x", d.n, d.n_in, d.x, error);
    if (status != RK_OK) return status;
    return d.values ? check_values(&d, net, error) : check_labels(&d, net, error);
}
