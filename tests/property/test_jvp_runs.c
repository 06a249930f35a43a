/* What one rk_jvp promises: the same bits, its costs, refusals and interrupts. */
#include "support/direction.h"
#include "support/kinds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
    kind_case c;
    subject s;
    rk_network *net;
    rk_derivatives *v;
    changes made;
} fixture;

static fixture set_up(const char *method) {
    fixture x = {.c = kind_draw("biases .3", "relu", 64, 3, 5)};
    const gradient_method m = {.text = method, .covariance = true};
    x.s = subject_of(x.c.net, NULL);
    subject_ask(&x.s, &m);
    x.net = subject_network(&x.s);
    x.v = subject_direction(&x.s, x.net);
    x.made = changes_of(&x.s);
    return x;
}

static void tear_down(fixture *x) {
    rk_derivatives_destroy(x->v);
    changes_release(&x->made);
    subject_release(&x->s);
    rk_network_destroy(x->net);
    kind_release(&x->c);
}

static rk_linearisation *linearised(fixture *x) {
    x->s.options.method = &x->s.method;
    rk_linearisation *run;
    rk_error error;
    if (rk_linearise(&run, x->net, NULL, &x->s.options, &error) != RK_OK)
        fail_msg("%s", error.message);
    return run;
}

/* For any number of threads, also after a way back, and all that a direction leaves out is zero. */
static void test_same_bits(void **state) {
    (void)state;
    fixture x = set_up("covariance:pairs=exact"), y = set_up("covariance:pairs=exact");
    const size_t n = x.s.n_out;
    x.s.options.threads = 1;
    y.s.options.threads = 3;
    rk_linearisation *one = linearised(&x), *three = linearised(&y);
    rk_derivatives *g = subject_direction(&x.s, x.net);
    assert_int_equal(rk_vjp(three, &(rk_cotangents){.mean = x.made.to.mean}, g, NULL), RK_OK);
    assert_int_equal(rk_jvp(one, x.v, &x.made.to, NULL), RK_OK);
    assert_int_equal(rk_jvp(three, x.v, &y.made.to, NULL), RK_OK);
    assert_memory_equal(x.made.to.mean, y.made.to.mean, n * sizeof(double));
    assert_memory_equal(x.made.to.covariance, y.made.to.covariance, n * n * sizeof(double));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            assert_true(y.made.to.covariance[i * n + j] == y.made.to.covariance[j * n + i]);
    assert_int_equal(rk_jvp(one, &(rk_derivatives){.size = 0}, &x.made.to, NULL), RK_OK);
    for (size_t k = 0; k < n * n; k++)
        assert_true(x.made.to.covariance[k] == 0 && x.made.to.mean[k % n] == 0);
    rk_derivatives_destroy(g);
    rk_linearisation_destroy(one), rk_linearisation_destroy(three);
    tear_down(&x), tear_down(&y);
}

static void test_costs(void **state) {
    (void)state;
    fixture x = set_up("covariance");
    rk_linearisation *run = linearised(&x);
    const rk_linearisation_data *data = rk_linearisation_view(run);
    assert_true(data->jvp_flops > 0);
    assert_true(data->jvp_flops <= 3 * data->answer->cost.flops_executed);
    rk_linearisation_destroy(run);
    tear_down(&x);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const without[] = {"gain", "third:tilt=off", "sample"};
    rk_error error;
    rk_linearisation *run;
    for (size_t k = 0; k < 3; k++) {
        fixture x = set_up(without[k]);
        kind_case c = kind_draw("random", k == 2 ? "gelu" : "relu", 64, 3, 1);
        x.s.options.method = &x.s.method;
        if (rk_linearise(&run, c.net, NULL, &x.s.options, &error) != RK_OK)
            fail_msg("%s", error.message);
        assert_int_equal(rk_linearisation_view(run)->jvp_flops, 0);
        assert_int_equal(rk_jvp(run, x.v, &x.made.to, &error), RK_ERROR_UNSUPPORTED);
        assert_non_null(strstr(error.message, without[k]));
        assert_non_null(strstr(error.message, "rk_vjp"));
        rk_linearisation_destroy(run);
        kind_release(&c);
        tear_down(&x);
    }
    fixture x = set_up("covariance");
    x.s.options.covariance = x.s.options.input_covariance = false;
    run = linearised(&x);
    assert_int_equal(rk_jvp(run, x.v, &x.made.to, &error), RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "rk_options.covariance"));
    const rk_tangents mean = {.mean = x.made.to.mean};
    assert_int_equal(rk_jvp(run, x.v, &mean, &error), RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "rk_options.input_covariance"));
    x.v->input_covariance = NULL;
    assert_int_equal(rk_jvp(run, x.v, &mean, &error), RK_OK);
    rk_linearisation_destroy(run);
    tear_down(&x);
}

static bool until(void *context, double fraction) {
    (void)fraction;
    return --*(int *)context > 0;
}

static void test_interrupt(void **state) {
    (void)state;
    fixture x = set_up("covariance");
    int patience = 1 << 20;
    x.s.options.progress = until;
    x.s.options.progress_context = &patience;
    rk_linearisation *run = linearised(&x);
    patience = 2;
    assert_int_equal(rk_jvp(run, x.v, &x.made.to, NULL), RK_ERROR_INTERRUPTED);
    patience = 1 << 20;
    assert_int_equal(rk_jvp(run, x.v, &x.made.to, NULL), RK_OK);
    rk_linearisation_destroy(run);
    tear_down(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits), cmocka_unit_test(test_costs),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_interrupt)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
