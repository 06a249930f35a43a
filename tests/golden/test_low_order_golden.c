/* Mean and covariance propagation against the public reference, every network it stored. */
#include "estimate/method.h"
#include "support/golden.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Largest difference relative to the largest of b, which are the stored ones; what is zero up to
 * rounding, as the means of odd networks without biases are, must be so in a. */
static double difference(const double *a, const double *b, size_t count) {
    double largest = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        if (fabs(b[i]) > largest) largest = fabs(b[i]);
        if (!(fabs(a[i] - b[i]) <= worst)) worst = fabs(a[i] - b[i]); /* NaN wins */
    }
    return largest > 1e-12 ? worst / largest : worst;
}

static size_t compare(const golden *g, const char *name, const char *key, const char *method,
                      bool covariance) {
    if (!golden_find(g, "%s_K1", key) || golden_is_doubtful(name, key)) return 0;
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.covariance = covariance;
    rk_input input = g->input;
    input.third_cumulant = NULL; /* these orders drop it */
    rk_answer *answer;
    rk_error error = {.message = ""};
    if (rk_estimate(&answer, g->net, &input, &options, &error) != RK_OK)
        fail_msg("%s %s: %s", name, method, error.message);
    const rk_answer_data *data = rk_answer_view(answer);
    size_t n = data->n_out;
    /* the reference's 100 nodes err by this where pre-activations are wide */
    double tolerance = !strncmp(name, "tanh", 4) ? 1e-6 : !strncmp(name, "gelu", 4) ? 1e-9 : 1e-12;
    double error_1 = difference(data->mean, golden_get(g, "%s_K1", key), n);
    if (!(error_1 <= tolerance)) fail_msg("%s %s: means differ by %g", name, key, error_1);
    if (covariance) {
        double error_2 = difference(data->covariance, golden_get(g, "%s_K2", key), n * n);
        if (!(error_2 <= tolerance))
            fail_msg("%s %s: covariances differ by %g", name, key, error_2);
    }
    rk_answer_destroy(answer);
    return 1;
}

static void test_reference_networks(void **state) {
    (void)state;
    static const struct {
        const char *key, *method;
        bool covariance;
    } configurations[] = {
        {"k1_SIMPLE_f0_a0", "mean", true},       {"k1_SIMPLE_f0_a1", "mean:metric=avg", true},
        {"k1_BASE_f0_a0", "mean:base", false},   {"k1_BASE_f0_a1", "mean:base,metric=avg", false},
        {"k2_SIMPLE_f0_a0", "covariance", true}, {"k2_SIMPLE_f0_a1", "covariance", true},
        {"k2_BASE_f0_a0", "covariance", true},   {"k2_BASE_f0_a1", "covariance", true},
    };
    size_t compared = 0;
    const char *name;
    for (size_t f = 0; (name = golden_name(f)) != NULL; f++) {
        golden g = golden_open(name);
        for (size_t c = 0; c < sizeof configurations / sizeof *configurations; c++)
            compared += compare(&g, name, configurations[c].key, configurations[c].method,
                                configurations[c].covariance);
        golden_close(&g);
    }
    assert_int_equal(compared, 192); /* all that index.json lists for K <= 2, SIMPLE and BASE */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference_networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
