#include "base/normal.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the above */
#include <cmocka.h>

/* tests/numpy/streams.py made the file. */
static void test_words_and_normals_are_numpys(void **state) {
    (void)state;
    FILE *file = fopen(RK_TEST_DATA "/streams.txt", "r");
    assert_non_null(file);
    unsigned long long seed, stream, item, index;
    char kind[16], value[64];
    size_t n_lines = 0;
    while (fscanf(file, "%15s %llu %llu %llu %llu %63s", kind, &seed, &stream, &item, &index,
                  value) == 6) {
        const rk_stream from = {seed, stream};
        size_t count = (size_t)index + 1;
        uint64_t words[16];
        double doubles[16];
        float floats[16];
        assert_in_range(count, 1, 16);
        if (strcmp(kind, "word") == 0) {
            rk_stream_words(from, item, 0, count, words);
            assert_true(words[index] == strtoull(value, NULL, 0));
        } else if (strcmp(kind, "double") == 0) {
            rk_normal_doubles(from, item, count, doubles);
            assert_near(doubles[index], strtod(value, NULL), 1e-14);
        } else {
            assert_string_equal(kind, "float");
            rk_normal_floats(from, item, count, floats);
            assert_near(floats[index], strtod(value, NULL), 1e-6);
        }
        n_lines++;
    }
    fclose(file);
    assert_int_equal(n_lines, 4 * (9 + 7 + 7));
}

enum { LONG = 1111 }; /* odd, and longer than any internal chunk */

static void test_any_part_can_be_made_alone(void **state) {
    (void)state;
    const rk_stream stream = {3, 4};
    uint64_t words[LONG], part[LONG];
    rk_stream_words(stream, 9, 0, LONG, words);
    for (size_t first = 0; first < LONG; first += 60) {
        rk_stream_words(stream, 9, first, LONG - first, part);
        assert_memory_equal(part, words + first, (LONG - first) * sizeof *part);
    }
}

static void test_longer_draws_extend_shorter_ones(void **state) {
    (void)state;
    const rk_stream stream = {3, 4};
    double doubles[LONG], fewer_doubles[LONG];
    float floats[LONG], fewer_floats[LONG];
    rk_normal_doubles(stream, 9, LONG, doubles);
    rk_normal_floats(stream, 9, LONG, floats);
    for (size_t count = 0; count < LONG; count += 37) {
        rk_normal_doubles(stream, 9, count, fewer_doubles);
        rk_normal_floats(stream, 9, count, fewer_floats);
        assert_memory_equal(fewer_doubles, doubles, count * sizeof *doubles);
        assert_memory_equal(fewer_floats, floats, count * sizeof *floats);
    }
}

/* The formula in normal.h, over every octave of the radius and every octant of the angle. */
static void test_floats_follow_the_formula_in_long_double(void **state) {
    (void)state;
    enum { N = 20000 };
    static uint64_t words[N];
    static float normals[2 * N];
    rk_stream_words((rk_stream){5, 6}, 0, 0, N, words);
    rk_normal_floats((rk_stream){5, 6}, 0, 2 * N, normals);
    const long double two_pi = 6.283185307179586476925286766559L;
    for (size_t k = 0; k < N; k++) {
        long double u = ((long double)(words[k] >> 32) + 0.5L) / 4294967296.0L;
        long double t = two_pi * (long double)(words[k] & 0xffffffff) / 4294967296.0L;
        long double r = sqrtl(-2 * logl(u));
        assert_near(normals[2 * k], (double)(r * cosl(t)), 1e-6);
        assert_near(normals[2 * k + 1], (double)(r * sinl(t)), 1e-6);
    }
}

static uint64_t fnv_1a(const void *memory, size_t size) {
    const unsigned char *bytes = memory;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* One fingerprint for every compiler, instruction set and sanitizer (which runs the plain code,
 * not a vector clone). */
static void test_normals_have_the_same_bits_everywhere(void **state) {
    (void)state;
    enum { N = 50000 };
    static double doubles[N];
    static float floats[N];
    rk_normal_doubles((rk_stream){5, 6}, 0, N, doubles);
    rk_normal_floats((rk_stream){5, 6}, 0, N, floats);
    assert_true(fnv_1a(doubles, sizeof doubles) == UINT64_C(0x021b5c0266dd2227));
    assert_true(fnv_1a(floats, sizeof floats) == UINT64_C(0x9d5891cc08066be6));
}

/* Moments 1 .. 6 within 4.5 standard errors, whose squares are var(z^p) / N. */
static void test_moments_are_those_of_the_normal(void **state) {
    (void)state;
    enum { ITEMS = 500, N = 1000 };
    const double expected[] = {0, 1, 0, 3, 0, 15}, variance[] = {1, 2, 15, 96, 945, 10170};
    double from_doubles[6] = {0}, from_floats[6] = {0}, lagged = 0;
    for (uint64_t item = 0; item < ITEMS; item++) {
        double doubles[N];
        float floats[N];
        rk_normal_doubles((rk_stream){8, 1}, item, N, doubles);
        rk_normal_floats((rk_stream){8, 2}, item, N, floats);
        for (size_t k = 0; k < N; k++) {
            double a = 1, b = 1;
            for (int p = 0; p < 6; p++) {
                from_doubles[p] += a *= doubles[k];
                from_floats[p] += b *= (double)floats[k];
            }
            if (k > 0) lagged += (double)floats[k] * (double)floats[k - 1];
        }
    }
    const double n = (double)ITEMS * N;
    for (int p = 0; p < 6; p++) {
        assert_near(from_doubles[p] / n, expected[p], 4.5 * sqrt(variance[p] / n));
        assert_near(from_floats[p] / n, expected[p], 4.5 * sqrt(variance[p] / n));
    }
    assert_near(lagged / n, 0, 4.5 / sqrt(n));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_normals_are_numpys),
        cmocka_unit_test(test_any_part_can_be_made_alone),
        cmocka_unit_test(test_longer_draws_extend_shorter_ones),
        cmocka_unit_test(test_floats_follow_the_formula_in_long_double),
        cmocka_unit_test(test_normals_have_the_same_bits_everywhere),
        cmocka_unit_test(test_moments_are_those_of_the_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
