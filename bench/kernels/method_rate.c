/* How much of the matrix product's speed a method keeps, and what it buys on the clock:
 *
 *     method_rate METHOD [width hidden [repeats]]      (default 256 4 20)
 *
 * The method, dgemm and sgemm of its width, and plain sampling are timed in this run on one thread,
 * in turns, and the best of each counts: ratios survive a machine that is busy with other things.
 * FLOPs are the ledger's; "rate_over_dgemm" and "rate_over_sgemm" relate all of the method's FLOPs
 * over all of its time to the product alone. "sampling_seconds" is the time plain sampling needs
 * for the mean square error that a receipt of the method finds. */
#include "kernel.h"
#include "linalg/blas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static rk_answer *estimate(const rk_network *net, const char *method, uint64_t samples,
                           uint64_t receipt) {
    rk_options options = rk_options_default();
    options.method = study_method(method);
    options.threads = 1;
    options.samples = samples;
    options.receipt_samples = receipt;
    options.seed = 1;
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, NULL, &options, &error) != RK_OK) study_stop(error.message);
    return answer;
}

static double dgemm_rate(size_t n, double *a) {
    rk_work work = {.dry = false};
    double started = rk_seconds();
    rk_gemm(&work, RK_NO_TRANS, RK_NO_TRANS, n, n, n, 1, a, n, a + n * n, n, 0, a + 2 * n * n, n);
    return (double)work.flops / (rk_seconds() - started);
}

static double sgemm_rate(size_t n, float *a) {
    rk_work work = {.dry = false};
    double started = rk_seconds();
    rk_sgemm(&work, RK_NO_TRANS, RK_NO_TRANS, n, n, n, 1, a, n, a + n * n, n, 0, a + 2 * n * n, n);
    return (double)work.flops / (rk_seconds() - started);
}

int main(int argc, char **argv) {
    const char *method = argc > 1 ? argv[1] : "covariance";
    size_t n = argc > 3 ? strtoul(argv[2], NULL, 10) : 256;
    size_t hidden = argc > 3 ? strtoul(argv[3], NULL, 10) : 4;
    size_t repeats = argc > 4 ? strtoul(argv[4], NULL, 10) : 20;
    if (n == 0 || n > 1 << 14 || hidden == 0 || repeats == 0)
        study_stop("expected positive numbers");
    double *a = need(3 * n * n, sizeof *a);
    float *f = need(3 * n * n, sizeof *f);
    for (size_t i = 0; i < 3 * n * n; i++)
        f[i] = (float)(a[i] = (double)(i % 7) - 3);
    rk_network *net = study_relu(n, hidden, 0);

    uint64_t passes = (uint64_t)(4e9 / (2 * (double)n * (double)n * (double)(hidden + 1)));
    rk_answer *checked = estimate(net, method, passes, 64 * passes);
    const rk_answer_data *check = rk_answer_view(checked);
    double flops = (double)(check->cost.flops_executed - check->receipt_flops), variance = 0;
    double dgemm = 0, sgemm = 0, seconds = INFINITY, pass_seconds = INFINITY;
    for (size_t r = 0; r < repeats; r++) {
        rk_blas_make_serial();
        for (int k = 0; k < 3; k++) {
            dgemm = fmax(dgemm, dgemm_rate(n, a));
            sgemm = fmax(sgemm, sgemm_rate(n, f));
        }
        rk_blas_restore();
        rk_answer *answer = estimate(net, method, passes, 0);
        seconds = fmin(seconds, rk_answer_view(answer)->seconds);
        rk_answer_destroy(answer);
        answer = estimate(net, "sample", passes, 0);
        const rk_answer_data *sample = rk_answer_view(answer);
        pass_seconds = fmin(pass_seconds, sample->seconds / (double)passes);
        variance = sample->error_rms * sample->error_rms * (double)passes;
        rk_answer_destroy(answer);
    }
    double sampling_seconds = pass_seconds * variance / check->receipt_mse;
    printf("{\"method\": \"%s\", \"width\": %zu, \"hidden\": %zu, \"flops\": %.0f, "
           "\"seconds\": %.4g, \"gflops_per_second\": %.4g, \"dgemm_gflops_per_second\": %.4g, "
           "\"sgemm_gflops_per_second\": %.4g, \"rate_over_dgemm\": %.3f, "
           "\"rate_over_sgemm\": %.3f, \"mse\": %.3g, \"mse_standard_error\": %.2g, "
           "\"one_pass_variance\": %.3g, \"sampling_seconds\": %.4g, \"speed_up\": %.3g, "
           "\"blas\": \"%s\"}\n",
           check->method, n, hidden, flops, seconds, flops / seconds / 1e9, dgemm / 1e9,
           sgemm / 1e9, flops / seconds / dgemm, flops / seconds / sgemm, check->receipt_mse,
           check->receipt_mse_standard_error, variance, sampling_seconds,
           sampling_seconds / seconds, rk_blas_identify().name);
    rk_answer_destroy(checked);
    rk_network_destroy(net);
    free(a);
    free(f);
    return 0;
}
