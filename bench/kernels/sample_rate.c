/* How much of the float product's speed Monte Carlo keeps:
 *
 *     sample_rate [width hidden [repeats]]     (default 256 4 5)
 *
 * The sampler's rate counts product FLOPs only, of about a second of passes through a
 * He-initialised relu network; the product's is the best of a single sgemm call of 1024 x 1024
 * matrices and one of width x width. Both run on one thread in turns, in processor time, and the
 * best of each counts: the ratio survives a machine that is busy with other things. */
#include "base/normal.h"
#include "kernel.h"
#include "linalg/blas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Largest difference from plain double passes in units of the output's spread. */
static double verify(const rk_network *net) {
    enum { PASSES = 32 };
    const size_t n_in = rk_network_n_in(net), n = rk_network_n_out(net);
    double *x = need(n_in, sizeof *x), *y = need(n, sizeof *y), *mean = need(n, sizeof *mean);
    float *z = need(n_in, sizeof *z);
    for (uint64_t i = 0; i < PASSES; i++) {
        rk_normal_floats((rk_stream){0, 0}, i, n_in, z);
        for (size_t j = 0; j < n_in; j++)
            x[j] = (double)z[j];
        if (rk_network_forward(net, x, y, NULL) != RK_OK) study_stop("no memory");
        for (size_t j = 0; j < n; j++)
            mean[j] += y[j] / PASSES;
    }
    sampled out = sample_passes(net, (rk_sample_spec){.n_samples = PASSES});
    double worst = 0;
    for (size_t j = 0; j < n; j++) {
        double difference = fabs(out.mean[j] - mean[j]) / sqrt(out.variance[j]);
        if (!(difference <= worst)) worst = difference;
    }
    free(out.mean);
    free(x);
    free(y);
    free(z);
    free(mean);
    return worst;
}

static double product_rate(size_t n, float *a) {
    double started = processor_seconds();
    rk_block_sgemm(n, n, n, a, a + n * n, a + 2 * n * n);
    return 2 * (double)n * (double)n * (double)n / (processor_seconds() - started);
}

int main(int argc, char **argv) {
    size_t n = argc > 2 ? strtoul(argv[1], NULL, 10) : 256;
    size_t hidden = argc > 2 ? strtoul(argv[2], NULL, 10) : 4;
    size_t repeats = argc > 3 ? strtoul(argv[3], NULL, 10) : 5;
    if (n == 0 || hidden == 0 || repeats == 0) study_stop("expected three positive numbers");
    const size_t largest = n > 1024 ? n : 1024;
    float *a = need(3 * largest * largest, sizeof *a);
    for (size_t i = 0; i < 2 * largest * largest; i++)
        a[i] = (float)(i % 7) - 3;

    rk_network *net = study_relu(n, hidden, 0);
    rk_blas_make_serial();
    const double difference = verify(net), layer = 2 * (double)n * (double)n;
    const double pass[2] = {layer * ((double)hidden + 1), layer * ((double)hidden + 0.5)};
    const uint64_t passes = ((uint64_t)(1.5e11 / pass[0]) + 1024) & ~(uint64_t)1023;
    double peak = 0, rate[2] = {0};
    for (size_t r = 0; r < repeats; r++) {
        for (int k = 0; k < 3; k++)
            peak = fmax(peak, fmax(product_rate(1024, a), product_rate(n, a)));
        for (int antithetic = 0; antithetic <= 1; antithetic++) {
            sampled out = sample_passes(
                net, (rk_sample_spec){.n_samples = passes, .points = (rk_point_set)antithetic});
            rate[antithetic] =
                fmax(rate[antithetic], pass[antithetic] * (double)passes / out.seconds);
            free(out.mean);
        }
    }
    rk_blas_restore();
    printf(
        "{\"width\": %zu, \"hidden\": %zu, \"passes\": %llu, \"float_minus_double\": %.1e, "
        "\"sgemm_gflops_per_second\": %.4g, \"gflops_per_second\": %.4g, \"ratio\": %.3f, "
        "\"antithetic_gflops_per_second\": %.4g, \"antithetic_ratio\": %.3f, \"blas\": \"%s\"}\n",
        n, hidden, (unsigned long long)passes, difference, peak / 1e9, rate[0] / 1e9,
        rate[0] / peak, rate[1] / 1e9, rate[1] / peak, rk_blas_identify().name);
    rk_network_destroy(net);
    free(a);
    return difference <= 1e-5 ? 0 : 1;
}
