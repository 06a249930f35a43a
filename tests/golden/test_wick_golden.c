#include "activation/smooth.h"
#include "support/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the three above */
#include <cmocka.h>

enum { K = 8, P = 6, N = 8 };

/* What rounding of the values phi(z)^p, about `size`^p, does to a sum over Hermite nodes, in the
 * reference as here. */
static double quadrature_noise(double size, double var, int k, int p) {
    return 1e-14 * sqrt(tgamma(k + 1) / pow(var, k)) * pow(size, p);
}

/* As the reference has it: smooth activations by the sum over nodes alone. */
static double published(const rk_activation *phi, double mu, double var, int k, int p) {
    double w[(K + 1) * P], centre;
    if (rk_activation_get(phi->kind)->wick != rk_quadrature_wick)
        return rk_wick_one(phi, mu, var, k, p);
    rk_hermite_wick(phi, 1, &mu, &var, K, P, &centre, w);
    rk_wick_about_zero(1, K, P, &centre, w);
    return w[rk_wick_at(1, K, k, p)];
}

static void compare(rk_activation_kind kind, const char *name, double tolerance) {
    golden g = golden_open("wick");
    const double *mean = golden_get(&g, "mean"), *var = golden_get(&g, "var");
    const rk_activation phi = {.kind = kind};
    for (int p = 1; p <= P; p++)
        for (int k = 0; k <= K; k++) {
            const double *expected = golden_get(&g, "%s_k%d_p%d", name, k, p);
            double largest = 0;
            for (int i = 0; i < N; i++)
                largest = fmax(largest, fabs(expected[i]));
            for (int i = 0; i < N; i++) {
                double allowed = tolerance * (largest + 1);
                if (kind == RK_GELU)
                    allowed += quadrature_noise(fabs(mean[i]) + 3 * sqrt(var[i]), var[i], k, p);
                if (kind == RK_TANH || kind == RK_SIGMOID)
                    allowed += quadrature_noise(1, var[i], k, p);
                const double got = published(&phi, mean[i], var[i], k, p);
                if (!(fabs(got - expected[i]) <= allowed))
                    fail_msg("%s k=%d p=%d i=%d: %.17g, not %.17g +- %g", name, k, p, i, got,
                             expected[i], allowed);
            }
        }
    golden_close(&g);
}

static void test_closed_forms(void **state) {
    (void)state;
    compare(RK_RELU, "relu", 1e-14);
    compare(RK_HEAVISIDE, "heaviside", 1e-14);
    compare(RK_SIGN, "sgn", 1e-10);
    compare(RK_SQUARE, "square", 1e-14);
    compare(RK_CUBE, "cube", 1e-14);
}

static void test_quadrature(void **state) {
    (void)state;
    compare(RK_GELU, "gelu", 1e-13);
    compare(RK_TANH, "tanh", 1e-13);
    compare(RK_SIGMOID, "sigmoid", 1e-13);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_forms),
        cmocka_unit_test(test_quadrature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
