/* What must not change the third order's answer: threads, precision of the legs, the order of the
 * neurons, what else is asked. Widths cross the chunks and blocks of the kernels. */
#include "estimate/method.h"
#include "support/estimate.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_LAYERS = 5 };
static const size_t widths[N_LAYERS + 1] = {7, 270, 37, 300, 21, 4};

typedef struct fixture {
    rk_layer layers[N_LAYERS];
    double *weight[N_LAYERS], *bias[N_LAYERS];
    bool biased;
} fixture;

static void fixture_create(fixture *f, bool biased) {
    memset(f, 0, sizeof *f);
    f->biased = biased;
    uint64_t x = 1;
    for (size_t l = 0; l < N_LAYERS; l++) {
        size_t rows = widths[l + 1], cols = widths[l];
        f->weight[l] = malloc(rows * cols * sizeof(double));
        f->bias[l] = malloc(rows * sizeof(double));
        for (size_t i = 0; i < rows * cols; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            double uniform = (double)(x >> 11) * 0x1p-53;
            f->weight[l][i] = (uniform - 0.5) * sqrt(24.0 / (double)cols);
        }
        for (size_t i = 0; i < rows; i++)
            f->bias[l][i] = 0.1 * cos((double)i);
        f->layers[l] = (rk_layer){.rows = rows,
                                  .cols = cols,
                                  .weight = f->weight[l],
                                  .bias = biased ? f->bias[l] : NULL,
                                  .activation = {.kind = l + 1 < N_LAYERS ? RK_RELU : RK_IDENTITY}};
    }
}

static void fixture_destroy(fixture *f) {
    for (size_t l = 0; l < N_LAYERS; l++) {
        free(f->weight[l]);
        free(f->bias[l]);
    }
}

static rk_answer *estimate(const fixture *f, const char *method, bool covariance, int threads) {
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.covariance = covariance;
    options.threads = threads;
    return answer_of_layers(f->layers, N_LAYERS, NULL, &options);
}

static void assert_close(size_t count, const double *a, const double *b, double tolerance) {
    double scale = 0;
    for (size_t i = 0; i < count; i++)
        scale = fmax(scale, fabs(b[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs(a[i] - b[i]) <= tolerance * scale)) fail_msg("%.17g is not %.17g", a[i], b[i]);
}

static void assert_same_answer(rk_answer *a, rk_answer *b, double tolerance) {
    const rk_answer_data *x = rk_answer_view(a), *y = rk_answer_view(b);
    assert_close(x->n_out, x->mean, y->mean, tolerance);
    if (x->covariance && y->covariance)
        assert_close(x->n_out * x->n_out, x->covariance, y->covariance, tolerance);
    rk_answer_destroy(a);
    rk_answer_destroy(b);
}

static void test_threads(void **state) {
    fixture *f = *state;
    assert_same_answer(estimate(f, "third", true, 1), estimate(f, "third", true, 3), 0);
    assert_same_answer(estimate(f, "third:rank=16", true, 1), estimate(f, "third:rank=16", true, 3),
                       0);
}

static void test_threads_of_the_gauge(void **state) {
    fixture *f = *state;
    static const char *const methods[] = {"third:gauge=lean", "third:gauge=full",
                                          "third:gauge=fitted"};
    for (size_t k = 0; k < 3; k++)
        assert_same_answer(estimate(f, methods[k], false, 1), estimate(f, methods[k], false, 3), 0);
}

static void test_precision_of_the_legs(void **state) {
    fixture *f = *state;
    assert_same_answer(estimate(f, "third", true, 1), estimate(f, "third:legs=double", true, 1),
                       1e-6);
}

static void test_means_do_not_depend_on_what_else_is_asked(void **state) {
    fixture *f = *state;
    assert_same_answer(estimate(f, "third:gauge=none,legs=double", false, 1),
                       estimate(f, "third:gauge=none,legs=double", true, 1), 1e-13);
}

/* Relabelling the neurons of every hidden layer moves them between blocks and chunks. */
static void test_permutation_of_hidden_neurons(void **state) {
    fixture *f = *state, g;
    fixture_create(&g, f->biased);
    for (size_t l = 0; l < N_LAYERS; l++) {
        size_t rows = widths[l + 1], cols = widths[l];
        for (size_t i = 0; i < rows; i++) {
            size_t to_i = l + 1 < N_LAYERS ? (i * 11 + 5) % rows : i; /* 11 divides no width */
            g.bias[l][to_i] = f->bias[l][i];
            for (size_t j = 0; j < cols; j++) {
                size_t to_j = l > 0 ? (j * 11 + 5) % cols : j;
                g.weight[l][to_i * cols + to_j] = f->weight[l][i * cols + j];
            }
        }
    }
    static const char *const methods[] = {
        "third:gauge=none,legs=double", "third:gauge=zero,rank=full,legs=double",
        "third:gauge=lean,rank=full,legs=double", "third:gauge=full,rank=full,legs=double",
        "third:gauge=fitted,rank=full,legs=double"};
    for (size_t k = 0; k < (f->biased ? 2 : 5); k++)
        assert_same_answer(estimate(&g, methods[k], k == 0, 1), estimate(f, methods[k], k == 0, 1),
                           1e-11);
    fixture_destroy(&g);
}

static void test_plan_is_what_happens(void **state) {
    fixture *f = *state;
    rk_network *net;
    rk_plan *plan;
    rk_answer *answer;
    rk_options options = rk_options_default();
    options.method = method_of(f->biased ? "third" : "third:gauge=fitted");
    assert_int_equal(rk_network_create(&net, f->layers, N_LAYERS, NULL), RK_OK);
    assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_OK);
    rk_cost planned = rk_plan_cost(plan);
    assert_int_equal(rk_plan_execute(plan, &answer, NULL), RK_OK);
    assert_int_equal(rk_answer_view(answer)->cost.flops_executed, planned.flops_executed);
    assert_int_equal(planned.n_steps, N_LAYERS);
    rk_answer_destroy(answer);
    rk_plan_destroy(plan);
    rk_network_destroy(net);
}

int main(void) {
    fixture f, unbiased;
    fixture_create(&f, true);
    fixture_create(&unbiased, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_threads, &f),
        cmocka_unit_test_prestate(test_threads_of_the_gauge, &unbiased),
        cmocka_unit_test_prestate(test_precision_of_the_legs, &f),
        cmocka_unit_test_prestate(test_means_do_not_depend_on_what_else_is_asked, &f),
        cmocka_unit_test_prestate(test_permutation_of_hidden_neurons, &f),
        cmocka_unit_test_prestate(test_permutation_of_hidden_neurons, &unbiased),
        cmocka_unit_test_prestate(test_plan_is_what_happens, &f),
        cmocka_unit_test_prestate(test_plan_is_what_happens, &unbiased),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fixture_destroy(&f);
    fixture_destroy(&unbiased);
    return failed;
}
