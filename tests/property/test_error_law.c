/* Estimated errors against unbiased receipts: right on random networks, wide and flagged elsewhere.
 */
#include "estimate/methods.h"
#include "support/estimate.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PI 3.14159265358979323846

static rk_answer *answer_with_receipt(const rk_network *net, const char *method, uint64_t receipt) {
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.receipt_samples = receipt;
    rk_answer *answer;
    rk_estimate(&answer, net, NULL, &options, NULL); /* NULL: it does not cover this network */
    return answer;
}

/* Each variant has laws, those of its own row if it has any, and so has what was resolved from it.
 */
static void test_every_variant_has_laws(void **state) {
    (void)state;
    const rk_variant *v;
    for (size_t i = 0; (v = rk_variant_at(i)); i++) {
        const rk_error_laws *laws = rk_error_laws_of(&v->spec);
        assert_non_null(laws);
        if (v->laws.means.factor > 0) assert_ptr_equal(laws, &v->laws);
    }
    static const struct {
        const char *method, *same;
    } cases[] = {{"mean:metric=avg,base", "mean:metric=avg"},
                 {"reference:1,augment", "mean"},
                 {"reference:1,base,metric=avg", "mean:metric=avg"},
                 {"reference:2,metric=avg", "covariance"},
                 {"reference:3,dense", "third:tilt=off"},
                 {"reference:4", "fourth"},
                 {"third:gauge=full,rank=24,legs=double", "third:tilt=on,fourth=full"},
                 {"third:fourth=fitted", "third:gauge=fitted"},
                 {"sample:anchor,design", "sample:control,design"},
                 {"mean:base", NULL},
                 {"reference:1,base", NULL},
                 {"reference:2,base", NULL},
                 {"reference:4,augment", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *same = cases[i].same;
        assert_ptr_equal(rk_error_laws_of(method_of(cases[i].method)),
                         same ? rk_error_laws_of(method_of(same)) : NULL);
    }
}

/* Networks that no law was fitted to. */
static void test_estimates_are_within_a_factor_three(void **state) {
    (void)state;
    static const struct {
        const char *activation;
        size_t n, hidden;
        double weight, bias;
    } cases[] = {
        {"relu", 40, 3, 0, 0},           {"relu", 52, 6, 0, 0},      {"relu", 56, 5, 2, 0.2},
        {"gelu", 40, 3, 0, 0},           {"gelu", 56, 4, 2, 0.05},   {"tanh", 40, 4, 1.4, 0.15},
        {"leaky_relu:0.3", 48, 5, 0, 0}, {"silu", 48, 3, 2.5, 0.05},
    };
    static const char *const methods[] = {
        "mean", "covariance", "gain", "third:gauge=none", "third:gauge=fitted", "third"};
    int seen = 0;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rk_random_spec spec = {.init = cases[c].weight > 0 ? RK_INIT_MANUAL : RK_INIT_HE,
                               .weight_variance = cases[c].weight,
                               .bias_variance = cases[c].bias,
                               .seed = cases[c].n + cases[c].hidden};
        assert_int_equal(rk_activation_parse(cases[c].activation, &spec.activation, NULL), RK_OK);
        rk_network *net = draw_square(spec, cases[c].n, cases[c].hidden);
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
            rk_answer *answer = answer_with_receipt(net, methods[m], 48000);
            if (!answer) continue;
            const rk_answer_data *a = rk_answer_view(answer);
            double true_rms = sqrt(a->receipt_mse);
            if (a->receipt_mse > 4 * a->receipt_mse_standard_error) {
                seen++;
                if (!(a->stated_rms <= 3 * true_rms && a->stated_rms >= true_rms / 3))
                    fail_msg("%s on %zu x %zu %s: %g, estimated %g", a->method, cases[c].n,
                             cases[c].hidden, cases[c].activation, true_rms, a->stated_rms);
            }
            assert_int_equal(a->n_warnings, 0);
            rk_answer_destroy(answer);
        }
        rk_network_destroy(net);
    }
    assert_true(seen >= 23);
}

/* At most three times the error that is stated, as far as the receipt can tell; or none is stated,
 * with a warning, and one that says so if there are no means. */
static bool is_honest(const rk_answer_data *a) {
    double most = 9 * a->stated_rms * a->stated_rms + 4 * a->receipt_mse_standard_error;
    if (!isnan(a->stated_rms)) return a->receipt_mse <= most;
    return is_warned(a, isfinite(a->receipt_mse) ? "" : "the closure diverged");
}

static void test_trained_networks_are_noticed(void **state) {
    (void)state;
    static const struct {
        double noise;
        size_t rank;
        double spike;
    } cases[] = {{1, 1, 4}, {1, 1, 10}, {0.1, 3, 1}, {0, 2, 1}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rk_network *net = draw_spiked(48, 4, 52, cases[c].noise, cases[c].rank, cases[c].spike);
        static const char *const methods[] = {"covariance", "gain", "third:gauge=none", "third"};
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
            rk_answer *answer = answer_with_receipt(net, methods[m], 32000);
            const rk_answer_data *a = rk_answer_view(answer);
            if (!is_warned(a, "outside the wide-random regime"))
                fail_msg("%s, case %zu: not noticed", a->method, c);
            if (!is_honest(a))
                fail_msg("%s, case %zu: %g, estimated %g", a->method, c, sqrt(a->receipt_mse),
                         a->stated_rms);
            rk_answer_destroy(answer);
        }
        rk_network_destroy(net);
    }
}

/* Eigenvalues k^-decay along the cosines, of average 1: few effective directions. */
static void draw_input(size_t n, double decay, double *C) {
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += pow((double)k + 1, -decay) / (double)n;
    for (size_t i = 0; i < n * n; i++)
        C[i] = 0;
    for (size_t k = 0; k < n; k++) {
        double eigenvalue = pow((double)k + 1, -decay) / sum,
               square = k ? 2.0 / (double)n : 1.0 / (double)n;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                C[i * n + j] += eigenvalue * square *
                                cos(PI * ((double)i + 0.5) * (double)k / (double)n) *
                                cos(PI * ((double)j + 0.5) * (double)k / (double)n);
    }
}

static void test_narrow_inputs_are_noticed(void **state) {
    (void)state;
    enum { N = 48 };
    static const char *const methods[] = {"mean", "reference:1", "covariance", "gain", "third"};
    static const double decays[] = {0, 0.25, 1, 2, 20};
    static double C[N * N];
    for (size_t hidden = 1; hidden <= 3; hidden += 2) {
        rk_network *net =
            draw_square((rk_random_spec){.activation = {.kind = RK_RELU}, .seed = 5}, N, hidden);
        for (size_t c = 0; c < sizeof decays / sizeof *decays; c++) {
            draw_input(N, decays[c], C);
            const rk_input input = {.covariance = C};
            for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
                rk_options options = rk_options_default();
                options.method = method_of(methods[m]);
                options.receipt_samples = 32000;
                rk_answer *answer = answer_of(net, &input, &options);
                const rk_answer_data *a = rk_answer_view(answer);
                bool exact = hidden == 1 && m >= 2;
                if (is_warned(a, "outside the wide-random regime") != (decays[c] >= 1 && !exact))
                    fail_msg("%s, decay %g: warned or not", a->method, decays[c]);
                if (!is_honest(a))
                    fail_msg("%s, decay %g: %g, estimated %g", a->method, decays[c],
                             sqrt(a->receipt_mse), a->stated_rms);
                rk_answer_destroy(answer);
            }
        }
        rk_network_destroy(net);
    }
}

static void test_beyond_the_limit_nothing_is_promised(void **state) {
    (void)state;
    rk_random_spec spec = {.activation = {.kind = RK_RELU}, .seed = 30};
    rk_network *net = draw_square(spec, 16, 14);
    rk_answer *answer = answer_with_receipt(net, "third:gauge=none", 0);
    const rk_answer_data *a = rk_answer_view(answer);
    assert_true(is_warned(a, "fails on many networks"));
    double variance = 0;
    for (size_t i = 0; i < a->n_out; i++)
        variance += a->variance[i] / (double)a->n_out;
    assert_true(isfinite(variance));
    bool promises = a->stated_rms < sqrt(variance) * 0.999;
    if (promises) fail_msg("estimated %g", a->stated_rms);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

/* He-initialised gelu shrinks, and what it errs by grows from layer to layer. */
static void test_growing_errors_promise_nothing(void **state) {
    (void)state;
    static const char *const methods[] = {"mean", "covariance"};
    rk_random_spec spec = {.activation = {.kind = RK_GELU}, .seed = 31};
    for (size_t hidden = 4; hidden <= 24; hidden += 20) {
        rk_network *net = draw_square(spec, 48, hidden);
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
            rk_answer *answer = answer_with_receipt(net, methods[m], 0);
            const rk_answer_data *a = rk_answer_view(answer);
            double variance = 0;
            for (size_t i = 0; i < a->n_out; i++)
                variance += a->variance[i] / (double)a->n_out;
            assert_int_equal(is_warned(a, "nothing can be promised"), hidden == 24);
            bool promises = a->stated_rms < sqrt(variance) * 0.999;
            assert_int_equal(promises, hidden == 4);
            rk_answer_destroy(answer);
        }
        rk_network_destroy(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_variant_has_laws),
        cmocka_unit_test(test_estimates_are_within_a_factor_three),
        cmocka_unit_test(test_trained_networks_are_noticed),
        cmocka_unit_test(test_narrow_inputs_are_noticed),
        cmocka_unit_test(test_beyond_the_limit_nothing_is_promised),
        cmocka_unit_test(test_growing_errors_promise_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
