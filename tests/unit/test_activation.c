#include "activation/activation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the three above */
#include <cmocka.h>

static double twice(double z, void *context) {
    return z * *(double *)context;
}

static double two = 2;

static rk_activation kind(int a) {
    return (rk_activation){
        .kind = (rk_activation_kind)a, .parameter = 0.2, .function = twice, .context = &two};
}

/* phi(z) as a textbook has it. */
static double textbook(int a, double z) {
    switch ((rk_activation_kind)a) {
    case RK_IDENTITY:
        return z;
    case RK_RELU:
        return fmax(z, 0);
    case RK_LEAKY_RELU:
        return z < 0 ? 0.2 * z : z;
    case RK_ABS:
        return fabs(z);
    case RK_HEAVISIDE:
        return z > 0;
    case RK_SIGN:
        return (z > 0) - (z < 0);
    case RK_SQUARE:
        return pow(z, 2);
    case RK_CUBE:
        return pow(z, 3);
    case RK_GELU:
        return z * (1 + erf(z / sqrt(2))) / 2;
    case RK_TANH:
        return tanh(z);
    case RK_SIGMOID:
        return 1 / (1 + exp(-z));
    case RK_SILU:
        return z / (1 + exp(-z));
    case RK_SOFTPLUS:
        return z > 30 ? z + exp(-z) : log1p(exp(z));
    case RK_CUSTOM:
        return 2 * z;
    case RK_ACTIVATION_COUNT:
        break;
    }
    return NAN;
}

enum { N = 401 };

static void grid(double *z) {
    for (int i = 0; i < N; i++)
        z[i] = pow((i - 200) / 60.0, 3); /* dense around 0, out to 37 */
}

static void test_values(void **state) {
    (void)state;
    double z[N], h[N];
    float zf[N], hf[N];
    grid(z);
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++) {
        const rk_activation phi = kind(a);
        const rk_activation_ops *ops = rk_activation_get(phi.kind);
        ops->value(&phi, N, z, h);
        for (int i = 0; i < N; i++) {
            const double expected = textbook(a, z[i]);
            /* gelu's 1 + erf loses digits for z << 0, here and in the textbook. */
            const double lost = a == RK_GELU ? fabs(z[i]) : 0;
            assert_true(fabs(h[i] - expected) <= 1e-15 * fabs(expected) + 3e-16 * lost);
            zf[i] = (float)z[i];
        }
        ops->value_float(&phi, N, zf, hf);
        for (int i = 0; i < N; i++) {
            const double expected = textbook(a, (double)zf[i]);
            const double lost = a == RK_GELU ? fabs(z[i]) : 0;
            assert_true(fabs((double)hf[i] - expected) <= 4e-7 * fabs(expected) + 2e-7 * lost);
        }
        ops->value(&phi, N, z, z); /* in place */
        assert_memory_equal(z, h, sizeof h);
        ops->value_float(&phi, N, zf, zf);
        assert_memory_equal(zf, hf, sizeof hf);
        grid(z);
    }
}

/* The same bits alone as in a vector. */
static void test_values_are_independent(void **state) {
    (void)state;
    double z[N], h[N], one;
    float zf[N], hf[N], one_float;
    grid(z);
    for (int i = 0; i < N; i++)
        zf[i] = (float)z[i];
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++) {
        const rk_activation phi = kind(a);
        const rk_activation_ops *ops = rk_activation_get(phi.kind);
        ops->value(&phi, N, z, h);
        ops->value_float(&phi, N, zf, hf);
        for (int i = 0; i < N; i++) {
            ops->value(&phi, 1, &z[i], &one);
            ops->value_float(&phi, 1, &zf[i], &one_float);
            assert_true(one == h[i] && one_float == hf[i]);
        }
    }
}

static void test_far_values(void **state) {
    (void)state;
    static const double z[] = {-1e300, -1e5, -800, 800, 1e5, 1e300};
    double h[6];
    for (int a = 0; a < RK_CUSTOM; a++) {
        const rk_activation phi = kind(a);
        rk_activation_get(phi.kind)->value(&phi, 6, z, h);
        for (int i = 0; i < 6; i++) {
            const double expected = textbook(a, z[i]);
            assert_true(h[i] == expected || fabs(h[i] / expected - 1) <= 1e-15);
        }
        double nan = NAN;
        float nan_float = NAN;
        rk_activation_get(phi.kind)->value(&phi, 1, &nan, &nan);
        rk_activation_get(phi.kind)->value_float(&phi, 1, &nan_float, &nan_float);
        assert_true(isnan(nan) && isnan(nan_float));
    }
    const double minus_infinity = -INFINITY;
    const rk_activation relu = kind(RK_RELU);
    rk_activation_get(RK_RELU)->value(&relu, 1, &minus_infinity, h);
    assert_true(h[0] == 0);
}

/* Against differences of the textbook, away from kinks and jumps. */
static void test_slopes(void **state) {
    (void)state;
    double z[N], d[N], one;
    grid(z);
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++) {
        const rk_activation phi = kind(a);
        const rk_activation_ops *ops = rk_activation_get(phi.kind);
        ops->slope(&phi, N, z, d);
        for (int i = 0; i < N; i++) {
            const double h = 1e-4 * (1 + fabs(z[i]));
            if (fabs(z[i]) < 3 * h) continue;
            const double near = textbook(a, z[i] + h) - textbook(a, z[i] - h);
            const double far = textbook(a, z[i] + 2 * h) - textbook(a, z[i] - 2 * h);
            const double expected = (8 * near - far) / (12 * h);
            const double scale = 1 + fabs(textbook(a, z[i]) / z[i]);
            if (!(fabs(d[i] - expected) <= 1e-10 * scale))
                fail_msg("%s at %g: %.15g, by differences %.15g", ops->name, z[i], d[i], expected);
            ops->slope(&phi, 1, &z[i], &one);
            assert_true(one == d[i]);
        }
        static const double far[] = {-1e300, -800, 0, 800, 1e300};
        if (a < RK_CUSTOM) ops->slope(&phi, 5, far, d);
        for (int i = 0; a < RK_CUSTOM && i < 5; i++)
            assert_true(d[i] == d[i]);
    }
}

static void test_degree_means_it(void **state) {
    (void)state;
    static const double z[] = {-1.7, -0.3, 0, 0.4, 2.5};
    double at[5], at_scaled[5], scaled[5];
    for (int i = 0; i < 5; i++)
        scaled[i] = 4 * z[i];
    for (int a = 0; a < RK_CUSTOM; a++) {
        const rk_activation phi = kind(a);
        const rk_activation_ops *ops = rk_activation_get(phi.kind);
        ops->value(&phi, 5, z, at);
        ops->value(&phi, 5, scaled, at_scaled);
        int degree = RK_NO_DEGREE;
        for (int d = 3; d >= 0; d--) {
            bool scales = true;
            for (int i = 0; i < 5; i++)
                scales = scales && at_scaled[i] == pow(4, d) * at[i];
            if (scales) degree = d;
        }
        assert_int_equal(ops->degree, degree);
    }
}

/* Far from zero a smooth activation is its asymptote. */
static void test_asymptotes(void **state) {
    (void)state;
    static const double far[] = {-60, 60};
    for (int a = 0; a < RK_CUSTOM; a++) {
        const rk_activation phi = kind(a);
        const rk_activation_ops *ops = rk_activation_get(phi.kind);
        const rk_activation limit = {.kind = ops->asymptote, .parameter = phi.parameter};
        double at[2], at_limit[2];
        ops->value(&phi, 2, far, at);
        rk_activation_get(limit.kind)->value(&limit, 2, far, at_limit);
        for (int i = 0; i < 2; i++)
            assert_true(fabs(at[i] - at_limit[i]) <= 1e-16);
    }
}

static void test_names_round_trip(void **state) {
    (void)state;
    rk_activation phi;
    for (int a = 0; a < RK_CUSTOM; a++) {
        assert_int_equal(rk_activation_parse(rk_activation_name((rk_activation_kind)a), &phi, NULL),
                         RK_OK);
        assert_int_equal(phi.kind, a);
        assert_true(phi.parameter == (a == RK_LEAKY_RELU ? 0.01 : 0));
        assert_null(phi.function);
    }
    assert_string_equal(rk_activation_name(RK_CUSTOM), "custom");
    assert_null(rk_activation_name(RK_ACTIVATION_COUNT));
    assert_int_equal(rk_activation_parse("leaky_relu:-2.5e-1", &phi, NULL), RK_OK);
    assert_true(phi.parameter == -0.25);
}

static void test_names_of_others(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rk_activation_kind kind;
    } names[] = {{"ReLU", RK_RELU},
                 {"RELU", RK_RELU},
                 {"GELU", RK_GELU},
                 {"swish", RK_SILU},
                 {"SiLU", RK_SILU},
                 {"linear", RK_IDENTITY},
                 {"None", RK_IDENTITY},
                 {"Tanh", RK_TANH},
                 {"LeakyReLU", RK_LEAKY_RELU},
                 {"leaky-relu", RK_LEAKY_RELU},
                 {"logistic", RK_SIGMOID}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rk_activation phi;
        assert_int_equal(rk_activation_parse(names[i].text, &phi, NULL), RK_OK);
        assert_int_equal(phi.kind, names[i].kind);
    }
    rk_activation phi;
    assert_int_equal(rk_activation_parse("LeakyReLU:0.2", &phi, NULL), RK_OK);
    assert_true(phi.parameter == 0.2);
}

static void test_parse_complains(void **state) {
    (void)state;
    static const struct {
        const char *text, *complaint;
    } bad[] = {{"", "known: identity relu"},
               {"rel", "'rel'"},
               {"relu ", "known:"},
               {"rellu", "did you mean 'relu'?"},
               {"Sofplus", "did you mean 'softplus'?"},
               {"nonsense", "unknown activation 'nonsense'; known: identity"},
               {"custom", "unknown activation"},
               {"elu", "'elu' is not supported yet"},
               {"Mish", "'Mish' is not supported yet"},
               {"gelu_new", "an approximation by tanh"},
               {"gelu_pytorch_tanh", "an approximation by tanh"},
               {"PReLU", "leaky_relu:SLOPE"},
               {"softmax", "logits"},
               {"softplus:2", "'softplus' takes no parameter"},
               {"relu:1", "no parameter"},
               {"leaky_relu:", "slope"},
               {"leaky_relu:x", "'x'"},
               {"leaky_relu:0.1x", "'0.1x'"},
               {"leaky_relu:inf", "'inf'"},
               {"leaky_relu:nan", "'nan'"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rk_activation phi;
        rk_error error;
        assert_int_equal(rk_activation_parse(bad[i].text, &phi, &error), RK_ERROR_ARGUMENT);
        if (!strstr(error.message, bad[i].complaint)) fail_msg("%s", error.message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),           cmocka_unit_test(test_values_are_independent),
        cmocka_unit_test(test_far_values),       cmocka_unit_test(test_slopes),
        cmocka_unit_test(test_degree_means_it),  cmocka_unit_test(test_asymptotes),
        cmocka_unit_test(test_names_round_trip), cmocka_unit_test(test_parse_complains),
        cmocka_unit_test(test_names_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
