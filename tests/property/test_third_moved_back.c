/* What the third order carries from layer to layer, backwards, against differences: sources, and
 * the fourth cumulant. */
#include "linalg/blas.h"
#include "support/kernel.h"
#include "third/newborn_fourth_back.h"
#include "third/source_back.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------------------------ a source */

enum { COLS = 3 * N + 1, REST = COLS - N };

static rk_source take_source(rk_work *work) {
    return (rk_source){.width = N,
                       .rank = N,
                       .fed = true,
                       .legs = kernel_matrix(work, COLS),
                       .w2 = kernel_vector(work),
                       .s = kernel_vector(work),
                       .e = kernel_vector(work),
                       .c = kernel_vector(work)};
}

/* Of a source in a layer, and where it was born: moved there (kind 0), or read, against itself (1)
 * or against its legs at birth (2). */
static void run_source(rk_work *work, const kernel *k, const double *x, double *y,
                       const double *bar, double *x_bar) {
    list in = {(double *)x}, out = {y};
    rk_source source = take_source(work), source_bar = take_source(work);
    rk_legs born = kernel_matrix(work, REST), born_bar = kernel_matrix(work, REST),
            T = kernel_matrix(work, N);
    rk_legs D = kernel_matrix(work, N), left_bar = kernel_matrix(work, COLS);
    double *d3 = kernel_vector(work);
    rk_slice_scratch slicing = {.left = kernel_matrix(work, COLS)};
    double *const vectors[] = {source.w2, source.s, source.e, source.c};
    list_get(&in, N * COLS, source.legs.d);
    list_get(&in, N * REST, born.d);
    for (size_t v = 0; v < 4; v++)
        list_get(&in, N, vectors[v]);
    list_get(&in, SQUARE, T.d);
    if (k->kind == 0) rk_source_first_transport(work, N, N, T, born, &source);
    memset(d3, 0, N * sizeof *d3);
    rk_source_slices(work, N, N, &source, true, &slicing, d3);
    if (k->kind == 2)
        rk_source_pairs_at_birth(work, N, N, &source, born, &slicing, D);
    else
        rk_source_pairs(work, N, N, &source, &slicing, 0, D);
    list_put(&out, N, d3);
    list_put(&out, SQUARE, D.d);
    if (!bar) return;
    list from = {(double *)bar}, to = {x_bar};
    memset(x_bar, 0, k->n_x * sizeof *x_bar);
    list_get(&from, N, d3);
    list_get(&from, SQUARE, D.d);
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
    list_put(&to, N * COLS, source_bar.legs.d);
    list_put(&to, N * REST, born_bar.d);
    for (size_t v = 0; v < 4; v++)
        list_put(&to, N, bars[v]);
    list_put(&to, SQUARE, T_bar);
}

/* ------------------------------------------------------------------------- a fourth cumulant */

enum { MOVED = 5 * SQUARE + 13 * N + 1 + 3 * SQUARE };

typedef struct moved {
    rk_legs p, a, H, y;
    double *C, *var, *var_before;
    rk_newborn_fourth born;
} moved;

static moved take_moved(rk_work *work, bool each) {
    return (moved){.p = kernel_matrix(work, N),
                   .a = kernel_matrix(work, N),
                   .H = kernel_matrix(work, N),
                   .y = kernel_matrix(work, 1),
                   .C = rk_work_doubles(work, N, N),
                   .var = kernel_vector(work),
                   .var_before = kernel_vector(work),
                   .born = rk_newborn_fourth_bar_take(work, N, each, kernel_matrix(work, N))};
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
    double *k4 = kernel_vector(work);
    rk_legs K31 = kernel_matrix(work, N);
    each_moved(&in, list_get, &at);
    list_get_symmetric(&in, at.C);
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
    list_put(&out, N, k4);
    if (k->kind != 2) list_put(&out, SQUARE, K31.d);
    if (!bar) return;
    list from = {(double *)bar}, to = {x_bar};
    list_get(&from, N, k4);
    if (k->kind != 2) list_get(&from, SQUARE, K31.d);
    double zero[MOVED] = {0};
    each_moved(&(list){zero}, list_get, &at_bar);
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
    each_moved(&to, list_put, &at_bar);
    list_put(&to, SQUARE, at_bar.C);
}

/* ------------------------------------------------------------------------------------- all */

enum { SOURCE_X = N * COLS + N * REST + 4 * N + SQUARE, FOURTH_X = 13 * N + 1 + 4 * SQUARE };

static const kernel kernels[] = {
    {"source, moved and read", run_source, SOURCE_X, N + SQUARE, 0, 1, 1e-3, 1e-7},
    {"source, read", run_source, SOURCE_X, N + SQUARE, 1, 1, 1e-3, 1e-7},
    {"source, read at birth", run_source, SOURCE_X, N + SQUARE, 2, 1, 1e-3, 1e-7},
    {"fourth, full", run_fourth, FOURTH_X + 3 * SQUARE, N + SQUARE, 0, 1, 1e-3, 1e-7},
    {"fourth, lean", run_fourth, FOURTH_X, N + SQUARE, 1, 1, 1e-3, 1e-7},
    {"fourth, older", run_fourth, FOURTH_X + 3 * SQUARE, N, 2, 1, 1e-3, 1e-7},
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
