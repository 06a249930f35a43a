/* The kernels of the third order run backwards, each against differences of its twin. */
#include "linalg/blas.h"
#include "third/neurons_back.h"
#include "third/source_back.h"
#include "third/tilt_back.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 6, MOST = 2000, N_NEURONS = 24 * N };

/* A kernel as a function of numbers x: fills y (n_y); with `bar`, y's adjoint, also x_bar. */
typedef struct kernel {
    const char *name;
    void (*run)(rk_work *work, const struct kernel *kernel, const double *x, double *y,
                const double *bar, double *x_bar);
    size_t n_x, n_y;
    int kind;
    double size; /* of x */
    double step, tolerance;
} kernel;

/* Takes numbers from a list, or puts them there, in the order in which it is asked. */
typedef struct list {
    double *next;
} list;

static void get(list *from, size_t n, double *x) {
    memcpy(x, from->next, n * sizeof *x);
    from->next += n;
}

static void put(list *to, size_t n, const double *x) {
    memcpy(to->next, x, n * sizeof *x);
    to->next += n;
}

static void get_symmetric(list *from, double *x) {
    get(from, N * N, x);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < i; j++)
            x[i * N + j] = x[j * N + i] = 0.5 * (x[i * N + j] + x[j * N + i]);
}

/* ------------------------------------------------------------------------------------ the tilt */

static void run_tilt(rk_work *work, const kernel *k, const double *x, double *y, const double *bar,
                     double *x_bar) {
    list in = {(double *)x}, out = {y};
    rk_neurons neurons = rk_neurons_take(work, N, false), neurons_bar = neurons;
    rk_tilt tilt = rk_tilt_take(work, N, k->kind != RK_THETA_GIVEN), tilt_bar = tilt;
    double *C = rk_work_doubles(work, N, N), *tilted = rk_work_doubles(work, N, N);
    double **const vectors[] = {&neurons.m, &neurons.var, &neurons.k3,   &neurons.k4,
                                &neurons.q, &neurons.k22, &neurons.k21_q};
    for (size_t v = 0; v < 7; v++)
        get(&in, N, *vectors[v]);
    get_symmetric(&in, C);
    for (size_t i = 0; i < N; i++) {
        neurons.m[i] += 1;
        C[i * (N + 1)] += 1;
        neurons.var[i] += 1;
        neurons.k4[i] += k->kind == RK_THETA_LEAST ? 4 : 0.3;
        neurons.k3[i] += 1.5;
        neurons.q[i] += 1. / N;
    }
    *tilt.gain = k->kind == RK_THETA_GIVEN;
    memcpy(tilted, C, N * N * sizeof *C);
    rk_tilt_step(work, N, &neurons, tilted, &tilt);
    assert_int_equal(tilt.numbers->kind, k->kind);
    put(&out, N, tilt.a);
    put(&out, N, tilt.feed);
    put(&out, N, tilt.core);
    put(&out, N, tilt.excess);
    put(&out, 1, tilt.along_C);
    put(&out, 1, tilt.gain);
    put(&out, N * N, tilted);
    if (!bar) return;
    neurons_bar = rk_neurons_take(work, N, false);
    tilt_bar = rk_tilt_take(work, N, false);
    rk_neurons_clear(work, N, &neurons_bar);
    list from = {(double *)bar}, to = {x_bar};
    get(&from, N, tilt_bar.a);
    get(&from, N, tilt_bar.feed);
    get(&from, N, tilt_bar.core);
    get(&from, N, tilt_bar.excess);
    get(&from, 1, tilt_bar.along_C);
    get(&from, 1, tilt_bar.gain);
    get_symmetric(&from, tilted);
    rk_tilt_back(work, N, &neurons, C, &tilt, &tilt_bar, tilted, &neurons_bar);
    const double *bars[] = {neurons_bar.m, neurons_bar.var, neurons_bar.k3,   neurons_bar.k4,
                            neurons_bar.q, neurons_bar.k22, neurons_bar.k21_q};
    for (size_t v = 0; v < 7; v++)
        put(&to, N, bars[v]);
    put(&to, N * N, tilted);
}

/* ------------------------------------------------------------------------------------- all */

static const kernel kernels[] = {
    {"tilt, given", run_tilt, 7 * N + N *N, 4 * N + 2 + N *N, RK_THETA_GIVEN, 0.2, 1e-3, 1e-7},
    {"tilt, root", run_tilt, 7 * N + N *N, 4 * N + 2 + N *N, RK_THETA_ROOT, 0.2, 1e-3, 1e-7},
    /* theta is known to 1e-8 there */
    {"tilt, least", run_tilt, 7 * N + N *N, 4 * N + 2 + N *N, RK_THETA_LEAST, 0.2, 1e-2, 1e-5},
};

static void evaluate(const kernel *k, const double *x, double *y, const double *bar,
                     double *x_bar) {
    rk_work work = {.capacity = 1 << 22};
    work.arena = aligned_alloc(64, work.capacity);
    assert_non_null(work.arena);
    k->run(&work, k, x, y, bar, x_bar);
    free(work.arena);
}

static void test_kernels(void **state) {
    (void)state;
    static const double steps[] = {-2, -1, 1, 2}, weights[] = {1. / 12, -2. / 3, 2. / 3, -1. / 12};
    rk_blas_make_serial();
    for (size_t c = 0; c < sizeof kernels / sizeof *kernels; c++) {
        const kernel *k = &kernels[c];
        double x[MOST], y[MOST], bar[MOST], x_bar[MOST];
        assert_true(k->n_x <= MOST && k->n_y <= MOST);
        for (size_t i = 0; i < k->n_x; i++)
            x[i] = k->size * sin(1 + 1.7 * (double)i + 0.31 * (double)(i * i % 97));
        for (size_t i = 0; i < k->n_y; i++)
            bar[i] = sin(2 + 1.3 * (double)i + 0.41 * (double)(i * i % 89));
        evaluate(k, x, y, bar, x_bar);
        double scale = 0;
        for (size_t i = 0; i < k->n_x; i++)
            scale = fmax(scale, fabs(x_bar[i]));
        const double h = k->step;
        for (size_t i = 0; i < k->n_x; i++) {
            double difference = 0, at = x[i];
            for (int s = 0; s < 4; s++) {
                x[i] = at + h * steps[s];
                evaluate(k, x, y, NULL, NULL);
                for (size_t j = 0; j < k->n_y; j++)
                    difference += weights[s] * bar[j] * y[j] / h;
            }
            x[i] = at;
            if (!(fabs(x_bar[i] - difference) <= k->tolerance * scale))
                fail_msg("%s, %zu: %.12g, by differences %.12g", k->name, i, x_bar[i], difference);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
