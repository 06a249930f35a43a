/* The law of the input: accepted or refused in one place, by every method alike. */
#include "network/input.h"
#include "support/method.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

enum { N = 8, LARGE = 2100 };

/* A covariance with variance v and correlation rho: eigenvalues v (1 + 7 rho), v (1 - rho). */
static void fill(double C[N * N], double v, double rho) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            C[i * N + j] = i == j ? v : v * rho;
}

static const struct {
    double v, rho; /* to begin with */
    size_t at;     /* an entry set to `value`, unless it is 0 */
    double value;
    const char *refusal; /* NULL: accepted */
} covariances[] = {
    {1, 0, 1, 0, NULL},
    {0, 0, 1, 0, NULL},
    {1, 1, 1, 0, NULL},
    {1e-300, 0.5, 1, 0, NULL},
    {1e300, 0.5, 1, 0, NULL},
    {1, -1 / 7. - 1e-8, 1, 0, NULL}, /* rounding */
    {1e-30, -1 / 7. - 1e-8, 1, 0, NULL},
    {1, 1, 1, 1 + 1e-7, NULL}, /* asymmetric by rounding */
    {1, 0, 0, 1e-12, NULL},    /* in units of its own */
    {1, -0.9, 1, 0, "its smallest eigenvalue is -5.3; the nearest that is, in NumPy"},
    {1e-20, -0.9, 1, 0, "its smallest eigenvalue is -5.3e-20"},
    {1e20, -0.9, 1, 0, "its smallest eigenvalue is -5.3e+20"},
    {1, -1 / 7. - 1e-4, 1, 0, "its smallest eigenvalue is -0.0007"},
    {1, 0, 1, 0.5, "[1, 0] is 0, but [0, 1] is 0.5: not symmetric; (C + C.T) / 2"},
    {1e-20, 0, 1, 1e-25, "not symmetric"},
    {1, 0, 1, NAN, "[0, 1] is not finite"},
    {1, 0, 1, INFINITY, "[0, 1] is not finite"},
    {1, 0, 9, -1, "[1, 1] is -1: a variance is not negative"},
    {1, 0, 9, NAN, "[1, 1] is not finite"},
    {1, 0, 9, INFINITY, "[1, 1] is not finite"},
    {1, 1.1, 1, 0, "[1, 0] is 1.1, more than the variances 1 and 1 allow"},
    {1e-20, 1.1, 1, 0, "more than the variances"},
    {0, 0, 1, 1e-30, "not symmetric"},
};

static rk_network *make_network(void) {
    double W[N * N], last[N];
    for (int i = 0; i < N * N; i++)
        W[i] = sin(1 + 3 * i);
    for (int i = 0; i < N; i++)
        last[i] = cos(i);
    const rk_layer layers[] = {
        {.rows = N, .cols = N, .weight = W, .activation = {.kind = RK_RELU}},
        {.rows = N, .cols = N, .weight = W, .activation = {.kind = RK_RELU}},
        {.rows = 1, .cols = N, .weight = last},
    };
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 3, NULL), RK_OK);
    return net;
}

static void test_a_table_of_covariances(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof covariances / sizeof *covariances; i++) {
        double C[N * N], *copy;
        fill(C, covariances[i].v, covariances[i].rho);
        if (covariances[i].value != 0) C[covariances[i].at] = covariances[i].value;
        rk_input law;
        rk_error error = {.message = "accepted"};
        rk_status status = rk_input_accept(&law, &copy, &(rk_input){.covariance = C}, N, &error);
        const char *refusal = covariances[i].refusal;
        if (refusal ? status != RK_ERROR_ARGUMENT || !strstr(error.message, refusal)
                    : status != RK_OK)
            fail_msg("row %zu: %s", i, error.message);
        for (int j = 0; status == RK_OK && j < N * N; j++)
            assert_true(law.covariance[j] == law.covariance[j % N * N + j / N]);
        assert_true(status == RK_OK || !copy);
        free(copy);
    }
}

/* The zero variances of some inputs, and the scales of others, are nobody's fault. */
static void test_units_do_not_matter(void **state) {
    (void)state;
    static const double units[N] = {1, 1e-150, 1e150, 1e-8, 1e8, 0, 1e-30, 3};
    static const struct {
        double rho;
        bool is_fine;
    } rows[] = {{0.3, true}, {-1 / 6., true}, {-1 / 6. - 1e-4, false}, {-0.9, false}};
    for (int r = 0; r < 4; r++) {
        double C[N * N], *copy;
        fill(C, 1, rows[r].rho);
        for (int i = 0; i < N * N; i++)
            C[i] *= units[i / N] * units[i % N];
        rk_input law;
        rk_error error;
        rk_status status = rk_input_accept(&law, &copy, &(rk_input){.covariance = C}, N, &error);
        assert_int_equal(status, rows[r].is_fine ? RK_OK : RK_ERROR_ARGUMENT);
        if (!rows[r].is_fine) assert_non_null(strstr(error.message, "smallest eigenvalue"));
        free(copy);
    }
}

/* Of rank 3, stored in single precision: eigenvalues down to -1e-7. */
static void fill_single(double C[N * N]) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < 3; k++)
                sum += sin(1 + i * 2.3 + k * k) * sin(1 + j * 2.3 + k * k);
            C[i * N + j] = (double)(float)(sum * 0.7);
        }
    for (int i = 0; i < N; i++) /* and made asymmetric by it */
        C[i] = (double)nextafterf((float)C[i], 9);
}

/* Whatever the library has now or will have. */
static void test_every_method_agrees(void **state) {
    (void)state;
    rk_network *net = make_network();
    double single[N * N], indefinite[N * N], mean[N] = {0};
    fill_single(single);
    fill(indefinite, 1, -0.9);
    const rk_input fine = {.covariance = single}, bad = {.covariance = indefinite};
    const rk_method_info *method;
    rk_error error;
    for (size_t i = 0; (method = rk_method_at(i)); i++) {
        rk_options options = rk_options_default();
        options.method =
            method_of(strcmp(method->name, "reference") == 0 ? "reference:2" : method->name);
        options.samples = 1000;
        options.budget_flops = 1e7;
        options.threads = 1;
        rk_answer *answer;
        assert_int_equal(rk_estimate(&answer, net, &bad, &options, &error), RK_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "eigenvalue is -5.3"));
        mean[3] = NAN;
        assert_int_equal(rk_estimate(&answer, net, &(rk_input){.mean = mean}, &options, &error),
                         RK_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "input mean [3] is not finite"));
        if (rk_estimate(&answer, net, &fine, &options, &error) == RK_OK)
            assert_true(isfinite(rk_answer_view(answer)->mean[0]));
        else if (error.status != RK_ERROR_UNSUPPORTED) /* by this method at all */
            fail_msg("%s: %s", method->name, error.message);
        rk_answer_destroy(answer);
    }
    const rk_event_term term = {.index = 0, .coefficient = 1};
    const rk_event event = {.layer = 3, .terms = &term, .n_terms = 1, .threshold = 1};
    for (size_t i = 0; (method = rk_tail_method_at(i)); i++) {
        rk_options options = rk_options_default();
        options.tail = tail_method_of(method->name);
        options.samples = 1000;
        options.budget_flops = 1e7;
        options.threads = 1;
        rk_tail_answer *answer;
        assert_int_equal(rk_tail(&answer, net, &bad, &event, 1, &options, &error),
                         RK_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "eigenvalue is -5.3"));
        if (rk_tail(&answer, net, &fine, &event, 1, &options, &error) != RK_OK)
            fail_msg("%s: %s", method->name, error.message);
        rk_tail_destroy(answer);
    }
    rk_network_destroy(net);
}

static void test_third_cumulants(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *refusal;
    } rows[] = {{0.25, NULL},
                {0.25 + 1e-7, NULL},
                {0.26, "not symmetric"},
                {NAN, "input third cumulant [2, 1, 0] is not finite"},
                {-INFINITY, "input third cumulant [2, 1, 0] is not finite"}};
    for (int r = 0; r < 5; r++) {
        double T[27], *copy;
        for (int i = 0; i < 27; i++)
            T[i] = 0.25;
        T[2 * 9 + 1 * 3 + 0] = rows[r].value;
        rk_input law;
        rk_error error;
        rk_status status =
            rk_input_accept(&law, &copy, &(rk_input){.third_cumulant = T}, 3, &error);
        assert_int_equal(status, rows[r].refusal ? RK_ERROR_ARGUMENT : RK_OK);
        if (rows[r].refusal && !strstr(error.message, rows[r].refusal))
            fail_msg("%s", error.message);
    }
}

/* Too many inputs to name the eigenvalue, few enough to see it. */
static void test_many_inputs(void **state) {
    (void)state;
    double *C = calloc((size_t)LARGE * LARGE, sizeof *C), *copy;
    assert_non_null(C);
    for (int i = 0; i < LARGE; i++)
        for (int j = 0; j < LARGE; j++)
            C[i * LARGE + j] = i == j ? 1 : -0.5;
    rk_input law;
    rk_error error;
    assert_int_equal(rk_input_accept(&law, &copy, &(rk_input){.covariance = C}, LARGE, &error),
                     RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "an eigenvalue is below -0.001"));
    free(C);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_table_of_covariances),
        cmocka_unit_test(test_units_do_not_matter),
        cmocka_unit_test(test_every_method_agrees),
        cmocka_unit_test(test_third_cumulants),
        cmocka_unit_test(test_many_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
