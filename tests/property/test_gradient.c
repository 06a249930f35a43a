/* The way back through every law, against differences. */
#include "gradient/mean_gradient.h"
#include "propagate/covariance.h"
#include "support/taped.h"
#include "third/third.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
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
    const rk_third_spec spec = {.double_legs = true, .tilt = tilt, .fourth = fourth, .reach = 1};
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

static void third_diagonal(rk_work *work, const rk_network *net, const rk_input *input,
                           rk_outputs *outputs, rk_tape *tape) {
    third(work, net, input, outputs, tape, RK_TILT_ON, RK_FOURTH_DIAGONAL);
}

static const taped_case any_network[] = {
    {.name = "third", .law = third_average},
    {.name = "third, all", .law = third_average, .covariance = true, .hidden = true},
    {.name = "third, N(0, I)", .law = third_average, .covariance = true, .fixed_input = true},
    {.name = "third, cumulants", .law = third_average, .cumulants = true},
    {.name = "third, cumulants and all",
     .law = third_average,
     .covariance = true,
     .cumulants = true,
     .hidden = true},
    {.name = "covariance", .law = covariance},
    {.name = "covariance, all", .law = covariance, .covariance = true, .hidden = true},
    {.name = "covariance, N(0, I)", .law = covariance, .covariance = true, .fixed_input = true},
    {.name = "completed pairs", .law = completed, .covariance = true, .hidden = true},
};

static const taped_case homogeneous[] = {
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
    {.name = "third, diagonal", .law = third_diagonal, .hidden = true},
};

#define COUNT(table) (sizeof table / sizeof *table)

/* A kind of network: what it is activated with, whether its last layer is. */
static const struct kind {
    const char *activation;
    bool biased, last, homogeneous;
    size_t n_hidden;
} kinds[] = {
    {"relu", false, false, true, 3},          {"relu", true, false, false, 3},
    {"relu", false, true, true, 1},           {"abs", false, false, true, 2},
    {"leaky_relu:0.3", true, true, false, 2}, {"tanh", true, false, false, 3},
    {"gelu", true, true, false, 2},           {"silu", true, false, false, 1},
    {"sigmoid", true, true, false, 0},        {"square", true, false, false, 1},
    {"softplus", true, false, false, 2},      {"identity", true, false, false, 2},
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

static void check_table(const taped_case *table, size_t count, bool only_homogeneous,
                        double tolerance) {
    double mu[5] = {0.2, -0.3, 0.5, 0.1, -0.6}, S[25];
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++)
            S[i * 5 + j] = i == j ? 1 + 0.1 * (double)i : 0.1 * cos((double)(i + j));
    for (size_t k = 0; k < COUNT(kinds); k++) {
        if (only_homogeneous && !kinds[k].homogeneous) continue;
        rk_network *net = draw(&kinds[k], 4 + k);
        for (size_t c = 0; c < count; c++)
            taped_check(&table[c], net, mu, S, tolerance);
        rk_network_destroy(net);
    }
}

static void test_any_network(void **state) {
    (void)state;
    check_table(any_network, COUNT(any_network), false, 1e-6);
}

static void test_homogeneous(void **state) {
    (void)state;
    check_table(homogeneous, COUNT(homogeneous), true, 1e-6);
    check_table(tilted, COUNT(tilted), true, 2e-5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_network),
                                       cmocka_unit_test(test_homogeneous)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
