#include "gradient/functional.h"

/* row . mean and row' C row. */
static void sum_up(rk_work *work, rk_functional_run *run) {
    const size_t n = run->n;
    const rk_outputs *outputs = &run->outputs;
    run->mean = run->variance = 0;
    if (!rk_work_charge(work, 2 * (uint64_t)n * (outputs->covariance ? n : 1))) return;
    for (size_t i = 0; i < n; i++) {
        run->mean += run->row[i] * outputs->mean[i];
        for (size_t j = 0; outputs->covariance && j < n; j++)
            run->variance += run->row[i] * run->row[j] * outputs->covariance[i * n + j];
    }
}

void rk_functional_run_start(rk_work *work, const rk_network *net, const rk_input *input,
                             const rk_covariance_spec *spec, const rk_functional *functional,
                             bool variance, bool of_input, rk_functional_run *run) {
    const size_t depth = functional->depth ? functional->depth : net->n_layers;
    const size_t n = net->layers[depth - 1].rows;
    *run = (rk_functional_run){.tape = {.input_covariance = of_input},
                               .outputs = {.depth = functional->depth,
                                           .bare = functional->bare,
                                           .mean = rk_work_doubles(work, n, 1)},
                               .n = n,
                               .row = functional->row,
                               .seed = rk_work_doubles(work, n, 1)};
    if (variance) {
        run->outputs.covariance = rk_work_doubles(work, n, n);
        run->seed_pairs = rk_work_doubles(work, n, n);
    }
    rk_propagate_covariance(work, net, input, spec, &run->outputs, &run->tape);
    sum_up(work, run);
}

void rk_functional_run_back(rk_work *work, rk_functional_run *run, double by_mean,
                            const double *by_variance, const rk_adjoint *to) {
    const size_t n = run->n;
    if (rk_work_charge(work, 2 * (uint64_t)n * (by_variance ? n : 1)))
        for (size_t i = 0; i < n; i++) {
            run->seed[i] = by_mean * run->row[i];
            for (size_t j = 0; by_variance && j < n; j++)
                run->seed_pairs[i * n + j] = *by_variance * run->row[i] * run->row[j];
        }
    const rk_cotangent f = {.mean = run->seed, .covariance = by_variance ? run->seed_pairs : NULL};
    rk_tape_back(&run->tape, &f, to);
}
