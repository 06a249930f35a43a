/* Every method, in any units and at any offset: what must not change does not, and what is known
 * exactly is answered exactly. A method with a law of its error is in here by itself. */
#include "estimate/methods.h"
#include "support/estimate.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_IN = 12, WIDTH = 20, N_LAYERS = 4, N_OUT = 4, SAMPLES = 8000 };
static const size_t widths[N_LAYERS + 1] = {N_IN, WIDTH, WIDTH, WIDTH, N_OUT};

/* A network to be taken apart. */
typedef struct subject {
    double weight[N_LAYERS][WIDTH * WIDTH], bias[N_LAYERS][WIDTH];
    rk_activation_kind activation;
    bool biased;
} subject;

static subject draw(rk_activation_kind activation, double bias) {
    subject s = {.activation = activation, .biased = bias > 0};
    uint64_t x = 1;
    for (size_t l = 0; l < N_LAYERS; l++) {
        double deviation = sqrt((l ? 24.0 : 12.0) / (double)widths[l]);
        for (size_t i = 0; i < widths[l + 1] * widths[l] + widths[l + 1]; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            double uniform = (double)(x >> 11) * 0x1p-53 - 0.5;
            size_t n_weights = widths[l + 1] * widths[l];
            if (i < n_weights)
                s.weight[l][i] = deviation * uniform;
            else
                s.bias[l][i - n_weights] = bias * uniform;
        }
    }
    return s;
}

static rk_network *network_of(const subject *s, size_t first) {
    rk_layer layers[N_LAYERS];
    for (size_t l = 0; l < N_LAYERS; l++)
        layers[l] =
            (rk_layer){.rows = widths[l + 1],
                       .cols = widths[l],
                       .weight = s->weight[l],
                       .bias = s->biased ? s->bias[l] : NULL,
                       .activation = {.kind = l + 1 < N_LAYERS ? s->activation : RK_IDENTITY}};
    rk_network *net;
    rk_error error;
    if (first > 0) layers[first].cols = N_IN; /* layers below have been merged into this one */
    if (rk_network_create(&net, layers + first, N_LAYERS - first, &error) != RK_OK)
        fail_msg("%s", error.message);
    return net;
}

/* ------------------------------------------------------------------------------ all methods */

static const char *method_at(size_t index) {
    static char text[RK_METHOD_TEXT];
    const rk_variant *variant = rk_variant_at(index);
    if (!variant) return rk_variant_at(index - 1) ? "auto" : NULL;
    rk_method_spell(&variant->spec, text, sizeof text);
    return text;
}

static bool is(const char *method, const char *name) {
    return strncmp(method, name, strlen(name)) == 0;
}

/* Takes all neurons of a layer as alike in places: for it, other sizes are another closure. */
static bool averages(const char *method) {
    return is(method, "mean") || is(method, "reference:1") || strstr(method, "metric=avg");
}

static bool is_float(const char *method) {
    return is(method, "sample") || is(method, "third") || is(method, "auto");
}

/* NULL: the method does not cover the network. */
static rk_answer *ask(const rk_network *net, const rk_input *input, const char *method,
                      bool covariance) {
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.samples = SAMPLES;
    options.seed = 1;
    options.covariance = covariance;
    options.threads = 1;
    if (is(method, "auto")) options.budget_flops = 1e7;
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, input, &options, &error) == RK_OK) return answer;
    assert_int_equal(error.status, RK_ERROR_UNSUPPORTED);
    return NULL;
}

static double rms(const double *x, double factor, const double *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double d = x[i] * factor - (y ? y[i] : 0);
        sum += d * d;
    }
    return sqrt(sum / (double)n);
}

/* ------------------------------------------------------------------------------------ units */

static const double factors[] = {1e-30, 1e-12, 1e-6, 1e-5, 1e5, 1e6, 1e12, 1e30};
enum { N_FACTORS = sizeof factors / sizeof *factors };

static void compare_units(const subject *plain, const subject *scaled, double factor,
                          const char *what) {
    rk_network *one = network_of(plain, 0), *other = network_of(scaled, 0);
    const char *method;
    for (size_t k = 0; (method = method_at(k)) != NULL; k++) {
        rk_answer *x = ask(one, NULL, method, false), *y = ask(other, NULL, method, false);
        if (!x != !y) fail_msg("%s: %s covers one of two networks", what, method);
        if (!x) continue;
        const rk_answer_data *a = rk_answer_view(x), *b = rk_answer_view(y);
        double off = rms(b->mean, 1 / factor, a->mean, N_OUT) / rms(a->mean, 1, NULL, N_OUT);
        if (!(off <= (is_float(method) ? 1e-5 : 1e-9)))
            fail_msg("%s: %s off by %g", what, method, off);
        double stated = b->error_rms / factor;
        bool both = isnan(a->error_rms) && isnan(stated);
        if (!both && !(fabs(stated - a->error_rms) <= 1e-3 * a->error_rms))
            fail_msg("%s: %s states %g, not %g", what, method, stated, a->error_rms);
        rk_answer_destroy(x);
        rk_answer_destroy(y);
    }
    rk_network_destroy(one);
    rk_network_destroy(other);
}

static void test_units(void **state) {
    (void)state;
    static const rk_activation_kind kinds[] = {RK_RELU, RK_ABS};
    for (int a = 0; a < 2; a++)
        for (int k = 0; k < N_FACTORS; k++)
            for (int all = 0; all < 2; all++) {
                const subject plain = draw(kinds[a], 0);
                subject scaled = plain;
                char what[60];
                for (size_t l = 0; l < (all ? N_LAYERS : 1); l++)
                    for (size_t i = 0; i < WIDTH * WIDTH; i++)
                        scaled.weight[l][i] *= factors[k];
                snprintf(what, sizeof what, "%s %s times %g", rk_activation_name(kinds[a]),
                         all ? "all layers" : "first layer", factors[k]);
                compare_units(&plain, &scaled, all ? pow(factors[k], N_LAYERS) : factors[k], what);
            }
}

/* Biases have units, too. */
static void test_units_of_biases(void **state) {
    (void)state;
    for (int k = 0; k < N_FACTORS; k++) {
        const subject plain = draw(RK_RELU, 2);
        subject scaled = plain;
        char what[60];
        snprintf(what, sizeof what, "biased, times %g", factors[k]);
        for (size_t i = 0; i < N_IN * WIDTH; i++)
            scaled.weight[0][i] *= factors[k];
        for (size_t l = 0; l < N_LAYERS; l++)
            for (size_t i = 0; i < WIDTH; i++)
                scaled.bias[l][i] *= factors[k];
        compare_units(&plain, &scaled, factors[k], what);
    }
}

/* Multiplies neuron i of hidden layer l by c and what reads it by 1 / c: the same network. */
static void rescale_neuron(subject *s, size_t l, size_t i, double c) {
    for (size_t j = 0; j < widths[l]; j++)
        s->weight[l][i * widths[l] + j] *= c;
    for (size_t k = 0; k < widths[l + 2]; k++)
        s->weight[l + 1][k * widths[l + 1] + i] /= c;
    s->bias[l][i] *= c;
}

/* The same network, and nearly the same estimate. */
static void compare_neurons(rk_network *one, const subject *scaled, const char *what) {
    rk_network *other = network_of(scaled, 0);
    const char *method;
    for (size_t m = 0; (method = method_at(m)) != NULL; m++) {
        rk_answer *x = ask(one, NULL, method, false), *y = ask(other, NULL, method, false);
        if (!x) continue;
        const rk_answer_data *a = rk_answer_view(x), *b = rk_answer_view(y);
        double off = rms(b->mean, 1, a->mean, N_OUT);
        double allowed = (averages(method) ? 3 : 2) * a->error_rms + 1e-6;
        if (!isnan(allowed) && !(off <= allowed))
            fail_msg("%s: %s off by %g, states %g", what, method, off, a->error_rms);
        rk_answer_destroy(x);
        rk_answer_destroy(y);
    }
    rk_network_destroy(other);
}

/* A neuron, or all of them, in other units than their layer's. */
static void test_units_of_neurons(void **state) {
    (void)state;
    const subject plain = draw(RK_RELU, 1);
    rk_network *one = network_of(&plain, 0);
    char what[60];
    for (int k = 0; k < N_FACTORS; k++) {
        subject scaled = plain;
        rescale_neuron(&scaled, 1, 3, factors[k]);
        snprintf(what, sizeof what, "a neuron times %g", factors[k]);
        compare_neurons(one, &scaled, what);
    }
    for (int decades = 1; decades <= 6; decades += 1) {
        subject scaled = plain;
        for (size_t l = 0; l + 1 < N_LAYERS; l++)
            for (size_t i = 0; i < widths[l + 1]; i++)
                rescale_neuron(&scaled, l, i, pow(10, decades * cos(2.0 * (double)(i + l))));
        snprintf(what, sizeof what, "neurons over +-%d decades", decades);
        compare_neurons(one, &scaled, what);
    }
    rk_network_destroy(one);
}

/* ---------------------------------------------------------------------------------- offsets */

/* A first layer so far from its kink that it is linear, and the second takes the offset off again:
 * the network whose first two layers are one. */
static void test_offsets(void **state) {
    (void)state;
    static const double offsets[] = {1e2, 1e3, 1e4, 1e6};
    for (int k = 0; k < 4; k++) {
        subject s = draw(RK_RELU, 1), merged = s;
        for (size_t i = 0; i < WIDTH; i++) {
            s.bias[0][i] = offsets[k];
            s.bias[1][i] = merged.bias[1][i];
            for (size_t j = 0; j < WIDTH; j++)
                s.bias[1][i] -= s.weight[1][i * WIDTH + j] * offsets[k];
            for (size_t j = 0; j < N_IN; j++) {
                double sum = 0;
                for (size_t h = 0; h < WIDTH; h++)
                    sum += s.weight[1][i * WIDTH + h] * s.weight[0][h * N_IN + j];
                merged.weight[1][i * N_IN + j] = sum;
            }
        }
        rk_network *one = network_of(&merged, 1), *other = network_of(&s, 0);
        const char *method;
        for (size_t m = 0; (method = method_at(m)) != NULL; m++) {
            rk_answer *x = ask(one, NULL, method, false), *y = ask(other, NULL, method, false);
            if (!x || !y) {
                rk_answer_destroy(x);
                rk_answer_destroy(y);
                continue;
            }
            const rk_answer_data *a = rk_answer_view(x), *b = rk_answer_view(y);
            double off = rms(b->mean, 1, a->mean, N_OUT);
            bool same = !averages(method) && !is_float(method);
            double allowed = same ? 1e-12 * offsets[k] : 3 * hypot(a->error_rms, b->error_rms);
            if (!isnan(allowed) && !(off <= allowed))
                fail_msg("offset %g: %s off by %g, states %g", offsets[k], method, off,
                         b->error_rms);
            for (size_t i = 0; i < N_OUT; i++)
                assert_true(isfinite(b->mean[i]));
            rk_answer_destroy(x);
            rk_answer_destroy(y);
        }
        rk_network_destroy(one);
        rk_network_destroy(other);
    }
}

/* The mean of the input is a bias. */
static void test_input_means(void **state) {
    (void)state;
    static const double sizes[] = {1, 10, 100, 1000};
    for (int k = 0; k < 4; k++) {
        const subject plain = draw(RK_RELU, 1);
        subject moved = plain;
        double mean[N_IN];
        for (size_t j = 0; j < N_IN; j++)
            mean[j] = sizes[k] * cos((double)j);
        for (size_t i = 0; i < WIDTH; i++)
            for (size_t j = 0; j < N_IN; j++)
                moved.bias[0][i] += moved.weight[0][i * N_IN + j] * mean[j];
        rk_network *one = network_of(&plain, 0), *other = network_of(&moved, 0);
        const rk_input input = {.mean = mean};
        const char *method;
        for (size_t m = 0; (method = method_at(m)) != NULL; m++) {
            rk_answer *x = ask(one, &input, method, false), *y = ask(other, NULL, method, false);
            if (!x != !y) fail_msg("%s covers means, or biases, only", method);
            if (!x) continue;
            const rk_answer_data *a = rk_answer_view(x), *b = rk_answer_view(y);
            double off = rms(b->mean, 1, a->mean, N_OUT), size = rms(a->mean, 1, NULL, N_OUT);
            if (!(off <= (is_float(method) ? 1e-6 : 1e-11) * (size + 1)))
                fail_msg("input mean %g: %s off by %g", sizes[k], method, off);
            rk_answer_destroy(x);
            rk_answer_destroy(y);
        }
        rk_network_destroy(one);
        rk_network_destroy(other);
    }
}

/* ------------------------------------------------------------------------- exact in the limit */

static void forward(const rk_network *net, const double *x, double *y) {
    assert_int_equal(rk_network_forward(net, x, y, NULL), RK_OK);
}

/* J J', N_OUT x N_OUT, by differences. */
static void linear_covariance(const rk_network *net, double *C) {
    static const double h = 1e-5;
    double x[N_IN] = {0}, J[N_IN][N_OUT], above[N_OUT], below[N_OUT];
    for (size_t j = 0; j < N_IN; j++) {
        x[j] = h;
        forward(net, x, above);
        x[j] = -h;
        forward(net, x, below);
        x[j] = 0;
        for (size_t i = 0; i < N_OUT; i++)
            J[j][i] = (above[i] - below[i]) / (2 * h);
    }
    for (size_t i = 0; i < N_OUT * N_OUT; i++) {
        C[i] = 0;
        for (size_t j = 0; j < N_IN; j++)
            C[i] += J[j][i / N_OUT] * J[j][i % N_OUT];
    }
}

/* Five neurons of the first layer are silent, and one of the second hears next to nothing else. */
static void hush(subject *s) {
    for (size_t j = 0; j < WIDTH; j++) {
        if (j < 5) s->bias[0][j] = -100;
        if (j >= 5) s->weight[1][3 * WIDTH + j] *= 1e-5;
    }
}

/* Little noise on the input: the network is linear. */
static void test_small_noise(void **state) {
    (void)state;
    static const double sigmas[] = {1e-4, 1e-6, 1e-8};
    static const rk_activation_kind kinds[] = {RK_RELU, RK_TANH,     RK_GELU,
                                               RK_SILU, RK_SOFTPLUS, RK_RELU};
    for (int a = 0; a < 6; a++)
        for (int k = 0; k < 3; k++) {
            subject s = draw(kinds[a], 2);
            if (a == 5) hush(&s);
            rk_network *net = network_of(&s, 0);
            double covariance[N_IN * N_IN] = {0}, C[N_OUT * N_OUT], y[N_OUT], zero[N_IN] = {0};
            double var = sigmas[k] * sigmas[k];
            for (size_t j = 0; j < N_IN; j++)
                covariance[j * N_IN + j] = var;
            linear_covariance(net, C);
            forward(net, zero, y);
            const rk_input input = {.covariance = covariance};
            const char *method;
            for (size_t m = 0; (method = method_at(m)) != NULL; m++) {
                bool keeps = !averages(method) && !strstr(method, "fourth=z");
                rk_answer *x = ask(net, &input, method, keeps);
                if (!x) continue;
                const rk_answer_data *b = rk_answer_view(x);
                double off = rms(b->mean, 1, y, N_OUT);
                bool samples = b->samples > 0;
                double allowed = (samples ? 4 * b->error_rms : 0) + 100 * var + 1e-13;
                if (!(off <= allowed))
                    fail_msg("%s, noise %g: %s off by %g, states %g", rk_activation_name(kinds[a]),
                             sigmas[k], method, off, b->error_rms);
                if (b->covariance) {
                    double wrong = rms(b->covariance, 1 / var, C, N_OUT * N_OUT);
                    wrong /= rms(C, 1, NULL, N_OUT * N_OUT);
                    if (!(wrong <= (samples ? 0.1 : 1e-6 + 10 * sigmas[k])))
                        fail_msg("%s, noise %g: %s covariance off by %g",
                                 rk_activation_name(kinds[a]), sigmas[k], method, wrong);
                }
                rk_answer_destroy(x);
            }
            rk_network_destroy(net);
        }
}

/* Behind a layer of zeros everything is constant. */
static void test_zero_layers(void **state) {
    (void)state;
    static const rk_activation_kind kinds[] = {RK_RELU, RK_TANH, RK_HEAVISIDE};
    for (int a = 0; a < 3; a++)
        for (size_t zero = 0; zero < N_LAYERS; zero++)
            for (int biased = 0; biased < 2; biased++) {
                subject s = draw(kinds[a], biased);
                memset(s.weight[zero], 0, sizeof s.weight[zero]);
                rk_network *net = network_of(&s, 0);
                double y[N_OUT], x[N_IN] = {0};
                forward(net, x, y);
                const char *method;
                for (size_t m = 0; (method = method_at(m)) != NULL; m++) {
                    rk_answer *answer = ask(net, NULL, method, false);
                    if (!answer) continue;
                    const rk_answer_data *b = rk_answer_view(answer);
                    double off = rms(b->mean, 1, y, N_OUT);
                    double allowed = b->samples ? 3 * b->error_rms : 1e-14;
                    /* a gauge's constant neuron varies, so it overstates the outputs' variance */
                    bool tilts = strstr(method, "fourth=z") || strstr(method, "gauge=a");
                    if (!(off <= allowed && (tilts || b->error_rms <= 1e-5)))
                        fail_msg("layer %zu of zeros, %s: %s off by %g, states %g", zero + 1,
                                 rk_activation_name(kinds[a]), method, off, b->error_rms);
                    rk_answer_destroy(answer);
                }
                rk_network_destroy(net);
            }
}

/* ----------------------------------------------------------------------- neurons of no account */

/* Dead, unheard and double neurons: answers stay close to those of sampling, and numbers. */
static void test_idle_neurons(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        subject s = draw(RK_RELU, kind == 1 ? 1 : 0);
        for (size_t j = 0; j < WIDTH; j++) {
            if (kind == 0) s.weight[1][2 * WIDTH + j] = 0;                      /* no input */
            if (kind == 1) s.bias[1][2] = -100;                                 /* always off */
            if (kind == 2) s.weight[2][j * WIDTH + 2] = 0;                      /* not heard */
            if (kind == 3) s.weight[1][WIDTH + j] = s.weight[1][2 * WIDTH + j]; /* double */
        }
        rk_network *net = network_of(&s, 0);
        rk_answer *truth =
            ask(net, NULL, kind == 1 ? "sample:antithetic" : "sample:design,control", false);
        const rk_answer_data *a = rk_answer_view(truth);
        const char *method;
        for (size_t m = 0; (method = method_at(m)) != NULL; m++) {
            rk_answer *answer = ask(net, NULL, method, false);
            if (!answer) continue;
            const rk_answer_data *b = rk_answer_view(answer);
            double off = rms(b->mean, 1, a->mean, N_OUT);
            if (!(off <= 4 * hypot(a->error_rms, b->error_rms)) && !isnan(b->error_rms))
                fail_msg("idle neurons %d: %s off by %g, states %g", kind, method, off,
                         b->error_rms);
            rk_answer_destroy(answer);
        }
        rk_answer_destroy(truth);
        rk_network_destroy(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_units_of_biases),
        cmocka_unit_test(test_units_of_neurons),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_input_means),
        cmocka_unit_test(test_small_noise),
        cmocka_unit_test(test_zero_layers),
        cmocka_unit_test(test_idle_neurons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
