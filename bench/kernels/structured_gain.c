/* What structured sampling saves:
 *
 *     structured_gain [width [hidden ...]]     (default 256 1 2 4 8)
 *
 * For He-initialised relu networks of these depths, every set of points with and without control
 * variate: `gain` is the variance of plain sampling over the method's at equal passes, averaged
 * over the outputs and 2 networks; FLOPs and processor seconds are those of a pass, on one thread.
 * The gain of designs comes from 4 replicates a network, and is good to some 10 %, less in deep
 * networks, whose outputs move together. */
#include "kernel.h"
#include "linalg/blas.h"
#include "sample/division.h"

#include <stdio.h>
#include <stdlib.h>

enum { NETWORKS = 2, REPLICATES = 9 /* from fewer, errors are widened */, PASSES = 131072 };

typedef struct outcome {
    double passes, flops, seconds;
    double variance;     /* of a pass, averaged over the outputs */
    double square_error; /* of the mean */
} outcome;

static outcome judge(const rk_network *net, rk_point_set points, bool control) {
    const size_t n = rk_network_n_out(net), n_in = rk_network_n_in(net);
    const uint64_t wanted = REPLICATES * rk_divide(points, control, n_in, 1).passes_per_replicate;
    sampled run =
        sample_passes(net, (rk_sample_spec){.n_samples = wanted > PASSES ? wanted : PASSES,
                                            .points = points,
                                            .control = control});
    outcome out = {.passes = (double)run.passes, .flops = run.flops, .seconds = run.seconds};
    for (size_t i = 0; i < n; i++) {
        out.variance += run.variance[i] / (double)n;
        out.square_error += run.standard_error[i] * run.standard_error[i] / (double)n;
    }
    free(run.mean);
    return out;
}

static void measure(size_t n, size_t hidden) {
    static const char *names[] = {"iid", "antithetic", "orthogonal", "design"};
    rk_network *nets[NETWORKS];
    double plain[NETWORKS];
    for (size_t k = 0; k < NETWORKS; k++) {
        nets[k] = study_relu(n, hidden, k + 1);
        plain[k] = judge(nets[k], RK_POINTS_IID, false).variance;
    }
    printf("  {\"width\": %zu, \"hidden\": %zu, \"variance\": %.4g, \"methods\": {", n, hidden,
           plain[0]);
    for (int points = RK_POINTS_IID; points <= RK_POINTS_DESIGN; points++)
        for (int control = 0; control <= 1; control++) {
            double relative = 0;
            outcome out = {0};
            for (size_t k = 0; k < NETWORKS; k++) {
                out = judge(nets[k], (rk_point_set)points, control);
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
    rk_blas_make_serial();
    printf("[\n");
    for (int k = 0; k < n_depths; k++) {
        const size_t hidden = argc > 2 ? strtoul(argv[k + 2], NULL, 10) : usual[k];
        if (n == 0 || hidden == 0) study_stop("expected positive numbers");
        if (k > 0) printf(",\n");
        measure(n, hidden);
    }
    printf("\n]\n");
    rk_blas_restore();
    return 0;
}
