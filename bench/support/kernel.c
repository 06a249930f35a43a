#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void *need(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) study_stop("no memory");
    return memory;
}

double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

sampled sample_passes(const rk_network *net, rk_sample_spec spec) {
    const size_t n = rk_network_n_out(net);
    const rk_input input = {0};
    double *values = need(3 * n, sizeof *values);
    sampled out = {.mean = values, .standard_error = values + n, .variance = values + 2 * n};
    rk_sample_result result = {
        .mean = out.mean, .standard_error = out.standard_error, .variance = out.variance};
    rk_work plan, run;
    rk_error error;
    spec.lanes = 1;
    rk_work_init_dry(&plan);
    if (rk_sample(&plan, net, &input, &spec, &result, &error) != RK_OK ||
        rk_work_init_wet(&run, &plan, NULL, &error) != RK_OK)
        study_stop(error.message);
    const double started = processor_seconds();
    if (rk_sample(&run, net, &input, &spec, &result, &error) != RK_OK) study_stop(error.message);
    out.seconds = processor_seconds() - started;
    out.flops = (double)run.flops;
    out.passes = result.n_samples;
    rk_work_finish(&run);
    free(plan.steps);
    return out;
}
