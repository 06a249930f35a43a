/* What structured sampling saves:
 *
 *     structured_gain [width [hidden ...]]     (default 256 1 2 4 8)
 *
 * For He-initialised relu networks of these depths, every set of points with and without control
 * variate: `gain` is the variance of plain sampling over the method's at equal passes, averaged
 * over the outputs and 2 networks; FLOPs and processor seconds are those of a pass, on one thread.
 * The gain of designs comes from 4 replicates a network, and is good to some 10 %, less in deep
 * networks, whose outputs move together. */
#include "linalg/blas.h"
#include "sample/division.h"
#include "sample/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { NETWORKS = 2, REPLICATES = 4, PASSES = 131072, LARGEST_DEPTH = 1000 };

static void stop(const char *what) {
    fprintf(stderr, "structured_gain: %s\n", what);
    exit(1);
}

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct outcome {
    double passes, flops, seconds;
    double variance;     /* of a pass, averaged over the outputs */
    double square_error; /* of the mean */
} outcome;

static outcome sample(const rk_network *net, rk_point_set points, bool control) {
    const size_t n = rk_network_n_out(net), n_in = rk_network_n_in(net);
    const uint64_t wanted = REPLICATES * rk_divide(points, control, n_in, 1).n_passes;
    const rk_sample_spec spec = {.n_samples = wanted > PASSES ? wanted : PASSES,
                                 .points = points,
                                 .control = control,
                                 .lanes = 1};
    const rk_input input = {0};
    double *values = calloc(3 * n, sizeof *values);
    if (!values) stop("no memory");
    rk_sample_result result = {
        .mean = values, .standard_error = values + n, .variance = values + 2 * n};
    rk_work plan, run;
    rk_error error;
    rk_work_init_dry(&plan);
    if (rk_sample(&plan, net, &input, &spec, &result, &error) != RK_OK ||
        rk_work_init_wet(&run, &plan, NULL, &error) != RK_OK)
        stop(error.message);
    const double started = processor_seconds();
    if (rk_sample(&run, net, &input, &spec, &result, &error) != RK_OK) stop(error.message);
    outcome out = {.passes = (double)result.n_samples,
                   .flops = (double)run.flops,
                   .seconds = processor_seconds() - started};
    for (size_t i = 0; i < n; i++) {
        out.variance += result.variance[i] / (double)n;
        out.square_error += result.standard_error[i] * result.standard_error[i] / (double)n;
    }
    rk_work_finish(&run);
    free(plan.steps);
    free(values);
    return out;
}

static rk_network *random_network(size_t n, size_t hidden, uint64_t seed) {
    static size_t widths[LARGEST_DEPTH];
    for (size_t l = 0; l < hidden; l++)
        widths[l] = n;
    const rk_random_spec spec = {.n_in = n,
                                 .n_out = n,
                                 .hidden = widths,
                                 .n_hidden = hidden,
                                 .activation = {.kind = RK_RELU},
                                 .seed = seed};
    rk_network *net;
    rk_error error;
    if (rk_network_random(&net, &spec, &error) != RK_OK) stop(error.message);
    return net;
}

static void measure(size_t n, size_t hidden) {
    static const char *names[] = {"iid", "antithetic", "orthogonal", "design"};
    rk_network *nets[NETWORKS];
    double plain[NETWORKS];
    for (size_t k = 0; k < NETWORKS; k++) {
        nets[k] = random_network(n, hidden, k + 1);
        plain[k] = sample(nets[k], RK_POINTS_IID, false).variance;
    }
    printf("  {\"width\": %zu, \"hidden\": %zu, \"variance\": %.4g, \"methods\": {", n, hidden,
           plain[0]);
    for (int points = RK_POINTS_IID; points <= RK_POINTS_DESIGN; points++)
        for (int control = 0; control <= 1; control++) {
            double relative = 0;
            outcome out = {0};
            for (size_t k = 0; k < NETWORKS; k++) {
                out = sample(nets[k], (rk_point_set)points, control);
                relative += out.square_error * out.passes / plain[k] / NETWORKS;
            }
            printf("%s\n    \"%s%s\": {\"gain\": %.3g, \"flops_per_pass\": %.4g, "
                   "\"seconds_per_pass\": %.3g}",
                   points || control ? "," : "", names[points], control ? ",control" : "",
                   1 / relative, out.flops / out.passes, out.seconds / out.passes);
            fflush(stdout);
        }
    printf("}}");
    for (size_t k = 0; k < NETWORKS; k++)
        rk_network_destroy(nets[k]);
}

int main(int argc, char **argv) {
    static const size_t usual[] = {1, 2, 4, 8};
    const size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 256;
    const int n_depths = argc > 2 ? argc - 2 : 4;
    const int blas_threads = rk_blas_make_serial();
    printf("[\n");
    for (int k = 0; k < n_depths; k++) {
        const size_t hidden = argc > 2 ? strtoul(argv[k + 2], NULL, 10) : usual[k];
        if (n == 0 || hidden == 0 || hidden > LARGEST_DEPTH) stop("expected positive numbers");
        if (k > 0) printf(",\n");
        measure(n, hidden);
    }
    printf("\n]\n");
    rk_blas_restore(blas_threads);
    return 0;
}
