/* A closure that is asked to stop at a layer says of it what it says of a network that ends there,
 * bit for bit and for the same FLOPs. */
#include "propagate/covariance.h"
#include "propagate/gain.h"
#include "propagate/mean.h"
#include "third/third.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 12, LAYERS = 5 };

static rk_network *network(void) {
    static const size_t hidden[LAYERS - 1] = {N, N - 1, N - 2, N - 1};
    rk_random_spec spec = {.n_in = N,
                           .n_out = 3,
                           .hidden = hidden,
                           .n_hidden = LAYERS - 1,
                           .activation = {.kind = RK_RELU},
                           .seed = 3};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    return net;
}

static void mean(rk_work *work, const rk_network *net, rk_outputs *outputs) {
    rk_propagate_mean(work, net, &(rk_input){0}, &(rk_mean_spec){0}, outputs, NULL);
}

static void covariance(rk_work *work, const rk_network *net, rk_outputs *outputs) {
    rk_propagate_covariance(work, net, &(rk_input){0}, &(rk_covariance_spec){0}, outputs, NULL);
}

static void gain(rk_work *work, const rk_network *net, rk_outputs *outputs) {
    rk_propagate_gain(work, net, &(rk_input){0}, outputs, NULL);
}

static void third(rk_work *work, const rk_network *net, rk_outputs *outputs) {
    rk_third_spec spec = {.fourth = RK_FOURTH_AVERAGE};
    rk_propagate_third(work, net, &(rk_input){0}, &spec, outputs, NULL);
}

static void third_full(rk_work *work, const rk_network *net, rk_outputs *outputs) {
    static const rk_roles roles[LAYERS] = {{8, 9, 10}, {7, 8, 9}, {6, 8, 8}, {8, 8, 9}, {3, 3, 3}};
    rk_third_spec spec = {
        .tilt = RK_TILT_ON, .fourth = RK_FOURTH_FULL, .rank = 4, .reach = 2, .roles = roles};
    rk_propagate_third(work, net, &(rk_input){0}, &spec, outputs, NULL);
}

typedef void closure(rk_work *work, const rk_network *net, rk_outputs *outputs);

/* Mean and variance of the output to `moments`; the FLOPs. */
static uint64_t run(closure *propagate, const rk_network *net, size_t depth, bool bare,
                    double *moments) {
    rk_work dry, wet;
    rk_pool *pool;
    assert_int_equal(rk_pool_create(&pool, 1, NULL), RK_OK);
    rk_regime regime = {0};
    rk_outputs asked = {
        .depth = depth, .bare = bare, .mean = moments, .variance = moments + N, .regime = &regime};
    rk_outputs outputs = asked;
    rk_work_init_dry(&dry);
    propagate(&dry, net, &outputs);
    assert_int_equal(rk_work_init_wet(&wet, &dry, pool, NULL), RK_OK);
    outputs = asked;
    propagate(&wet, net, &outputs);
    uint64_t flops = wet.flops;
    assert_true(flops == dry.flops);
    rk_work_finish(&wet);
    free(dry.steps);
    rk_pool_destroy(pool);
    return flops;
}

static void test_stopping_is_ending(void **state) {
    (void)state;
    static const struct {
        const char *name;
        closure *propagate;
    } closures[] = {{"mean", mean},
                    {"covariance", covariance},
                    {"gain", gain},
                    {"third", third},
                    {"third full", third_full}};
    rk_network *net = network();
    for (size_t k = 0; k < sizeof closures / sizeof *closures; k++)
        for (size_t depth = 1; depth < LAYERS; depth++)
            for (int bare = 0; bare < 2; bare++) {
                rk_layer layers[LAYERS];
                memcpy(layers, net->layers, sizeof layers);
                if (bare) layers[depth - 1].activation.kind = RK_IDENTITY;
                rk_network ended = {.n_layers = depth, .layers = layers};
                double stops[2 * N] = {0}, ends[2 * N] = {0};
                uint64_t flops = run(closures[k].propagate, net, depth, bare, stops);
                uint64_t expected = run(closures[k].propagate, &ended, 0, false, ends);
                if (flops != expected || memcmp(stops, ends, sizeof ends))
                    fail_msg("%s, depth %zu%s", closures[k].name, depth, bare ? ", bare" : "");
                assert_true(isfinite(ends[0]) && isfinite(ends[N]) && ends[N] != 0);
            }
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stopping_is_ending)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
