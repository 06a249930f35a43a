/* The receipt must be right about estimates whose error is known, and its verdict about errors that
 * are stated. */
#include "estimate/verdict.h"
#include "linalg/blas.h"
#include "support/estimate.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 32 };

/* Two hidden ReLU layers of independent neurons, the second of which changes nothing: mean
 * 1/sqrt(2 pi) each, which no control variate sees quite. */
static rk_network *make(void) {
    static double identity[N * N];
    for (size_t i = 0; i < N; i++)
        identity[i * N + i] = 1;
    rk_layer layers[3] = {
        {.rows = N, .cols = N, .weight = identity, .activation.kind = RK_RELU},
        {.rows = N, .cols = N, .weight = identity, .activation.kind = RK_RELU},
        {.rows = N, .cols = N, .weight = identity},
    };
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 3, NULL), RK_OK);
    return net;
}

static const double truth = 0.39894228040143267794; /* 1/sqrt(2 pi) */

static rk_receipt take(const rk_problem *problem, double *room) {
    rk_receipt receipt = {.group = room,
                          .mean = room + RK_RECEIPT_GROUPS * N,
                          .error = room + (RK_RECEIPT_GROUPS + 1) * N,
                          .variance = room + (RK_RECEIPT_GROUPS + 2) * N};
    rk_work dry, wet;
    rk_work_init_dry(&dry);
    assert_int_equal(rk_receipt_run(&dry, problem, &receipt, NULL), RK_OK);
    assert_int_equal(rk_work_init_wet(&wet, &dry, NULL, NULL), RK_OK);
    assert_int_equal(rk_receipt_run(&wet, problem, &receipt, NULL), RK_OK);
    assert_int_equal(wet.flops, dry.flops);
    rk_work_finish(&wet);
    free(dry.steps);
    return receipt;
}

/* Over many seeds the receipt's errors, in its own standard errors, have mean 0 and spread 1:
 * whatever points it takes, and whether the estimate is right or off. */
static void test_receipts_are_unbiased(void **state) {
    (void)state;
    static const struct {
        rk_point_set points;
        bool control;
        uint64_t samples, seeds;
    } cases[] = {{RK_POINTS_IID, false, 3200, 200},
                 {RK_POINTS_IID, true, 500, 200},
                 {RK_POINTS_IID, true, 20000, 100},
                 {RK_POINTS_ANTITHETIC, false, 1000, 200},
                 {RK_POINTS_ORTHOGONAL, true, 70000, 60}};
    rk_network *net = make();
    static double room[RK_RECEIPT_ROWS * N];
    for (size_t c = 0; c < 2 * sizeof cases / sizeof *cases; c++) {
        const double offset = c % 2 ? 0.01 : 0;
        const uint64_t seeds = cases[c / 2].seeds;
        double estimate[N], sum = 0, squares = 0;
        for (size_t i = 0; i < N; i++)
            estimate[i] = truth + offset;
        for (uint64_t seed = 0; seed < seeds; seed++) {
            rk_problem problem = {.net = net, .options = rk_options_default()};
            problem.options.threads = 1;
            problem.options.seed = seed;
            problem.receipt = rk_receipt_spec(&problem, cases[c / 2].samples);
            problem.receipt.points = cases[c / 2].points;
            problem.receipt.control = cases[c / 2].control;
            const rk_receipt receipt = take(&problem, room);
            const rk_finding found = rk_receipt_check(&receipt, N, estimate);
            double z = (found.mse - offset * offset) / found.standard_error;
            sum += z / (double)seeds;
            squares += z * z / (double)seeds;
            assert_true(found.directions >= 1 && found.directions <= N);
        }
        if (!(fabs(sum) <= 4 / sqrt((double)seeds))) fail_msg("case %zu: mean z = %g", c, sum);
        if (!(squares >= 0.4 && squares <= 1.8)) /* of 16 groups it is 0.6 to 1.4 */
            fail_msg("case %zu: mean z^2 = %g", c, squares);
    }
    rk_network_destroy(net);
}

/* Errors below the sample mean's own noise are seen: that is the point of pairs. */
static void test_receipts_see_below_their_noise(void **state) {
    (void)state;
    rk_network *net = make();
    rk_problem problem = {.net = net, .options = rk_options_default()};
    problem.options.threads = 1;
    problem.receipt = rk_receipt_spec(&problem, 64000);
    assert_in_range(problem.receipt.n_samples, 60000, 68000);
    static double room[RK_RECEIPT_ROWS * N];
    const rk_receipt receipt = take(&problem, room);
    double estimate[N];
    for (size_t i = 0; i < N; i++)
        estimate[i] = truth;
    const rk_finding found = rk_receipt_check(&receipt, N, estimate);
    const double noise = 0.34 / 64000; /* Var relu(Z) / N */
    assert_true(found.standard_error < noise / 2);
    assert_true(fabs(found.mse) <= 4 * found.standard_error);
    rk_network_destroy(net);
}

/* As many passes as the FLOPs pay for, or none. */
static void test_receipts_keep_to_their_budget(void **state) {
    (void)state;
    const rk_random_spec spec = {.activation = {.kind = RK_RELU}, .seed = 3};
    static const size_t widths[] = {8, 64, 256};
    for (size_t w = 0; w < 3; w++) {
        rk_network *net = draw_square(spec, widths[w], 3);
        for (double flops = 1e3; flops < 1e10; flops *= 10) {
            rk_problem problem = {.net = net, .options = rk_options_default()};
            problem.options.threads = 1;
            problem.options.memory_limit = 1u << 30;
            problem.receipt = rk_receipt_within(&problem, flops, INFINITY, 6e10);
            if (problem.receipt.n_samples == 0) {
                assert_true(flops < 1e8);
                continue;
            }
            rk_work dry;
            rk_receipt nowhere = {0};
            rk_work_init_dry(&dry);
            assert_int_equal(rk_receipt_run(&dry, &problem, &nowhere, NULL), RK_OK);
            if (!((double)dry.flops <= flops && (double)dry.flops >= 0.5 * flops))
                fail_msg("width %zu: %llu FLOPs of %g", widths[w], (unsigned long long)dry.flops,
                         flops);
            free(dry.steps);
        }
        rk_problem tight = {.net = net, .options = rk_options_default()};
        tight.options.threads = 1;
        tight.options.memory_limit = 100;
        assert_int_equal(rk_receipt_within(&tight, 1e10, INFINITY, 6e10).n_samples, 0);
        rk_network_destroy(net);
    }
}

/* An answer of N outputs `off` the truth (the first one by `first` more) that states `stated`. */
static rk_answer *claim(const rk_problem *problem, double off, double first, double stated) {
    rk_answer *answer;
    assert_int_equal(rk_answer_create(&answer, problem, NULL), RK_OK);
    for (size_t i = 0; i < N; i++) {
        answer->report.outputs.mean[i] = truth + off * (i % 2 ? 1 : -1) + (i ? 0 : first);
        answer->report.error_per_output[i] = stated;
    }
    answer->data.error_rms = stated;
    answer->data.error_kind = RK_ESTIMATED_RMS;
    return answer;
}

static void test_verdicts(void **state) {
    (void)state;
    static const struct {
        double off, first, stated;
        rk_verdict verdict;
        double rms; /* given in the end */
    } cases[] = {
        {0, 0, 5e-5, RK_AGREES, 5e-5},
        {0.01, 0, 0.01, RK_AGREES, 0.01},
        {0.015, 0, 0.01, RK_AGREES, 0.015},          /* a stated error is a scale */
        {0.05, 0, 0.01, RK_REFUTES, 0.05},           /* five times too small */
        {0.05, 0, 1e-9, RK_REFUTES, 0.05},           /* far too small */
        {0.05, 0, 0, RK_REFUTES, 0.05},              /* taken for exact */
        {0.01, 0.3, 0.02, RK_REFUTES, 0.054},        /* a single output */
        {0, 1e-5, 1e-7, RK_AGREES, 1e-7},            /* below what the receipt sees */
        {0.05, 0, (double)NAN, RK_NO_VERDICT, 0.05}, /* nothing was stated: now it is */
        {0.05, 0, 10, RK_AGREES, 0.05},              /* far too large: nothing was promised */
        {(double)NAN, 0, 0.1, RK_NO_VERDICT, 0.1},
    };
    rk_network *net = make();
    rk_problem problem = {.net = net, .options = rk_options_default()};
    problem.options.threads = 1;
    problem.receipt = rk_receipt_spec(&problem, 64000);
    static double room[RK_RECEIPT_ROWS * N];
    const rk_receipt receipt = take(&problem, room);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rk_answer *answer = claim(&problem, cases[c].off, cases[c].first, cases[c].stated);
        rk_verdict_give(answer, &receipt);
        const rk_answer_data *a = rk_answer_view(answer);
        bool is_measured = isnan(cases[c].stated) || cases[c].rms != cases[c].stated;
        if (a->receipt_verdict != cases[c].verdict) fail_msg("case %zu: %d", c, a->receipt_verdict);
        if ((a->error_kind == RK_MEASURED_RMS) != is_measured)
            fail_msg("case %zu: %g +- %g, given %g", c, a->receipt_mse,
                     a->receipt_mse_standard_error, a->error_rms);
        assert_int_equal(is_warned(a, "refutes"), cases[c].verdict == RK_REFUTES);
        double expected = is_measured ? cases[c].rms : cases[c].stated;
        if (!(fabs(a->error_rms - expected) <= 0.15 * expected))
            fail_msg("case %zu: error %g, expected %g", c, a->error_rms, expected);
        double squares = 0;
        for (size_t i = 0; i < N; i++)
            squares += pow(a->error_per_output[i], 2) / N;
        assert_true(fabs(sqrt(squares) - a->error_rms) <= 1e-12 * a->error_rms);
        if (a->receipt_mse > 0)
            assert_true(fabs(a->receipt_rms - sqrt(a->receipt_mse)) <= 1e-12 * a->receipt_rms);
        rk_answer_destroy(answer);
    }
    rk_network_destroy(net);
}

/* Errors that are what is stated are refuted almost never, be there one output or many, of any
 * sharpness of the receipt. */
static void test_true_errors_are_not_refuted(void **state) {
    (void)state;
    enum { SEEDS = 150 };
    const rk_random_spec spec = {.activation = {.kind = RK_RELU}};
    static const uint64_t receipts[] = {64, 2000, 40000};
    for (size_t one = 0; one < 2; one++) {
        size_t refuted = 0;
        const size_t widths[] = {12, 12, 12, one ? 1 : 12};
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            rk_random_spec drawn = spec;
            drawn.n_in = widths[0];
            drawn.n_out = widths[3];
            drawn.hidden = widths + 1;
            drawn.n_hidden = 2;
            drawn.seed = seed;
            rk_network *net;
            assert_int_equal(rk_network_random(&net, &drawn, NULL), RK_OK);
            rk_options options = rk_options_default();
            options.method = method_of("sample");
            options.samples = 1000;
            options.seed = seed;
            options.threads = 1;
            options.receipt_samples = receipts[seed % 3];
            rk_answer *answer = answer_of(net, NULL, &options);
            assert_int_not_equal(rk_answer_view(answer)->receipt_verdict, RK_NO_VERDICT);
            refuted += rk_answer_view(answer)->receipt_verdict == RK_REFUTES;
            rk_answer_destroy(answer);
            rk_network_destroy(net);
        }
        if (!(refuted <= 2)) fail_msg("%zu of %d refuted", refuted, SEEDS);
    }
}

/* Over some seeds: an error that is known is found, none is none, whatever the input's law; what is
 * stated of it is judged. */
static void test_numbers_from_anywhere(void **state) {
    (void)state;
    enum { SEEDS = 40 };
    rk_network *net = make();
    static double covariance[N * N], mean[N], stated[N];
    for (size_t i = 0; i < N; i++)
        covariance[i * (N + 1)] = 4;
    const rk_input wide = {.covariance = covariance};
    static const double offs[] = {0, 0.02};
    for (size_t c = 0; c < 4; c++) {
        const rk_input *input = c / 2 ? &wide : NULL;
        const double scale = c / 2 ? 2 : 1, off = offs[c % 2];
        double sum = 0, squares = 0;
        for (size_t i = 0; i < N; i++) {
            mean[i] = scale * truth + (i % 2 ? off : -off);
            stated[i] = 0.002;
        }
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            rk_options options = rk_options_default();
            options.seed = seed;
            options.receipt_samples = 20000;
            rk_answer *answer;
            assert_int_equal(rk_receipt_of(&answer, net, input, mean, stated, &options, NULL),
                             RK_OK);
            const rk_answer_data *a = rk_answer_view(answer);
            const double z = (a->receipt_mse - off * off) / a->receipt_mse_standard_error;
            sum += z / SEEDS;
            squares += z * z / SEEDS;
            assert_int_equal(a->receipt_verdict, off > 0 ? RK_REFUTES : RK_AGREES);
            assert_int_equal(is_warned(a, "refutes"), off > 0);
            assert_memory_equal(a->mean, mean, sizeof mean);
            assert_string_equal(a->method, "given");
            assert_true(a->cost.flops_executed == a->receipt_flops && a->cost.n_steps > 0);
            assert_true(fabs(a->variance[0] / (scale * scale) - 0.3408) <= 0.03);
            rk_answer_destroy(answer);
        }
        if (!(fabs(sum) <= 4 / sqrt(SEEDS)) || !(squares >= 0.3 && squares <= 2.2))
            fail_msg("case %zu: mean z %g, mean z^2 %g", c, sum, squares);
    }
    rk_network_destroy(net);
}

/* What rk_estimate's own receipt says, number for number. */
static void test_an_answer_has_one_receipt(void **state) {
    (void)state;
    const rk_random_spec spec = {.activation = {.kind = RK_TANH}, .seed = 3};
    rk_network *net = draw_square(spec, N, 2);
    rk_options options = rk_options_default();
    options.method = method_of("covariance");
    options.receipt_samples = 3000;
    rk_answer *answer = answer_of(net, NULL, &options), *again;
    const rk_answer_data *a = rk_answer_view(answer);
    assert_int_equal(rk_receipt_of(&again, net, NULL, a->mean, NULL, &options, NULL), RK_OK);
    const rk_answer_data *b = rk_answer_view(again);
    assert_true(a->receipt_mse == b->receipt_mse);
    assert_true(a->receipt_mse_standard_error == b->receipt_mse_standard_error);
    assert_true(a->receipt_flops == b->receipt_flops && a->receipt_samples == b->receipt_samples);
    assert_int_equal(b->error_kind, RK_MEASURED_RMS); /* nothing was stated */
    rk_answer_destroy(again);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

static void test_receipts_are_refused(void **state) {
    (void)state;
    rk_network *net = make();
    static double third[N * N * N], mean[N];
    const rk_input skewed = {.third_cumulant = third};
    rk_options options = rk_options_default();
    rk_answer *answer;
    rk_error error;
    assert_int_equal(rk_receipt_of(&answer, NULL, NULL, mean, NULL, NULL, NULL), RK_ERROR_ARGUMENT);
    assert_int_equal(rk_receipt_of(&answer, net, NULL, NULL, NULL, NULL, NULL), RK_ERROR_ARGUMENT);
    assert_int_equal(rk_receipt_of(&answer, net, &skewed, mean, NULL, NULL, NULL),
                     RK_ERROR_UNSUPPORTED);
    options.receipt_samples = 5;
    assert_int_equal(rk_receipt_of(&answer, net, NULL, mean, NULL, &options, NULL),
                     RK_ERROR_ARGUMENT);
    options.receipt_samples = 1000;
    options.memory_limit = 1000;
    assert_int_equal(rk_receipt_of(&answer, net, NULL, mean, NULL, &options, &error),
                     RK_ERROR_TOO_LARGE);
    assert_non_null(strstr(error.message, "the limit is 1000"));
    assert_null(answer);
    rk_network_destroy(net);
}

int main(void) {
    rk_blas_make_serial(); /* as whoever runs a plan does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipts_are_unbiased),
        cmocka_unit_test(test_receipts_see_below_their_noise),
        cmocka_unit_test(test_receipts_keep_to_their_budget),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_true_errors_are_not_refuted),
        cmocka_unit_test(test_numbers_from_anywhere),
        cmocka_unit_test(test_an_answer_has_one_receipt),
        cmocka_unit_test(test_receipts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
