/* Formulas for tails from cumulants: their derivatives against differences. */
#include "tail/log_probability.h"
#include "tail/series.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef double formula(const rk_tail_law *law, double t, rk_tail_law *by);

static double edgeworth(const rk_tail_law *law, double t, rk_tail_law *by) {
    return rk_series_edgeworth(law, 2, t, by);
}

static double saddlepoint(const rk_tail_law *law, double t, rk_tail_law *by) {
    int degree;
    return rk_series_saddlepoint(law, t, &degree, by);
}

static const struct {
    const char *name;
    formula *of;
} formulas[] = {
    {"normal", rk_series_normal}, {"edgeworth", edgeworth}, {"saddlepoint", saddlepoint}};

static const rk_tail_law laws[] = {
    {.kappa = {0, 0.3, 2}},
    {.kappa = {0, -0.2, 1, 0.3, 0.2}},
    {.kappa = {0, 1e3, 4e4, 1e6, 3e8}},
    {.kappa = {0, 0.1, 1, -0.4, -0.1}}, /* its saddlepoints end somewhere: fewer cumulants do */
};

/* Thresholds in deviations from the mean: p down to 1e-300. */
static const double at[] = {-3, -0.5, -1e-5, 0, 1e-5, 0.02, 1, 4, 37};

static void test_derivatives(void **state) {
    (void)state;
    static const double steps[] = {-2, -1, 1, 2}, weights[] = {1. / 12, -2. / 3, 2. / 3, -1. / 12};
    size_t known = 0;
    for (size_t f = 0; f < 3; f++)
        for (size_t l = 0; l < sizeof laws / sizeof *laws; l++)
            for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
                const rk_tail_law *law = &laws[l];
                if (f > 0 && at[k] > 30) continue; /* a matter of digits */
                const double sd = sqrt(law->kappa[2]), t = law->kappa[1] + at[k] * sd;
                rk_tail_law by;
                const double value = formulas[f].of(law, t, &by);
                if (isnan(value)) continue;
                known++;
                assert_true(value == formulas[f].of(law, t, NULL));
                for (int d = 1; d <= (f > 0 ? 4 : 2); d++) {
                    const double unit = pow(sd, d), h = 1e-3 / pow(1 + fabs(at[k]), d);
                    double difference = 0;
                    for (int s = 0; s < 4; s++) {
                        rk_tail_law moved = *law;
                        moved.kappa[d] += h * steps[s] * unit;
                        difference += weights[s] * formulas[f].of(&moved, t, NULL) / h;
                    }
                    const double scale = fabs(difference) + 1e-3 * (1 + fabs(value));
                    if (!(fabs(by.kappa[d] * unit - difference) <= 1e-6 * scale))
                        fail_msg("%s, law %zu, %g, kappa %d: %.12g, by differences %.12g",
                                 formulas[f].name, l, at[k], d, by.kappa[d] * unit, difference);
                }
            }
    assert_true(known > 80);
}

static void test_hazard(void **state) {
    (void)state;
    static const double x[] = {-40, -5, -1, 0, 1e-9, 0.5, 3, 40, 1e8};
    for (size_t k = 0; k < sizeof x / sizeof *x; k++) {
        const double log_density = -x[k] * x[k] / 2 - 0.918938533204672741780;
        const double wanted =
            x[k] > 30 ? x[k] + 1 / x[k] : exp(log_density - rk_log_normal_tail(x[k]));
        const double tolerance = x[k] > 30 ? 2 / pow(x[k], 3) + 1e-16 * x[k] : 1e-13 * wanted;
        assert_true(fabs(rk_normal_hazard(x[k]) - wanted) <= tolerance);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives),
                                       cmocka_unit_test(test_hazard)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
