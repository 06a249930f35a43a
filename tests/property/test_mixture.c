/* Inputs that are mixtures, and laws from arrays: against their definitions. */
#include "support/estimate.h"
#include "support/method.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

enum { N = 6, OUT = 3, PARTS = 3 };

/* A mixture with memory of its own. */
typedef struct blend {
    double weight[PARTS], mean[PARTS][N], covariance[PARTS][N * N];
    rk_input component[PARTS];
    rk_mixture mixture;
    rk_input input;
} blend;

/* C = 0.3 I + 0.7 u u', with u of the component. */
static void make_blend(blend *l, double spread) {
    for (size_t k = 0; k < PARTS; k++) {
        l->weight[k] = (double)(k + 1) / 6;
        for (size_t i = 0; i < N; i++) {
            l->mean[k][i] = spread * sin((double)(3 * i + 7 * k));
            for (size_t j = 0; j < N; j++)
                l->covariance[k][i * N + j] =
                    (i == j ? 0.3 : 0) + 0.7 * cos((double)(i + k)) * cos((double)(j + k));
        }
        l->component[k] = (rk_input){.mean = l->mean[k], .covariance = l->covariance[k]};
    }
    l->mixture = (rk_mixture){PARTS, l->weight, l->component};
    l->input = (rk_input){.mixture = &l->mixture};
}

static rk_network *draw(rk_activation_kind kind, uint64_t seed) {
    const size_t hidden[] = {24, 24};
    const rk_random_spec spec = {.n_in = N,
                                 .n_out = OUT,
                                 .hidden = hidden,
                                 .n_hidden = 2,
                                 .activation = {.kind = kind},
                                 .seed = seed};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    return net;
}

static rk_options by(const char *method) {
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.covariance = true;
    options.layers = true;
    options.samples = 60000;
    options.threads = 2;
    return options;
}

static rk_answer *ask(const rk_network *net, const rk_input *input, const rk_options *options) {
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, input, options, &error) != RK_OK) fail_msg("%s", error.message);
    return answer;
}

static void assert_near(double got, double expected, double tolerance) {
    if (!(fabs(got - expected) <= tolerance)) fail_msg("%.17g, not %.17g", got, expected);
}

/* ----------------------------------------------------------------------------------- estimates */

static void test_moments_are_those_of_the_components(void **state) {
    (void)state;
    static const char *const methods[] = {"mean", "covariance", "third:tilt=off"};
    blend l;
    make_blend(&l, 2);
    rk_network *net = draw(RK_RELU, 3);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        rk_options options = by(methods[m]);
        options.covariance = m > 0;
        rk_answer *whole = ask(net, &l.input, &options), *part[PARTS];
        const rk_answer_data *w = rk_answer_view(whole);
        uint64_t flops = 0;
        double error = 0;
        for (size_t k = 0; k < PARTS; k++) {
            part[k] = ask(net, &l.component[k], &options);
            flops += rk_answer_view(part[k])->cost.flops_executed;
            error += l.weight[k] * rk_answer_view(part[k])->error_per_output[0];
        }
        assert_int_equal(w->cost.flops_executed, flops);
        for (size_t i = 0; i < OUT; i++) {
            double mean = 0;
            for (size_t k = 0; k < PARTS; k++)
                mean += l.weight[k] * rk_answer_view(part[k])->mean[i];
            assert_near(w->mean[i], mean, 1e-13);
        }
        for (size_t i = 0; options.covariance && i < OUT; i++)
            for (size_t j = 0; j < OUT; j++) {
                double second = 0;
                for (size_t k = 0; k < PARTS; k++) {
                    const rk_answer_data *p = rk_answer_view(part[k]);
                    second += l.weight[k] * (p->covariance[i * OUT + j] + p->mean[i] * p->mean[j]);
                }
                assert_near(w->covariance[i * OUT + j], second - w->mean[i] * w->mean[j], 1e-12);
            }
        double hidden = 0;
        for (size_t k = 0; k < PARTS; k++)
            hidden += l.weight[k] * rk_answer_view(part[k])->hidden_mean[1][5];
        assert_near(w->hidden_mean[1][5], hidden, 1e-13);
        if (isnan(error))
            assert_true(isnan(w->error_per_output[0]));
        else
            assert_near(w->error_per_output[0], error, 1e-12 * error);
        assert_string_equal(w->method, rk_answer_view(part[0])->method);
        rk_answer_destroy(whole);
        for (size_t k = 0; k < PARTS; k++)
            rk_answer_destroy(part[k]);
    }
    rk_network_destroy(net);
}

/* One component, or several that are the same: the bits of the plain run, or all but. */
static void test_trivial_mixtures(void **state) {
    (void)state;
    blend l;
    make_blend(&l, 1);
    rk_network *net = draw(RK_TANH, 5);
    static const char *const methods[] = {"covariance", "sample"};
    for (size_t m = 0; m < 2; m++) {
        const rk_options options = by(methods[m]);
        rk_answer *plain = ask(net, &l.component[0], &options);
        const rk_mixture one = {1, (double[]){1}, l.component};
        const rk_input input = {.mixture = &one};
        rk_answer *answer = ask(net, &input, &options);
        for (size_t i = 0; i < OUT; i++)
            assert_true(rk_answer_view(answer)->mean[i] == rk_answer_view(plain)->mean[i]);
        rk_answer_destroy(answer);
        const rk_input same[3] = {l.component[0], l.component[2], l.component[0]};
        const rk_mixture two = {3, (double[]){0.25, 0, 0.75}, same};
        const rk_input twice = {.mixture = &two};
        answer = ask(net, &twice, &options);
        for (size_t i = 0; i < OUT; i++) {
            const double e = rk_answer_view(plain)->error_per_output[i];
            assert_near(rk_answer_view(answer)->mean[i], rk_answer_view(plain)->mean[i],
                        m ? 6 * e : 1e-13);
            /* independent passes, as many in all */
            if (m) assert_near(rk_answer_view(answer)->error_per_output[i] / e, 1, 0.05);
        }
        rk_answer_destroy(answer);
        rk_answer_destroy(plain);
    }
    rk_network_destroy(net);
}

/* Whatever answers, a receipt of the whole agrees, and so do passes of the whole. */
static void test_stated_errors_of_mixtures_hold(void **state) {
    (void)state;
    static const char *const methods[] = {"sample", "sample:antithetic", "covariance",
                                          "third:tilt=off", "auto"};
    blend l;
    make_blend(&l, 1.5);
    rk_network *net = draw(RK_GELU, 8);
    rk_options truth = by("sample:orthogonal,control");
    truth.samples = 3000000;
    truth.seed = 77;
    rk_answer *exact = ask(net, &l.input, &truth);
    const rk_answer_data *t = rk_answer_view(exact);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        rk_options options = by(methods[m]);
        options.covariance = options.layers = false;
        options.receipt_samples = 20000;
        rk_answer *answer = ask(net, &l.input, &options);
        const rk_answer_data *a = rk_answer_view(answer);
        assert_in_range(a->receipt_samples, 15000, 25000); /* in whole groups */
        double square = 0, noise = 0;
        for (size_t i = 0; i < OUT; i++) {
            square += pow(a->mean[i] - t->mean[i], 2) / OUT;
            noise += pow(t->error_per_output[i], 2) / OUT;
        }
        if (!(sqrt(square) <= 3 * a->error_rms + 4 * sqrt(noise)))
            fail_msg("%s: off by %g, said %g", methods[m], sqrt(square), a->error_rms);
        rk_answer_destroy(answer);
    }
    rk_answer_destroy(exact);
    rk_network_destroy(net);
}

static void test_plans_tell_the_cost(void **state) {
    (void)state;
    blend l;
    make_blend(&l, 1);
    rk_network *net = draw(RK_RELU, 2);
    const rk_options options = by("sample");
    rk_plan *plan;
    assert_int_equal(rk_plan_create(&plan, net, &l.input, &options, NULL), RK_OK);
    rk_answer *one, *two;
    assert_int_equal(rk_plan_execute(plan, &one, NULL), RK_OK);
    assert_int_equal(rk_plan_execute(plan, &two, NULL), RK_OK);
    assert_int_equal(rk_plan_cost(plan).flops_executed, rk_answer_view(one)->cost.flops_executed);
    assert_int_equal(rk_plan_cost(plan).n_steps, rk_answer_view(one)->cost.n_steps);
    assert_memory_equal(rk_plan_cost(plan).steps[0].label, "component 1: ", 13);
    assert_int_equal(rk_answer_view(one)->samples, 60000);
    for (size_t i = 0; i < OUT; i++)
        assert_true(rk_answer_view(one)->mean[i] == rk_answer_view(two)->mean[i]);
    rk_answer_destroy(one);
    rk_answer_destroy(two);
    rk_plan_destroy(plan);
    rk_network_destroy(net);
}

/* --------------------------------------------------------------------------------------- tails */

static double above(double t) {
    return erfc(t / sqrt(2)) / 2;
}

/* y = x, so that P is known: a sum of normal tails, one of which may be all there is. */
static void test_tails_of_a_linear_network(void **state) {
    (void)state;
    static const char *const methods[] = {"normal", "saddlepoint", "importance", "auto", "sample"};
    static const double thresholds[] = {1.5, 3, 5, 12};
    const double W = 1, means[] = {0, 2, -4}, variances[] = {1, 0.25, 1};
    const rk_layer layer = {.weight = &W, .rows = 1, .cols = 1};
    rk_network *net;
    assert_int_equal(rk_network_create(&net, &layer, 1, NULL), RK_OK);
    const rk_input components[] = {{.mean = &means[0], .covariance = &variances[0]},
                                   {.mean = &means[1], .covariance = &variances[1]},
                                   {.mean = &means[2], .covariance = &variances[2]}};
    const rk_mixture mixture = {3, (double[]){0.5, 0.3, 0.2}, components};
    const rk_input input = {.mixture = &mixture};
    rk_events *events;
    assert_int_equal(rk_events_parse(&events, net, "y[0] > 1.5,3,5,12", NULL), RK_OK);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        rk_options options = rk_options_default();
        rk_tail_spec spec = {.size = sizeof spec};
        assert_int_equal(rk_tail_method_parse(methods[m], &spec, NULL), RK_OK);
        options.tail = &spec;
        options.samples = 60000;
        rk_tail_answer *answer;
        rk_error error;
        if (rk_tail(&answer, net, &input, rk_events_list(events), 4, &options, &error) != RK_OK)
            fail_msg("%s: %s", methods[m], error.message);
        for (size_t i = 0; i < 4; i++) {
            const rk_tail_estimate *e = &rk_tail_view(answer)->estimates[i];
            const double t = thresholds[i];
            const double p = 0.5 * above(t) + 0.3 * above((t - 2) / 0.5) + 0.2 * above(t + 4);
            if (e->samples == 0) {
                if (!isnan(e->p)) assert_near(e->p / p, 1, 1e-8);
                continue;
            }
            assert_true(e->log10_high >= log10(p) - 0.2);
            if (isnan(e->p)) continue; /* unreached: only a bound */
            assert_near(e->p / p, 1, 6 * e->cv + 1e-6);
            assert_true(e->log10_low <= e->log10_p && e->log10_p <= e->log10_high);
            assert_true(e->log10_high <= 0);
        }
        rk_tail_destroy(answer);
    }
    rk_events_destroy(events);
    rk_network_destroy(net);
}

/* -------------------------------------------------------------------------------------- refusals
 */

static void test_refusals(void **state) {
    (void)state;
    blend l;
    make_blend(&l, 1);
    rk_network *net = draw(RK_RELU, 1);
    const rk_input nested[] = {l.input};
    const double lone = 1, negative[] = {-1, 2}, half = 0.5, missing = NAN;
    const struct {
        rk_mixture mixture;
        const double *mean;
        int cumulants;
        const char *expected;
    } rows[] = {
        {{0, &lone, l.component}, NULL, 0, "without components"},
        {{1, NULL, l.component}, NULL, 0, "without components"},
        {{2, negative, l.component}, NULL, 0, "weight [0]"},
        {{1, &missing, l.component}, NULL, 0, "weight [0]"},
        {{1, &half, l.component}, NULL, 0, "sum 0.5"},
        {{1, &lone, nested}, NULL, 0, "is a mixture itself"},
        {{1, &lone, l.component}, l.mean[0], 0, "in its components"},
        {{1, &lone, l.component}, NULL, 3, "no higher cumulants"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const rk_input input = {.mean = rows[i].mean, .mixture = &rows[i].mixture};
        rk_options options = by("covariance");
        options.cumulants = rows[i].cumulants;
        rk_answer *answer;
        rk_error error;
        assert_int_not_equal(rk_estimate(&answer, net, &input, &options, &error), RK_OK);
        assert_null(answer);
        if (!strstr(error.message, rows[i].expected))
            fail_msg("'%s' lacks '%s'", error.message, rows[i].expected);
    }
    double broken[N * N];
    memcpy(broken, l.covariance[1], sizeof broken);
    broken[1] += 5;
    l.component[1].covariance = broken;
    rk_answer *answer;
    rk_linearisation *run;
    rk_error error;
    assert_int_equal(rk_estimate(&answer, net, &l.input, NULL, &error), RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "component [1]"));
    assert_int_equal(rk_linearise(&run, net, &l.input, NULL, &error), RK_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "one by one"));
    rk_network_destroy(net);
}

/* ------------------------------------------------------------------------------------------ laws
 */

static void test_laws_of_arrays(void **state) {
    (void)state;
    double three[] = {1, 2, 3}, one[] = {4}, nine[] = {2, 0, 0, 0, 3, 0, 0, 0, 4};
    const struct {
        rk_array mean, covariance;
        const char *expected; /* of a refusal */
        double mean_2, variance_1;
    } rows[] = {
        {{1, {3}, three}, {2, {3, 3}, nine}, NULL, 3, 3},
        {{2, {3, 1}, three}, {1, {3}, three}, NULL, 3, 2},
        {{2, {1, 3}, three}, {2, {3, 1}, three}, NULL, 3, 2},
        {{0, {0}, one}, {0, {0}, one}, NULL, 4, 4},
        {{1, {1}, one}, {2, {1, 1}, one}, NULL, 4, 4},
        {{2, {3, 3}, nine}, {0, {0}, one}, "mean: 3x3", 0, 0},
        {{0, {0}, one}, {1, {9}, nine}, "covariance: 9", 0, 0},
        {{1, {0}, three}, {0, {0}, one}, "mean: 0", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rk_input_law *law;
        rk_error error;
        rk_status status = rk_input_law_normal(&law, 3, &rows[i].mean, &rows[i].covariance, &error);
        if (rows[i].expected) {
            assert_int_equal(status, RK_ERROR_ARGUMENT);
            if (!strstr(error.message, rows[i].expected))
                fail_msg("'%s' lacks '%s'", error.message, rows[i].expected);
            continue;
        }
        assert_int_equal(status, RK_OK);
        const rk_input *input = rk_input_law_view(law);
        assert_near(input->mean[2], rows[i].mean_2, 0);
        assert_near(input->covariance[4], rows[i].variance_1, 0);
        assert_near(input->covariance[1], 0, 0);
        rk_input_law_destroy(law);
    }
}

/* Against sums by hand, with offsets that would drown the spread in one pass. */
static void test_laws_of_points(void **state) {
    (void)state;
    enum { POINTS = 50, DIM = 4 };
    static const double offsets[] = {0, 1e8}, shrinkages[] = {0, 0.25};
    for (size_t o = 0; o < 2; o++)
        for (size_t h = 0; h < 2; h++) {
            double x[POINTS * DIM], mean[DIM] = {0}, C[DIM * DIM] = {0}, trace = 0;
            for (size_t i = 0; i < POINTS * DIM; i++)
                x[i] = round(1000 * sin((double)(i * i))) / 1024;
            for (size_t i = 0; i < POINTS; i++)
                for (size_t j = 0; j < DIM; j++)
                    mean[j] += x[i * DIM + j] / POINTS;
            for (size_t i = 0; i < POINTS; i++)
                for (size_t j = 0; j < DIM; j++)
                    for (size_t k = 0; k < DIM; k++)
                        C[j * DIM + k] +=
                            (x[i * DIM + j] - mean[j]) * (x[i * DIM + k] - mean[k]) / (POINTS - 1);
            for (size_t j = 0; j < DIM; j++)
                trace += C[j * DIM + j];
            for (size_t i = 0; i < POINTS * DIM; i++)
                x[i] += offsets[o]; /* exact: sixteenths of 64ths */
            rk_input_law *law;
            const rk_array points = {2, {POINTS, DIM}, x};
            assert_int_equal(rk_input_law_of_points(&law, DIM, &points, shrinkages[h], NULL),
                             RK_OK);
            const rk_input *input = rk_input_law_view(law);
            for (size_t j = 0; j < DIM; j++) {
                assert_near(input->mean[j] - offsets[o], mean[j], 1e-15 * (1 + 20 * offsets[o]));
                for (size_t k = 0; k < DIM; k++)
                    assert_near(input->covariance[j * DIM + k],
                                (1 - shrinkages[h]) * C[j * DIM + k] +
                                    (j == k) * shrinkages[h] * trace / DIM,
                                1e-13);
            }
            rk_input_law_destroy(law);
        }
}

/* Few points of many inputs: shrinks much; many points: hardly. */
static void test_least_loss_shrinkage(void **state) {
    (void)state;
    enum { DIM = 8 };
    static const size_t n[] = {6, 4000};
    double s[2];
    for (size_t c = 0; c < 2; c++) {
        double *x = calloc(n[c] * DIM, sizeof *x);
        uint64_t z = 1;
        for (size_t i = 0; i < n[c] * DIM; i++) {
            double sum = 0;
            for (int k = 0; k < 12; k++) {
                z = z * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                sum += (double)(z >> 40) / 0x1p24;
            }
            x[i] = (sum - 6) * (i % DIM < 2 ? 3 : 1);
        }
        rk_input_law *law;
        const rk_array points = {2, {n[c], DIM}, x};
        assert_int_equal(rk_input_law_of_points(&law, DIM, &points, (double)NAN, NULL), RK_OK);
        const char *text = strstr(rk_input_law_text(law), "shrinkage ");
        assert_non_null(text);
        s[c] = strtod(text + 10, NULL);
        rk_input_law_destroy(law);
        free(x);
    }
    assert_true(s[0] > 0.2 && s[0] <= 1);
    assert_true(s[1] > 0 && s[1] < 0.01);
}

static void test_laws_of_mixtures(void **state) {
    (void)state;
    double w[] = {0.5, 0.5}, m[] = {1, 2, 3, 4, 5, 6}, c[18] = {0};
    for (size_t i = 0; i < 18; i++)
        c[i] = (double)i + 1;
    const rk_array weights = {1, {2}, w}, means = {2, {2, 3}, m};
    const struct {
        rk_array covariances;
        double variance; /* [1, 1] of component 1; NaN: refused */
    } rows[] = {{{3, {2, 3, 3}, c}, 14},    {{2, {2, 3}, c}, 5},
                {{2, {3, 3}, c}, 5},        {{1, {2}, c}, 2},
                {{1, {3}, c}, (double)NAN}, {{3, {3, 3, 2}, c}, (double)NAN}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rk_input_law *law;
        rk_status status =
            rk_input_law_mixture(&law, 3, &weights, &means, &rows[i].covariances, NULL);
        assert_int_equal(status, isnan(rows[i].variance) ? RK_ERROR_ARGUMENT : RK_OK);
        if (status == RK_OK) {
            const rk_input *of = &rk_input_law_view(law)->mixture->components[1];
            assert_near(of->covariance[4], rows[i].variance, 0);
            assert_near(of->mean[2], 6, 0);
        }
        rk_input_law_destroy(law);
    }
    rk_input_law *law; /* 2 components of 2 inputs: (2, 2) may be either */
    const rk_array two = {2, {2, 2}, m}, either = {2, {2, 2}, c};
    rk_error error;
    assert_int_equal(rk_input_law_mixture(&law, 2, &weights, &two, &either, &error),
                     RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "may be one matrix"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments_are_those_of_the_components),
        cmocka_unit_test(test_trivial_mixtures),
        cmocka_unit_test(test_stated_errors_of_mixtures_hold),
        cmocka_unit_test(test_plans_tell_the_cost),
        cmocka_unit_test(test_tails_of_a_linear_network),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_laws_of_arrays),
        cmocka_unit_test(test_laws_of_points),
        cmocka_unit_test(test_least_loss_shrinkage),
        cmocka_unit_test(test_laws_of_mixtures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
