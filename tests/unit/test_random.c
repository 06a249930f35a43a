#include "activation/activation.h"
#include "base/normal.h"
#include "base/stream.h"
#include "network/network.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the above */
#include <cmocka.h>

static rk_network *make(const rk_random_spec *spec) {
    rk_network *net;
    rk_error error = {.message = ""};
    if (rk_network_random(&net, spec, &error) != RK_OK) fail_msg("%s", error.message);
    return net;
}

/* tests/numpy/streams.py made the file. */
static void test_weights_are_those_numpy_makes(void **state) {
    (void)state;
    const size_t hidden[] = {4};
    rk_network *net = make(&(rk_random_spec){.n_in = 3,
                                             .n_out = 2,
                                             .hidden = hidden,
                                             .n_hidden = 1,
                                             .activation = {.kind = RK_RELU},
                                             .init = RK_INIT_MANUAL,
                                             .weight_variance = 2,
                                             .bias_variance = 0.5,
                                             .seed = 11});
    FILE *file = fopen(RK_TEST_DATA "/random_network.txt", "r");
    assert_non_null(file);
    char kind[8];
    size_t l, i, n_lines = 0;
    double value;
    while (fscanf(file, "%7s %zu %zu %lf", kind, &l, &i, &value) == 4) {
        assert_in_range(l, 0, 1);
        const rk_layer layer = rk_network_layer(net, l);
        const bool weight = strcmp(kind, "weight") == 0;
        assert_in_range(i, 0, layer.rows * (weight ? layer.cols : 1) - 1);
        assert_near((weight ? layer.weight : layer.bias)[i], value, 1e-14);
        assert_near(layer.weight_scale, 2, 0);
        n_lines++;
    }
    fclose(file);
    assert_int_equal(n_lines, 12 + 4 + 8 + 2);
    rk_network_destroy(net);
}

static void test_depths_of_one_seed_share_layers(void **state) {
    (void)state;
    const size_t hidden[] = {7, 5, 6};
    rk_random_spec spec = {.n_in = 4,
                           .n_out = 3,
                           .hidden = hidden,
                           .n_hidden = 3,
                           .activation = {.kind = RK_GELU},
                           .seed = 1};
    rk_network *deep = make(&spec), *again = make(&spec);
    spec.n_hidden = 2;
    rk_network *shallow = make(&spec);
    spec.seed = 2;
    rk_network *other = make(&spec);
    for (size_t l = 0; l < 2; l++) {
        const rk_layer a = rk_network_layer(deep, l), b = rk_network_layer(again, l);
        const rk_layer c = rk_network_layer(shallow, l), d = rk_network_layer(other, l);
        const size_t bytes = a.rows * a.cols * sizeof *a.weight;
        assert_memory_equal(a.weight, b.weight, bytes);
        assert_memory_equal(a.weight, c.weight, bytes);
        assert_memory_not_equal(a.weight, d.weight, bytes);
        assert_null(a.bias);
    }
    assert_int_equal(rk_network_layer(shallow, 2).activation.kind, RK_IDENTITY);
    rk_network_destroy(deep);
    rk_network_destroy(again);
    rk_network_destroy(shallow);
    rk_network_destroy(other);
}

static double mean_square(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum / (double)n;
}

static void test_he_keeps_the_mean_square(void **state) {
    (void)state;
    const size_t hidden[] = {200, 300};
    rk_network *net = make(&(rk_random_spec){.n_in = 150,
                                             .n_out = 100,
                                             .hidden = hidden,
                                             .n_hidden = 2,
                                             .activation = {.kind = RK_RELU},
                                             .seed = 3});
    const double expected[] = {1, 2, 2};
    for (size_t l = 0; l < 3; l++) {
        const rk_layer layer = rk_network_layer(net, l);
        const size_t count = layer.rows * layer.cols;
        const double scale = (double)layer.cols * mean_square(layer.weight, count);
        assert_near(layer.weight_scale, expected[l], 1e-12);
        assert_near(scale, expected[l], 4.5 * expected[l] * sqrt(2 / (double)count));
    }
    rk_network_destroy(net);
}

static void critical(rk_activation_kind kind, double q, double *weight, double *bias_estimate,
                     double *first) {
    const size_t hidden[] = {4, 4000};
    rk_network *net = make(&(rk_random_spec){.n_in = 1,
                                             .n_out = 1,
                                             .hidden = hidden,
                                             .n_hidden = 2,
                                             .activation = {.kind = kind},
                                             .init = RK_INIT_CRITICAL,
                                             .critical_q = q});
    const rk_layer layer = rk_network_layer(net, 1);
    *first = rk_network_layer(net, 0).weight_scale;
    *weight = layer.weight_scale;
    *bias_estimate = layer.bias ? mean_square(layer.bias, layer.rows) : 0;
    rk_network_destroy(net);
}

/* Oracles of the reference implementation; the bias variance is q - first. */
static void test_critical_variances(void **state) {
    (void)state;
    const struct {
        rk_activation_kind kind;
        double q, weight, bias, tolerance;
    } cases[] = {
        {RK_TANH, 0.85, 2.025389, 0.110884, 1e-6},
        {RK_TANH, 1, 2.153303, 0.150965, 1e-6},
        {RK_GELU, 1, 2.193700, 0.067192, 1e-6},
        {RK_RELU, 0.7, 2, 0, 1e-9},
        {RK_IDENTITY, 3, 1, 0, 1e-9},
        {RK_ABS, 2, 1, 0, 1e-9},
        {RK_SQUARE, 2, 0.125, 0.5, 1e-9}, /* 1/(4q), q - 3q^2/(4q) */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double weight, bias, first;
        critical(cases[i].kind, cases[i].q, &weight, &bias, &first);
        assert_near(weight, cases[i].weight, cases[i].tolerance);
        assert_near(cases[i].q - first, cases[i].bias, cases[i].tolerance);
        assert_near(bias, cases[i].bias, 4.5 * cases[i].bias * sqrt(2 / 4000.0));
    }
}

/* An embedding and 8 blocks of relu: each adds an eighth, so the output's variance is
 * (1 + 1/8)^8, up to fluctuations. */
static void test_residual_networks(void **state) {
    (void)state;
    enum { WIDTH = 100, HIDDEN = 17, INPUTS = 100 };
    size_t hidden[HIDDEN];
    for (size_t l = 0; l < HIDDEN; l++)
        hidden[l] = l % 2 ? 2 * WIDTH : WIDTH;
    rk_network *net = make(&(rk_random_spec){.n_in = 30,
                                             .n_out = WIDTH,
                                             .hidden = hidden,
                                             .n_hidden = HIDDEN,
                                             .activation = {.kind = RK_RELU},
                                             .residual = true});
    for (size_t l = 0; l <= HIDDEN; l++) {
        const rk_layer layer = rk_network_layer(net, l);
        const bool first = l < HIDDEN && l % 2 == 1, second = l > 0 && l % 2 == 0;
        assert_int_equal(layer.activation.kind, first ? RK_RELU : RK_IDENTITY);
        assert_int_equal(layer.adds, second ? l : 0);
        assert_int_equal(layer.reads, 0);
        assert_null(layer.bias);
        assert_true(fabs(layer.weight_scale - (second ? 0.25 : 1)) <= 1e-15);
    }
    double x[30], y[WIDTH], square = 0;
    for (size_t i = 0; i < INPUTS; i++) {
        rk_normal_doubles((rk_stream){5, RK_STREAM_SAMPLES}, i, 30, x);
        assert_int_equal(rk_network_forward(net, x, y, NULL), RK_OK);
        for (size_t j = 0; j < WIDTH; j++)
            square += y[j] * y[j] / (WIDTH * INPUTS);
    }
    assert_true(fabs(square / pow(1.125, 8) - 1) <= 0.25);
    rk_network_destroy(net);
}

static double nowhere(double z, void *context) {
    (void)context;
    return 0 * z;
}

static void test_bad_specs_are_refused_by_name(void **state) {
    (void)state;
    const size_t hidden[] = {4, 0};
    const rk_random_spec good = {
        .n_in = 2, .n_out = 2, .hidden = hidden, .n_hidden = 1, .activation = {.kind = RK_RELU}};
    enum { N = 12 };
    rk_random_spec bad[N];
    for (size_t i = 0; i < N; i++)
        bad[i] = good;
    const char *words[N] = {"inputs",     "inputs", "layer 2",  "widths",
                            "activation", "custom", "critical", "critical",
                            "weight",     "not",    "unknown",  "it must have as many, not 5"};
    const size_t uneven[] = {4, 5};
    bad[0].n_in = 0;
    bad[1].n_out = 0;
    bad[2].n_hidden = 2;
    bad[3].hidden = NULL;
    bad[4].activation.kind = (rk_activation_kind)99;
    bad[5].activation = (rk_activation){.kind = RK_CUSTOM, .function = nowhere};
    bad[6].init = RK_INIT_CRITICAL; /* q = 0 */
    bad[7].init = RK_INIT_CRITICAL;
    bad[7].critical_q = 1;
    bad[7].activation.kind = RK_HEAVISIDE;
    bad[8].init = RK_INIT_MANUAL;
    bad[8].weight_variance = -1;
    bad[9].init = RK_INIT_MANUAL;
    bad[9].bias_variance = (double)NAN;
    bad[10].init = (rk_init)7;
    bad[11].residual = true;
    bad[11].hidden = uneven;
    bad[11].n_hidden = 2;
    for (size_t i = 0; i < N; i++) {
        rk_network *net = (rk_network *)&net;
        rk_error error;
        assert_int_equal(rk_network_random(&net, &bad[i], &error), RK_ERROR_ARGUMENT);
        assert_null(net);
        if (!strstr(error.message, words[i])) fail_msg("'%s': no '%s'", error.message, words[i]);
    }
    bad[0] = good;
    bad[0].n_in = SIZE_MAX / 4;
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &bad[0], NULL), RK_ERROR_ARGUMENT); /* too large */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_are_those_numpy_makes),
        cmocka_unit_test(test_depths_of_one_seed_share_layers),
        cmocka_unit_test(test_he_keeps_the_mean_square),
        cmocka_unit_test(test_critical_variances),
        cmocka_unit_test(test_residual_networks),
        cmocka_unit_test(test_bad_specs_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
