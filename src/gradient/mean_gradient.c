#include "gradient/mean_gradient.h"

#include "gradient/functional.h"
#include "propagate/back.h"

void rk_gradient_of_mean(rk_work *work, const rk_network *net, const rk_input *input,
                         const double *seed, rk_mean_gradient *gradient) {
    const size_t mark = rk_work_mark(work), n_in = rk_network_n_in(net);
    const rk_functional functional = {.row = seed};
    const rk_adjoint to = {.input_mean = gradient->mean, .input_covariance = gradient->covariance};
    rk_functional_run run;
    rk_functional_run_start(work, net, input, &(rk_covariance_spec){false}, &functional, true, true,
                            &run);
    gradient->value = run.mean;
    gradient->variance = run.variance;
    rk_set(work, n_in, NULL, gradient->mean);
    rk_set(work, n_in * n_in, NULL, gradient->covariance);
    rk_functional_run_back(work, &run, 1, NULL, &to);
    rk_work_release(work, mark);
}
