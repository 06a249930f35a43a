/* What a caller waits for, over the time of the products in it:
 *
 *     call_share [width hidden [repeats [METHOD ...]]]     (default: 256 4 and 1024 16, all
 * methods)
 *
 * The linker puts a stopwatch around every call of BLAS in this program. "seconds" is what the
 * whole rk_estimate takes of a processor with one thread, from nothing to the answer (its time on
 * the clock where nobody else is at work), "product_seconds" what of it is spent within BLAS in the
 * same run, and "call_over_products" their ratio: the rest is passes over vectors and matrices, the
 * plan, memory, threads. With all threads "waited" is the time on the clock, and "busy" the share
 * of it that they are at work. The best of some repeats each, in turns. */
#include "kernel.h"
#include "linalg/blas.h"

#include <cblas.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static atomic_uint_fast64_t nanoseconds;

/* Of the calling thread's processor: others may be busy on this machine. */
static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

#define TIMED(name, parameters, arguments)                                                         \
    void __real_##name parameters;                                                                 \
    void __wrap_##name parameters;                                                                 \
    void __wrap_##name parameters {                                                                \
        uint64_t started = now();                                                                  \
        __real_##name arguments;                                                                   \
        atomic_fetch_add(&nanoseconds, now() - started);                                           \
    }

TIMED(cblas_dgemm,
      (CBLAS_LAYOUT order, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k,
       double alpha, const double *a, int lda, const double *b, int ldb, double beta, double *c,
       int ldc),
      (order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc))
TIMED(cblas_sgemm,
      (CBLAS_LAYOUT order, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, float alpha,
       const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc),
      (order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc))
TIMED(cblas_dgemv,
      (CBLAS_LAYOUT order, CBLAS_TRANSPOSE ta, int m, int n, double alpha, const double *a, int lda,
       const double *x, int incx, double beta, double *y, int incy),
      (order, ta, m, n, alpha, a, lda, x, incx, beta, y, incy))
TIMED(cblas_dtrsm,
      (CBLAS_LAYOUT order, CBLAS_SIDE side, CBLAS_UPLO uplo, CBLAS_TRANSPOSE ta, CBLAS_DIAG diag,
       int m, int n, double alpha, const double *a, int lda, double *b, int ldb),
      (order, side, uplo, ta, diag, m, n, alpha, a, lda, b, ldb))
TIMED(cblas_dsyrk,
      (CBLAS_LAYOUT order, CBLAS_UPLO uplo, CBLAS_TRANSPOSE ta, int n, int k, double alpha,
       const double *a, int lda, double beta, double *c, int ldc),
      (order, uplo, ta, n, k, alpha, a, lda, beta, c, ldc))

typedef struct call {
    double waited;
    double seconds, products; /* of processors, all threads together; within BLAS */
    double flops;
    int threads;
} call;

static call time_call(const rk_network *net, const char *method, uint64_t samples, int threads) {
    rk_options options = rk_options_default();
    options.method = study_method(method);
    options.samples = samples;
    options.threads = threads;
    options.seed = 1;
    rk_answer *answer;
    rk_error error;
    atomic_store(&nanoseconds, 0);
    double started = rk_seconds(), busy = processor_seconds();
    if (rk_estimate(&answer, net, NULL, &options, &error) != RK_OK) study_stop(error.message);
    call c = {.waited = rk_seconds() - started, .seconds = processor_seconds() - busy};
    c.products = 1e-9 * (double)atomic_load(&nanoseconds);
    c.flops = (double)rk_answer_view(answer)->cost.flops_executed;
    c.threads = rk_answer_view(answer)->threads;
    rk_answer_destroy(answer);
    return c;
}

static void measure(size_t n, size_t hidden, size_t repeats, const char *method) {
    rk_network *net = study_relu(n, hidden, 0);
    uint64_t samples = (uint64_t)(4e9 / (2 * (double)n * (double)n * (double)(hidden + 1)));
    if (samples < 2000) samples = 2000;
    call one = {.seconds = INFINITY}, all = {.waited = INFINITY};
    for (size_t r = 0; r < repeats; r++) {
        call c = time_call(net, method, samples, 1);
        if (c.seconds < one.seconds) one = c;
        c = time_call(net, method, samples, 0);
        if (c.waited < all.waited) all = c;
    }
    char ratio[32] = "null"; /* not all methods have products */
    if (one.products > 0) snprintf(ratio, sizeof ratio, "%.3g", one.seconds / one.products);
    printf("{\"method\": \"%s\", \"width\": %zu, \"hidden\": %zu, \"flops\": %.4g, "
           "\"seconds\": %.4g, \"product_seconds\": %.4g, \"call_over_products\": %s, "
           "\"threads\": %d, \"waited\": %.4g, \"busy\": %.3f, \"blas\": \"%s\"}\n",
           method, n, hidden, one.flops, one.seconds, one.products, ratio, all.threads, all.waited,
           all.seconds / all.waited / all.threads, rk_blas_identify().name);
    fflush(stdout);
    rk_network_destroy(net);
}

int main(int argc, char **argv) {
    static const char *const every[] = {
        "mean",   "covariance",           "gain", "third", "third:fourth=full",
        "sample", "sample:design,control"};
    const size_t shapes[2][2] = {{256, 4}, {1024, 16}};
    size_t n = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    size_t hidden = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    size_t repeats = argc > 3 ? strtoul(argv[3], NULL, 10) : 3;
    if (argc > 2 && (n == 0 || n > 1 << 14 || hidden == 0 || repeats == 0))
        study_stop("expected positive numbers");
    for (size_t s = 0; s < (n ? 1 : 2); s++) {
        size_t width = n ? n : shapes[s][0], depth = n ? hidden : shapes[s][1];
        for (int a = 4; a < argc; a++)
            measure(width, depth, repeats, argv[a]);
        for (size_t m = 0; argc <= 4 && m < sizeof every / sizeof *every; m++)
            measure(width, depth, repeats, every[m]);
    }
    return 0;
}
