#include "network/network.h"
#include "network/normal_form.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double weight_1[] = {1, -2, 0.5, 3, 0, 1}, bias_1[] = {0.25, -1, 7};
static const double weight_2[] = {1, 1, -1};

static void two_layers(rk_layer layers[2]) {
    layers[0] = (rk_layer){
        .rows = 3, .cols = 2, .weight = weight_1, .bias = bias_1, .activation = {.kind = RK_RELU}};
    layers[1] = (rk_layer){.rows = 1, .cols = 3, .weight = weight_2};
}

static void test_a_network_owns_its_copy(void **state) {
    (void)state;
    rk_layer layers[2];
    rk_network *net;
    two_layers(layers);
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    memset(layers, 0, sizeof layers);
    assert_int_equal(rk_network_n_layers(net), 2);
    assert_int_equal(rk_network_n_in(net), 2);
    assert_int_equal(rk_network_n_out(net), 1);
    assert_true(rk_network_layer(net, 0).weight[3] == 3);
    assert_null(rk_network_layer(net, 1).bias);
    assert_true(rk_network_is_activated(net, 0));
    assert_false(rk_network_is_activated(net, 1));
    double scale = (1 + 4 + 0.25 + 9 + 0 + 1) / 3; /* mean square of the weights x cols */
    assert_true(fabs(rk_network_weight_scale(net, 0) - scale) <= 1e-15);
    assert_string_equal(rk_network_notes(net), "");
    rk_network_destroy(net);
    rk_network_destroy(NULL);
}

/* SHA-256 of rows, cols, has_bias as uint64, then the float64 data, all little-endian:
 *   python3 -c 'import hashlib, struct; p = struct.pack
 *   print(hashlib.sha256(p("<3Q", 3, 2, 1) + p("<6d", 1, -2, .5, 3, 0, 1) + p("<3d", .25, -1, 7)
 *                        + p("<3Q", 1, 3, 0) + p("<3d", 1, 1, -1)).hexdigest())' */
static void test_digest(void **state) {
    (void)state;
    rk_layer layers[2];
    rk_network *net;
    char hex[65];
    two_layers(layers);
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    assert_int_equal(rk_network_sha256(net, hex, NULL), RK_OK);
    assert_string_equal(hex, "ca516087c98189ab5d0112966e56b641196f01e70a1a7520fa12c963dea48573");
    rk_network_destroy(net);
}

static void test_bad_networks_are_refused_by_place(void **state) {
    (void)state;
    static const double nan_weight[] = {1, -2, 0.5, NAN, 0, 1}, infinite_bias[] = {0, INFINITY, 0};
    static const struct {
        rk_layer second, first;
        const char *message;
    } cases[] = {
        {.second = {.rows = 1, .cols = 4, .weight = weight_2},
         .message = "layer 2 takes 4 inputs but layer 1 has 3 outputs"},
        {.second = {.rows = 0, .cols = 3, .weight = weight_2},
         .message = "layer 2 is empty (0 x 3)"},
        {.second = {.rows = 1, .cols = 3}, .message = "layer 2 has no weights, and is 1 x 3"},
        {.second = {.rows = (size_t)1 << 40, .cols = 3, .weight = weight_2},
         .message = "layer 2 is too large (1099511627776 x 3)"},
        {.second = {.rows = 1, .cols = 3, .weight = weight_2, .activation = {.kind = RK_CUSTOM}},
         .message = "layer 2: custom activation without a function"},
        {.second = {.rows = 1, .cols = 3, .weight = weight_2, .weight_scale = -1},
         .message = "layer 2: weight scale -1 is not a variance"},
        {.second = {.rows = 1, .cols = 3, .weight = weight_2, .reads = 3},
         .message = "layer 2 reads value 3: there are 1 (the input) to 2 below it"},
        {.second = {.rows = 1, .cols = 3, .weight = weight_2, .adds = 3},
         .message = "layer 2 adds value 3: there are 1 (the input) to 2 below it"},
        {.second = {.rows = 1, .cols = 3, .weight = weight_2, .reads = 1},
         .message = "layer 2 takes 3 inputs but value 1, which it reads, has 2 entries"},
        {.second = {.rows = 1, .cols = 3, .weight = weight_2, .adds = 1},
         .message = "layer 2 has 1 outputs but value 1, which it adds, has 2 entries"},
        {.first = {.rows = 3, .cols = 2, .weight = nan_weight},
         .message = "layer 1: weight [1, 1] is not finite"},
        {.first = {.rows = 3, .cols = 2, .weight = weight_1, .bias = infinite_bias},
         .message = "layer 1: bias [1] is not finite"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_layer layers[2];
        rk_network *net;
        rk_error error;
        two_layers(layers);
        if (cases[i].first.cols) layers[0] = cases[i].first;
        if (cases[i].second.cols) layers[1] = cases[i].second;
        assert_int_equal(rk_network_create(&net, layers, 2, &error), RK_ERROR_ARGUMENT);
        assert_null(net);
        assert_string_equal(error.message, cases[i].message);
    }
    rk_network *net;
    assert_int_equal(rk_network_create(&net, NULL, 0, NULL), RK_ERROR_ARGUMENT);
}

/* y = x + W_2 relu(W_1 x + b_1), and what reads both: tanh(y) without weights, plus x. */
static const double narrow[] = {1, 1, -1, 2, 0.5, -3};
static const rk_layer residual[] = {
    {.rows = 3, .cols = 2, .weight = weight_1, .bias = bias_1, .activation = {.kind = RK_RELU}},
    {.rows = 2, .cols = 3, .weight = narrow, .adds = 1},
    {.rows = 2, .cols = 2, .activation = {.kind = RK_TANH}},
    {.rows = 1, .cols = 2, .weight = weight_2, .reads = 3},
    {.rows = 1, .cols = 2, .weight = weight_1, .reads = 4, .adds = 5},
};
enum { RESIDUAL = sizeof residual / sizeof *residual };

static void test_residual_networks(void **state) {
    (void)state;
    rk_network *net;
    assert_int_equal(rk_network_create(&net, residual, RESIDUAL, NULL), RK_OK);
    const double x[] = {0.5, -1.5};
    double h[3], y[2], out;
    for (int i = 0; i < 3; i++)
        h[i] = fmax(0, weight_1[2 * i] * x[0] + weight_1[2 * i + 1] * x[1] + bias_1[i]);
    for (int i = 0; i < 2; i++)
        y[i] = x[i] + narrow[3 * i] * h[0] + narrow[3 * i + 1] * h[1] + narrow[3 * i + 2] * h[2];
    assert_int_equal(rk_network_forward(net, x, &out, NULL), RK_OK);
    double expected = y[0] + y[1] + tanh(y[0]) - 2 * tanh(y[1]);
    assert_true(fabs(out - expected) <= 1e-14);

    assert_false(rk_network_is_plain(net));
    assert_int_equal(rk_network_last_use(net, 0), 1);
    assert_int_equal(rk_network_last_use(net, 1), 1);
    assert_int_equal(rk_network_last_use(net, 2), 3);
    assert_int_equal(rk_network_last_use(net, 4), 4);
    assert_int_equal(rk_network_last_use(net, 5), RESIDUAL);
    rk_error error;
    assert_int_equal(rk_network_check_plain(net, "gain", &error), RK_ERROR_UNSUPPORTED);
    assert_string_equal(error.message,
                        "gain takes no residual connections: layer 2 adds an earlier value");
    rk_network_destroy(net);
}

/* Weights are the same, what is done with them is not. */
static void test_digests_know_residual_connections(void **state) {
    (void)state;
    rk_layer layers[RESIDUAL];
    char hex[3][65];
    for (int i = 0; i < 3; i++) {
        rk_network *net;
        memcpy(layers, residual, sizeof layers);
        if (i == 1) layers[1].adds = 0;
        if (i == 2) layers[3].reads = 0;
        assert_int_equal(rk_network_create(&net, layers, RESIDUAL, NULL), RK_OK);
        assert_int_equal(rk_network_sha256(net, hex[i], NULL), RK_OK);
        rk_network_destroy(net);
    }
    assert_string_not_equal(hex[0], hex[1]);
    assert_string_not_equal(hex[0], hex[2]);
    assert_string_not_equal(hex[1], hex[2]);
}

/* A mean of the input is in the biases of whatever sees it. */
static void test_normal_form_of_residual_networks(void **state) {
    (void)state;
    rk_network *net;
    assert_int_equal(rk_network_create(&net, residual, RESIDUAL, NULL), RK_OK);
    const double mean[] = {3, -2}, x[] = {0.5, -1.5}, moved[] = {3.5, -3.5};
    rk_normal_form form;
    double out, expected;
    assert_int_equal(rk_normal_form_create(&form, net, &(rk_input){.mean = mean}, NULL), RK_OK);
    assert_int_equal(rk_network_forward(form.net, x, &out, NULL), RK_OK);
    assert_int_equal(rk_network_forward(net, moved, &expected, NULL), RK_OK);
    assert_true(fabs(out - expected) <= 1e-14);
    rk_normal_form_clear(&form);
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_network_owns_its_copy),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_bad_networks_are_refused_by_place),
        cmocka_unit_test(test_residual_networks),
        cmocka_unit_test(test_digests_know_residual_connections),
        cmocka_unit_test(test_normal_form_of_residual_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
