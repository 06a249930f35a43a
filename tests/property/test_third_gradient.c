/* The way back through the third order in networks that are deep, or wider than what its kernels
 * take at a time; and what must not change it. */
#include "linalg/blas.h"
#include "support/taped.h"
#include "third/third.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof *table)

static const rk_third_spec specs[] = {
    {.tilt = RK_TILT_OFF, .fourth = RK_FOURTH_AVERAGE, .reach = 1},
    {.tilt = RK_TILT_OFF, .fourth = RK_FOURTH_AVERAGE, .metric = RK_METRIC_AVERAGE, .reach = 1},
    {.tilt = RK_TILT_ON, .fourth = RK_FOURTH_ZERO, .reach = 1},
    {.tilt = RK_TILT_ON, .fourth = RK_FOURTH_DIAGONAL, .reach = 1},
    {.tilt = RK_TILT_ON, .fourth = RK_FOURTH_LEAN, .reach = 1},
    {.tilt = RK_TILT_ON, .fourth = RK_FOURTH_LEAN, .reach = 4},
    {.tilt = RK_TILT_ON, .fourth = RK_FOURTH_FULL, .reach = 1},
    {.tilt = RK_TILT_ON, .fourth = RK_FOURTH_FULL, .reach = 2},
    {.tilt = RK_TILT_ON, .fourth = RK_FOURTH_FULL, .reach = 3},
    {.tilt = RK_TILT_ON, .fourth = RK_FOURTH_FULL, .reach = 8},
};

/* The one that the law below is run with. */
static rk_third_spec spec;

static void third(rk_work *work, const rk_network *net, const rk_input *input, rk_outputs *outputs,
                  rk_tape *tape) {
    rk_propagate_third(work, net, input, &spec, outputs, tape);
}

static rk_network *draw(size_t n_in, const size_t *hidden, size_t n_hidden) {
    rk_random_spec random = {.n_in = n_in,
                             .n_out = 5,
                             .hidden = hidden,
                             .n_hidden = n_hidden,
                             .activation = {.kind = RK_LEAKY_RELU, .parameter = 0.1},
                             .seed = 6};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &random, NULL), RK_OK);
    return net;
}

static void check(const rk_network *net, size_t which) {
    char name[64];
    snprintf(name, sizeof name, "%zu layers, spec %zu", net->n_layers, which);
    spec = specs[which];
    spec.double_legs = true;
    const taped_case c = {.name = name, .law = third, .hidden = true};
    taped_check(&c, net, NULL, NULL, 1e-6);
}

/* Widths that differ, layers that outlive what is followed, and wide enough that a tilt is a root;
 * drawn so that differences meet no kink. */
static void test_deep_networks(void **state) {
    (void)state;
    static const size_t hidden[] = {17, 19, 16, 18, 15};
    for (size_t n_hidden = 1; n_hidden <= 5; n_hidden += 2) {
        rk_network *net = draw(6, hidden, n_hidden);
        for (size_t k = 0; k < COUNT(specs); k++)
            check(net, k);
        rk_network_destroy(net);
    }
}

static const size_t wide[] = {270, 37, 300};

static void test_wide_networks(void **state) {
    (void)state;
    rk_network *net = draw(6, wide, 3);
    check(net, 0);
    check(net, COUNT(specs) - 2);
    rk_network_destroy(net);
}

/* Derivatives of the outputs' sum by all weights, twice from the same tape, on so many threads. */
static void derive(const rk_network *net, int threads, double *const *dW, double *const *again) {
    static rk_tape tape;
    double mean[5], variance[5];
    const double bar[5] = {1, 1, 1, 1, 1};
    rk_outputs outputs = {.mean = mean, .variance = variance};
    const rk_input input = {0};
    const rk_cotangent f = {.mean = bar};
    const rk_adjoint to[] = {{.weight = dW}, {.weight = again}};
    rk_work dry, wet = {0};
    rk_pool *pool;
    assert_int_equal(rk_pool_create(&pool, threads, NULL), RK_OK);
    rk_work_init_dry(&dry);
    for (int run = 0; run < 2; run++) {
        rk_work *work = run ? &wet : &dry;
        if (run) assert_int_equal(rk_work_init_wet(&wet, &dry, pool, NULL), RK_OK);
        tape = (rk_tape){.input_covariance = false};
        rk_propagate_third(work, net, &input, &spec, &outputs, &tape);
        rk_tape_back(&tape, &f, &to[0]);
        rk_tape_back(&tape, &f, &to[1]);
    }
    assert_true(dry.flops == wet.flops);
    rk_work_finish(&wet);
    rk_pool_destroy(pool);
    free(dry.steps);
}

static void test_threads_and_repetition(void **state) {
    (void)state;
    enum { N_LAYERS = 4, MOST = 300 * 300 };
    static double room[3][N_LAYERS][MOST];
    double *dW[3][N_LAYERS];
    rk_network *net = draw(6, wide, 3);
    rk_blas_make_serial();
    for (size_t k = 0; k < COUNT(specs); k += 3) {
        spec = specs[k];
        memset(room, 0, sizeof room);
        for (size_t r = 0; r < 3; r++)
            for (size_t l = 0; l < N_LAYERS; l++)
                dW[r][l] = room[r][l];
        derive(net, 1, dW[0], dW[1]);
        assert_memory_equal(room[0], room[1], sizeof room[0]);
        memset(room[1], 0, sizeof room[1]);
        derive(net, 3, dW[1], dW[2]);
        assert_memory_equal(room[0], room[1], sizeof room[0]);
        assert_true(room[0][0][0] != 0);
    }
    rk_network_destroy(net);
}

/* The sum of the outputs' variances, where the last layer has an activation. */
static double variances(const rk_network *net, double *const *dW) {
    static rk_tape tape;
    double mean[5], variance[5], sum = 0;
    const double bar[5] = {1, 1, 1, 1, 1}, zero[5] = {0};
    rk_outputs outputs = {.mean = mean, .variance = variance};
    const rk_input input = {0};
    const rk_cotangent f = {.mean = zero, .variance = bar};
    const rk_adjoint to = {.weight = dW};
    rk_work dry, wet = {0};
    rk_work_init_dry(&dry);
    for (int run = 0; run < 2; run++) {
        rk_work *work = run ? &wet : &dry;
        if (run) assert_int_equal(rk_work_init_wet(&wet, &dry, NULL, NULL), RK_OK);
        tape = (rk_tape){.input_covariance = false};
        rk_propagate_third(work, net, &input, &spec, &outputs, &tape);
        if (dW) rk_tape_back(&tape, &f, &to);
    }
    rk_work_finish(&wet);
    free(dry.steps);
    for (size_t i = 0; i < 5; i++)
        sum += variance[i];
    return sum;
}

/* What a tilt took out of the variances and put back at the end depends on every layer. */
static void test_what_a_tilt_puts_back(void **state) {
    (void)state;
    enum { N_LAYERS = 4, MOST = 20 * 20 };
    static const size_t hidden[N_LAYERS - 1] = {17, 19, 16};
    const double h = 1e-5;
    rk_network *net = draw(6, hidden, N_LAYERS - 1);
    net->layers[N_LAYERS - 1].activation = net->layers[0].activation;
    rk_blas_make_serial();
    for (size_t k = 2; k < COUNT(specs); k += 2) {
        double room[N_LAYERS][MOST] = {{0}}, *dW[N_LAYERS];
        spec = specs[k];
        spec.double_legs = true;
        for (size_t l = 0; l < N_LAYERS; l++)
            dW[l] = room[l];
        variances(net, dW);
        for (size_t l = 0; l < N_LAYERS; l++) {
            double *weight = rk_network_weights(net, l) + 3, at = *weight, high, low;
            *weight = at + h, high = variances(net, NULL);
            *weight = at - h, low = variances(net, NULL);
            *weight = at;
            double difference = (high - low) / (2 * h);
            if (!(fabs(room[l][3] - difference) <= 1e-7 * (1 + fabs(difference))))
                fail_msg("spec %zu, layer %zu: %.12g, by differences %.12g", k, l, room[l][3],
                         difference);
        }
    }
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_deep_networks),
                                       cmocka_unit_test(test_wide_networks),
                                       cmocka_unit_test(test_threads_and_repetition),
                                       cmocka_unit_test(test_what_a_tilt_puts_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
