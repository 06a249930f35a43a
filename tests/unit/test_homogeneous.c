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

/* --------------------------------------------------------------------------------- derivatives */

enum { N_LAYERS = 4, MOST = 14 * 14 };

static double coefficient(size_t l, size_t k) {
    return sin(1 + 2.39 * (double)l + 1.7 * (double)k);
}

/* The sum of all numbers of the homogeneous network, each with its coefficient. */
static double weigh(const rk_network *net, double square) {
    rk_network *same;
    double sum = 0;
    assert_int_equal(rk_network_homogenise(&same, net, square, NULL), RK_OK);
    for (size_t l = 0; l < N_LAYERS; l++) {
        const rk_layer *layer = &same->layers[l];
        for (size_t k = 0; k < layer->rows * layer->cols; k++)
            sum += layer->weight[k] * coefficient(l, k);
        for (size_t i = 0; layer->bias && i < layer->rows; i++)
            sum += layer->bias[i] * coefficient(N_LAYERS + l, i);
    }
    rk_network_destroy(same);
    return sum;
}

static double weigh_with(const rk_network *net, size_t l, bool bias, size_t k, double step) {
    rk_layer layers[N_LAYERS];
    double moved[MOST];
    rk_network *other;
    memcpy(layers, net->layers, sizeof layers);
    size_t count = bias ? layers[l].rows : layers[l].rows * layers[l].cols;
    memcpy(moved, bias ? layers[l].bias : layers[l].weight, count * sizeof *moved);
    moved[k] += step;
    *(bias ? &layers[l].bias : &layers[l].weight) = moved;
    assert_int_equal(rk_network_create(&other, layers, N_LAYERS, NULL), RK_OK);
    double sum = weigh(other, 1.3);
    rk_network_destroy(other);
    return sum;
}

static void test_derivatives_go_back(void **state) {
    (void)state;
    static const rk_activation_kind first[] = {RK_RELU, RK_LEAKY_RELU, RK_GELU};
    const double h = 1e-5;
    for (size_t c = 0; c < 3; c++) {
        rk_network *net = biased(c == 1 ? RK_LEAKY_RELU : RK_RELU);
        net->layers[0].activation.kind = first[c]; /* which may be curved */
        static double room[4][N_LAYERS][MOST];
        double *lists[4][N_LAYERS];
        memset(room, 0, sizeof room);
        for (size_t l = 0; l < N_LAYERS; l++)
            for (size_t k = 0; k < MOST; k++) {
                room[0][l][k] = coefficient(l, k);
                room[1][l][k] = coefficient(N_LAYERS + l, k);
                for (size_t list = 0; list < 4; list++)
                    lists[list][l] = room[list][l];
            }
        double square_bar =
            rk_network_homogenise_back(net, 1.3, lists[0], lists[1], lists[2], lists[3]);
        assert_near(square_bar, (weigh(net, 1.3 + h) - weigh(net, 1.3 - h)) / (2 * h), 1e-7);
        for (size_t l = 0; l < N_LAYERS; l++)
            for (size_t k = 0; k < net->layers[l].rows * net->layers[l].cols; k++)
                for (int bias = 0; bias < 1 + (k < net->layers[l].rows); bias++)
                    assert_near(room[2 + bias][l][k],
                                (weigh_with(net, l, bias, k, h) - weigh_with(net, l, bias, k, -h)) /
                                    (2 * h),
                                1e-7);
        rk_network_destroy(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_outputs_are_the_same),
                                       cmocka_unit_test(test_what_scales),
                                       cmocka_unit_test(test_curved_activations_cannot_be),
                                       cmocka_unit_test(test_derivatives_go_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
