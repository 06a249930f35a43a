/* Lugannani and Rice on passes whose law is known. */
#include "tail/sampled_saddlepoint.h"

#include "base/normal.h"
#include "tail/log_probability.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 4000, DEGREES = 24 };

static double z[N], log_ratio[N];

static const rk_tilted_sample one_part = {
    .z = z, .log_ratio = log_ratio, .n_parts = 1, .count = {N}};

static void assert_tail(const char *what, const rk_tilted_sample *sample, double t, double wanted) {
    rk_weighted_mean p = rk_sampled_saddlepoint(sample, t);
    if (!(fabs(p.log_mean - wanted) <= 3.5 * p.cv) || !(p.cv <= 0.12))
        fail_msg("%s beyond %g: %.6g +- %.2g, not %.6g", what, t, p.log_mean, p.cv, wanted);
    assert_int_equal(p.n, N);
}

/* N(0, 1) as seen from N(shift, 1): the ratio is the tilt itself, and nothing is left to chance. */
static void test_normal(void **state) {
    (void)state;
    for (double shift = 1; shift <= 40; shift *= 1.6) {
        for (uint64_t i = 0; i < N; i++) {
            double g;
            rk_normal_doubles((rk_stream){1, 70}, i, 1, &g);
            z[i] = shift + g;
            log_ratio[i] = -shift * shift / 2 - shift * g;
        }
        assert_tail("normal", &one_part, shift, rk_log_normal_tail(shift));
        assert_tail("normal", &one_part, shift + 0.5, rk_log_normal_tail(shift + 0.5));
    }
}

/* A sum of squares, as seen from normals that are wider than the tilt makes them in some directions
 * and narrower in others. */
static void test_squares(void **state) {
    (void)state;
    for (double t = 40; t <= 120; t *= 1.4) {
        for (uint64_t i = 0; i < N; i++) {
            double g[DEGREES];
            rk_normal_doubles((rk_stream){2, 70}, i, DEGREES, g);
            z[i] = log_ratio[i] = 0;
            for (int k = 0; k < DEGREES; k++) {
                double sd = sqrt(t / DEGREES) * (k % 2 ? 0.96 : 1.04), x = sd * g[k];
                z[i] += x * x;
                log_ratio[i] += log(sd) - x * x / 2 + g[k] * g[k] / 2;
            }
        }
        assert_tail("chi squared", &one_part, t, rk_log_chi_tail(DEGREES, sqrt(t)));
    }
}

/* |x| has two tails, and a part of the mixture for each. */
static void test_two_parts(void **state) {
    (void)state;
    const double t = 4;
    const rk_tilted_sample sample = {
        .z = z, .log_ratio = log_ratio, .n_parts = 2, .count = {N - N / 10, N / 10}};
    for (uint64_t i = 0; i < N; i++) {
        double g;
        rk_normal_doubles((rk_stream){3, 70}, i, 1, &g);
        double x = i < sample.count[0] ? t + g : -t + g;
        double up = log(0.9) - (x - t) * (x - t) / 2, down = log(0.1) - (x + t) * (x + t) / 2;
        z[i] = fabs(x);
        log_ratio[i] = -x * x / 2 - rk_log_add(up, down);
    }
    assert_tail("|x|", &sample, t, log(2) + rk_log_normal_tail(t));
}

/* What the passes never come near has no saddlepoint, and neither has a constant. */
static void test_none(void **state) {
    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        double g;
        rk_normal_doubles((rk_stream){4, 70}, i, 1, &g);
        z[i] = tanh(2 + g);
        log_ratio[i] = -2 - 2 * g;
    }
    rk_weighted_mean p = rk_sampled_saddlepoint(&one_part, 1.5);
    assert_true(isnan(p.log_mean) && isnan(p.cv));
    for (uint64_t i = 0; i < N; i++)
        z[i] = 1;
    p = rk_sampled_saddlepoint(&one_part, 1.5);
    assert_true(isnan(p.log_mean) && isnan(p.cv));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_squares),
        cmocka_unit_test(test_two_parts),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
