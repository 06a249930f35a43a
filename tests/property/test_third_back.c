/* The kernels of the third order run backwards, each against differences of its twin. */
#include "linalg/blas.h"
#include "third/newborn_fourth_back.h"
#include "third/source_back.h"
#include "third/tilt_back.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 6, SQUARE = N * N, MOST = 2000 };

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

/* ------------------------------------------------------------------------------ an activation */

/* What rk_pairs_step makes, or its adjoints. */
typedef struct made {
    rk_source newborn;
    rk_legs a, residual;
    rk_pair_cumulants fourth;
} made;

static rk_legs matrix(rk_work *work, size_t cols) {
    return rk_legs_take(work, true, N, cols);
}

static double *vector(rk_work *work) {
    return rk_work_doubles(work, N, 1);
}

static made take_made(rk_work *work) {
    return (made){.newborn = {.width = N, .w2 = vector(work), .s = vector(work), .e = vector(work)},
                  .a = matrix(work, N),
                  .residual = matrix(work, N),
                  .fourth = {.each = true,
                             .k22_sum = vector(work),
                             .k22 = matrix(work, N),
                             .k31 = matrix(work, N),
                             .edge = matrix(work, N)}};
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

static void put_some(list *to, size_t n, double *x) {
    put(to, n, x);
}

static void run_activation(rk_work *work, const kernel *k, const double *x, double *y,
                           const double *bar, double *x_bar) {
    static const rk_activation relu = {.kind = RK_RELU};
    const bool fourth = k->kind == RK_PAIRS_FOURTH, simple = k->kind == RK_PAIRS_SIMPLE;
    list in = {(double *)x}, out = {y};
    rk_neurons neurons = rk_neurons_take(work, N, true);
    made born = take_made(work);
    double *mu = vector(work), *var = vector(work), *y_z = vector(work), *C_z, *C;
    C_z = rk_work_doubles(work, N, N), C = rk_work_doubles(work, N, N);
    rk_slices z = {.d3 = vector(work),
                   .has_D = true,
                   .D = matrix(work, N),
                   .core = vector(work),
                   .metric = vector(work),
                   .k4 = fourth ? vector(work) : NULL,
                   .M = simple ? rk_work_doubles(work, N, N) : NULL,
                   .core_scale = vector(work),
                   .has_K31 = fourth,
                   .K31 = matrix(work, N),
                   .followed31 = 1,
                   .coherence = vector(work),
                   .y = y_z};
    double *const vectors[] = {mu, var, z.d3, z.core, z.metric, y_z};
    for (size_t v = 0; v < 6; v++)
        get(&in, N, vectors[v]);
    get(&in, 1, z.core_scale);
    get_symmetric(&in, C_z);
    get(&in, SQUARE, z.D.d);
    if (simple) get_symmetric(&in, z.M);
    if (fourth) {
        get(&in, N, z.k4);
        get(&in, SQUARE, z.K31.d);
        get(&in, 1, &z.followed22);
    }
    *z.coherence = 0;
    for (size_t i = 0; i < N; i++)
        var[i] += 1;
    memcpy(C, C_z, SQUARE * sizeof *C);
    rk_neurons_step(work, &relu, N, mu, var, &z, true, &neurons);
    rk_pairs_step(work, N, &z, (rk_pair_terms)k->kind, &neurons, C, N, &born.newborn, &born.a,
                  &born.residual, fourth ? &born.fourth : NULL);
    each_made(&out, put_some, &neurons, &born, fourth);
    put(&out, SQUARE, C);
    if (!bar) return;
    rk_neurons neurons_bar = rk_neurons_take(work, N, true);
    made born_bar = take_made(work);
    list from = {(double *)bar}, to = {x_bar};
    rk_neurons_clear(work, N, &neurons_bar);
    each_made(&from, get, &neurons_bar, &born_bar, fourth);
    get_symmetric(&from, C);
    rk_slices_bar z_bar = {.d3 = vector(work),
                           .core = vector(work),
                           .metric = vector(work),
                           .y = vector(work),
                           .k4 = vector(work),
                           .core_scale = vector(work),
                           .followed22 = vector(work),
                           .M = rk_work_doubles(work, N, N),
                           .D = matrix(work, N),
                           .K31 = matrix(work, N)};
    double *mu_bar = vector(work), *var_bar = vector(work);
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
        put(&to, N, bars[v]);
    put(&to, 1, z_bar.core_scale);
    put(&to, SQUARE, C);
    put(&to, SQUARE, z_bar.D.d);
    if (simple) put(&to, SQUARE, z_bar.M);
    if (!fourth) return;
    put(&to, N, z_bar.k4);
    put(&to, SQUARE, z_bar.K31.d);
    put(&to, 1, z_bar.followed22);
}

/* ------------------------------------------------------------------------------------ a source */

enum { COLS = 3 * N + 1, REST = COLS - N };

static rk_source take_source(rk_work *work) {
    return (rk_source){.width = N,
                       .rank = N,
                       .fed = true,
                       .legs = matrix(work, COLS),
                       .w2 = vector(work),
                       .s = vector(work),
                       .e = vector(work),
                       .c = vector(work)};
}

/* Of a source in a layer, and where it was born: moved there (kind 0), or read, against itself (1)
 * or against its legs at birth (2). */
static void run_source(rk_work *work, const kernel *k, const double *x, double *y,
                       const double *bar, double *x_bar) {
    list in = {(double *)x}, out = {y};
    rk_source source = take_source(work), source_bar = take_source(work);
    rk_legs born = matrix(work, REST), born_bar = matrix(work, REST), T = matrix(work, N);
    rk_legs D = matrix(work, N), left_bar = matrix(work, COLS);
    double *d3 = vector(work);
    rk_slice_scratch slicing = {.left = matrix(work, COLS)};
    double *const vectors[] = {source.w2, source.s, source.e, source.c};
    get(&in, N * COLS, source.legs.d);
    get(&in, N * REST, born.d);
    for (size_t v = 0; v < 4; v++)
        get(&in, N, vectors[v]);
    get(&in, SQUARE, T.d);
    if (k->kind == 0) rk_source_first_transport(work, N, N, T, born, &source);
    memset(d3, 0, N * sizeof *d3);
    rk_source_slices(work, N, N, &source, true, &slicing, d3);
    if (k->kind == 2)
        rk_source_pairs_at_birth(work, N, N, &source, born, &slicing, D);
    else
        rk_source_pairs(work, N, N, &source, &slicing, 0, D);
    put(&out, N, d3);
    put(&out, SQUARE, D.d);
    if (!bar) return;
    list from = {(double *)bar}, to = {x_bar};
    memset(x_bar, 0, k->n_x * sizeof *x_bar);
    get(&from, N, d3);
    get(&from, SQUARE, D.d);
    double *const bars[] = {source_bar.w2, source_bar.s, source_bar.e, source_bar.c};
    for (size_t v = 0; v < 4; v++)
        memset(bars[v], 0, N * sizeof **bars);
    memset(source_bar.legs.d, 0, N * COLS * sizeof(double));
    memset(born_bar.d, 0, N * REST * sizeof(double));
    if (k->kind == 2)
        rk_source_pairs_at_birth_back(work, N, &source, born, &slicing, &D, left_bar, born_bar);
    else
        rk_source_pairs_back(work, N, N, &source, &slicing, &D, left_bar, &source_bar);
    rk_source_slices_back(work, N, &source, &left_bar, d3, &source_bar);
    double T_bar[SQUARE] = {0};
    if (k->kind == 0) {
        rk_source_first_transport_back(work, N, N, T.d, born, &source_bar, born_bar, T_bar);
        memset(source_bar.legs.d, 0, N * COLS * sizeof(double)); /* which were not read */
    }
    put(&to, N * COLS, source_bar.legs.d);
    put(&to, N * REST, born_bar.d);
    for (size_t v = 0; v < 4; v++)
        put(&to, N, bars[v]);
    put(&to, SQUARE, T_bar);
}

/* ------------------------------------------------------------------------- a fourth cumulant */

enum { MOVED = 5 * SQUARE + 13 * N + 1 + 3 * SQUARE };

typedef struct moved {
    rk_legs p, a, H, y;
    double *C, *var, *var_before;
    rk_newborn_fourth born;
} moved;

static moved take_moved(rk_work *work, bool each) {
    return (moved){.p = matrix(work, N),
                   .a = matrix(work, N),
                   .H = matrix(work, N),
                   .y = matrix(work, 1),
                   .C = rk_work_doubles(work, N, N),
                   .var = vector(work),
                   .var_before = vector(work),
                   .born = rk_newborn_fourth_bar_take(work, N, each, matrix(work, N))};
}

static void each_moved(list *at, void (*act)(list *, size_t, double *), const moved *x) {
    const rk_newborn_fourth *born = &x->born;
    double *const vectors[] = {
        x->y.d,  x->var,   x->var_before, born->k4,    born->centre, born->ends,         born->own,
        born->y, born->w2, born->w3,      born->share, born->excess, born->pairs.k22_sum};
    double *const matrices[] = {
        x->p.d, x->a.d, x->H.d, born->pairs.k22.d, born->pairs.k31.d, born->pairs.edge.d};
    for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++)
        act(at, N, vectors[v]);
    for (size_t v = 0; v < (born->pairs.each ? 6 : 3); v++)
        act(at, SQUARE, matrices[v]);
    act(at, 1, born->along_C);
}

/* The newborn's (kind 0), without every pair (1), and an older one's (2). */
static void run_fourth(rk_work *work, const kernel *k, const double *x, double *y,
                       const double *bar, double *x_bar) {
    const bool each = k->kind != 1;
    list in = {(double *)x}, out = {y};
    moved at = take_moved(work, each), at_bar = take_moved(work, each);
    rk_fourth_scratch scratch = rk_fourth_scratch_take(work, N, N, true, each);
    double *k4 = vector(work);
    rk_legs K31 = matrix(work, N);
    each_moved(&in, get, &at);
    get_symmetric(&in, at.C);
    const rk_fourth_view view = {.n = N,
                                 .role = {N, N, N},
                                 .cols = N,
                                 .bent = N,
                                 .newborn = k->kind != 2,
                                 .p = at.p,
                                 .a = at.a,
                                 .y = at.y,
                                 .H = &at.H,
                                 .var = at.var,
                                 .C = at.C,
                                 .var_before = at.var_before};
    memset(k4, 0, N * sizeof *k4);
    rk_newborn_fourth_move(work, &view, &scratch, k->kind == 2 ? NULL : &K31, &at.born, k4);
    put(&out, N, k4);
    if (k->kind != 2) put(&out, SQUARE, K31.d);
    if (!bar) return;
    list from = {(double *)bar}, to = {x_bar};
    get(&from, N, k4);
    if (k->kind != 2) get(&from, SQUARE, K31.d);
    double zero[MOVED] = {0};
    each_moved(&(list){zero}, get, &at_bar);
    memset(at_bar.C, 0, SQUARE * sizeof(double));
    const rk_fourth_view_bar view_bar = {.p = at_bar.p,
                                         .a = at_bar.a,
                                         .y = at_bar.y,
                                         .H = at_bar.H,
                                         .var = at_bar.var,
                                         .var_before = at_bar.var_before,
                                         .C = at_bar.C};
    rk_newborn_fourth_move_back(work, &view, &scratch, &at.born, k4, k->kind == 2 ? NULL : &K31,
                                &at_bar.born, &view_bar);
    each_moved(&to, put_some, &at_bar);
    put(&to, SQUARE, at_bar.C);
}

/* ------------------------------------------------------------------------------------- all */

enum {
    TILT_X = 7 * N + SQUARE,
    TILT_Y = 4 * N + 2 + SQUARE,
    ACT_X = 6 * N + 1 + 2 * SQUARE,
    ACT_Y = 7 * N + 3 * SQUARE,
    SOURCE_X = N * COLS + N * REST + 4 * N + SQUARE,
    FOURTH_X = 13 * N + 1 + 4 * SQUARE
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
    {"source, moved and read", run_source, SOURCE_X, N + SQUARE, 0, 1, 1e-3, 1e-7},
    {"source, read", run_source, SOURCE_X, N + SQUARE, 1, 1, 1e-3, 1e-7},
    {"source, read at birth", run_source, SOURCE_X, N + SQUARE, 2, 1, 1e-3, 1e-7},
    {"fourth, full", run_fourth, FOURTH_X + 3 * SQUARE, N + SQUARE, 0, 1, 1e-3, 1e-7},
    {"fourth, lean", run_fourth, FOURTH_X, N + SQUARE, 1, 1, 1e-3, 1e-7},
    {"fourth, older", run_fourth, FOURTH_X + 3 * SQUARE, N, 2, 1, 1e-3, 1e-7},
};

static void evaluate(const kernel *k, const double *x, double *y, const double *bar,
                     double *x_bar) {
    rk_work work = {.capacity = 1 << 23};
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
