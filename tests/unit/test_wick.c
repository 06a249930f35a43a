#include "activation/activation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the three above */
#include <cmocka.h>

enum { K = 8, P = 6 };

#define ASSERT_NEAR(value, expected, tolerance)                                                    \
    do {                                                                                           \
        const double v_ = (value), e_ = (expected), t_ = (tolerance);                              \
        if (!(fabs(v_ - e_) <= t_)) fail_msg("%s: %.17g, not %.17g +- %g", #value, v_, e_, t_);    \
    } while (0)

static double wave(double z, void *context) {
    (void)context;
    return sin(z) + 0.3 * z;
}

static double cubic(double z, void *context) {
    (void)context;
    return z * z * z;
}

static rk_activation kind(rk_activation_kind kind) {
    return (rk_activation){.kind = kind, .parameter = 0.2, .function = wave};
}

/* The 40-digit table tells zeros as 1e-40: they are compared absolutely. */
static void test_relu_to_all_digits(void **state) {
    (void)state;
    FILE *file = fopen(RK_TEST_DATA "/goldens/oracles/relu_wick.txt", "r");
    assert_non_null(file);
    const rk_activation relu = kind(RK_RELU);
    char line[200];
    int count = 0;
    while (fgets(line, sizeof line, file)) {
        double mu, var, expected;
        int k, p;
        if (line[0] == '#') continue;
        assert_int_equal(sscanf(line, "%lf %lf %d %d %lf", &mu, &var, &k, &p, &expected), 5);
        ASSERT_NEAR(rk_wick_one(&relu, mu, var, k, p), expected, 1e-14 * fabs(expected) + 1e-30);
        count++;
    }
    fclose(file);
    assert_int_equal(count, 324);
}

static void test_moments_by_hand(void **state) {
    (void)state;
    const rk_activation z = kind(RK_IDENTITY), z2 = kind(RK_SQUARE), z3 = kind(RK_CUBE);
    ASSERT_NEAR(rk_wick_one(&z2, 1, 4, 0, 1) + rk_wick_one(&z2, 1, 4, 0, 2), 78, 0);
    ASSERT_NEAR(1 + 3 * rk_wick_one(&z, 2, 4, 0, 1) + 4 * rk_wick_one(&z2, 2, 4, 0, 1) +
                    rk_wick_one(&z3, 2, 4, 0, 1),
                71, 0);
    ASSERT_NEAR(rk_wick_one(&z3, 0, 1, 0, 6), 34459425, 1e-7);
    ASSERT_NEAR(rk_wick_one(&z3, 0.5, 2, 7, 2), 0, 0);
    ASSERT_NEAR(rk_wick_one(&z3, 0.5, 2, 6, 2), 720, 0);
}

/* Scales of He initialisation, 1 / E[phi(Z)^2], from 30-digit integration. */
static void test_second_moments(void **state) {
    (void)state;
    static const struct {
        rk_activation_kind kind;
        double he;
    } known[] = {{RK_IDENTITY, 1},
                 {RK_RELU, 2},
                 {RK_ABS, 1},
                 {RK_HEAVISIDE, 2},
                 {RK_SIGN, 1},
                 {RK_SQUARE, 1.0 / 3},
                 {RK_CUBE, 1.0 / 15},
                 {RK_GELU, 2.351715614073347},
                 {RK_TANH, 2.536175433217458},
                 {RK_SIGMOID, 3.408559841623103},
                 {RK_SILU, 2.810761124074471},
                 {RK_SOFTPLUS, 1.085486502988343}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const rk_activation phi = kind(known[i].kind);
        ASSERT_NEAR(1 / rk_wick_one(&phi, 0, 1, 0, 2), known[i].he, 5e-11);
    }
    const rk_activation step = kind(RK_HEAVISIDE), relu = kind(RK_RELU);
    ASSERT_NEAR(1 / rk_wick_one(&step, -3, 1, 0, 2), 740.7966946899177, 1e-10);
    ASSERT_NEAR(1 / rk_wick_one(&relu, 1, 1, 0, 2), 0.5195722296049379, 1e-15);
}

typedef double table[P][K + 1];

static void raw(const rk_activation *phi, double mu, double var, table w) {
    for (int p = 1; p <= P; p++)
        for (int k = 0; k <= K; k++)
            w[p - 1][k] = rk_wick_one(phi, mu, var, k, p);
}

/* Five-point difference of all coefficients in the direction (by_mu, by_var). */
static void slopes(const rk_activation *phi, double mu, double var, double by_mu, double by_var,
                   table slope) {
    static const double weight[] = {1, -8, 0, 8, -1};
    const double h = 2e-3;
    memset(slope, 0, sizeof(table));
    for (int j = 0; j < 5; j++) {
        table w;
        raw(phi, mu + (j - 2) * h * by_mu, var + (j - 2) * h * by_var, w);
        for (int p = 0; p < P; p++)
            for (int k = 0; k <= K; k++)
                slope[p][k] += weight[j] * w[p][k] / (12 * h);
    }
}

/* d/dmu w(k, p) = w(k+1, p) and d/dvar w(k, p) = w(k+2, p) / 2. */
static void test_derivatives(void **state) {
    (void)state;
    static const double mu[] = {-2.1, -0.4, 0, 1.3}, var[] = {0.4, 0.8};
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++) {
        const rk_activation phi = kind((rk_activation_kind)a);
        const double tolerance = a < RK_GELU ? 1e-9 : 1e-7; /* quadrature errs */
        for (int i = 0; i < 8; i++) {
            const double m = mu[i % 4], v = var[i / 4];
            table w, by_mu, by_var;
            raw(&phi, m, v, w);
            slopes(&phi, m, v, 1, 0, by_mu);
            slopes(&phi, m, v, 0, 1, by_var);
            for (int p = 0; p < P; p++) {
                double size = 1;
                for (int k = 0; k <= K; k++)
                    size = fmax(size, fabs(w[p][k]));
                for (int k = 0; k < 4; k++) {
                    ASSERT_NEAR(by_mu[p][k], w[p][k + 1], tolerance * size);
                    ASSERT_NEAR(by_var[p][k], w[p][k + 2] / 2, tolerance * size);
                }
            }
        }
    }
}

/* Relations within the piecewise family, down to the last bit where a slope makes them equal. */
static void test_family(void **state) {
    (void)state;
    const rk_activation identity = kind(RK_IDENTITY), relu = kind(RK_RELU),
                        magnitude = kind(RK_ABS), step = kind(RK_HEAVISIDE), sign = kind(RK_SIGN);
    rk_activation leaky = kind(RK_LEAKY_RELU);
    for (double mu = -5; mu <= 5; mu += 0.5)
        for (int p = 1; p <= P; p++)
            for (int k = 0; k <= K; k++) {
                const double var = 0.7;
                const double whole = rk_wick_one(&identity, mu, var, k, p);
                const double right = rk_wick_one(&relu, mu, var, k, p);
                const double left = (k % 2 ? -1 : 1) * rk_wick_one(&relu, -mu, var, k, p);
                const double size = fabs(whole) + fabs(right) + fabs(left);
                leaky.parameter = 1;
                assert_true(rk_wick_one(&leaky, mu, var, k, p) == whole);
                leaky.parameter = 0;
                assert_true(rk_wick_one(&leaky, mu, var, k, p) == right);
                leaky.parameter = -1;
                const double both = rk_wick_one(&magnitude, mu, var, k, p);
                assert_true(rk_wick_one(&leaky, mu, var, k, p) == both);
                if (p % 2 == 0) ASSERT_NEAR(both, whole, 1e-13 * size + 1e-11);
                ASSERT_NEAR(both, right + left, 1e-13 * size + 1e-11);
                leaky.parameter = 0.2;
                ASSERT_NEAR(rk_wick_one(&leaky, mu, var, k, p), right + pow(-0.2, p) * left,
                            1e-13 * size + 1e-11);

                const double jump = rk_wick_one(&step, mu, var, k, p);
                ASSERT_NEAR(jump, rk_wick_one(&relu, mu, var, k + 1, 1), 1e-13 * (1 + fabs(jump)));
                const double odd = 2 * jump - (k == 0);
                ASSERT_NEAR(rk_wick_one(&sign, mu, var, k, p), p % 2 ? odd : k == 0,
                            1e-13 * fabs(odd));
            }
}

static void test_quadrature_is_exact_for_polynomials(void **state) {
    (void)state;
    const rk_activation closed = kind(RK_CUBE), summed = {.kind = RK_CUSTOM, .function = cubic};
    for (int p = 1; p <= P; p++)
        for (int k = 0; k <= K; k++) {
            const double expected = rk_wick_one(&closed, -0.8, 1.4, k, p);
            const double size = fmax(1, rk_wick_one(&closed, 0.8, 1.4, 0, p));
            ASSERT_NEAR(rk_wick_one(&summed, -0.8, 1.4, k, p), expected,
                        1e-12 * fmax(size, fabs(expected)));
        }
}

static void test_symmetry_is_exact(void **state) {
    (void)state;
    const rk_activation phi = kind(RK_TANH);
    for (int p = 1; p <= P; p++)
        for (int k = 0; k <= K; k++)
            if ((k + p) % 2) assert_true(rk_wick_one(&phi, 0, 1.3, k, p) == 0);
}

/* Neurons do not see each other: same bits alone as in a crowd, at any place of a vector. */
static void test_neurons_are_independent(void **state) {
    (void)state;
    enum { N = 77 };
    double mu[N], var[N], w[(K + 1) * P * N], centre[N];
    for (int i = 0; i < N; i++) {
        mu[i] = 6 * sin(i);
        var[i] = 0.1 + i % 7;
    }
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++) {
        const rk_activation phi = kind((rk_activation_kind)a);
        rk_wick(&phi, N, mu, var, K, P, centre, w);
        for (int i = 0; i < N; i++) {
            double alone[(K + 1) * P], at;
            rk_wick(&phi, 1, &mu[i], &var[i], K, P, &at, alone);
            assert_true(centre[i] == at);
            for (size_t c = 0; c < (K + 1) * P; c++)
                assert_true(w[c * N + (size_t)i] == alone[c]);
        }
    }
}

static void test_extremes(void **state) {
    (void)state;
    static const double mu[] = {40, -40, 3, -3, 1e5, -1e5, 0, 1, -6},
                        var[] = {1, 1, 0, -1, 1e-10, 1e-12, 1e16, 1e24, 1e-3};
    enum { N = sizeof mu / sizeof *mu };
    double w[(RK_WICK_MAX_K + 1) * P * N], centre[N];
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++) {
        const rk_activation phi = kind((rk_activation_kind)a);
        rk_wick(&phi, N, mu, var, RK_WICK_MAX_K, P, centre, w);
        for (size_t i = 0; i < sizeof w / sizeof *w; i++)
            assert_true(isfinite(w[i]));
        assert_true(rk_wick_one(&phi, 0.1, -1, 0, 1) == rk_wick_one(&phi, 0.1, 0, 0, 1));
    }
    const rk_activation relu = kind(RK_RELU);
    ASSERT_NEAR(rk_wick_one(&relu, 40, 1, 0, 2), 1601, 0);
    assert_true(rk_wick_one(&relu, -30, 1, 0, 1) > 0); /* 1.6e-199, not rounded to nothing */
}

/* phi'(mu) by the definition, from the activation's own values in long steps. */
static double slope_at(const rk_activation *phi, double mu) {
    static const double h = 1e-3, weight[] = {1. / 280, -4. / 105, 0.2,      -0.8,     0,
                                              0.8,      -0.2,      4. / 105, -1. / 280};
    double sum = 0;
    for (int j = -4; j <= 4; j++) {
        double z = mu + j * h, value;
        rk_activation_get(phi->kind)->value(phi, 1, &z, &value);
        sum += weight[j + 4] * value / h;
    }
    return sum;
}

/* However small the deviation, about the centre phi is its slope times the deviation. */
static void test_small_deviations(void **state) {
    (void)state;
    static const double mu[] = {-1.7, -0.4, 0.3, 1.1},
                        sigma[] = {1e-3, 1e-4, 1e-6, 1e-8, 1e-12, 1e-60};
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++)
        for (int i = 0; i < 4; i++)
            for (int s = 0; s < 6; s++) {
                const rk_activation phi = kind((rk_activation_kind)a);
                double var = sigma[s] * sigma[s], centre, w[3 * 4], value;
                /* of what quadrature sees of a function whose units it does not know */
                double tolerance = 1e4 * var + 1e-8;
                if (a == RK_CUSTOM) tolerance += 1e-15 / sigma[s];
                rk_wick(&phi, 1, &mu[i], &var, 2, 4, &centre, w);
                rk_activation_get(phi.kind)->value(&phi, 1, &mu[i], &value);
                ASSERT_NEAR(centre, value, 1e-15 * fabs(value));
                double slope = slope_at(&phi, mu[i]), square = slope * slope * var;
                if (tolerance > 0.1) continue;
                ASSERT_NEAR(w[rk_wick_at(1, 2, 1, 1)], slope, tolerance);
                ASSERT_NEAR(w[rk_wick_at(1, 2, 0, 2)], square, 2 * tolerance * var);
                ASSERT_NEAR(w[rk_wick_at(1, 2, 0, 4)], 3 * square * square,
                            100 * tolerance * square * square + 12 * tolerance * var * var);
                var = 0;
                rk_wick(&phi, 1, &mu[i], &var, 2, 4, &centre, w);
                ASSERT_NEAR(w[rk_wick_at(1, 2, 1, 1)], slope, 1e-8);
                for (int p = 1; p <= 4; p++)
                    assert_true(w[rk_wick_at(1, 2, 0, p)] == 0);
            }
}

/* E[He_k(x) f(mu + sigma x)^p] / sigma^k by an even grid: exact for what is smooth on its scale. */
static double by_grid(const rk_activation *phi, double mu, double sigma, int k, int p, double c) {
    enum { N = 40000 };
    double sum = 0;
    for (int i = -N; i <= N; i++) {
        double x = 12. * i / N, z = mu + sigma * x, f, before = 0, hermite = 1;
        for (int j = 0; j < k; j++) {
            double next = x * hermite - j * before;
            before = hermite;
            hermite = next;
        }
        rk_activation_get(phi->kind)->value(phi, 1, &z, &f);
        sum += hermite * exp(-0.5 * x * x) * pow(f - c, p);
    }
    return sum * 12 / N / sqrt(2 * M_PI) * pow(sigma, -k);
}

/* Smooth activations over many of their own units, across where the way to sum changes. */
static void test_large_deviations(void **state) {
    (void)state;
    static const rk_activation_kind smooth[] = {RK_GELU, RK_TANH, RK_SIGMOID, RK_SILU, RK_SOFTPLUS};
    static const double sigma[] = {1.5, 1.6, 4, 10, 100}, mu[] = {0, 0.7, -9};
    for (int a = 0; a < 5; a++)
        for (int s = 0; s < 5; s++)
            for (int m = 0; m < 3; m++) {
                const rk_activation phi = kind(smooth[a]);
                double var = sigma[s] * sigma[s], centre, w[5 * 3];
                rk_wick(&phi, 1, &mu[m], &var, 4, 3, &centre, w);
                for (int k = 0; k <= 4; k += 2)
                    for (int p = 1; p <= 3; p++) {
                        double grid = by_grid(&phi, mu[m], sigma[s], k, p, centre);
                        double size = pow(sigma[s] + 1, p) * pow(sigma[s], -k);
                        ASSERT_NEAR(w[rk_wick_at(1, 4, k, p)], grid, (s ? 1e-12 : 1e-6) * size);
                    }
            }
}

/* The centre is the value at the mean, at a jump, too: that of sign is 0 there. */
static void test_centre_at_a_jump(void **state) {
    (void)state;
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++)
        for (int still = 0; still < 2; still++) {
            const rk_activation phi = kind((rk_activation_kind)a);
            double zero = 0, var = !still, centre, value, w[3 * 2];
            rk_activation_get(phi.kind)->value(&phi, 1, &zero, &value);
            rk_wick(&phi, 1, &zero, &var, 2, 2, &centre, w);
            assert_true(centre == value);
            double above = w[rk_wick_at(1, 2, 0, 1)], square = w[rk_wick_at(1, 2, 0, 2)];
            if (still) assert_true(above == 0 && square == 0);
            if (a == RK_SIGN && !still) assert_true(above == 0 && fabs(square - 1) < 1e-15);
        }
}

/* Large means cost no digit of the moments about the centre. */
static void test_large_means(void **state) {
    (void)state;
    static const rk_activation_kind linear[] = {RK_IDENTITY, RK_RELU, RK_ABS,     RK_LEAKY_RELU,
                                                RK_GELU,     RK_SILU, RK_SOFTPLUS};
    for (int a = 0; a < 7; a++)
        for (double mu = 100; mu < 1e9; mu *= 10) {
            const rk_activation phi = kind(linear[a]);
            double var = 1, centre, w[3 * 4], tolerance = a < 4 ? 1e-14 : 1e-14 + 1e-15 * mu;
            rk_wick(&phi, 1, &mu, &var, 2, 4, &centre, w);
            ASSERT_NEAR(centre, mu, 0);
            ASSERT_NEAR(w[rk_wick_at(1, 2, 0, 1)], 0, tolerance);
            ASSERT_NEAR(w[rk_wick_at(1, 2, 1, 1)], 1, tolerance);
            ASSERT_NEAR(w[rk_wick_at(1, 2, 0, 2)], 1, tolerance);
            ASSERT_NEAR(w[rk_wick_at(1, 2, 0, 4)], 3, 10 * tolerance);
        }
}

static void test_nan_shows(void **state) {
    (void)state;
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++) {
        const rk_activation phi = kind((rk_activation_kind)a);
        assert_true(isnan(rk_wick_one(&phi, NAN, 1, 0, 1)));
        if (a == RK_IDENTITY) continue; /* its mean does not depend on the variance */
        assert_true(isnan(rk_wick_one(&phi, 0.5, NAN, 0, 1)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relu_to_all_digits),
        cmocka_unit_test(test_moments_by_hand),
        cmocka_unit_test(test_second_moments),
        cmocka_unit_test(test_derivatives),
        cmocka_unit_test(test_family),
        cmocka_unit_test(test_quadrature_is_exact_for_polynomials),
        cmocka_unit_test(test_symmetry_is_exact),
        cmocka_unit_test(test_neurons_are_independent),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_small_deviations),
        cmocka_unit_test(test_large_deviations),
        cmocka_unit_test(test_centre_at_a_jump),
        cmocka_unit_test(test_large_means),
        cmocka_unit_test(test_nan_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
