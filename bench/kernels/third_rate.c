/* How much of the float product's speed the third order keeps:
 *
 *     third_rate [width hidden [repeats]]      (default 256 4 20)
 *
 * Both are measured in this run on one thread, in turns, and the best of each counts: the ratio
 * survives a machine that is busy with other things. FLOPs are the ledger's, 98 % of them products,
 * a part of these in double. */
#include "linalg/blas.h"
#include "reckon/reckon.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void stop(const rk_error *error) {
    fprintf(stderr, "third_rate: %s\n", error->message);
    exit(1);
}

static rk_answer *estimate(const rk_network *net, const char *method) {
    rk_options options = rk_options_default();
    options.method = method;
    options.threads = 1;
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, NULL, &options, &error) != RK_OK) stop(&error);
    return answer;
}

/* Largest difference between float and double legs, in units of the output's spread. */
static double verify(const rk_network *net) {
    rk_answer *a = estimate(net, "third"), *b = estimate(net, "third:legs=double");
    const rk_answer_data *x = rk_answer_view(a), *y = rk_answer_view(b);
    double worst = 0, square = 0;
    for (size_t i = 0; i < x->n_out; i++) {
        square += y->mean[i] * y->mean[i];
        if (!(fabs(x->mean[i] - y->mean[i]) <= worst)) worst = fabs(x->mean[i] - y->mean[i]);
    }
    worst /= sqrt(square / (double)x->n_out);
    rk_answer_destroy(a);
    rk_answer_destroy(b);
    return worst;
}

static double product_rate(size_t n, float *a) {
    rk_work work = {.dry = false};
    double started = rk_seconds();
    rk_sgemm(&work, RK_NO_TRANS, RK_NO_TRANS, n, n, n, 1, a, n, a + n * n, n, 0, a + 2 * n * n, n);
    return (double)work.flops / (rk_seconds() - started);
}

int main(int argc, char **argv) {
    size_t n = argc > 2 ? strtoul(argv[1], NULL, 10) : 256;
    size_t hidden = argc > 2 ? strtoul(argv[2], NULL, 10) : 4;
    size_t repeats = argc > 3 ? strtoul(argv[3], NULL, 10) : 20;
    size_t *widths = malloc((hidden ? hidden : 1) * sizeof *widths);
    float *a = malloc(3 * n * n * sizeof *a);
    if (!widths || !a || n == 0 || hidden == 0 || repeats == 0) return 2;
    for (size_t l = 0; l < hidden; l++)
        widths[l] = n;
    for (size_t i = 0; i < 2 * n * n; i++)
        a[i] = (float)(i % 7) - 3;

    rk_random_spec spec = {
        .n_in = n, .n_out = n, .hidden = widths, .n_hidden = hidden, .activation = {RK_RELU}};
    rk_network *net;
    rk_error error;
    if (rk_network_random(&net, &spec, &error) != RK_OK) stop(&error);
    int blas_threads = rk_blas_make_serial();
    double difference = verify(net), peak = 0, rate = 0, seconds = 0, flops = 0, bytes = 0;
    for (size_t r = 0; r < repeats; r++) {
        for (int k = 0; k < 5; k++)
            peak = fmax(peak, product_rate(n, a));
        rk_answer *answer = estimate(net, "third");
        const rk_answer_data *data = rk_answer_view(answer);
        flops = (double)data->cost.flops_executed;
        bytes = (double)data->cost.bytes;
        if (flops / data->seconds > rate) {
            rate = flops / data->seconds;
            seconds = data->seconds;
        }
        rk_answer_destroy(answer);
    }
    rk_blas_restore(blas_threads);
    printf("{\"width\": %zu, \"hidden\": %zu, \"flops\": %.0f, \"bytes\": %.0f, "
           "\"float_minus_double\": %.1e, \"seconds\": %.4g, \"gflops_per_second\": %.4g, "
           "\"sgemm_gflops_per_second\": %.4g, \"ratio\": %.3f, \"blas\": \"%s\"}\n",
           n, hidden, flops, bytes, difference, seconds, rate / 1e9, peak / 1e9, rate / peak,
           rk_blas_name());
    rk_network_destroy(net);
    free(widths);
    free(a);
    return difference <= 1e-5 ? 0 : 1;
}
