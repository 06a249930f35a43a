/* What the third order makes of a layer's neurons, backwards, against differences: the tilt, and an
 * activation's pairs. */
#include "linalg/blas.h"
#include "support/kernel.h"
#include "third/newborn_fourth_back.h"
#include "third/source_back.h"
#include "third/tilt_back.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

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
        list_get(&in, N, *vectors[v]);
    list_get_symmetric(&in, C);
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
    list_put(&out, N, tilt.a);
    list_put(&out, N, tilt.feed);
    list_put(&out, N, tilt.core);
    list_put(&out, N, tilt.excess);
    list_put(&out, 1, tilt.along_C);
    list_put(&out, 1, tilt.gain);
    list_put(&out, N * N, tilted);
    if (!bar) return;
    neurons_bar = rk_neurons_take(work, N, false);
    tilt_bar = rk_tilt_take(work, N, false);
    rk_neurons_clear(work, N, &neurons_bar);
    list from = {(double *)bar}, to = {x_bar};
    list_get(&from, N, tilt_bar.a);
    list_get(&from, N, tilt_bar.feed);
    list_get(&from, N, tilt_bar.core);
    list_get(&from, N, tilt_bar.excess);
    list_get(&from, 1, tilt_bar.along_C);
    list_get(&from, 1, tilt_bar.gain);
    list_get_symmetric(&from, tilted);
    rk_tilt_back(work, N, &neurons, C, &tilt, &tilt_bar, tilted, &neurons_bar);
    double *bars[] = {neurons_bar.m, neurons_bar.var, neurons_bar.k3,   neurons_bar.k4,
                      neurons_bar.q, neurons_bar.k22, neurons_bar.k21_q};
    for (size_t v = 0; v < 7; v++)
        list_put(&to, N, bars[v]);
    list_put(&to, N * N, tilted);
}

/* ------------------------------------------------------------------------------ an activation */

/* What rk_pairs_step makes, or its adjoints. */
typedef struct made {
    rk_source newborn;
    rk_legs a, residual;
    rk_pair_cumulants fourth;
} made;

static made take_made(rk_work *work) {
    return (made){.newborn = {.width = N,
                              .w2 = kernel_vector(work),
                              .s = kernel_vector(work),
                              .e = kernel_vector(work)},
                  .a = kernel_matrix(work, N),
                  .residual = kernel_matrix(work, N),
                  .fourth = {.each = true,
                             .k22_sum = kernel_vector(work),
                             .k22 = kernel_matrix(work, N),
                             .k31 = kernel_matrix(work, N),
                             .edge = kernel_matrix(work, N)}};
}

/* All that an activation's step makes, in the order of y. */
static void each_made(list *at, void (*act)(list *, size_t, double *), const rk_neurons *neurons,
                      const made *of, bool fourth) {
    double *const vectors[] = {neurons->m,     neurons->k4,   neurons->k22, neurons->k21_q,
                               of->newborn.w2, of->newborn.s, of->newborn.e};
    for (size_t v = 0; v < 7; v++)
        act(at, N, vectors[v]);
    act(at, SQUARE, of->a.d);
    act(at, SQUARE, of->residual.d);
    if (!fourth) return;
    act(at, N, of->fourth.k22_sum);
    act(at, SQUARE, of->fourth.k22.d);
    act(at, SQUARE, of->fourth.k31.d);
    act(at, SQUARE, of->fourth.edge.d);
}

static void run_activation(rk_work *work, const kernel *k, const double *x, double *y,
                           const double *bar, double *x_bar) {
    static const rk_activation relu = {.kind = RK_RELU};
    const bool fourth = k->kind == RK_PAIRS_FOURTH, simple = k->kind == RK_PAIRS_SIMPLE;
    list in = {(double *)x}, out = {y};
    rk_neurons neurons = rk_neurons_take(work, N, true);
    made born = take_made(work);
    double *mu = kernel_vector(work), *var = kernel_vector(work), *y_z = kernel_vector(work), *C_z,
           *C;
    C_z = rk_work_doubles(work, N, N), C = rk_work_doubles(work, N, N);
    rk_slices z = {.d3 = kernel_vector(work),
                   .has_D = true,
                   .D = kernel_matrix(work, N),
                   .core = kernel_vector(work),
                   .metric = kernel_vector(work),
                   .k4 = fourth ? kernel_vector(work) : NULL,
                   .M = simple ? rk_work_doubles(work, N, N) : NULL,
                   .core_scale = kernel_vector(work),
                   .has_K31 = fourth,
                   .K31 = kernel_matrix(work, N),
                   .followed31 = 1,
                   .coherence = kernel_vector(work),
                   .y = y_z};
    double *const vectors[] = {mu, var, z.d3, z.core, z.metric, y_z};
    for (size_t v = 0; v < 6; v++)
        list_get(&in, N, vectors[v]);
    list_get(&in, 1, z.core_scale);
    list_get_symmetric(&in, C_z);
    list_get(&in, SQUARE, z.D.d);
    if (simple) list_get_symmetric(&in, z.M);
    if (fourth) {
        list_get(&in, N, z.k4);
        list_get(&in, SQUARE, z.K31.d);
        list_get(&in, 1, &z.followed22);
    }
    *z.coherence = 0;
    for (size_t i = 0; i < N; i++)
        var[i] += 1;
    memcpy(C, C_z, SQUARE * sizeof *C);
    rk_neurons_step(work, &relu, N, mu, var, &z, true, &neurons);
    rk_pairs_step(work, N, &z, (rk_pair_terms)k->kind, &neurons, C, N, &born.newborn, &born.a,
                  &born.residual, fourth ? &born.fourth : NULL);
    each_made(&out, list_put, &neurons, &born, fourth);
    list_put(&out, SQUARE, C);
    if (!bar) return;
    rk_neurons neurons_bar = rk_neurons_take(work, N, true);
    made born_bar = take_made(work);
    list from = {(double *)bar}, to = {x_bar};
    rk_neurons_clear(work, N, &neurons_bar);
    each_made(&from, list_get, &neurons_bar, &born_bar, fourth);
    list_get_symmetric(&from, C);
    rk_slices_bar z_bar = {.d3 = kernel_vector(work),
                           .core = kernel_vector(work),
                           .metric = kernel_vector(work),
                           .y = kernel_vector(work),
                           .k4 = kernel_vector(work),
                           .core_scale = kernel_vector(work),
                           .followed22 = kernel_vector(work),
                           .M = rk_work_doubles(work, N, N),
                           .D = kernel_matrix(work, N),
                           .K31 = kernel_matrix(work, N)};
    double *mu_bar = kernel_vector(work), *var_bar = kernel_vector(work);
    double *const zero[] = {z_bar.d3, z_bar.core,       z_bar.metric,     z_bar.y,
                            z_bar.k4, z_bar.core_scale, z_bar.followed22, var_bar};
    for (size_t v = 0; v < 8; v++)
        memset(zero[v], 0, N * sizeof **zero);
    rk_pairs_back(work, N, &z, (rk_pair_terms)k->kind, &neurons, C_z, &born_bar.newborn,
                  &born_bar.a, &born_bar.residual, fourth ? &born_bar.fourth : NULL, C,
                  &neurons_bar, &z_bar);
    rk_neurons_back(work, &relu, N, mu, var, &z, true, &neurons, &neurons_bar, mu_bar, var_bar,
                    &z_bar);
    double *const bars[] = {mu_bar, var_bar, z_bar.d3, z_bar.core, z_bar.metric, z_bar.y};
    for (size_t v = 0; v < 6; v++)
        list_put(&to, N, bars[v]);
    list_put(&to, 1, z_bar.core_scale);
    list_put(&to, SQUARE, C);
    list_put(&to, SQUARE, z_bar.D.d);
    if (simple) list_put(&to, SQUARE, z_bar.M);
    if (!fourth) return;
    list_put(&to, N, z_bar.k4);
    list_put(&to, SQUARE, z_bar.K31.d);
    list_put(&to, 1, z_bar.followed22);
}

/* ------------------------------------------------------------------------------------- all */

enum {
    TILT_X = 7 * N + SQUARE,
    TILT_Y = 4 * N + 2 + SQUARE,
    ACT_X = 6 * N + 1 + 2 * SQUARE,
    ACT_Y = 7 * N + 3 * SQUARE
};

static const kernel kernels[] = {
    {"tilt, given", run_tilt, TILT_X, TILT_Y, RK_THETA_GIVEN, 0.2, 1e-3, 1e-7},
    {"tilt, root", run_tilt, TILT_X, TILT_Y, RK_THETA_ROOT, 0.2, 1e-3, 1e-7},
    /* theta is known to 1e-8 there */
    {"tilt, least", run_tilt, TILT_X, TILT_Y, RK_THETA_LEAST, 0.2, 1e-2, 1e-5},
    {"simple", run_activation, ACT_X + SQUARE, ACT_Y, RK_PAIRS_SIMPLE, 0.3, 1e-3, 1e-7},
    {"augmented", run_activation, ACT_X, ACT_Y, RK_PAIRS_AUGMENTED, 0.3, 1e-3, 1e-7},
    {"with the fourth", run_activation, ACT_X + N + SQUARE + 1, ACT_Y + N + 3 * SQUARE,
     RK_PAIRS_FOURTH, 0.3, 1e-3, 1e-7},
};

static void test_kernels(void **state) {
    (void)state;
    rk_blas_make_serial();
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
        kernel_check(&kernels[k]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
