#include "network/network.h"

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
        {.second = {.rows = 1, .cols = 3}, .message = "layer 2 has no weights"},
        {.second = {.rows = (size_t)1 << 40, .cols = 3, .weight = weight_2},
         .message = "layer 2 is too large (1099511627776 x 3)"},
        {.second = {.rows = 1, .cols = 3, .weight = weight_2, .activation = {.kind = RK_CUSTOM}},
         .message = "layer 2: custom activation without a function"},
        {.second = {.rows = 1, .cols = 3, .weight = weight_2, .weight_scale = -1},
         .message = "layer 2: weight scale -1 is not a variance"},
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_network_owns_its_copy),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_bad_networks_are_refused_by_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
