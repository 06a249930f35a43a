/* A network with biases and the one without that says the same. */
#include "network/homogeneous.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the above */
#include <cmocka.h>

enum { N_IN = 9, N_OUT = 4 };

static rk_network *biased(rk_activation_kind kind) {
    static const size_t hidden[] = {11, 7, 13};
    rk_random_spec spec = {.n_in = N_IN,
                           .n_out = N_OUT,
                           .hidden = hidden,
                           .n_hidden = 3,
                           .activation = {.kind = kind, .parameter = 0.2},
                           .init = RK_INIT_MANUAL,
                           .weight_variance = 1.5,
                           .bias_variance = 0.5,
                           .seed = 2};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    return net;
}

static void test_the_outputs_are_the_same(void **state) {
    (void)state;
    static const rk_activation_kind kinds[] = {RK_RELU, RK_LEAKY_RELU, RK_ABS, RK_IDENTITY};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        rk_network *net = biased(kinds[k]), *same;
        assert_true(rk_network_can_be_homogeneous(net));
        assert_false(rk_network_is_homogeneous(net));
        assert_int_equal(rk_network_homogenise(&same, net, 1, NULL), RK_OK);
        assert_true(rk_network_is_homogeneous(same));
        for (int trial = 0; trial < 5; trial++) {
            double x[N_IN], y[N_OUT], y_same[N_OUT];
            for (size_t j = 0; j < N_IN; j++)
                x[j] = sin((double)(10 * trial) + (double)j);
            x[0] *= 1e-6; /* what the neuron that is always 1 has a trace of */
            assert_int_equal(rk_network_forward(net, x, y, NULL), RK_OK);
            assert_int_equal(rk_network_forward(same, x, y_same, NULL), RK_OK);
            for (size_t i = 0; i < N_OUT; i++)
                assert_near(y_same[i], y[i], 1e-9);
        }
        rk_network_destroy(same);
        rk_network_destroy(net);
    }
}

/* Zeros are no biases; a network that has some is told which layer. */
static void test_what_scales(void **state) {
    (void)state;
    static const double weight[] = {1, -2, 3, 4}, none[] = {0, 0}, some[] = {0, 1};
    for (int k = 0; k < 2; k++) {
        const rk_layer layers[] = {
            {.rows = 2, .cols = 2, .weight = weight, .bias = none, .activation = {.kind = RK_RELU}},
            {.rows = 2, .cols = 2, .weight = weight, .bias = k ? some : none}};
        rk_network *net;
        rk_error error;
        assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
        assert_int_equal(rk_network_scales(net), k == 0);
        assert_int_equal(rk_network_check_scales(net, &error), k ? RK_ERROR_UNSUPPORTED : RK_OK);
        if (k) assert_non_null(strstr(error.message, "layer 2 has biases"));
        rk_network_destroy(net);
    }
}

static void test_curved_activations_cannot_be(void **state) {
    (void)state;
    rk_network *net = biased(RK_GELU);
    assert_false(rk_network_can_be_homogeneous(net));
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_outputs_are_the_same),
                                       cmocka_unit_test(test_what_scales),
                                       cmocka_unit_test(test_curved_activations_cannot_be)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
