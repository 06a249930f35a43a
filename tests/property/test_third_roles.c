/* Neurons that are linear or silent are left out where they cost n^3: exactly, if they are so, and
 * without harm, if they nearly are. */
#include "estimate/method.h"
#include "support/method.h"
#include "third/roles.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 60, DEEP = 10 };

static rk_network *random_network(size_t n_hidden) {
    size_t hidden[DEEP];
    for (size_t l = 0; l < n_hidden; l++)
        hidden[l] = N - l;
    rk_random_spec spec = {.n_in = N,
                           .n_out = 7,
                           .hidden = hidden,
                           .n_hidden = n_hidden,
                           .activation = {.kind = RK_RELU},
                           .seed = 5};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    return net;
}

/* Of the first of two hidden layers every third neuron is always off, every third always on; the
 * large means of the latter cancel in the second, where no neuron is one-sided. */
static rk_network *one_sided_network(void) {
    rk_network *random = random_network(2), *net;
    double bias[N], weight[(N - 1) * N];
    for (size_t i = 0; i < N; i++)
        bias[i] = 15 * ((double)(i % 3) - 1);
    rk_layer layers[3];
    for (size_t l = 0; l < 3; l++)
        layers[l] = rk_network_layer(random, l);
    for (size_t i = 0; i < N - 1; i++)
        for (size_t j = 0; j < N; j++) {
            bool opposed = j % 6 == 5;
            weight[i * N + j] =
                (opposed ? -1 : 1) * layers[1].weight[i * N + j - (opposed ? 3 : 0)];
        }
    layers[0].bias = bias;
    layers[1].weight = weight;
    assert_int_equal(rk_network_create(&net, layers, 3, NULL), RK_OK);
    rk_network_destroy(random);
    return net;
}

static rk_answer *estimate(const rk_network *net, const char *method) {
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.layers = true;
    rk_answer *answer;
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
    return answer;
}

static double distance(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum / (double)n);
}

static void test_one_sided_neurons_are_spared_exactly(void **state) {
    (void)state;
    rk_network *net = one_sided_network();
    rk_roles roles[3];
    rk_input standard = {0};
    assert_int_equal(rk_roles_guess(roles, net, &standard, NULL), RK_OK);
    assert_int_equal(roles[0].bent, N / 3);
    assert_int_equal(roles[0].heard, 2 * N / 3);
    assert_int_equal(roles[0].shifted, 2 * N / 3);
    assert_int_equal(roles[1].bent, N - 1);
    static const char *const methods[][2] = {
        {"third:gauge=zero,rank=full,legs=double",
         "third:gauge=zero,rank=full,legs=double,neurons=all"},
        {"third:gauge=full,rank=full,legs=double",
         "third:gauge=full,rank=full,legs=double,neurons=all"},
        {"third:gauge=lean,rank=full,legs=double",
         "third:gauge=lean,rank=full,legs=double,neurons=all"}};
    for (size_t k = 0; k < sizeof methods / sizeof *methods; k++) {
        rk_answer *used = estimate(net, methods[k][0]), *all = estimate(net, methods[k][1]);
        const rk_answer_data *a = rk_answer_view(used), *b = rk_answer_view(all);
        assert_true(a->cost.flops_executed < b->cost.flops_executed);
        double error = distance(a->mean, b->mean, a->n_out);
        for (size_t l = 0; l < 2; l++)
            error += distance(a->hidden_mean[l], b->hidden_mean[l], a->hidden_width[l]);
        if (!(error <= 1e-11)) fail_msg("%s: off by %g", methods[k][0], error);
        rk_answer_destroy(used);
        rk_answer_destroy(all);
    }
    rk_network_destroy(net);
}

static void test_deep_networks_are_spared_without_harm(void **state) {
    (void)state;
    static const char *const methods[][2] = {
        {"third", "third:neurons=all"},
        {"third:gauge=zero,old=exact", "third:gauge=zero,old=exact,neurons=all"},
        {"third:gauge=full,rank=full", "third:gauge=full,rank=full,neurons=all"},
        {"third:gauge=lean", "third:gauge=lean,neurons=all"}};
    rk_network *net = random_network(DEEP);
    for (size_t k = 0; k < sizeof methods / sizeof *methods; k++) {
        rk_answer *used = estimate(net, methods[k][0]), *all = estimate(net, methods[k][1]);
        const rk_answer_data *a = rk_answer_view(used), *b = rk_answer_view(all);
        double saved = 1 - (double)a->cost.flops_executed / (double)b->cost.flops_executed;
        if (!(saved > 0.1)) fail_msg("%s: saves only %g", methods[k][0], saved);
        double change = distance(a->mean, b->mean, a->n_out);
        if (!(change <= 0.5 * b->error_rms))
            fail_msg("%s: changes by %g, error %g", methods[k][0], change, b->error_rms);
        rk_answer_destroy(used);
        rk_answer_destroy(all);
    }
    rk_network_destroy(net);
}

/* Biases make hidden layers one neuron longer inside, not in the answer; tiny ones change nothing.
 */
static void test_hidden_means_of_biased_networks(void **state) {
    (void)state;
    rk_network *plain = random_network(4), *biased;
    double bias[N], largest = 0;
    rk_layer layers[5];
    for (size_t l = 0; l < 5; l++)
        layers[l] = rk_network_layer(plain, l);
    for (size_t i = 0; i < N; i++)
        bias[i] = 1e-7 * (double)(i % 5);
    for (size_t l = 1; l < 5; l++)
        layers[l].bias = bias;
    assert_int_equal(rk_network_create(&biased, layers, 5, NULL), RK_OK);
    rk_answer *with = estimate(biased, "third"), *without = estimate(plain, "third:gauge=zero");
    const rk_answer_data *a = rk_answer_view(with), *b = rk_answer_view(without);
    for (size_t l = 0; l < 4; l++) {
        assert_int_equal(a->hidden_width[l], b->hidden_width[l]);
        largest = fmax(largest, distance(a->hidden_mean[l], b->hidden_mean[l], N - l));
    }
    largest = fmax(largest, distance(a->mean, b->mean, a->n_out));
    if (!(largest <= 0.3 * b->error_rms)) fail_msg("off by %g, error %g", largest, b->error_rms);
    rk_answer_destroy(with);
    rk_answer_destroy(without);
    rk_network_destroy(plain);
    rk_network_destroy(biased);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hidden_means_of_biased_networks),
        cmocka_unit_test(test_one_sided_neurons_are_spared_exactly),
        cmocka_unit_test(test_deep_networks_are_spared_without_harm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
