/* Sampling in any units, about any offset: tables of networks whose answer is known, from the same
 * passes of an equivalent network (then to the rounding of single precision) or in closed form
 * (then within the stated error, where that is rounding only). */
#include "base/normal.h"
#include "linalg/blas.h"
#include "sample/sample.h"
#include "support/monte_carlo.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the above */
#include <cmocka.h>

enum { N = 16, N_OUT = 3, LAYERS = 3 };

/* Every point set, with and without control, in runs of a few replicates. */
static const rk_sample_spec variants[] = {
    {.n_samples = 2000, .seed = 1},
    {.n_samples = 2000, .seed = 1, .points = RK_POINTS_ANTITHETIC},
    {.n_samples = 2000, .seed = 1, .points = RK_POINTS_ORTHOGONAL},
    {.n_samples = 2000, .seed = 1, .points = RK_POINTS_DESIGN},
    {.n_samples = 2000, .seed = 1, .control = true},
    {.n_samples = 2000, .seed = 1, .points = RK_POINTS_DESIGN, .control = true},
};
enum { VARIANTS = sizeof variants / sizeof *variants };

/* A network whose weights and biases a test may change. */
typedef struct model {
    size_t n_layers;
    rk_layer layers[LAYERS];
    double weight[LAYERS][N * N], bias[LAYERS][N];
} model;

static void make_model(model *m, size_t n_layers, rk_activation_kind kind) {
    m->n_layers = n_layers;
    for (size_t l = 0; l < n_layers; l++) {
        const bool last = l + 1 == n_layers;
        rk_normal_doubles((rk_stream){3, 7}, l, N * N, m->weight[l]);
        for (size_t k = 0; k < N * N; k++)
            m->weight[l][k] *= sqrt(1.5 / N);
        memset(m->bias[l], 0, sizeof m->bias[l]);
        m->layers[l] = (rk_layer){.rows = last ? N_OUT : N,
                                  .cols = N,
                                  .weight = m->weight[l],
                                  .bias = m->bias[l],
                                  .activation = {.kind = kind, .parameter = 0.1}};
        if (last) m->layers[l].activation = (rk_activation){.kind = RK_IDENTITY};
    }
}

static monte_carlo sample(const model *m, const rk_input *input, rk_sample_spec spec) {
    rk_network *net;
    assert_int_equal(rk_network_create(&net, m->layers, m->n_layers, NULL), RK_OK);
    monte_carlo mc = monte_carlo_run(net, input, spec, 1, NULL, NULL);
    rk_network_destroy(net);
    return mc;
}

/* mean = offset + scale times the other's, in units of its deviations; likewise the errors, which
 * hold more rounding or less, and the covariances. */
static void assert_same(const char *row, const monte_carlo *got, const monte_carlo *base,
                        double scale, double offset, double tolerance) {
    for (size_t i = 0; i < N_OUT; i++) {
        const double s = fabs(scale) * sqrt(base->result.variance[i]);
        const double mean = (got->result.mean[i] - offset - scale * base->result.mean[i]) / s;
        const double error =
            (got->result.standard_error[i] - fabs(scale) * base->result.standard_error[i]) / s;
        double worst = 0;
        bool right = fabs(mean) <= tolerance + 1e-15 * fabs(offset) / s && fabs(error) <= 3e-6;
        for (size_t j = 0; j < N_OUT; j++) {
            const double t = fabs(scale) * sqrt(base->result.variance[j]);
            const double moment = got->result.covariance[i * N_OUT + j] / s / t -
                                  base->result.covariance[i * N_OUT + j] /
                                      sqrt(base->result.variance[i] * base->result.variance[j]);
            if (!(fabs(moment) <= worst)) worst = fabs(moment);
        }
        if (!(worst <= 5 * tolerance)) right = false;
        if (!right)
            fail_msg("%s: output %zu: off by %g deviations, the error by %g, the covariance by %g",
                     row, i, mean, error, worst);
    }
}

static void compare(const char *row, const model *got, const rk_input *input, const model *base,
                    const rk_input *base_input, double scale, double offset, double tolerance) {
    for (size_t v = 0; v < VARIANTS; v++) {
        char name[200];
        snprintf(name, sizeof name, "%s, variant %zu", row, v);
        monte_carlo a = sample(got, input, variants[v]), b = sample(base, base_input, variants[v]);
        assert_same(name, &a, &b, scale, offset, tolerance);
        monte_carlo_free(&a);
        monte_carlo_free(&b);
    }
}

static void scale_layer(model *m, size_t l, double c) {
    for (size_t k = 0; k < N * N; k++)
        m->weight[l][k] *= c;
}

/* c W_1, or c W_l for all l, where phi(c z) = c^p phi(z). */
static void test_units_of_weights(void **state) {
    (void)state;
    static const struct {
        rk_activation_kind kind;
        int degree;
    } kinds[] = {{RK_RELU, 1},      {RK_ABS, 1},  {RK_LEAKY_RELU, 1}, {RK_IDENTITY, 1},
                 {RK_HEAVISIDE, 0}, {RK_SIGN, 0}, {RK_SQUARE, 2},     {RK_CUBE, 3}};
    static const double units[] = {1e-100, 1e-30, 1e-12, 1e-8, 1e-6, 1e-5, 1e5, 1e6, 1e12, 1e30};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t u = 0; u < sizeof units / sizeof *units; u++)
            for (int all = 0; all <= 1; all++) {
                const double c = units[u], p = kinds[k].degree;
                if (all && fabs(log10(c)) * (p * p + p + 1) > 140) continue; /* variances */
                if (!all && fabs(log10(c)) * p * p > 140) continue;
                model base, got;
                make_model(&base, LAYERS, kinds[k].kind);
                make_model(&got, LAYERS, kinds[k].kind);
                for (size_t l = 0; l < (all ? LAYERS : 1); l++)
                    scale_layer(&got, l, c);
                char name[100];
                snprintf(name, sizeof name, "%s, W %s times %g", rk_activation_name(kinds[k].kind),
                         all ? "all" : "first", c);
                compare(name, &got, NULL, &base, NULL, all ? pow(c, p * p + p + 1) : pow(c, p * p),
                        0, 2e-6 * (1 + p));
            }
}

/* Neurons in units of their own, 1e-20 ... 1e20, and back again. */
static void test_units_of_neurons(void **state) {
    (void)state;
    model base, got;
    make_model(&base, LAYERS, RK_RELU);
    make_model(&got, LAYERS, RK_RELU);
    for (size_t i = 0; i < N; i++) {
        const double c = pow(10, -20 + 40. / (N - 1) * (double)i);
        for (size_t j = 0; j < N; j++) {
            got.weight[0][i * N + j] *= c;
            got.weight[1][j * N + i] /= c;
        }
    }
    compare("units of neurons", &got, NULL, &base, NULL, 1, 0, 2e-6);
}

/* x = D x' with correlated x': W_1 D^-1. */
static void test_units_of_inputs(void **state) {
    (void)state;
    static double a[N * N], covariance[N * N], scaled[N * N];
    double mean[N], scaled_mean[N];
    rk_normal_doubles((rk_stream){3, 8}, 0, N * N, a);
    rk_normal_doubles((rk_stream){3, 8}, 1, N, mean);
    memset(a + 3 * N, 0, N * sizeof *a); /* a constant */
    model base, got;
    make_model(&base, LAYERS, RK_TANH);
    make_model(&got, LAYERS, RK_TANH);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            const double c = pow(10, (double)i - 8), d = pow(10, (double)j - 8);
            double sum = 0;
            for (size_t k = 0; k < N - 2; k++) /* singular */
                sum += a[i * N + k] * a[j * N + k] / N;
            covariance[i * N + j] = sum;
            scaled[i * N + j] = c * sum * d;
            scaled_mean[i] = c * mean[i];
            got.weight[0][i * N + j] /= d;
        }
    const rk_input plain = {.mean = mean, .covariance = covariance};
    const rk_input input = {.mean = scaled_mean, .covariance = scaled};
    compare("units of inputs", &got, &input, &base, &plain, 1, 0, 2e-6);

    for (size_t k = 0; k < N * N; k++) /* no longer semidefinite */
        scaled[k] = (double)(float)covariance[k];
    const rk_input rounded = {.mean = mean, .covariance = scaled};
    model same;
    make_model(&same, LAYERS, RK_TANH);
    compare("rounded covariance", &same, &rounded, &base, &plain, 1, 0, 1e-3);
}

/* An offset before the first activation, on whose right side phi has slope 1, that the second
 * layer takes off again: the first layer is linear. */
static void test_offsets(void **state) {
    (void)state;
    static const double offsets[] = {30, 1e2, 1e3, 1e4, 1e5, 1e6, 1e9};
    static const rk_activation_kind kinds[] = {RK_RELU, RK_ABS, RK_LEAKY_RELU, RK_IDENTITY};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++)
            for (int by_input = 0; by_input <= 1; by_input++) {
                model base, got;
                double mean[N] = {0};
                make_model(&base, LAYERS, kinds[k]);
                make_model(&got, LAYERS, kinds[k]);
                base.layers[0].activation.kind = RK_IDENTITY;
                base.bias[2][0] = 1e-290; /* no more homogeneous than the other */
                for (size_t i = 0; i < N; i++) {
                    /* by the bias, or by the input's mean and a first layer near the identity */
                    if (by_input) {
                        base.weight[0][i * N + i] += 8;
                        got.weight[0][i * N + i] += 8;
                    }
                }
                for (size_t i = 0; i < N; i++) {
                    double z = offsets[o];
                    mean[i] = by_input ? 8 * offsets[o] : 0;
                    for (size_t j = 0; by_input && j < N; j++)
                        z += got.weight[0][i * N + j] * 8 * offsets[o];
                    got.bias[0][i] = offsets[o];
                    if (z < 30) fail_msg("not on the right side: %g", z);
                    for (size_t j = 0; j < N; j++)
                        got.bias[1][j] -= got.weight[1][j * N + i] * z;
                }
                char name[100];
                snprintf(name, sizeof name, "%s, offset %g, %d", rk_activation_name(kinds[k]),
                         offsets[o], by_input);
                const rk_input input = {.mean = by_input ? mean : NULL};
                /* double loses the biases' last digits, too */
                compare(name, &got, &input, &base, NULL, 1, 0, 3e-6 + 3e-14 * offsets[o]);
            }
}

/* y = W_2 phi(W_1 x + b) with control knows E y but for rounding: within three stated errors, which
 * are small. */
static void test_rounding_is_stated(void **state) {
    (void)state;
    static const double offsets[] = {0, 1, 8, 15, 17, 100, 1e4, 1e6, 1e9};
    static const rk_activation_kind kinds[] = {RK_RELU, RK_ABS, RK_SQUARE, RK_CUBE, RK_TANH};
    size_t beyond = 0, total = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++)
            for (int i = -12; i <= 12; i += 4) {
                const double unit = pow(10, i), mu = offsets[o] * (o % 2 ? 1 : -1);
                model m;
                make_model(&m, 2, kinds[k]);
                double expected[N_OUT] = {0}, size[N_OUT] = {0};
                for (size_t j = 0; j < N; j++) {
                    long double square = 0, mean = 0, pi = acosl(-1);
                    for (size_t n = 0; n < N; n++)
                        square += (long double)m.weight[0][j * N + n] * m.weight[0][j * N + n];
                    const long double s = sqrtl(square), a = (long double)mu / s;
                    const long double bell = expl(-a * a / 2) / sqrtl(2 * pi);
                    const long double upper = erfcl(-a / sqrtl(2)) / 2,
                                      lower = erfcl(a / sqrtl(2)) / 2;
                    switch (kinds[k]) {
                    case RK_RELU:
                        mean = s * (bell + a * upper);
                        break;
                    case RK_ABS:
                        mean = s * (2 * bell + a * (upper - lower));
                        break;
                    case RK_SQUARE:
                        mean = mu * (long double)mu + square;
                        break;
                    case RK_CUBE:
                        mean = mu * (mu * (long double)mu + 3 * square);
                        break;
                    default:
                        mean = 0; /* by hand, below */
                    }
                    if (kinds[k] == RK_TANH && mu == 0) mean = 0;
                    if (kinds[k] == RK_TANH && mu != 0) {
                        long double total_weight = 0;
                        for (int n = -4000; n <= 4000; n++) {
                            const long double x = n / 400.0L, w = expl(-x * x / 2);
                            mean += w * tanhl(mu + s * x);
                            total_weight += w;
                        }
                        mean /= total_weight;
                    }
                    for (size_t r = 0; r < N_OUT; r++)
                        expected[r] += (double)((long double)m.weight[1][r * N + j] * mean);
                    for (size_t n = 0; n < N && kinds[k] != RK_TANH; n++)
                        m.weight[0][j * N + n] *= unit;
                    m.bias[0][j] = kinds[k] == RK_TANH ? mu : mu * unit;
                    for (size_t r = 0; r < N_OUT; r++)
                        size[r] += fabs(m.weight[1][r * N + j] * (double)mean);
                }
                const int degree = kinds[k] == RK_TANH     ? 0
                                   : kinds[k] == RK_SQUARE ? 2
                                   : kinds[k] == RK_CUBE   ? 3
                                                           : 1;
                for (size_t v = 4; v < VARIANTS; v++) {
                    monte_carlo mc = sample(&m, NULL, variants[v]);
                    for (size_t r = 0; r < N_OUT; r++, total++) {
                        const double scale = pow(unit, degree);
                        const double stated = mc.result.standard_error[r] / scale;
                        const double off = mc.result.mean[r] / scale - expected[r];
                        const double s = sqrt(mc.result.variance[r]) / scale;
                        if (s > 0 && !(stated <= 1e-5 * s + 1e-10 * (1 + size[r])))
                            fail_msg("%s, offset %g, unit %g: states %g of %g",
                                     rk_activation_name(kinds[k]), mu, unit, stated, s);
                        if (!(fabs(off) <= 3 * stated + 1e-18 + 1e-15 * size[r])) {
                            beyond++;
                            print_message("%s, offset %g, unit %g, variant %zu: off by %g, states "
                                          "%g of %g\n",
                                          rk_activation_name(kinds[k]), mu, unit, v, off, stated,
                                          s);
                        }
                    }
                    monte_carlo_free(&mc);
                }
            }
    if (!(beyond <= total / 200)) fail_msg("%zu of %zu beyond 3 stated errors", beyond, total);
}

/* y = F(m + s A z) has covariance J s^2 A A' J' for small s, by the same points as the linear
 * network J A. */
static void test_small_noise(void **state) {
    (void)state;
    static const struct {
        rk_activation_kind kind;
        double noise, tolerance;
    } rows[] = {{RK_RELU, 1e-6, 1e-6},    {RK_RELU, 1e-8, 1e-6},  {RK_RELU, 1e-12, 1e-6},
                {RK_TANH, 1e-7, 1e-6},    {RK_TANH, 1e-8, 1e-6},  {RK_GELU, 1e-8, 1e-6},
                {RK_SIGMOID, 1e-8, 1e-6}, {RK_SQUARE, 1e-8, 1e-6}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        model m, linear;
        make_model(&m, LAYERS, rows[k].kind);
        make_model(&linear, 1, RK_IDENTITY);
        double mean[N], covariance[N * N] = {0}, at[LAYERS][N], slope[LAYERS][N];
        rk_normal_doubles((rk_stream){3, 9}, 0, N, mean);
        for (size_t i = 0; i < N; i++)
            covariance[i * N + i] = rows[k].noise * rows[k].noise;
        const double *below = mean;
        for (size_t l = 0; l < LAYERS; l++) {
            for (size_t i = 0; i < m.layers[l].rows; i++) {
                double z = m.bias[l][i] = 0.3 * cos((double)(7 * l + i));
                for (size_t j = 0; j < N; j++)
                    z += m.weight[l][i * N + j] * below[j];
                switch (l + 1 < LAYERS ? rows[k].kind : RK_IDENTITY) {
                case RK_RELU:
                    at[l][i] = fmax(z, 0);
                    slope[l][i] = z > 0;
                    break;
                case RK_TANH:
                    at[l][i] = tanh(z);
                    slope[l][i] = 1 - tanh(z) * tanh(z);
                    break;
                case RK_SIGMOID:
                    at[l][i] = 1 / (1 + exp(-z));
                    slope[l][i] = at[l][i] * (1 - at[l][i]);
                    break;
                case RK_GELU:
                    at[l][i] = z * erfc(-z / sqrt(2)) / 2;
                    slope[l][i] = erfc(-z / sqrt(2)) / 2 + z * exp(-z * z / 2) / sqrt(2 * acos(-1));
                    break;
                case RK_SQUARE:
                    at[l][i] = z * z;
                    slope[l][i] = 2 * z;
                    break;
                default:
                    at[l][i] = z;
                    slope[l][i] = 1;
                }
            }
            below = at[l];
        }
        for (size_t r = 0; r < N_OUT; r++)
            for (size_t j = 0; j < N; j++) {
                double sum = 0;
                for (size_t i = 0; i < N; i++)
                    for (size_t n = 0; n < N; n++)
                        sum += m.weight[2][r * N + i] * slope[1][i] * m.weight[1][i * N + n] *
                               slope[0][n] * m.weight[0][n * N + j];
                linear.weight[0][r * N + j] = sum * rows[k].noise;
            }
        const rk_input input = {.mean = mean, .covariance = covariance};
        for (size_t v = 0; v < 4; v++) {
            char name[100];
            snprintf(name, sizeof name, "%s, noise %g, variant %zu",
                     rk_activation_name(rows[k].kind), rows[k].noise, v);
            monte_carlo a = sample(&m, &input, variants[v]);
            monte_carlo b = sample(&linear, NULL, variants[v]);
            /* the linear network's points all have the same length: its means agree, that is all */
            for (size_t i = 0; i < N_OUT; i++) {
                assert_near(a.result.mean[i], at[2][i] + b.result.mean[i],
                            3 * hypot(a.result.standard_error[i], b.result.standard_error[i]) +
                                1e-15);
                for (size_t j = 0; v < 2 && j < N_OUT; j++) {
                    const double s = sqrt(b.result.variance[i]) * sqrt(b.result.variance[j]);
                    const double off =
                        a.result.covariance[i * N_OUT + j] - b.result.covariance[i * N_OUT + j];
                    if (!(fabs(off) <= rows[k].tolerance * s))
                        fail_msg("%s: covariance off by %g", name, off / s);
                }
            }
            monte_carlo_free(&a);
            monte_carlo_free(&b);
        }
    }
}

/* A layer of zeros leaves what the biases say, exactly where double says it. */
static void test_zero_layers(void **state) {
    (void)state;
    static const rk_activation_kind kinds[] = {RK_RELU, RK_TANH, RK_SOFTPLUS, RK_SQUARE, RK_SIGN};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t zero = 0; zero < LAYERS; zero++)
            for (size_t v = 0; v < VARIANTS; v++) {
                model m;
                rk_network *net;
                double x[N] = {0}, y[N_OUT];
                make_model(&m, LAYERS, kinds[k]);
                scale_layer(&m, zero, 0);
                for (size_t l = zero; l < LAYERS; l++)
                    for (size_t i = 0; i < N; i++)
                        m.bias[l][i] = sin((double)(10 * l + i)) * 1e3;
                monte_carlo mc = sample(&m, NULL, variants[v]);
                assert_int_equal(rk_network_create(&net, m.layers, LAYERS, NULL), RK_OK);
                assert_int_equal(rk_network_forward(net, x, y, NULL), RK_OK);
                for (size_t i = 0; i < N_OUT; i++) {
                    assert_near(mc.result.mean[i], y[i], 3 * mc.result.standard_error[i]);
                    assert_near(mc.result.mean[i], y[i], 1e-14 * fabs(y[i]) + 1e-9);
                    assert_true(mc.result.variance[i] == 0);
                    assert_near(mc.result.standard_error[i], 0, 1e-14 * fabs(y[i]) + 1e-9);
                }
                monte_carlo_free(&mc);
                rk_network_destroy(net);
            }
}

/* Events that no pass sees: the answer is 0, and not certain. */
static void test_unseen_is_not_impossible(void **state) {
    (void)state;
    for (double threshold = 3; threshold <= 8; threshold++)
        for (size_t v = 0; v < 4; v++) {
            model m;
            make_model(&m, 2, RK_RELU);
            memset(m.weight, 0, sizeof m.weight);
            for (size_t i = 0; i < N; i++)
                m.weight[0][i * N + i] = m.weight[1][i * N + i] = 1;
            for (size_t i = 0; i < N; i++)
                m.bias[0][i] = -threshold;
            monte_carlo mc = sample(&m, NULL, variants[v]);
            const double pi = acos(-1), bell = exp(-threshold * threshold / 2) / sqrt(2 * pi);
            const double mean = bell - threshold * erfc(threshold / sqrt(2)) / 2;
            for (size_t i = 0; i < N_OUT; i++)
                if (mc.result.variance[i] == 0)
                    assert_near(mc.result.mean[i], mean, 3 * mc.result.standard_error[i]);
            monte_carlo_free(&mc);
        }
}

/* What neither precision holds is no number. */
static void test_overflow_is_no_number(void **state) {
    (void)state;
    model m;
    make_model(&m, LAYERS, RK_RELU);
    for (size_t l = 0; l < LAYERS; l++)
        scale_layer(&m, l, 1e150);
    for (size_t v = 0; v < VARIANTS; v++) {
        monte_carlo mc = sample(&m, NULL, variants[v]);
        for (size_t i = 0; i < N_OUT; i++)
            assert_true(isnan(mc.result.mean[i]) && isnan(mc.result.standard_error[i]));
        monte_carlo_free(&mc);
    }
}

/* As many inputs as images have: nothing is as large as their square. */
static void test_many_inputs(void **state) {
    (void)state;
    enum { MANY = 150528, FEW = 2 };
    double *weight = calloc((size_t)MANY * FEW, sizeof *weight);
    const double out[FEW] = {1, -1};
    const rk_layer layers[] = {
        {.rows = FEW, .cols = MANY, .weight = weight, .activation = {.kind = RK_RELU}},
        {.rows = 1, .cols = FEW, .weight = out}};
    assert_non_null(weight);
    for (size_t j = 0; j < MANY; j++) {
        weight[j] = 3 / sqrt(MANY);
        weight[MANY + j] = (j % 2 ? 1 : -1) / sqrt(MANY);
    }
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    for (size_t v = 0; v < 2; v++) {
        rk_sample_spec spec = variants[v];
        rk_work plan;
        rk_sample_result nothing = {0};
        spec.lanes = 1;
        spec.n_samples = 500;
        rk_work_init_dry(&plan);
        assert_int_equal(rk_sample(&plan, net, &(rk_input){0}, &spec, &nothing, NULL), RK_OK);
        assert_true(plan.peak < (size_t)100 << 20);
        free(plan.steps);
        monte_carlo mc = monte_carlo_run(net, NULL, spec, 2, NULL, NULL);
        assert_near(mc.result.mean[0], 2 / sqrt(2 * acos(-1)), 4 * mc.result.standard_error[0]);
        monte_carlo_free(&mc);
    }
    rk_network_destroy(net);
    free(weight);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_of_weights),
        cmocka_unit_test(test_units_of_neurons),
        cmocka_unit_test(test_units_of_inputs),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_rounding_is_stated),
        cmocka_unit_test(test_small_noise),
        cmocka_unit_test(test_zero_layers),
        cmocka_unit_test(test_overflow_is_no_number),
        cmocka_unit_test(test_unseen_is_not_impossible),
        cmocka_unit_test(test_many_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
