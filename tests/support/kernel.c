#include "support/kernel.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 2000 };

void list_get(list *from, size_t n, double *x) {
    memcpy(x, from->next, n * sizeof *x);
    from->next += n;
}

void list_put(list *to, size_t n, double *x) {
    memcpy(to->next, x, n * sizeof *x);
    to->next += n;
}

void list_get_symmetric(list *from, double *x) {
    list_get(from, N * N, x);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < i; j++)
            x[i * N + j] = x[j * N + i] = 0.5 * (x[i * N + j] + x[j * N + i]);
}

rk_legs kernel_matrix(rk_work *work, size_t cols) {
    return rk_legs_take(work, true, N, cols);
}

double *kernel_vector(rk_work *work) {
    return rk_work_doubles(work, N, 1);
}

static void evaluate(const kernel *k, const double *x, double *y, const double *bar,
                     double *x_bar) {
    rk_work work = {.capacity = 1 << 23};
    work.arena = aligned_alloc(64, work.capacity);
    assert_non_null(work.arena);
    k->run(&work, k, x, y, bar, x_bar);
    free(work.arena);
}

void kernel_check(const kernel *k) {
    static const double steps[] = {-2, -1, 1, 2}, weights[] = {1. / 12, -2. / 3, 2. / 3, -1. / 12};
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
