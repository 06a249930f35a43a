/* What one rk_linearisation promises: the same bits, its costs, interrupts and refusals. */
#include "support/kinds.h"
#include "support/subject.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
    kind_case c;
    subject s;
    rk_network *net;
    sum f;
    rk_cotangents seen;
    rk_derivatives *to;
} fixture;

static fixture set_up(void) {
    fixture x = {.c = kind_draw("biases .3", "relu", 64, 3, 5)};
    x.s = subject_of(x.c.net, NULL);
    subject_ask(&x.s, &gradient_methods[0]);
    x.s.options.threads = 2;
    x.net = subject_network(&x.s);
    x.f = sum_of(&x.s);
    x.seen = sum_cotangents(&x.s, &x.f);
    assert_int_equal(rk_derivatives_create(&x.to, x.net, &x.s.options, NULL), RK_OK);
    return x;
}

static void tear_down(fixture *x) {
    rk_derivatives_destroy(x->to);
    sum_release(&x->f);
    subject_release(&x->s);
    rk_network_destroy(x->net);
    kind_release(&x->c);
}

static rk_linearisation *linearised(fixture *x) {
    rk_linearisation *run;
    rk_error error;
    x->s.options.method = &x->s.method;
    if (rk_linearise(&run, x->net, NULL, &x->s.options, &error) != RK_OK)
        fail_msg("%s", error.message);
    return run;
}

static bool same(const subject *s, const rk_derivatives *a, const rk_derivatives *b) {
    bool is =
        memcmp(a->input_mean, b->input_mean, s->n_in * sizeof(double)) == 0 &&
        memcmp(a->input_covariance, b->input_covariance, s->n_in * s->n_in * sizeof(double)) == 0;
    for (size_t l = 0; is && l < s->n_layers; l++) {
        const size_t rows = s->layers[l].rows, cols = s->layers[l].cols;
        is = memcmp(a->weight[l], b->weight[l], rows * cols * sizeof(double)) == 0 &&
             memcmp(a->bias[l], b->bias[l], rows * sizeof(double)) == 0;
    }
    return is;
}

typedef struct puller {
    rk_linearisation *run;
    const rk_cotangents *f;
    rk_derivatives *to;
} puller;

static void *pull(void *context) {
    const puller *p = context;
    for (int k = 0; k < 5; k++)
        if (rk_vjp(p->run, p->f, p->to, NULL) != RK_OK) return context;
    return NULL;
}

/* Twice from one run, in two threads, by one call; each replaces what was there. */
static void test_same_bits(void **state) {
    (void)state;
    fixture x = set_up();
    rk_linearisation *run = linearised(&x);
    assert_int_equal(rk_vjp(run, &x.seen, x.to, NULL), RK_OK);
    rk_derivatives *others[3];
    puller pullers[2];
    pthread_t threads[2];
    for (int k = 0; k < 3; k++)
        rk_derivatives_create(&others[k], x.net, &x.s.options, NULL);
    for (int k = 0; k < 2; k++) {
        pullers[k] = (puller){run, &x.seen, others[k]};
        assert_int_equal(pthread_create(&threads[k], NULL, pull, &pullers[k]), 0);
    }
    for (int k = 0; k < 2; k++) {
        void *failed;
        pthread_join(threads[k], &failed);
        assert_null(failed);
    }
    x.s.options.threads = 1;
    assert_int_equal(rk_gradient(others[2], x.net, NULL, &x.seen, &x.s.options, NULL), RK_OK);
    for (int k = 0; k < 3; k++) {
        assert_true(same(&x.s, x.to, others[k]));
        rk_derivatives_destroy(others[k]);
    }
    rk_linearisation_destroy(run);
    tear_down(&x);
}

/* What is not wanted is not touched; what is asked for is planned, and no dearer than promised. */
static void test_costs(void **state) {
    (void)state;
    fixture x = set_up();
    rk_linearisation *run = linearised(&x);
    const rk_linearisation_data *data = rk_linearisation_view(run);
    const uint64_t there = data->answer->cost.flops_executed, bytes = data->bytes;
    assert_true(there + data->vjp_flops <= 4 * there);
    rk_derivatives *whole = x.to, input = {.input_mean = numbers(x.s.n_in)};
    assert_int_equal(rk_vjp(run, &x.seen, whole, NULL), RK_OK);
    assert_int_equal(rk_vjp(run, &x.seen, &input, NULL), RK_OK);
    assert_memory_equal(input.input_mean, whole->input_mean, x.s.n_in * sizeof(double));
    free(input.input_mean);
    rk_linearisation_destroy(run);

    rk_error error;
    x.s.options.memory_limit = bytes - 1;
    assert_int_equal(rk_linearise(&run, x.net, NULL, &x.s.options, &error), RK_ERROR_TOO_LARGE);
    assert_null(run);
    assert_non_null(strstr(error.message, "bytes"));
    tear_down(&x);
}

static bool until(void *context, double fraction) {
    (void)fraction;
    return --*(int *)context > 0;
}

static void test_interrupt(void **state) {
    (void)state;
    enum { LONG = 1 << 20 };
    fixture x = set_up();
    int patience = LONG;
    x.s.options.progress = until;
    x.s.options.progress_context = &patience;
    rk_linearisation *run = linearised(&x);
    patience = 2;
    assert_int_equal(rk_vjp(run, &x.seen, x.to, NULL), RK_ERROR_INTERRUPTED);
    patience = LONG;
    assert_int_equal(rk_vjp(run, &x.seen, x.to, NULL), RK_OK);
    rk_derivatives *other;
    rk_derivatives_create(&other, x.net, &x.s.options, NULL);
    assert_int_equal(rk_gradient(other, x.net, NULL, &x.seen, &x.s.options, NULL), RK_OK);
    assert_true(same(&x.s, x.to, other));
    rk_linearisation_destroy(run);
    patience = 2;
    assert_int_equal(rk_linearise(&run, x.net, NULL, &x.s.options, NULL), RK_ERROR_INTERRUPTED);
    rk_derivatives_destroy(other);
    tear_down(&x);
}

static void test_refusals(void **state) {
    (void)state;
    fixture x = set_up();
    rk_linearisation *run;
    rk_error error;
    rk_options options = x.s.options;
    const rk_method_spec fourth = {.kind = RK_FOURTH};
    options.method = &fourth;
    assert_int_equal(rk_linearise(&run, x.net, NULL, &options, &error), RK_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "covariance"));
    options.method = &x.s.method;
    options.covariance = options.input_covariance = false;
    assert_int_equal(rk_linearise(&run, x.net, NULL, &options, &error), RK_OK);
    assert_int_equal(rk_vjp(run, &x.seen, x.to, &error), RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "rk_options.covariance"));
    x.seen.covariance = x.seen.variance = NULL;
    assert_int_equal(rk_vjp(run, &x.seen, x.to, &error), RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "rk_options.input_covariance"));
    double *kept = x.to->input_covariance;
    x.to->input_covariance = NULL;
    assert_int_equal(rk_vjp(run, &x.seen, x.to, &error), RK_OK);
    x.to->input_covariance = kept;
    x.seen.size = 8;
    assert_int_equal(rk_vjp(run, &x.seen, x.to, &error), RK_ERROR_ARGUMENT);
    rk_linearisation_destroy(run);
    tear_down(&x);
}

/* What is chosen has the derivatives that it has when it is asked for. */
static void test_auto(void **state) {
    (void)state;
    fixture x = set_up();
    rk_linearisation *run;
    rk_error error;
    x.s.options.method = NULL;
    if (rk_linearise(&run, x.net, NULL, &x.s.options, &error) != RK_OK)
        fail_msg("%s", error.message);
    const rk_method_spec chosen = *rk_linearisation_view(run)->answer->spec;
    assert_int_equal(rk_vjp(run, &x.seen, x.to, NULL), RK_OK);
    rk_derivatives *other;
    rk_derivatives_create(&other, x.net, &x.s.options, NULL);
    x.s.options.method = &chosen;
    assert_int_equal(rk_gradient(other, x.net, NULL, &x.seen, &x.s.options, NULL), RK_OK);
    assert_true(same(&x.s, x.to, other));
    rk_derivatives_destroy(other);
    rk_linearisation_destroy(run);
    tear_down(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits), cmocka_unit_test(test_costs),
        cmocka_unit_test(test_interrupt), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_auto)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
