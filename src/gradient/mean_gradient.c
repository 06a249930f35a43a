#include "gradient/mean_gradient.h"

#include "propagate/back.h"
#include "propagate/covariance.h"

/* seed . mean and seed' C seed. */
static void value_of(rk_work *work, size_t n, const double *seed, const rk_outputs *outputs,
                     rk_mean_gradient *gradient) {
    if (!rk_work_charge(work, 2 * (uint64_t)n * n)) return;
    gradient->value = gradient->variance = 0;
    for (size_t i = 0; i < n; i++) {
        gradient->value += seed[i] * outputs->mean[i];
        for (size_t j = 0; j < n; j++)
            gradient->variance += seed[i] * seed[j] * outputs->covariance[i * n + j];
    }
}

void rk_gradient_of_mean(rk_work *work, const rk_network *net, const rk_input *input,
                         const double *seed, rk_mean_gradient *gradient) {
    const size_t mark = rk_work_mark(work), n_in = rk_network_n_in(net);
    const size_t n_out = rk_network_n_out(net);
    rk_tape tape = {.input_covariance = true};
    rk_outputs outputs = {.mean = rk_work_doubles(work, n_out, 1),
                          .covariance = rk_work_doubles(work, n_out, n_out)};
    const rk_adjoint to = {.input_mean = gradient->mean, .input_covariance = gradient->covariance};
    rk_propagate_covariance(work, net, input, &(rk_covariance_spec){false}, &outputs, &tape);
    value_of(work, n_out, seed, &outputs, gradient);
    rk_set(work, n_in, NULL, gradient->mean);
    rk_set(work, n_in * n_in, NULL, gradient->covariance);
    rk_tape_back(&tape, &(rk_cotangent){.mean = seed}, &to);
    rk_work_release(work, mark);
}
