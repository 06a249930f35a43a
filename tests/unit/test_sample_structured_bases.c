#include "sample/bases.h"

#include "base/normal.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants some of the above */
#include <cmocka.h>

static unsigned char *filled_table(size_t N) {
    unsigned char *table = malloc(rk_bases_table(N));
    assert_non_null(table);
    rk_bases_fill(N, table);
    return table;
}

static float *need(size_t count) {
    float *x = calloc(count, sizeof *x);
    assert_non_null(x);
    return x;
}

/* Row r of the answer is sqrt(N) times vector r of the basis. */
static float *vectors(size_t N, const unsigned char *table, size_t basis) {
    float *identity = need(N * N), *out = need(N * N);
    for (size_t i = 0; i < N; i++)
        identity[i * N + i] = 1;
    rk_bases_products(N, table, basis, 0, N, N, identity, out);
    free(identity);
    return out;
}

static double product(size_t N, const float *x, const float *y) {
    double sum = 0;
    for (size_t i = 0; i < N; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

static void compare_bases(size_t N, const float *a, const float *b, double same, double other) {
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            assert_near(fabs(product(N, a + i * N, b + j * N)), i == j ? same : other, 1e-3);
}

static void test_bases_are_orthonormal_and_unbiased(void **state) {
    (void)state;
    const size_t sizes[] = {16, 64};
    for (size_t s = 0; s < 2; s++) {
        const size_t N = sizes[s], count = rk_bases_count(N);
        unsigned char *table = filled_table(N);
        for (size_t a = 0; a < count; a++) {
            float *x = vectors(N, table, a);
            compare_bases(N, x, x, (double)N, 0);
            for (size_t b = 0; b < a; b += s ? 7 : 1) {
                float *y = vectors(N, table, b);
                compare_bases(N, x, y, sqrt((double)N), sqrt((double)N));
                free(y);
            }
            free(x);
        }
        free(table);
    }
}

/* The signs of basis b are its first vector: H H D_b 1 = N D_b 1, and basis 0 is H itself. */
static void make_signs(size_t N, const unsigned char *table, size_t b, float *signs) {
    float *ones = need(N), *image = need(N);
    for (size_t i = 0; i < N; i++)
        ones[i] = 1;
    rk_bases_products(N, table, b, 0, N, 1, ones, image);
    rk_bases_products(N, table, 0, 0, N, 1, image, signs);
    for (size_t i = 0; i < N; i++)
        signs[i] /= (float)N;
    free(ones);
    free(image);
}

/* Every size has its own field; any two of its forms differ by a bent function. */
static void test_all_sizes(void **state) {
    (void)state;
    for (size_t N = RK_BASES_MIN; N <= RK_BASES_MAX; N *= 4) {
        unsigned char *table = filled_table(N);
        float *signs = need(N), *image = need(N);
        for (size_t step = 1; step < 6; step++) {
            const size_t a = N / 2 - step, b = 7 * step * step % (N / 2);
            make_signs(N, table, b, signs);
            for (size_t i = 0; i < N; i++)
                assert_near(fabs((double)signs[i]), 1, 0);
            rk_bases_products(N, table, a, 0, N, 1, signs, image);
            for (size_t i = 0; i < N; i++)
                assert_near(fabs((double)image[i]), a == b ? (i == 0) * (double)N : sqrt((double)N),
                            1e-3);
        }
        free(signs);
        free(image);
        free(table);
    }
}

static void test_part_of_a_basis(void **state) {
    (void)state;
    enum { N = 256, M = 3 };
    unsigned char *table = filled_table(N);
    float a[N * M], all[N * M], part[N * M];
    rk_normal_floats((rk_stream){1, 2}, 3, N * M, a);
    for (size_t basis = 0; basis <= N / 2; basis += 32) {
        rk_bases_products(N, table, basis, 0, N, M, a, all);
        for (size_t rows = 1; rows < N; rows *= 4)
            for (size_t first = 0; first < N; first += 3 * rows) {
                rk_bases_products(N, table, basis, first, rows, M, a, part);
                for (size_t i = 0; i < rows * M; i++)
                    assert_near((double)part[i], (double)all[first * M + i], 1e-4);
            }
    }
    free(table);
}

/* sum of (u.w)^4 over unit vectors u is what it is over the sphere, 3 |w|^4 / (N (N + 2)) each; not
 * so for any basis alone. */
static void test_all_bases_make_a_5_design(void **state) {
    (void)state;
    enum { N = 64 };
    unsigned char *table = filled_table(N);
    float w[N], values[N];
    rk_normal_floats((rk_stream){1, 2}, 4, N, w);
    const double square = product(N, w, w), expected = 3 * square * square / (N * (N + 2.0));
    double sum = 0, worst = 0;
    for (size_t basis = 0; basis < rk_bases_count(N); basis++) {
        double own = 0;
        rk_bases_products(N, table, basis, 0, N, 1, w, values);
        for (size_t i = 0; i < N; i++)
            own += pow((double)values[i] / sqrt(N), 4) / N;
        worst = fmax(worst, fabs(own / expected - 1));
        sum += own / (double)rk_bases_count(N);
    }
    assert_near(sum / expected, 1, 1e-5);
    assert_true(worst > 0.1);
    free(table);
}

static void test_dimensions(void **state) {
    (void)state;
    assert_int_equal(rk_bases_dimension(1), 16);
    assert_int_equal(rk_bases_dimension(16), 16);
    assert_int_equal(rk_bases_dimension(17), 64);
    assert_int_equal(rk_bases_dimension(16384), 16384);
    assert_int_equal(rk_bases_count(256), 129);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bases_are_orthonormal_and_unbiased),
        cmocka_unit_test(test_all_sizes),
        cmocka_unit_test(test_part_of_a_basis),
        cmocka_unit_test(test_all_bases_make_a_5_design),
        cmocka_unit_test(test_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
