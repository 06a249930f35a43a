#include "linalg/blas.h"
#include "linalg/lapack.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include <cmocka.h>

enum { N = 37 };

/* B B' + N, well conditioned, with rubbish above the diagonal where only the lower half is read. */
static void fill(double full[N][N], double lower[N][N]) {
    double b[N][N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            b[i][j] = sin(1 + 3 * i + 7 * j * j);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            full[i][j] = i == j ? N : 0;
            for (int k = 0; k < N; k++)
                full[i][j] += b[i][k] * b[j][k];
            lower[i][j] = j > i ? 1e9 : full[i][j];
        }
}

extern void openblas_set_num_threads(int) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));

/* Several runs at a time: BLAS has its threads back after the last of them. */
static void test_the_last_run_restores_blas(void **state) {
    (void)state;
    if (!openblas_get_num_threads || !openblas_set_num_threads) skip();
    const int before = openblas_get_num_threads();
    openblas_set_num_threads(2);
    const int most = openblas_get_num_threads();
    rk_blas_make_serial();
    rk_blas_make_serial();
    assert_int_equal(openblas_get_num_threads(), 1);
    rk_blas_restore();
    assert_int_equal(openblas_get_num_threads(), 1);
    rk_blas_restore();
    assert_int_equal(openblas_get_num_threads(), most);
    openblas_set_num_threads(before);
}

static void test_cholesky(void **state) {
    (void)state;
    double full[N][N], l[N][N];
    fill(full, l);
    rk_work work = {0};
    assert_true(rk_cholesky(&work, N, l[0]));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++)
                sum += l[i][k] * l[j][k];
            assert_true(j <= i || l[i][j] == 0);
            assert_true(fabs(sum - full[i][j]) <= 1e-13 * N * N);
        }
    double indefinite[] = {1, 0, 2, 1};
    assert_false(rk_cholesky(&work, 2, indefinite));
}

static void script(rk_work *work, double *a, double *values) {
    assert_true(rk_work_step(work, "eigen"));
    assert_true(rk_eigen_symmetric(work, N, a, values));
    rk_work_end(work);
}

static void test_eigen(void **state) {
    (void)state;
    double full[N][N], rows[N][N], values[N];
    fill(full, rows);
    rk_work plan, run;
    rk_work_init_dry(&plan);
    script(&plan, NULL, NULL);
    assert_int_equal(rk_work_init_wet(&run, &plan, NULL, NULL), RK_OK);
    script(&run, rows[0], values);
    assert_int_equal(run.flops, plan.flops);
    rk_work_finish(&run);
    free(plan.steps);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0, product = 0;
            for (int k = 0; k < N; k++) {
                sum += values[k] * rows[k][i] * rows[k][j];
                product += rows[i][k] * rows[j][k];
            }
            assert_true(fabs(sum - full[i][j]) <= 1e-13 * N * N);
            assert_true(fabs(product - (i == j)) <= 1e-13);
            assert_true(j == 0 || values[j - 1] <= values[j]);
        }
}

static void test_too_large_is_refused(void **state) {
    (void)state;
    rk_work plan;
    rk_work_init_dry(&plan);
    assert_false(rk_eigen_symmetric(&plan, 40000, NULL, NULL));
    rk_work_finish(&plan);
    free(plan.steps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_run_restores_blas),
        cmocka_unit_test(test_cholesky),
        cmocka_unit_test(test_eigen),
        cmocka_unit_test(test_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
