/* The way back through every law, against differences. */
#include "network/homogeneous.h"
#include "propagate/covariance.h"
#include "propagate/gain.h"
#include "propagate/mean.h"
#include "support/drawn.h"
#include "support/taped.h"
#include "third/third.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void covariance(rk_work *work, const rk_network *net, const rk_input *input,
                       rk_outputs *outputs, rk_tape *tape) {
    rk_propagate_covariance(work, net, input, &(rk_covariance_spec){false}, outputs, tape);
}

static void angular(rk_work *work, const rk_network *net, const rk_input *input,
                    rk_outputs *outputs, rk_tape *tape) {
    rk_propagate_covariance(work, net, input, &(rk_covariance_spec){.angular = true}, outputs,
                            tape);
}

static void completed(rk_work *work, const rk_network *net, const rk_input *input,
                      rk_outputs *outputs, rk_tape *tape) {
    const rk_covariance_spec spec = {.pairs = {RK_PAIRS_COMPLETED, 2}};
    rk_propagate_covariance(work, net, input, &spec, outputs, tape);
}

static void exact(rk_work *work, const rk_network *net, const rk_input *input, rk_outputs *outputs,
                  rk_tape *tape) {
    const rk_covariance_spec spec = {.angular = true, .pairs = {RK_PAIRS_EXACT, 0}};
    rk_propagate_covariance(work, net, input, &spec, outputs, tape);
}

static void third(rk_work *work, const rk_network *net, const rk_input *input, rk_outputs *outputs,
                  rk_tape *tape, rk_tilt_kind tilt, rk_fourth_kind fourth) {
    const rk_third_spec spec = {.double_legs = true, .tilt = tilt, .fourth = fourth, .reach = 2};
    rk_propagate_third(work, net, input, &spec, outputs, tape);
}

static void third_average(rk_work *work, const rk_network *net, const rk_input *input,
                          rk_outputs *outputs, rk_tape *tape) {
    third(work, net, input, outputs, tape, RK_TILT_OFF, RK_FOURTH_AVERAGE);
}

static void third_zero(rk_work *work, const rk_network *net, const rk_input *input,
                       rk_outputs *outputs, rk_tape *tape) {
    third(work, net, input, outputs, tape, RK_TILT_ON, RK_FOURTH_ZERO);
}

static void third_lean(rk_work *work, const rk_network *net, const rk_input *input,
                       rk_outputs *outputs, rk_tape *tape) {
    third(work, net, input, outputs, tape, RK_TILT_ON, RK_FOURTH_LEAN);
}

static void third_full(rk_work *work, const rk_network *net, const rk_input *input,
                       rk_outputs *outputs, rk_tape *tape) {
    third(work, net, input, outputs, tape, RK_TILT_ON, RK_FOURTH_FULL);
}

static void third_diagonal(rk_work *work, const rk_network *net, const rk_input *input,
                           rk_outputs *outputs, rk_tape *tape) {
    third(work, net, input, outputs, tape, RK_TILT_ON, RK_FOURTH_DIAGONAL);
}

static void mean(rk_work *work, const rk_network *net, const rk_input *input, rk_outputs *outputs,
                 rk_tape *tape) {
    rk_propagate_mean(work, net, input, &(rk_mean_spec){RK_METRIC_EXACT, false}, outputs, tape);
}

static void average(rk_work *work, const rk_network *net, const rk_input *input,
                    rk_outputs *outputs, rk_tape *tape) {
    rk_propagate_mean(work, net, input, &(rk_mean_spec){RK_METRIC_AVERAGE, false}, outputs, tape);
}

static void base(rk_work *work, const rk_network *net, const rk_input *input, rk_outputs *outputs,
                 rk_tape *tape) {
    rk_propagate_mean(work, net, input, &(rk_mean_spec){RK_METRIC_EXACT, true}, outputs, tape);
}

static const taped_case any_wiring[] = {
    {.name = "mean", .law = mean},
    {.name = "mean, all", .law = mean, .covariance = true, .hidden = true},
    {.name = "mean:metric=avg, all", .law = average, .covariance = true, .hidden = true},
    {.name = "mean:base", .law = base, .hidden = true},
    {.name = "covariance", .law = covariance},
    {.name = "covariance, all", .law = covariance, .covariance = true, .hidden = true},
    {.name = "covariance, N(0, I)", .law = covariance, .covariance = true, .fixed_input = true},
    {.name = "completed pairs", .law = completed, .covariance = true, .hidden = true},
};

static const taped_case any_plain[] = {
    {.name = "third", .law = third_average},
    {.name = "third, all", .law = third_average, .covariance = true, .hidden = true},
    {.name = "third, N(0, I)", .law = third_average, .covariance = true, .fixed_input = true},
    {.name = "third, cumulants", .law = third_average, .cumulants = true},
    {.name = "third, cumulants and all",
     .law = third_average,
     .covariance = true,
     .cumulants = true,
     .hidden = true},
};

static const taped_case homogeneous[] = {
    {.name = "gain", .law = rk_propagate_gain},
    {.name = "gain, all", .law = rk_propagate_gain, .covariance = true, .hidden = true},
    {.name = "gain, N(0, I)",
     .law = rk_propagate_gain,
     .covariance = true,
     .hidden = true,
     .fixed_input = true},
};

static const taped_case scaling[] = {
    {.name = "angular", .law = angular, .fixed_input = true},
    {.name = "angular, all",
     .law = angular,
     .covariance = true,
     .hidden = true,
     .fixed_input = true},
    {.name = "exact pairs, angular",
     .law = exact,
     .covariance = true,
     .hidden = true,
     .fixed_input = true},
};

/* Where a tilt is the least of something the way there knows it to 1e-8, and differences to that
 * over their step. */
static const taped_case tilted[] = {
    {.name = "third, zero", .law = third_zero, .hidden = true},
    {.name = "third, lean", .law = third_lean, .hidden = true},
    {.name = "third, full", .law = third_full, .hidden = true},
    {.name = "third, diagonal", .law = third_diagonal, .hidden = true},
};

#define COUNT(table) (sizeof table / sizeof *table)

/* A kind of network: what it is activated with, whether its last layer is. */
static const struct kind {
    const char *activation;
    bool biased, last;
    size_t n_hidden;
} kinds[] = {
    {"relu", false, false, 3},  {"relu", true, false, 3},          {"relu", false, true, 1},
    {"abs", false, false, 2},   {"leaky_relu:0.3", true, true, 2}, {"tanh", true, false, 3},
    {"gelu", true, true, 2},    {"silu", true, false, 1},          {"sigmoid", true, true, 0},
    {"square", true, false, 1}, {"softplus", true, false, 2},      {"identity", true, false, 2},
    {"abs", false, true, 2},
};

static rk_network *draw(const struct kind *k, uint64_t seed) {
    static const size_t hidden[] = {7, 9, 6};
    rk_random_spec spec = {.n_in = 5,
                           .n_out = 4,
                           .hidden = hidden,
                           .n_hidden = k->n_hidden,
                           .init = RK_INIT_MANUAL,
                           .weight_variance = 0.7,
                           .bias_variance = k->biased ? 0.1 : 0,
                           .seed = seed};
    assert_int_equal(rk_activation_parse(k->activation, &spec.activation, NULL), RK_OK);
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    if (k->last) net->layers[net->n_layers - 1].activation = spec.activation;
    return net;
}

static bool is_any(const rk_network *net) {
    return net->n_layers > 0;
}

static void check_table(const taped_case *table, size_t count, bool (*takes)(const rk_network *net),
                        double tolerance) {
    double mu[5] = {0.2, -0.3, 0.5, 0.1, -0.6}, S[25];
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++)
            S[i * 5 + j] = i == j ? 1 + 0.1 * (double)i : 0.1 * cos((double)(i + j));
    for (size_t k = 0; k < COUNT(kinds); k++) {
        rk_network *net = draw(&kinds[k], 4 + k);
        for (size_t c = 0; takes(net) && c < count; c++)
            taped_check(&table[c], net, mu, S, tolerance);
        rk_network_destroy(net);
    }
}

static void test_any_network(void **state) {
    (void)state;
    check_table(any_wiring, COUNT(any_wiring), is_any, 1e-6);
    check_table(any_plain, COUNT(any_plain), is_any, 1e-6);
}

/* Biases that a homogeneous network has not are none to `gain`, here as there. */
static void test_homogeneous(void **state) {
    (void)state;
    check_table(homogeneous, COUNT(homogeneous), rk_network_can_be_homogeneous, 1e-6);
    check_table(scaling, COUNT(scaling), rk_network_scales, 1e-6);
    check_table(tilted, COUNT(tilted), rk_network_scales, 2e-5);
}

/* Values that are read and added later, of every wiring. */
static void test_residual(void **state) {
    (void)state;
    /* exact coefficients: tanh's at large deviations are no derivatives of each other to 1e-6 */
    const rk_activation activations[] = {
        {.kind = RK_RELU}, {.kind = RK_GELU}, {.kind = RK_ABS}, {.kind = RK_IDENTITY}};
    static drawn d;
    double mu[MOST_WIDTH], S[MOST_WIDTH * MOST_WIDTH];
    for (uint64_t seed = 0; seed < 60; seed++) {
        draw_any(&d, seed, activations, COUNT(activations));
        const size_t n = d.layers[0].cols;
        for (size_t i = 0; i < n; i++) {
            mu[i] = 0.5 * sin((double)i);
            for (size_t j = 0; j < n; j++)
                S[i * n + j] = (i == j ? 1.5 : 0) + 0.3 * cos((double)i) * cos((double)j);
        }
        rk_network *net;
        assert_int_equal(rk_network_create(&net, d.layers, d.n_layers, NULL), RK_OK);
        for (size_t c = 0; c < COUNT(any_wiring); c++)
            taped_check(&any_wiring[c], net, mu, S, 1e-6);
        rk_network_destroy(net);
    }
}

/* Rows, blocks and stretches of them: more than one of each. */
static void test_wide(void **state) {
    (void)state;
    static const size_t hidden[] = {40, 270};
    const rk_random_spec spec = {.n_in = 5,
                                 .n_out = 3,
                                 .hidden = hidden,
                                 .n_hidden = 2,
                                 .activation = {.kind = RK_RELU},
                                 .init = RK_INIT_HE,
                                 .seed = 11};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    net->layers[2].activation.kind = RK_RELU;
    for (size_t c = 0; c < COUNT(any_wiring); c++)
        taped_check(&any_wiring[c], net, NULL, NULL, 1e-6);
    for (size_t c = 0; c < COUNT(homogeneous); c++)
        taped_check(&homogeneous[c], net, NULL, NULL, 1e-6);
    rk_network_destroy(net);
}

/* ------------------------------------------------------------------------------------- its price
 */

static uint64_t flops(const taped_case *c, const rk_network *net, bool derive) {
    static double mean, variance, covariance;
    static double *none[8];
    static rk_tape tape;
    static const double *hidden_bar[8];
    double *weight[8], *bias[8] = {NULL};
    for (size_t l = 0; l < net->n_layers; l++)
        weight[l] = &mean, none[l] = &mean, hidden_bar[l] = &mean;
    rk_outputs outputs = {.mean = &mean,
                          .variance = &variance,
                          .covariance = c->covariance ? &covariance : NULL,
                          .hidden_mean = c->hidden ? none : NULL};
    const rk_cotangent f = {.mean = &mean,
                            .variance = c->covariance ? &variance : NULL,
                            .covariance = c->covariance ? &covariance : NULL,
                            .hidden_mean = c->hidden ? hidden_bar : NULL};
    const rk_adjoint to = {.weight = weight, .bias = bias};
    rk_work dry;
    rk_work_init_dry(&dry);
    tape = (rk_tape){.input_covariance = false};
    c->law(&dry, net, &(rk_input){.mean = NULL}, &outputs, derive ? &tape : NULL);
    if (derive) rk_tape_back(&tape, &f, &to);
    free(dry.steps);
    return dry.flops;
}

/* f and all its derivatives by weights take no more than four times what f takes. */
static void check_price(const taped_case *table, size_t count, size_t n, size_t n_hidden) {
    const size_t hidden[] = {n, n, n, n};
    const rk_random_spec spec = {.n_in = n,
                                 .n_out = n,
                                 .hidden = hidden,
                                 .n_hidden = n_hidden,
                                 .activation = {.kind = RK_RELU},
                                 .init = RK_INIT_HE,
                                 .seed = 1};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    for (size_t c = 0; c < count; c++) {
        const double ratio =
            (double)flops(&table[c], net, true) / (double)flops(&table[c], net, false);
        printf("%zu x %zu, %s: %.2f\n", n, n_hidden, table[c].name, ratio);
        if (!(ratio <= 4)) fail_msg("%s: %.2f times the estimate", table[c].name, ratio);
    }
    rk_network_destroy(net);
}

static void test_price(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{256, 4}, {64, 3}};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        check_price(any_wiring, COUNT(any_wiring), sizes[s][0], sizes[s][1]);
        check_price(homogeneous, COUNT(homogeneous), sizes[s][0], sizes[s][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_network),
                                       cmocka_unit_test(test_residual),
                                       cmocka_unit_test(test_homogeneous),
                                       cmocka_unit_test(test_wide), cmocka_unit_test(test_price)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
