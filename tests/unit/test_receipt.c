/* The receipt must be right about estimates whose error is known. */
#include "estimate/receipt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 32 };

/* One hidden ReLU layer of independent neurons: mean 1/sqrt(2 pi) each. */
static rk_network *make(void) {
    static double identity[N * N];
    for (size_t i = 0; i < N; i++)
        identity[i * N + i] = 1;
    rk_layer layers[2] = {
        {.rows = N, .cols = N, .weight = identity, .activation.kind = RK_RELU},
        {.rows = N, .cols = N, .weight = identity},
    };
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    return net;
}

/* Over many seeds the receipt's errors, in its own standard errors, have mean 0 and spread 1. */
static void test_receipts_are_unbiased(void **state) {
    (void)state;
    rk_network *net = make();
    enum { SEEDS = 200 };
    for (int c = 0; c < 2; c++) {
        double offset = c ? 0.05 : 0, estimate[N], sum = 0, squares = 0;
        for (size_t i = 0; i < N; i++)
            estimate[i] = 1 / sqrt(2 * 3.14159265358979323846) + offset;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            rk_problem problem = {.net = net, .options = rk_options_default()};
            problem.options.seed = seed;
            problem.options.receipt_samples = 3200;
            problem.options.threads = 1;
            double mse, standard_error;
            assert_int_equal(rk_receipt(&problem, estimate, NULL, &mse, &standard_error, NULL),
                             RK_OK);
            double z = (mse - offset * offset) / standard_error;
            sum += z / SEEDS;
            squares += z * z / SEEDS;
        }
        if (!(fabs(sum) <= 4 / sqrt((double)SEEDS))) fail_msg("biased: mean z = %g", sum);
        if (!(squares >= 0.7 && squares <= 1.6)) fail_msg("spread: mean z^2 = %g", squares);
    }
    rk_network_destroy(net);
}

/* Errors a tenth of the sample mean's own noise are seen: that is the point of pairs. */
static void test_receipts_see_below_their_noise(void **state) {
    (void)state;
    rk_network *net = make();
    rk_options options = rk_options_default();
    options.receipt_samples = 64000;
    rk_answer *answer;
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
    const rk_answer_data *data = rk_answer_view(answer);
    double noise = 0.34 / 64000; /* Var relu(Z) / N */
    assert_int_equal(data->receipt_samples, 64000);
    assert_true(data->receipt_mse_standard_error < noise / 2);
    assert_true(fabs(data->receipt_mse) <= 4 * data->receipt_mse_standard_error);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_receipts_are_unbiased),
                                       cmocka_unit_test(test_receipts_see_below_their_noise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
