/* Probabilities of events: exact cases, laws, agreement of independent methods. */
#include "support/method.h"
#include "tail/log_probability.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reckon/reckon.h"

enum { MAX_EVENTS = 64, RUNS = 60 };

typedef struct result {
    size_t n;
    rk_tail_estimate e[MAX_EVENTS];
} result;

static result ask(const rk_network *net, const rk_input *input, const char *text,
                  const char *method, uint64_t samples, uint64_t seed, int threads) {
    rk_events *events;
    rk_tail_answer *answer = NULL;
    rk_error error;
    rk_options options = rk_options_default();
    options.tail = tail_method_of(method);
    options.samples = samples;
    options.seed = seed;
    options.threads = threads;
    if (rk_events_parse(&events, net, text, &error) != RK_OK ||
        rk_tail(&answer, net, input, rk_events_list(events), rk_events_count(events), &options,
                &error) != RK_OK)
        fail_msg("%s, %s: %s", method, text, error.message);
    result r = {.n = rk_events_count(events)};
    assert_true(r.n <= MAX_EVENTS);
    memcpy(r.e, rk_tail_view(answer)->estimates, r.n * sizeof *r.e);
    rk_tail_destroy(answer);
    rk_events_destroy(events);
    return r;
}

/* Within `sigmas` standard errors of `p`, whose own relative error is `cv`. */
static void assert_agrees(const char *what, const rk_tail_estimate *e, double p, double cv,
                          double sigmas) {
    double error = sqrt(e->cv * e->cv + cv * cv);
    if (!(fabs(e->p - p) <= sigmas * error * p) || !(error <= 0.3))
        fail_msg("%s: %.5g (cv %.3g), not %.5g (cv %.3g)", what, e->p, e->cv, p, cv);
}

static rk_network *random_network(const char *activation, size_t n_in, size_t n_hidden,
                                  const size_t *hidden, double bias) {
    rk_random_spec spec = {.n_in = n_in,
                           .n_out = 3,
                           .hidden = hidden,
                           .n_hidden = n_hidden,
                           .init = bias > 0 ? RK_INIT_MANUAL : RK_INIT_HE,
                           .weight_variance = 1.8,
                           .bias_variance = bias,
                           .seed = 11};
    rk_network *net;
    assert_int_equal(rk_activation_parse(activation, &spec.activation, NULL), RK_OK);
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    return net;
}

/* An only hidden layer of `n` neurons over n_in inputs, summed with weights v. */
static rk_network *shallow(rk_activation_kind kind, size_t n, size_t n_in, const double *W,
                           const double *bias, const double *v) {
    const rk_layer layers[] = {
        {.rows = n, .cols = n_in, .weight = W, .bias = bias, .activation = {.kind = kind}},
        {.rows = 1, .cols = n, .weight = v}};
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    return net;
}

/* One input: the event is a union of intervals, found on a grid. */
static void test_one_input(void **state) {
    (void)state;
    const double W[] = {1.3, -0.7, 2.1, -1.9}, b[] = {-1, 0.5, -3, -2}, v[] = {1, 1.5, -0.4, 0.8};
    rk_network *net = shallow(RK_RELU, 4, 1, W, b, v);
    const double t = 4;
    double p = 0, h = 1e-4;
    for (double x = -9; x < 9; x += h) {
        double middle = x + h / 2, y;
        assert_int_equal(rk_network_forward(net, &middle, &y, NULL), RK_OK);
        if (y > t) p += exp(-middle * middle / 2) * h / 2.506628274631000502;
    }
    result r = ask(net, NULL, "y[0] > 4", "importance", 20000, 1, 1);
    assert_agrees("importance", &r.e[0], p, 1e-3, 4);
    r = ask(net, NULL, "y[0] > 4", "subset", 40000, 1, 1);
    assert_agrees("subset", &r.e[0], p, 1e-3, 4);
    rk_network_destroy(net);
}

/* relu(x_0) + relu(x_1) > t: 2 (1/2 Phi(-t)) + the integral over the quadrant. */
static double two_rectified(double t) {
    double p = exp(rk_log_normal_tail(t)); /* the other one is negative: twice half */
    const double h = 1e-3;
    for (double x = h / 2; x < 12; x += h)
        p += exp(-x * x / 2 + rk_log_normal_tail(fmax(t - x, 0))) * h / 2.506628274631000502;
    return p;
}

static void test_few_neurons(void **state) {
    (void)state;
    enum { N_IN = 20 };
    double W[2 * N_IN] = {0};
    const double v[] = {1, 1};
    W[3] = W[N_IN + 8] = 1;
    rk_network *net = shallow(RK_RELU, 2, N_IN, W, NULL, v);
    result r = ask(net, NULL, "y[0] > 2,4,7", "importance", 20000, 2, 1);
    assert_agrees("2", &r.e[0], two_rectified(2), 0, 4);
    assert_agrees("4", &r.e[1], two_rectified(4), 0, 4);
    assert_agrees("7", &r.e[2], two_rectified(7), 0, 4);
    r = ask(net, NULL, "y[0] > 2,4,7", "auto", 20000, 2, 1);
    assert_agrees("auto", &r.e[2], two_rectified(7), 0, 4);
    rk_network_destroy(net);
}

/* Functions of x with two places where they are large, the same and not: a tilt to the nearest
 * would miss the other. */
static void test_two_modes(void **state) {
    (void)state;
    for (size_t n_in = 2; n_in <= 20; n_in += 18) { /* without and with the radius integrated */
        double W[2 * 20] = {0};
        const double even[] = {1, 1}, uneven[] = {1, 0.8};
        W[0] = 1;
        W[n_in] = -1;
        rk_network *net = shallow(RK_RELU, 2, n_in, W, NULL, even);
        result r = ask(net, NULL, "y[0] > 2,4,6", "importance", 20000, 3, 1);
        for (size_t i = 0; i < 3; i++)
            assert_agrees("|x|", &r.e[i], 2 * exp(rk_log_normal_tail(2.0 + 2.0 * (double)i)), 0, 4);
        rk_network_destroy(net);
        net = shallow(RK_RELU, 2, n_in, W, NULL, uneven);
        r = ask(net, NULL, "y[0] > 3", "importance", 20000, 3, 1);
        assert_agrees("uneven", &r.e[0],
                      exp(rk_log_normal_tail(3)) + exp(rk_log_normal_tail(3 / 0.8)), 0, 4);
        rk_network_destroy(net);
    }
}

/* Events whose probability is known: how many of `seeds` intervals hold it. */
enum { SEEDS = 24 };

static double beyond(double x) {
    return exp(rk_log_normal_tail(x));
}

/* sum_k phi(w_k x_k + b_k), each neuron with an input of its own. */
static rk_network *separate(rk_activation_kind kind, size_t n, size_t n_in, const double *w,
                            const double *b) {
    double W[16 * 24] = {0}, v[16];
    for (size_t k = 0; k < n; k++) {
        W[k * n_in + k] = w[k];
        v[k] = 1;
    }
    return shallow(kind, n, n_in, W, b, v);
}

/* 24 intervals of 95 %: fewer than 20 hold with a probability of 0.1 %. Seeds are fixed. */
static void check_covered(const char *what, const rk_network *net, const char *event,
                          const char *method, double p) {
    int covered = 0, warned = 0;
    double error = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        rk_tail_estimate e = ask(net, NULL, event, method, 10000, seed, 1).e[0];
        covered += e.log10_low <= log10(p) && log10(p) <= e.log10_high;
        warned += *e.warning != 0;
        error += (e.p / p - 1) * (e.p / p - 1) / SEEDS;
    }
    printf("%s by %s: %d of %d cover, %d warned, rms error %.1f %%\n", what, method, covered, SEEDS,
           warned, 100 * sqrt(error));
    if (covered < 20 || warned > 3)
        fail_msg("%s: %d cover, %d are warned of", what, covered, warned);
    if (!(sqrt(error) <= 0.08)) fail_msg("%s: rms error %.3f", what, sqrt(error));
}

static void test_parts_unlike(void **state) {
    (void)state;
    static const char *const methods[] = {"importance", "auto"};
    for (size_t m = 0; m < 2; m++) {
        for (size_t n_in = 4; n_in <= 24; n_in += 20) {
            rk_network *net = separate(RK_RELU, 2, n_in, (double[]){1, -4}, (double[]){-3, -16});
            check_covered("two modes", net, "y[0] > 0.5", methods[m],
                          beyond(3.5) + beyond(16.5 / 4));
            rk_network_destroy(net);
        }
        rk_network *net =
            separate(RK_RELU, 4, 8, (double[]){1, -2, 3, -1.5}, (double[]){-3, -7, -12, -5.5});
        check_covered("four modes", net, "y[0] > 0.5", methods[m],
                      beyond(3.5) + beyond(3.75) + beyond(12.5 / 3) + beyond(4));
        rk_network_destroy(net);
    }
}

/* x_0 - |x_1| > 2.5, and x_0 + |x_1| > 5: boundaries that bend away and around. */
static void test_curved(void **state) {
    (void)state;
    const double W[] = {1, 0, -1, 0, 0, 1, 0, -1};
    for (int around = 0; around < 2; around++) {
        double sign = around ? 1 : -1, t = around ? 5 : 2.5, p = 0, h = 1e-3;
        const double v[] = {1, -1, sign, sign};
        for (double x = -9 + h / 2; x < 9; x += h)
            p +=
                exp(-x * x / 2 + rk_log_normal_tail(t - sign * fabs(x))) * h / 2.506628274631000502;
        rk_network *net = shallow(RK_RELU, 4, 2, W, NULL, v);
        check_covered("curved", net, around ? "y[0] > 5" : "y[0] > 2.5", "auto", p);
        rk_network_destroy(net);
    }
}

/* Saturated: two steps of height 2, one of which is enough. */
static void test_saturated(void **state) {
    (void)state;
    rk_network *net = separate(RK_TANH, 2, 2, (double[]){5, 5}, (double[]){-15, -15});
    double p = 0, h = 1e-3;
    for (double x = -9 + h / 2; x < 9; x += h) {
        double rest = -1 - tanh(5 * (x - 3)); /* for the other one to make up */
        p += exp(-x * x / 2) * h / 2.506628274631000502 *
             (rest <= -1  ? 1
              : rest >= 1 ? 0
                          : beyond(3 + atanh(rest) / 5));
    }
    check_covered("saturated", net, "y[0] > -1", "auto", p);
    rk_network_destroy(net);
}

/* y = sum relu(x_i - 2.5) is 0 more often than not: > and >= differ there, an event and its
 * complement make 1, and no method is fooled by ties. */
static void test_atom(void **state) {
    (void)state;
    static const char *const methods[] = {"sample", "importance", "subset", "auto"};
    double w[16], b[16];
    for (size_t k = 0; k < 16; k++) {
        w[k] = 1;
        b[k] = -2.5;
    }
    rk_network *net = separate(RK_RELU, 16, 16, w, b);
    const double p = -expm1(16 * log1p(-beyond(2.5)));
    for (size_t m = 0; m < 4; m++) {
        result r =
            ask(net, NULL, "y[0] > 0; y[0] <= 0; y[0] >= 0; y[0] < 0", methods[m], 20000, 1, 1);
        assert_agrees(methods[m], &r.e[0], p, 0, 4);
        if (!(fabs(r.e[0].p + r.e[1].p - 1) <= 1e-15))
            fail_msg("%s: %.17g + %.17g", methods[m], r.e[0].p, r.e[1].p);
        assert_true(r.e[2].p == 1);
        assert_true(r.e[3].p == 0);
    }
    rk_network_destroy(net);
    /* The same where the atom is a number that has no binary form, made by several layers. */
    const double one[] = {1}, tenth[] = {0.1}, three[] = {3}, far[] = {-2};
    const rk_layer layers[] = {
        {.rows = 1, .cols = 1, .weight = one, .bias = far, .activation = {.kind = RK_RELU}},
        {.rows = 1, .cols = 1, .weight = one, .bias = tenth, .activation = {.kind = RK_RELU}},
        {.rows = 1, .cols = 1, .weight = three}};
    assert_int_equal(rk_network_create(&net, layers, 3, NULL), RK_OK);
    for (size_t m = 0; m < 4; m++) {
        result r = ask(net, NULL, "y[0] > 0.3; y[0] <= 0.3", methods[m], 20000, 1, 1);
        assert_agrees(methods[m], &r.e[0], beyond(2), 0, 4);
        if (!(fabs(r.e[0].p + r.e[1].p - 1) <= 1e-15))
            fail_msg("%s: %.17g + %.17g", methods[m], r.e[0].p, r.e[1].p);
    }
    rk_network_destroy(net);
}

/* In other units everything is the same. */
static void test_units(void **state) {
    (void)state;
    static const char *const methods[] = {"saddlepoint", "sample", "importance", "subset", "auto"};
    static const int exponents[] = {-80, -40, -20, 20, 40, 80};
    for (size_t m = 0; m < 5; m++) {
        rk_tail_estimate in_ones = {0};
        for (size_t k = 0; k <= 6; k++) {
            double unit = k ? ldexp(1, exponents[k - 1]) : 1, W[4 * 3], v[] = {1, -0.5, 2, 1};
            for (size_t i = 0; i < 12; i++)
                W[i] = unit * sin(1. + (double)i);
            rk_network *net = shallow(RK_RELU, 4, 3, W, NULL, v);
            char text[60];
            snprintf(text, sizeof text, "y[0] > %.17g", 8 * unit);
            rk_tail_estimate e = ask(net, NULL, text, methods[m], 5000, 1, 1).e[0];
            if (k == 0) in_ones = e;
            if (!(fabs(e.log10_p - in_ones.log10_p) <= 1e-5) ||
                !(isnan(e.cv) || fabs(e.cv - in_ones.cv) <= 1e-6))
                fail_msg("%s in units of %g: %.9g (cv %.6g), not %.9g (cv %.6g)", methods[m], unit,
                         e.p, e.cv, in_ones.p, in_ones.cv);
            rk_network_destroy(net);
        }
    }
}

static const char *const of_passes[] = {"sample", "importance", "subset", "auto"};

/* relu(x + c) - c is x for every c; where not even doubles tell, that is said. */
static void test_offsets(void **state) {
    (void)state;
    static const double offsets[] = {1, 1e2, 1e4, 1e5, 1e6, 1e7, 1e8, 1e16};
    const double one[] = {1};
    for (size_t k = 0; k < sizeof offsets / sizeof *offsets; k++) {
        const double c = offsets[k] == 1 ? 9 : offsets[k], minus = -c;
        const rk_layer layers[] = {
            {.rows = 1, .cols = 1, .weight = one, .bias = &c, .activation = {.kind = RK_RELU}},
            {.rows = 1, .cols = 1, .weight = one, .bias = &minus}};
        rk_network *net;
        assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
        for (size_t m = 0; m < 4; m++) {
            char what[60];
            snprintf(what, sizeof what, "%s about %g", of_passes[m], c);
            result r = ask(net, NULL, "y[0] > 1; y[0] < -1; y[0] > 4", of_passes[m], 20000, 1, 1);
            for (size_t i = 0; c > 1e15 && i < 3; i++)
                if (!isnan(r.e[i].p) || !*r.e[i].warning)
                    fail_msg("%s: P = %g, nothing said", what, r.e[i].p);
            if (c > 1e15) continue;
            assert_agrees(what, &r.e[0], beyond(1), 0, 4);
            assert_agrees(what, &r.e[1], beyond(1), 0, 4);
            if (m == 1 || m == 3) assert_agrees(what, &r.e[2], beyond(4), 0, 4);
        }
        rk_network_destroy(net);
    }
}

/* An atom stays one on an offset, at the mean's value (far < 0) or below it, and in sums that have
 * no binary form. */
static void test_atom_on_offset(void **state) {
    (void)state;
    static const double firsts[] = {-2, -0.1, 1.3};
    const double one[] = {1}, on[] = {1e7 + 0.1}, off[] = {-1e7};
    for (size_t k = 0; k < 3; k++) {
        const rk_layer layers[] = {
            {.rows = 1,
             .cols = 1,
             .weight = one,
             .bias = &firsts[k],
             .activation = {.kind = RK_RELU}},
            {.rows = 1, .cols = 1, .weight = one, .bias = on, .activation = {.kind = RK_RELU}},
            {.rows = 1, .cols = 1, .weight = one, .bias = off}};
        rk_network *net;
        assert_int_equal(rk_network_create(&net, layers, 3, NULL), RK_OK);
        for (size_t m = 0; m < 4; m++) {
            result r = ask(net, NULL, "y[0] > 0.1; y[0] <= 0.1; y[0] >= 0.1; y[0] < 0.1",
                           of_passes[m], 20000, 1, 1);
            assert_agrees(of_passes[m], &r.e[0], beyond(-firsts[k]), 0, 4);
            if (!(fabs(r.e[0].p + r.e[1].p - 1) <= 1e-15))
                fail_msg("%s: %.17g + %.17g", of_passes[m], r.e[0].p, r.e[1].p);
            assert_true(r.e[2].p == 1);
            assert_true(r.e[3].p == 0);
        }
        rk_network_destroy(net);
    }
}

/* A little noise about an input makes a normal output: linear activations exactly, others nearly.
 * Outputs with and without an offset, and their difference, in one question. */
static void test_little_noise(void **state) {
    (void)state;
    static const rk_activation_kind kinds[] = {RK_RELU, RK_TANH, RK_CUBE};
    static const double noises[] = {1e-3, 1e-4, 1e-6, 1e-8};
    const double W[] = {1, 1, 1, 1, 0.5, 1, 0.2, 1, 1, 0.3, 1, 1}, b[] = {-9.5, -7.5, -8};
    const double v[] = {1, 1, 1, 1, -1, 0.5}, mean[] = {1, 2, 3, 4};
    for (size_t k = 0; k < 3; k++) {
        rk_layer layers[] = {
            {.rows = 3, .cols = 4, .weight = W, .bias = b, .activation = {.kind = kinds[k]}},
            {.rows = 2, .cols = 3, .weight = v}};
        rk_network *net;
        assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
        double y[2];
        assert_int_equal(rk_network_forward(net, mean, y, NULL), RK_OK);
        for (size_t s = 0; s < 4; s++) {
            double covariance[16] = {0};
            for (size_t i = 0; i < 4; i++)
                covariance[5 * i] = noises[s] * noises[s];
            const rk_input input = {.mean = mean, .covariance = covariance};
            char text[200];
            snprintf(text, sizeof text, "y[0] > %.17g; y[1] < %.17g; y[0] - y[1] > %.17g", y[0],
                     y[1], y[0] - y[1]);
            for (size_t m = 0; m < 4; m++) {
                result r = ask(net, &input, text, of_passes[m], 20000, 1, 1);
                for (size_t i = 0; i < 3; i++) {
                    char what[80];
                    snprintf(what, sizeof what, "%s, activation %zu, noise %g, event %zu",
                             of_passes[m], k, noises[s], i);
                    assert_agrees(what, &r.e[i], 0.5, 3 * noises[s], 4);
                }
            }
        }
        rk_network_destroy(net);
    }
}

/* A network sees no more of its input than its first layer has neurons: one of 4000 inputs, with
 * correlations that this network cannot see or can, is one of 3. */
static void test_many_inputs(void **state) {
    (void)state;
    enum { MANY = 4000, FEW_INPUTS = 30 };
    static double W[2 * MANY];
    const double v[] = {1, 0.8};
    for (size_t j = 0; j < MANY; j++) {
        W[j] = sqrt(1. / MANY);
        W[MANY + j] = -W[j];
    }
    rk_network *net = shallow(RK_RELU, 2, MANY, W, NULL, v); /* relu(g) + 0.8 relu(-g) */
    const double p = beyond(3) + beyond(3 / 0.8);
    static const char *const methods[] = {"importance", "subset", "auto"};
    for (size_t m = 0; m < 3; m++) {
        result r = ask(net, NULL, "y[0] > 3", methods[m], 20000, 3, 1);
        assert_agrees(methods[m], &r.e[0], p, 0, 4);
    }
    rk_network_destroy(net);
    double covariance[FEW_INPUTS * FEW_INPUTS];
    for (size_t i = 0; i < FEW_INPUTS * FEW_INPUTS; i++)
        covariance[i] = i / FEW_INPUTS == i % FEW_INPUTS ? 1 : 0.5;
    for (size_t j = 0; j < FEW_INPUTS; j++) {
        W[j] = 1 / sqrt(FEW_INPUTS * (1 + 0.5 * (FEW_INPUTS - 1)));
        W[FEW_INPUTS + j] = -W[j];
    }
    net = shallow(RK_RELU, 2, FEW_INPUTS, W, NULL, v);
    const rk_input input = {.covariance = covariance};
    for (size_t m = 0; m < 3; m++) {
        result r = ask(net, &input, "y[0] > 3", methods[m], 20000, 3, 1);
        assert_agrees(methods[m], &r.e[0], p, 0, 4);
    }
    rk_network_destroy(net);
}

/* Against plain passes, on everything that is not a wide random relu network. */
static size_t check_network(const char *activation, size_t n_in, size_t n_hidden,
                            const size_t *hidden, double bias, const rk_input *input) {
    rk_network *net = random_network(activation, n_in, n_hidden, hidden, bias);
    /* thresholds where the probability is 1e-2 to 1e-4, from the outputs' own law */
    rk_answer *answer;
    rk_options options = rk_options_default();
    options.method = method_of("sample");
    options.samples = 2000;
    assert_int_equal(rk_estimate(&answer, net, input, &options, NULL), RK_OK);
    const rk_answer_data *data = rk_answer_view(answer);
    char text[200];
    double m0 = data->mean[0], s0 = sqrt(data->variance[0]);
    double m1 = data->mean[1], s1 = sqrt(data->variance[1]);
    snprintf(text, sizeof text, "y[0] > %.6f,%.6f; y[1] < %.6f; layer 2: z[1] - 0.5 z[0] > 4",
             m0 + 2.2 * s0, m0 + 3 * s0, m1 - 2.5 * s1);
    rk_answer_destroy(answer);
    result plain = ask(net, input, text, "sample", 400000, 5, 0);
    result tilted = ask(net, input, text, "importance", 5000, 6, 0);
    result subset = ask(net, input, text, "subset", 20000, 6, 0);
    size_t compared = 0;
    for (size_t i = 0; i < plain.n; i++) {
        if (plain.e[i].p <= 5e-5) continue; /* too few hits to compare with */
        compared++;
        char what[120];
        snprintf(what, sizeof what, "%s %zu layers, event %zu", activation, n_hidden, i);
        assert_agrees(what, &tilted.e[i], plain.e[i].p, plain.e[i].cv, 4.5);
        assert_agrees(what, &subset.e[i], plain.e[i].p, plain.e[i].cv, 4.5);
    }
    rk_network_destroy(net);
    return compared;
}

static void test_other_networks(void **state) {
    (void)state;
    const size_t deep[] = {24, 24, 24, 24, 24, 24}, rectangular[] = {40, 12, 30};
    double mean[18], covariance[18 * 18];
    for (int i = 0; i < 18; i++) {
        mean[i] = 0.3 * cos(i);
        for (int j = 0; j < 18; j++)
            covariance[i * 18 + j] = i == j ? 1.2 : 0.5 * cos(i - j) / (1 + abs(i - j));
    }
    const rk_input input = {.mean = mean, .covariance = covariance};
    const rk_input scaled = {.covariance = covariance};
    size_t compared = check_network("relu", 24, 6, deep, 0, NULL) +
                      check_network("relu", 18, 3, rectangular, 0.2, NULL) +
                      check_network("relu", 18, 3, rectangular, 0, &scaled) +
                      check_network("tanh", 18, 3, rectangular, 0.2, &input) +
                      check_network("gelu", 18, 2, rectangular, 0.1, NULL);
    assert_true(compared >= 17); /* of 20 */
}

/* The average of many short runs is the probability. */
static void test_unbiased(void **state) {
    (void)state;
    const size_t hidden[] = {20, 20};
    rk_network *net = random_network("relu", 20, 2, hidden, 0);
    const char *event = "y[0] > 1";
    result plain = ask(net, NULL, event, "sample", 2000000, 1, 0);
    double sum = 0, square = 0;
    for (uint64_t run = 0; run < RUNS; run++) {
        result r = ask(net, NULL, event, "importance", 400, 100 + run, 1);
        sum += r.e[0].p;
        square += r.e[0].p * r.e[0].p;
    }
    double mean = sum / RUNS, error = sqrt((square / RUNS - mean * mean) / (RUNS - 1));
    double p = plain.e[0].p;
    if (!(p > 1e-4 && p < 0.1)) fail_msg("not a rare event: %g", p);
    if (!(fabs(mean - p) <= 3.5 * hypot(error, plain.e[0].cv * p)) || !(error <= 0.05 * p))
        fail_msg("%.5g +- %.2g, not %.5g", mean, error, p);
    rk_network_destroy(net);
}

/* What many short runs say of one event. */
typedef struct record {
    double mean, error; /* of estimate / truth; standard error of that */
    int covered;        /* 95 % intervals with the truth inside */
} record;

static record repeat(const rk_network *net, const char *event, const char *method, double truth) {
    record r = {0};
    double sum = 0, square = 0;
    for (uint64_t run = 0; run < RUNS; run++) {
        rk_tail_estimate e = ask(net, NULL, event, method, 1000, 1000 + run, 1).e[0];
        sum += e.p / truth;
        square += e.p * e.p / (truth * truth);
        r.covered += e.log10_low <= log10(truth) && log10(truth) <= e.log10_high;
    }
    r.mean = sum / RUNS;
    r.error = sqrt((square / RUNS - r.mean * r.mean) / (RUNS - 1));
    return r;
}

/* On a deep event of a relu network, whose probability two methods agree on: `importance` has no
 * bias, `auto` at most its formula's, and their intervals cover. */
static void test_repeated(void **state) {
    (void)state;
    const size_t hidden[] = {64, 64, 64};
    rk_network *net = random_network("relu", 64, 3, hidden, 0);
    static const char *const events[] = {"y[0] > 3", "y[1] > 2", "y[2] > 1.5"};
    int covered[2] = {0};
    double errors[2] = {0};
    for (size_t i = 0; i < 3; i++) {
        rk_tail_estimate truth = ask(net, NULL, events[i], "importance", 150000, 1, 0).e[0];
        rk_tail_estimate other = ask(net, NULL, events[i], "subset", 100000, 1, 0).e[0];
        assert_agrees(events[i], &other, truth.p, truth.cv, 4);
        record plain = repeat(net, events[i], "importance", truth.p);
        record sharp = repeat(net, events[i], "auto", truth.p);
        printf("%s: p %.3g +- %.2g; importance %.3f +- %.3f, auto %.3f +- %.3f\n", events[i],
               truth.p, truth.cv, plain.mean, plain.error, sharp.mean, sharp.error);
        if (!(fabs(plain.mean - 1) <= 3 * hypot(plain.error, truth.cv)))
            fail_msg("%s: importance is off by %.3f", events[i], plain.mean - 1);
        if (!(fabs(sharp.mean - 1) <= 0.03 + 3 * hypot(sharp.error, truth.cv)))
            fail_msg("%s: auto is off by %.3f", events[i], sharp.mean - 1);
        covered[0] += plain.covered;
        covered[1] += sharp.covered;
        errors[0] += plain.error;
        errors[1] += sharp.error;
    }
    if (!(errors[1] < 0.7 * errors[0]))
        fail_msg("auto's errors add up to %.3f, importance's to %.3f", errors[1], errors[0]);
    printf("covered: %d, %d of %d\n", covered[0], covered[1], 3 * RUNS);
    if (!(covered[0] >= 0.93 * 3 * RUNS) || !(covered[1] >= 0.93 * 3 * RUNS))
        fail_msg("%d and %d of %d intervals cover", covered[0], covered[1], 3 * RUNS);
    rk_network_destroy(net);
}

/* Deterministic methods: monotone in the threshold, and an event and its complement make 1. */
static void test_laws(void **state) {
    (void)state;
    static const char *const methods[] = {"normal", "edgeworth", "saddlepoint",
                                          "saddlepoint:reference:4"};
    const size_t hidden[] = {16, 16};
    rk_network *net = random_network("relu", 16, 2, hidden, 0);
    for (size_t m = 0; m < 4; m++) {
        result r = ask(net, NULL, "y[0] > -8:8:0.5; y[1] - y[2] < 1; y[1] - y[2] > 1", methods[m],
                       1, 0, 1);
        for (size_t i = 1; i < 33 && m != 1; i++) /* a series is not monotone, and says so */
            if (!(r.e[i].log10_p <= r.e[i - 1].log10_p))
                fail_msg("%s rises at threshold %g", methods[m], -8 + 0.5 * (double)i);
        if (!(fabs(r.e[33].p + r.e[34].p - 1) <= 1e-14))
            fail_msg("%s: %.17g + %.17g", methods[m], r.e[33].p, r.e[34].p);
        for (size_t i = 0; i < r.n; i++)
            if (!(r.e[i].p >= 0 && r.e[i].p <= 1) && !*r.e[i].warning)
                fail_msg("%s: %g without a warning", methods[m], r.e[i].p);
    }
    rk_network_destroy(net);
}

static void test_same_bits(void **state) {
    (void)state;
    static const char *const methods[] = {"saddlepoint", "sample", "importance", "subset", "auto"};
    const size_t hidden[] = {20, 20};
    rk_network *net = random_network("relu", 20, 2, hidden, 0);
    for (size_t m = 0; m < 5; m++) {
        result one = ask(net, NULL, "y[*] > 0.5,3", methods[m], 3000, 9, 1);
        result many = ask(net, NULL, "y[*] > 0.5,3", methods[m], 3000, 9, 5);
        if (memcmp(&one, &many, sizeof one)) fail_msg("%s depends on the threads", methods[m]);
    }
    rk_network_destroy(net);
}

/* What passes of its own cannot reach, or miss, is bounded by as many plain ones: an impossible
 * event's interval is what Clopper and Pearson give for none of n, its complement's the rest. */
static void check_sure(const rk_network *net, const char *certain, const char *impossible,
                       const char *method) {
    enum { PASSES = 3000 };
    char text[80];
    double none, bound;
    rk_binomial_interval(0, PASSES, &none, &bound);
    snprintf(text, sizeof text, "%s; %s", certain, impossible);
    result r = ask(net, NULL, text, method, PASSES, 1, 1);
    const rk_tail_estimate *one = &r.e[0], *zero = &r.e[1];
    if (!(one->p == 1) || !(one->log10_p == 0) || signbit(one->log10_p) || *one->warning)
        fail_msg("%s, %s: %g, 10^%g, '%s'", method, certain, one->p, one->log10_p, one->warning);
    if (!(zero->p == 0) || !strstr(zero->warning, "no pass reached the event"))
        fail_msg("%s, %s: %g, '%s'", method, impossible, zero->p, zero->warning);
    double low = pow(10, one->log10_low), high = pow(10, zero->log10_high);
    if (!(fabs(low - (1 - bound)) <= 1e-12) || !(one->log10_high == 0))
        fail_msg("%s, %s: %.9g .. 10^%g", method, certain, low, one->log10_high);
    if (!(fabs(high - bound) <= 1e-12) || !(zero->log10_low == -INFINITY))
        fail_msg("%s, %s: 10^%g .. %.9g", method, impossible, zero->log10_low, high);
    if (!(one->samples >= PASSES) || !(zero->samples == one->samples))
        fail_msg("%s, %s: from %llu passes", method, certain, (unsigned long long)one->samples);
}

static void test_zero_and_one(void **state) {
    (void)state;
    const double W[] = {1, 0.5, -1, 0.3, 0.2, 1}, v[] = {1, 1, 1};
    double w[16], b[16];
    for (size_t k = 0; k < 16; k++) {
        w[k] = 1;
        b[k] = -2.5;
    }
    const size_t hidden[] = {20};
    rk_network *positive = shallow(RK_RELU, 3, 2, W, NULL, v);
    rk_network *corner = separate(RK_RELU, 16, 16, w, b);
    rk_network *any = random_network("tanh", 4, 1, hidden, 0.1);
    rk_network *steps = shallow(RK_HEAVISIDE, 3, 2, W, NULL, v);
    static const char *const methods[] = {"importance", "sample", "subset", "auto"};
    for (size_t m = 0; m < 4; m++) {
        check_sure(positive, "y[0] > -1", "y[0] < -1", methods[m]);
        check_sure(positive, "y[0] > -0.001", "y[0] < -0.001", methods[m]);
        check_sure(corner, "y[0] >= 0", "y[0] < 0", methods[m]);
        check_sure(any, "y[0] > -1e9", "y[0] > 1e9", methods[m]);
        check_sure(steps, "y[0] <= 3", "y[0] > 3", methods[m]);
    }
    rk_network_destroy(steps);
    rk_network_destroy(any);
    rk_network_destroy(corner);
    rk_network_destroy(positive);
}

/* Closures know no atoms: those that can be seen are named, and no others. */
static void test_atoms_are_named(void **state) {
    (void)state;
    static const char *const methods[] = {"normal", "saddlepoint"};
    static const struct {
        rk_activation_kind kind;
        size_t n;
        double bias;
        bool visible;
    } rows[] = {
        {RK_RELU, 16, -2.5, true},  /* 0.905 */
        {RK_RELU, 2, 0, true},      /* 1/4 */
        {RK_RELU, 16, 0, false},    /* 2^-16 */
        {RK_RELU, 2, 4, false},     /* 1e-9 */
        {RK_HEAVISIDE, 2, 1, true}, /* 0.71, on the positive side */
        {RK_SIGN, 2, 0, true},      {RK_ABS, 2, 0, false},     {RK_TANH, 2, 0, false},
        {RK_GELU, 2, -2.5, false},  {RK_SIGMOID, 2, 0, false}, {RK_SQUARE, 2, 0, false},
    };
    double w[16], b[16];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < 16; k++) {
            w[k] = 1;
            b[k] = rows[i].bias;
        }
        rk_network *net = separate(rows[i].kind, rows[i].n, 16, w, b);
        for (size_t m = 0; m < 2; m++) {
            rk_tail_estimate e = ask(net, NULL, "y[0] > 0", methods[m], 1, 0, 1).e[0];
            if ((strstr(e.warning, "atom") != NULL) != rows[i].visible)
                fail_msg("%s, row %zu: '%s'", methods[m], i, e.warning);
        }
        rk_network_destroy(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_input),       cmocka_unit_test(test_few_neurons),
        cmocka_unit_test(test_two_modes),       cmocka_unit_test(test_other_networks),
        cmocka_unit_test(test_parts_unlike),    cmocka_unit_test(test_curved),
        cmocka_unit_test(test_saturated),       cmocka_unit_test(test_atom),
        cmocka_unit_test(test_units),           cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_atom_on_offset),  cmocka_unit_test(test_little_noise),
        cmocka_unit_test(test_many_inputs),     cmocka_unit_test(test_unbiased),
        cmocka_unit_test(test_repeated),        cmocka_unit_test(test_laws),
        cmocka_unit_test(test_same_bits),       cmocka_unit_test(test_zero_and_one),
        cmocka_unit_test(test_atoms_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
