/* The gradient of the propagated mean with respect to the input's law, against differences. */
#include "gradient/mean_gradient.h"

#include "linalg/blas.h"
#include "propagate/covariance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_IN = 5, N_OUT = 3 };
static const double seed[N_OUT] = {1, -0.5, 0.3};

static rk_network *network(const char *activation, bool biased) {
    const size_t hidden[] = {7, 6, 8};
    rk_random_spec spec = {.n_in = N_IN,
                           .n_out = N_OUT,
                           .hidden = hidden,
                           .n_hidden = 3,
                           .init = RK_INIT_MANUAL,
                           .weight_variance =
                               0.7, /* smooth activations: where quadrature is exact */
                           .bias_variance = biased ? 0.1 : 0,
                           .seed = 4};
    assert_int_equal(rk_activation_parse(activation, &spec.activation, NULL), RK_OK);
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    return net;
}

/* seed . E[y] by the closure that is differentiated. */
static double mean_at(const rk_network *net, const double *mu, const double *S) {
    double mean[N_OUT], variance[N_OUT], covariance[N_OUT * N_OUT], sum = 0;
    rk_outputs outputs = {.mean = mean, .variance = variance, .covariance = covariance};
    rk_input input = {.mean = mu, .covariance = S};
    rk_covariance_spec spec = {false};
    rk_work dry, wet;
    rk_work_init_dry(&dry);
    rk_propagate_covariance(&dry, net, &input, &spec, &outputs);
    assert_int_equal(rk_work_init_wet(&wet, &dry, NULL, NULL), RK_OK);
    rk_propagate_covariance(&wet, net, &input, &spec, &outputs);
    rk_work_finish(&wet);
    free(dry.steps);
    for (size_t i = 0; i < N_OUT; i++)
        sum += seed[i] * mean[i];
    return sum;
}

static rk_mean_gradient gradient_at(const rk_network *net, const double *mu, const double *S,
                                    double *storage) {
    rk_mean_gradient g = {.mean = storage, .covariance = storage + N_IN};
    rk_input input = {.mean = mu, .covariance = S};
    rk_work dry, wet;
    rk_work_init_dry(&dry);
    rk_gradient_of_mean(&dry, net, &input, seed, &g);
    assert_int_equal(rk_work_init_wet(&wet, &dry, NULL, NULL), RK_OK);
    rk_gradient_of_mean(&wet, net, &input, seed, &g);
    assert_true(wet.flops == dry.flops);
    rk_work_finish(&wet);
    free(dry.steps);
    return g;
}

static void check(const char *activation, bool biased) {
    rk_network *net = network(activation, biased);
    double mu[N_IN] = {0.2, -0.3, 0.5, 0.1, -0.6}, S[N_IN * N_IN], storage[N_IN * (N_IN + 1)];
    for (int i = 0; i < N_IN; i++)
        for (int j = 0; j < N_IN; j++)
            S[i * N_IN + j] = i == j ? 1 + 0.1 * i : 0.1 * cos(i + j);
    rk_mean_gradient g = gradient_at(net, mu, S, storage);
    assert_true(fabs(g.value - mean_at(net, mu, S)) <= 1e-13);
    const double h = 1e-5;
    for (int i = 0; i < N_IN; i++) {
        double at = mu[i], high, low;
        mu[i] = at + h;
        high = mean_at(net, mu, S);
        mu[i] = at - h;
        low = mean_at(net, mu, S);
        mu[i] = at;
        double difference = (high - low) / (2 * h);
        if (!(fabs(g.mean[i] - difference) <= 1e-6 * (fabs(difference) + 1e-2)))
            fail_msg("%s: mean %d: %.10g, by differences %.10g", activation, i, g.mean[i],
                     difference);
        for (int j = 0; j <= i; j++) {
            double keep = S[i * N_IN + j];
            S[i * N_IN + j] = S[j * N_IN + i] = keep + h;
            high = mean_at(net, mu, S);
            S[i * N_IN + j] = S[j * N_IN + i] = keep - h;
            low = mean_at(net, mu, S);
            S[i * N_IN + j] = S[j * N_IN + i] = keep;
            difference = (high - low) / (2 * h);
            double wanted = g.covariance[i * N_IN + j] * (i == j ? 1 : 2);
            if (!(fabs(wanted - difference) <= 1e-6 * (fabs(difference) + 1e-2)))
                fail_msg("%s: covariance %d %d: %.10g, by differences %.10g", activation, i, j,
                         wanted, difference);
        }
    }
    rk_network_destroy(net);
}

static void test_differences(void **state) {
    (void)state;
    check("relu", false);
    check("relu", true);
    check("leaky_relu:0.3", true);
    check("tanh", true);
    check("gelu", true);
    check("abs", false);
    check("square", true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
