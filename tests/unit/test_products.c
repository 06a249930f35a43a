/* Products in tiles. Entries are small integers, so that sums in any order, in single precision
 * too, are exact: every tile is right or wrong. Where bits are compared they are not. */
#include "linalg/blas.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include <cmocka.h>

/* One entry, thin, odd, a tile and one more, several tiles in either direction. */
static const size_t shapes[][3] = {
    {1, 1, 1},      {1, 300, 5},    {300, 1, 5},    {2, 3, 0},       {7, 13, 11},
    {64, 96, 97},   {65, 97, 193},  {127, 101, 83}, {128, 128, 128}, {131, 257, 67},
    {1, 700, 1500}, {613, 1, 1800}, {300, 300, 31}, {257, 577, 61},  {1031, 1033, 2},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes, MARGIN = 3 };

static double entry(size_t i, size_t j) {
    return (double)((i * 31 + j * 17 + i * j) % 9) - 4;
}

/* rows x cols, or its transpose, with rubbish beyond the columns. */
static double *matrix(rk_trans trans, size_t rows, size_t cols, size_t *ld) {
    const size_t r = trans == RK_TRANS ? cols : rows, c = trans == RK_TRANS ? rows : cols;
    *ld = c + MARGIN;
    double *x = malloc((r * *ld + 1) * sizeof *x);
    for (size_t i = 0; i < r; i++)
        for (size_t j = 0; j < *ld; j++)
            x[i * *ld + j] = j >= c ? NAN : trans == RK_TRANS ? entry(j, i) : entry(i, j);
    return x;
}

static float *narrow(const double *x, size_t count) {
    float *y = malloc((count + 1) * sizeof *y);
    for (size_t i = 0; i < count; i++)
        y[i] = (float)x[i];
    return y;
}

/* 2 A B + C before, of op(A)_ij = entry(i, j). */
static double expected(size_t i, size_t j, size_t k) {
    double sum = 0;
    for (size_t r = 0; r < k; r++)
        sum += entry(i, r) * entry(r, j);
    return 2 * sum + entry(i, j);
}

static void check(const size_t *shape, rk_trans trans_a, rk_trans trans_b, rk_pool *pool) {
    const size_t m = shape[0], n = shape[1], k = shape[2];
    size_t lda, ldb, ldc;
    rk_work work = {.pool = pool};
    double *a = matrix(trans_a, m, k, &lda), *b = matrix(trans_b, k, n, &ldb);
    double *c = matrix(RK_NO_TRANS, m, n, &ldc);
    float *fa = narrow(a, (trans_a == RK_TRANS ? k : m) * lda);
    float *fb = narrow(b, (trans_b == RK_TRANS ? n : k) * ldb), *fc = narrow(c, m * ldc);
    rk_gemm(&work, trans_a, trans_b, m, n, k, 2, a, lda, b, ldb, 1, c, ldc);
    rk_sgemm(&work, trans_a, trans_b, m, n, k, 2, fa, lda, fb, ldb, 1, fc, ldc);
    assert_int_equal(work.flops, 4 * m * n * k);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < ldc; j++) {
            const double x = c[i * ldc + j], y = (double)fc[i * ldc + j];
            const double right = j < n ? expected(i, j, k) : NAN;
            if (j < n ? !(x == right) || !(y == right) : !isnan(x) || !isnan(y))
                fail_msg("%zu x %zu x %zu, %d %d: (%zu, %zu) is %g, %g instead of %g", m, n, k,
                         trans_a, trans_b, i, j, x, y, right);
        }
    free(a), free(b), free(c), free(fa), free(fb), free(fc);
}

static void test_every_tile_is_right(void **state) {
    (void)state;
    rk_pool *pool;
    assert_int_equal(rk_pool_create(&pool, 3, NULL), RK_OK);
    for (size_t s = 0; s < N_SHAPES; s++)
        for (int which = 0; which < 4; which++)
            check(shapes[s], which & 1 ? RK_TRANS : RK_NO_TRANS, which & 2 ? RK_TRANS : RK_NO_TRANS,
                  pool);
    rk_pool_destroy(pool);
}

/* A A', or A B with B the transpose of A in another place. */
static void test_symmetric_products(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{1, 1},    {5, 0},    {64, 64}, {65, 300}, {97, 193},
                                      {256, 31}, {257, 16}, {512, 7}, {513, 9},  {1031, 2}};
    rk_pool *pool;
    assert_int_equal(rk_pool_create(&pool, 3, NULL), RK_OK);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int which = 0; which < 2; which++) {
            const size_t n = sizes[s][0], k = sizes[s][1];
            size_t lda, ldb, ldc = n + MARGIN;
            rk_work work = {.pool = pool};
            double *a = matrix(RK_NO_TRANS, n, k, &lda), *b = matrix(RK_TRANS, n, k, &ldb);
            double *c = malloc(n * ldc * sizeof *c);
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < ldc; j++)
                    c[i * ldc + j] = j < n ? (double)(i + j) : NAN;
            if (which == 0)
                rk_gemm_symmetric(&work, RK_NO_TRANS, RK_TRANS, n, k, 2, a, lda, a, lda, 1, c, ldc);
            else
                rk_gemm_symmetric(&work, RK_NO_TRANS, RK_NO_TRANS, n, k, 2, a, lda, b, ldb, 1, c,
                                  ldc);
            assert_true(work.flops <= 2 * n * n * k);
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < ldc; j++) {
                    double sum = 0, x = c[i * ldc + j];
                    for (size_t r = 0; r < k; r++)
                        sum += entry(i, r) * entry(j, r);
                    if (j < n ? !(x == 2 * sum + (double)(i + j)) : !isnan(x))
                        fail_msg("%zu x %zu: (%zu, %zu) is %g", n, k, i, j, x);
                }
            free(a), free(b), free(c);
        }
    rk_pool_destroy(pool);
}

enum { ROWS = 389, COLS = 601 };

/* All products of one A (ROWS x COLS), one after the other into `out`. */
static size_t multiply(int threads, const double *a, const float *f, double *out) {
    rk_pool *pool;
    assert_int_equal(rk_pool_create(&pool, threads, NULL), RK_OK);
    rk_work work = {.pool = pool};
    double *square = out, *wide = square + ROWS * ROWS, *y = wide + COLS * COLS;
    float *single = (float *)(y + ROWS);
    memset(single, 0, ROWS * ROWS * sizeof *single);
    rk_gemm_symmetric(&work, RK_NO_TRANS, RK_TRANS, ROWS, COLS, 1, a, COLS, a, COLS, 0, square,
                      ROWS);
    rk_gemm(&work, RK_TRANS, RK_NO_TRANS, COLS, COLS, ROWS, 1, a, COLS, a, COLS, 0, wide, COLS);
    rk_gemv(&work, ROWS, COLS, a, a, NULL, y);
    rk_sgemm(&work, RK_NO_TRANS, RK_TRANS, ROWS, ROWS, COLS, 1, f, COLS, f, COLS, 0, single, ROWS);
    rk_pool_destroy(pool);
    return (size_t)((char *)(single + ROWS * ROWS) - (char *)out);
}

static void test_bits_do_not_depend_on_threads(void **state) {
    (void)state;
    static const int threads[] = {2, 3, 8};
    double *a = malloc(ROWS * COLS * sizeof *a);
    for (size_t i = 0; i < ROWS * COLS; i++)
        a[i] = sin(1 + (double)i);
    float *f = narrow(a, ROWS * COLS);
    const size_t size = 2 * (ROWS * ROWS + COLS * COLS) + ROWS;
    double *one = malloc(size * sizeof *one), *many = malloc(size * sizeof *many);
    const size_t bytes = multiply(1, a, f, one);
    assert_true(bytes <= size * sizeof *one);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(one[i * ROWS + j] == one[j * ROWS + i]);
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        multiply(threads[t], a, f, many);
        assert_memory_equal(one, many, bytes);
    }
    free(a), free(f), free(one), free(many);
}

static void test_images_of_vectors(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{1, 1},     {3, 700},   {700, 3},
                                      {101, 331}, {257, 256}, {40, 5000}};
    rk_pool *pool;
    assert_int_equal(rk_pool_create(&pool, 3, NULL), RK_OK);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t m = sizes[s][0], n = sizes[s][1];
        rk_work work = {.pool = pool};
        double *a = malloc(m * n * sizeof *a), *x = malloc(n * sizeof *x);
        double *y0 = malloc(m * sizeof *y0), *y = malloc(m * sizeof *y);
        for (size_t i = 0; i < m * n; i++)
            a[i] = entry(i / n, i % n);
        for (size_t j = 0; j < n; j++)
            x[j] = entry(j, 3);
        for (size_t i = 0; i < m; i++)
            y0[i] = (double)i;
        rk_gemv(&work, m, n, a, x, y0, y);
        for (size_t i = 0; i < m; i++) {
            double sum = (double)i;
            for (size_t j = 0; j < n; j++)
                sum += entry(i, j) * entry(j, 3);
            assert_true(y[i] == sum);
        }
        free(a), free(x), free(y0), free(y);
    }
    rk_pool_destroy(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_tile_is_right),
        cmocka_unit_test(test_symmetric_products),
        cmocka_unit_test(test_bits_do_not_depend_on_threads),
        cmocka_unit_test(test_images_of_vectors),
    };
    rk_blas_make_serial();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
