/* How far a closure can be spread over cores, told by one thread:
 *
 *     cores [width hidden [METHOD ...]]     (default: 256, 512 and 1024 by 4, the main closures)
 *
 * The linker puts this program between the library and its pool: every block that threads could
 * claim is timed while one thread does them all. "serial" is the share of the time outside of
 * blocks, "tasks" the number of blocks that products are cut into, averaged by their time, and
 * "faster" how much sooner 2, 16 and 64 threads are done if they claim the same blocks and waking
 * them takes no time: Amdahl's bound, and the blocks' number and unequal sizes with it. The best of
 * some runs. */
#include "base/pool.h"
#include "kernel.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPEATS = 7 };
static const int threads[] = {2, 16, 64};
enum { COUNTS = sizeof threads / sizeof *threads };

/* What the blocks of a run of the library came to. */
static struct {
    bool within, product;           /* blocks; which called BLAS */
    double blocks, products, tasks; /* seconds; of blocks with products; times the number of them */
    double spread[COUNTS];          /* seconds of as many threads */
} seen;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define NOTICED(name, parameters, arguments)                                                       \
    void __real_##name parameters;                                                                 \
    void __wrap_##name parameters;                                                                 \
    void __wrap_##name parameters {                                                                \
        seen.product = true;                                                                       \
        __real_##name arguments;                                                                   \
    }

NOTICED(cblas_dgemm,
        (CBLAS_LAYOUT order, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k,
         double alpha, const double *a, int lda, const double *b, int ldb, double beta, double *c,
         int ldc),
        (order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc))
NOTICED(cblas_sgemm,
        (CBLAS_LAYOUT order, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k,
         float alpha, const float *a, int lda, const float *b, int ldb, float beta, float *c,
         int ldc),
        (order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc))

typedef struct timed {
    void (*function)(void *, size_t);
    void *context;
    double *seconds;
} timed;

static void time_block(void *context, size_t block) {
    timed *t = context;
    const double started = now();
    t->function(t->context, block);
    t->seconds[block] = now() - started;
}

/* When the last of so many threads is done, each of which claims the next block when it is free. */
static double finished(size_t n_blocks, const double *seconds, int n_threads) {
    double free_at[64] = {0}, last = 0;
    for (size_t b = 0; b < n_blocks; b++) {
        int first = 0;
        for (int t = 1; t < n_threads; t++)
            if (free_at[t] < free_at[first]) first = t;
        free_at[first] += seconds[b];
        last = fmax(last, free_at[first]);
    }
    return last;
}

void __real_rk_pool_run(rk_pool *pool, size_t n_blocks, void (*function)(void *, size_t),
                        void *context);
void __wrap_rk_pool_run(rk_pool *pool, size_t n_blocks, void (*function)(void *, size_t),
                        void *context);

void __wrap_rk_pool_run(rk_pool *pool, size_t n_blocks, void (*function)(void *, size_t),
                        void *context) {
    if (seen.within) {
        __real_rk_pool_run(pool, n_blocks, function, context);
        return;
    }
    timed t = {function, context, need(n_blocks + 1, sizeof *t.seconds)};
    seen.within = true;
    seen.product = false;
    __real_rk_pool_run(pool, n_blocks, time_block, &t);
    seen.within = false;
    double all = 0;
    for (size_t b = 0; b < n_blocks; b++)
        all += t.seconds[b];
    seen.blocks += all;
    if (seen.product) {
        seen.products += all;
        seen.tasks += all * (double)n_blocks;
    }
    for (int c = 0; c < COUNTS; c++)
        seen.spread[c] += finished(n_blocks, t.seconds, threads[c]);
    free(t.seconds);
}

static void measure(const char *method, size_t width, size_t hidden) {
    rk_network *net = study_relu(width, hidden, 0);
    rk_options options = rk_options_default();
    rk_plan *plan;
    rk_answer *answer;
    rk_error error;
    double least = INFINITY, serial = 0, products = 0, tasks = 0, faster[COUNTS] = {0};
    options.method = study_method(method);
    options.threads = 1;
    if (rk_plan_create(&plan, net, NULL, &options, &error) != RK_OK) study_stop(error.message);
    for (int r = 0; r < REPEATS; r++) {
        memset(&seen, 0, sizeof seen);
        const double started = now();
        if (rk_plan_execute(plan, &answer, &error) != RK_OK) study_stop(error.message);
        const double seconds = now() - started;
        rk_answer_destroy(answer);
        if (!(seconds < least)) continue;
        least = seconds;
        serial = seconds - seen.blocks;
        products = seen.products;
        tasks = seen.products > 0 ? seen.tasks / seen.products : 0;
        for (int c = 0; c < COUNTS; c++)
            faster[c] = seconds / (serial + seen.spread[c]);
    }
    printf("{\"method\": \"%s\", \"width\": %zu, \"hidden\": %zu, \"seconds\": %.4g, "
           "\"products\": %.2f, \"tasks\": %.0f, \"serial\": %.4f",
           method, width, hidden, least, products / least, tasks, serial / least);
    for (int c = 0; c < COUNTS; c++)
        printf(", \"faster_%d\": %.1f", threads[c], faster[c]);
    printf("}\n");
    fflush(stdout);
    rk_plan_destroy(plan);
    rk_network_destroy(net);
}

int main(int argc, char **argv) {
    static const char *const closures[] = {"covariance", "gain", "third", "third:gauge=full"};
    static const size_t shapes[][2] = {{256, 4}, {512, 4}, {1024, 4}};
    const size_t width = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    const size_t hidden = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    if (argc > 2 && (width == 0 || width > 1 << 14 || hidden == 0))
        study_stop("expected positive numbers");
    for (size_t s = 0; s < (width ? 1 : sizeof shapes / sizeof *shapes); s++) {
        const size_t n = width ? width : shapes[s][0], l = width ? hidden : shapes[s][1];
        for (int a = 3; a < argc; a++)
            measure(argv[a], n, l);
        for (size_t m = 0; argc <= 3 && m < sizeof closures / sizeof *closures; m++)
            measure(closures[m], n, l);
    }
    return 0;
}
