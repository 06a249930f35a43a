/* Training against an event, end to end, over the public header: what plain passes say of it. */
#include "reckon/reckon.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 16, PLAIN = 500000 };

static rk_network *draw(uint64_t seed, double scale, bool biased) {
    static const size_t hidden[] = {N, N, N};
    rk_layer layers[4];
    rk_random_spec spec = {.n_in = N,
                           .n_out = 4,
                           .hidden = hidden,
                           .n_hidden = 3,
                           .activation = {.kind = RK_RELU},
                           .seed = seed};
    if (biased) {
        spec.init = RK_INIT_MANUAL;
        spec.weight_variance = 1.8;
        spec.bias_variance = 0.1;
    }
    rk_network *net, *scaled;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    for (size_t l = 0; l < 4; l++)
        layers[l] = rk_network_layer(net, l);
    double weight[4 * N], bias[4];
    for (size_t i = 0; i < 4 * N; i++)
        weight[i] = scale * layers[3].weight[i];
    for (size_t i = 0; biased && i < 4; i++)
        bias[i] = scale * layers[3].bias[i];
    layers[3].weight = weight;
    if (biased) layers[3].bias = bias;
    assert_int_equal(rk_network_create(&scaled, layers, 4, NULL), RK_OK);
    rk_network_destroy(net);
    return scaled;
}

/* By plain passes. */
static double probability(const rk_network *net, const rk_input *input, const rk_event *event) {
    const rk_tail_spec spec = {.size = sizeof spec, .kind = RK_TAIL_BY_SAMPLE};
    rk_options options = rk_options_default();
    rk_tail_answer *answer;
    options.tail = &spec;
    options.samples = PLAIN;
    options.seed = 99;
    assert_int_equal(rk_tail(&answer, net, input, event, 1, &options, NULL), RK_OK);
    const double p = rk_tail_view(answer)->estimates[0].p;
    rk_tail_destroy(answer);
    return p;
}

/* E|S - T|^2 / E|T|^2 by plain forward passes. */
static double loss(const rk_network *S, const rk_network *T, const rk_input *input) {
    double x[N], a[4], b[4], difference = 0, square = 0;
    uint64_t state = 17;
    for (int k = 0; k < 40000; k++) {
        for (size_t i = 0; i < N; i++) {
            double sum = -6; /* of twelve uniforms: normal enough for second moments */
            for (int j = 0; j < 12; j++) {
                state = state * 6364136223846793005U + 1442695040888963407U;
                sum += (double)(state >> 11) * 0x1p-53;
            }
            x[i] = sum * (input && input->covariance ? sqrt(input->covariance[i * N + i]) : 1) +
                   (input && input->mean ? input->mean[i] : 0);
        }
        assert_int_equal(rk_network_forward(S, x, a, NULL), RK_OK);
        assert_int_equal(rk_network_forward(T, x, b, NULL), RK_OK);
        for (size_t i = 0; i < 4; i++) {
            difference += (a[i] - b[i]) * (a[i] - b[i]);
            square += b[i] * b[i];
        }
    }
    return difference / square;
}

static rk_train_event_options quick(double keep_loss) {
    rk_train_event_options options = rk_train_event_options_default();
    options.keep_loss = keep_loss;
    options.samples = 20000;
    return options;
}

/* A threshold with P of about 1e-3, by halving. */
static void make_rare(rk_event *event, const rk_network *net, const rk_input *input, double unit) {
    double low = 0, high = 20 * unit;
    for (int k = 0; k < 12; k++) {
        const double middle = 0.5 * (low + high);
        event->threshold = event->below ? -middle : middle;
        if (probability(net, input, event) > 1e-3)
            low = middle;
        else
            high = middle;
    }
}

/* Events of all kinds become ten times rarer and more, at the price that was allowed. */
static void test_rarer(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t layer, n_terms;
        rk_event_term terms[2];
        bool below, biased, whitened;
        double scale;
    } cases[] = {
        {"an output", 0, 1, {{0, 1}}, false, false, false, 1},
        {"large units", 0, 1, {{0, 1}}, false, false, false, 1e6},
        {"small units", 0, 1, {{0, 1}}, false, false, false, 1e-6},
        {"below", 0, 1, {{1, 1}}, true, true, false, 1},
        {"a sum", 0, 2, {{0, 1}, {2, -0.5}}, false, true, false, 1},
        {"a pre-activation", 3, 1, {{4, 1}}, false, true, false, 1},
        {"of another input", 0, 1, {{1, 1}}, false, true, true, 1},
    };
    double mean[N], covariance[N * N] = {0};
    for (size_t i = 0; i < N; i++) {
        mean[i] = 0.3 * cos((double)i);
        covariance[i * N + i] = 0.5 + 0.1 * (double)i;
    }
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const rk_input given = {.mean = mean, .covariance = covariance};
        const rk_input *input = cases[k].whitened ? &given : NULL;
        rk_network *net = draw(3, cases[k].scale, cases[k].biased);
        rk_event event = {.text = cases[k].name,
                          .layer = cases[k].layer,
                          .terms = cases[k].terms,
                          .n_terms = cases[k].n_terms,
                          .below = cases[k].below};
        make_rare(&event, net, input, cases[k].scale);
        const rk_train_event_options options = quick(1e-2);
        rk_trained *trained;
        rk_error error = {.message = ""};
        if (rk_train_event(&trained, net, input, &event, &options, &error) != RK_OK)
            fail_msg("%s: %s", cases[k].name, error.message);
        const rk_train_event_data *d = rk_trained_view(trained);
        const double before = probability(net, input, &event);
        const double after = probability(d->network, input, &event);
        const double price = loss(d->network, net, input);
        print_message("%s: %.2g to %.2g (stated 10^%.2f to 10^%.2f), loss %.3g (stated %.3g +- "
                      "%.1g), %zu steps\n",
                      cases[k].name, before, after, d->before.log10_p, d->after.log10_p, price,
                      d->loss, d->loss_standard_error, d->n_curve);
        if (!(after < before / 10)) fail_msg("%s: %g to %g", cases[k].name, before, after);
        if (!(price < 1.03e-2)) fail_msg("%s: loss %g", cases[k].name, price);
        if (!(fabs(d->before.log10_p - log10(before)) < 0.1)) fail_msg("%s", cases[k].name);
        if (!(fabs(d->loss - price) < 0.1 * price)) fail_msg("%s", cases[k].name);
        rk_trained_destroy(trained);
        rk_network_destroy(net);
    }
}

static bool stop_at_five(void *context, const rk_train_point *now, double fraction) {
    (void)context;
    (void)fraction;
    return now->phase != RK_PHASE_CLOSURE || now->step < 5;
}

static const rk_event_term first = {0, 1};

static void test_interrupted(void **state) {
    (void)state;
    rk_network *net = draw(3, 1, false);
    const rk_event event = {.terms = &first, .n_terms = 1, .threshold = 3};
    rk_train_event_options options = quick(1e-2);
    rk_trained *trained;
    options.progress = stop_at_five;
    assert_int_equal(rk_train_event(&trained, net, NULL, &event, &options, NULL), RK_OK);
    const rk_train_event_data *d = rk_trained_view(trained);
    assert_true(d->interrupted && d->n_curve == 5 && isfinite(d->after.log10_p));
    assert_true(d->loss > 0 && d->loss < 1e-2);
    rk_network *taken = rk_trained_take(trained);
    assert_true(taken && !rk_trained_view(trained)->network);
    rk_network_destroy(taken);
    rk_trained_destroy(trained);
    rk_network_destroy(net);
}

/* No more is paid than the target takes; the same bits for any number of threads. */
static void test_target(void **state) {
    (void)state;
    rk_network *net = draw(3, 1, false);
    rk_event event = {.terms = &first, .n_terms = 1};
    rk_train_event_options options = quick(0.1);
    make_rare(&event, net, NULL, 1);
    double loss_of[2];
    options.target_factor = 5;
    for (int threads = 1; threads <= 2; threads++) {
        rk_trained *trained;
        options.threads = threads;
        assert_int_equal(rk_train_event(&trained, net, NULL, &event, &options, NULL), RK_OK);
        const rk_train_event_data *d = rk_trained_view(trained);
        print_message("factor 10^%.2f at %.3g\n", d->log10_factor, d->loss);
        assert_true(d->log10_factor > log10(5) && d->log10_factor < 3 && !d->unmet);
        assert_true(d->loss > 1e-6 && d->loss < 0.01);
        loss_of[threads - 1] = d->loss;
        rk_trained_destroy(trained);
    }
    assert_true(loss_of[0] == loss_of[1]);
    rk_network_destroy(net);
}

/* ----------------------------------------------------------------------------------- kept to data
 */

enum { SAMPLES = 4000 };

static double data_x[SAMPLES * N], data_values[SAMPLES * 4];
static size_t data_labels[SAMPLES];

/* What the network itself says of inputs that are no normal ones, with something beside it. */
static rk_dataset data_for(const rk_network *net, bool labelled) {
    double y[4];
    for (size_t i = 0; i < SAMPLES * N; i++)
        data_x[i] = 2.4 * sin(1.7 * (double)(i * i % 99991));
    for (size_t r = 0; r < SAMPLES; r++) {
        size_t best = r % 5 == 0 ? r / 5 % 4 : 0;
        assert_int_equal(rk_network_forward(net, data_x + r * N, y, NULL), RK_OK);
        for (size_t i = 0; i < 4; i++) {
            data_values[4 * r + i] = y[i] + 0.3 * sin((double)(4 * r + i));
            if (r % 5 && y[i] > y[best]) best = i;
        }
        data_labels[r] = best;
    }
    return (rk_dataset){.size = sizeof(rk_dataset),
                        .n = SAMPLES,
                        .n_in = N,
                        .n_out = labelled ? 0 : 4,
                        .x = data_x,
                        .values = labelled ? NULL : data_values,
                        .labels = labelled ? data_labels : NULL};
}

/* The loss on data, as anybody sees it, grows by no more than was allowed; the event is rarer. */
static void test_data(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        const bool labelled = k == 1;
        rk_network *net = draw(3, 1, true);
        const rk_dataset data = data_for(net, labelled);
        rk_event event = {.terms = &(rk_event_term){0, 1}, .n_terms = 1};
        make_rare(&event, net, NULL, 1);
        rk_train_event_options options = quick(1e-2);
        rk_trained *trained;
        rk_error error = {.message = ""};
        rk_loss before, after;
        options.data = &data;
        if (rk_train_event(&trained, net, NULL, &event, &options, &error) != RK_OK)
            fail_msg("%s", error.message);
        const rk_train_event_data *d = rk_trained_view(trained);
        assert_int_equal(rk_data_loss(&before, NULL, net, &data, NULL, NULL), RK_OK);
        assert_int_equal(rk_data_loss(&after, NULL, d->network, &data, NULL, NULL), RK_OK);
        const double p = probability(net, NULL, &event), q = probability(d->network, NULL, &event);
        print_message("%s: %.3g to %.3g, loss %.5g to %.5g, unit %.3g, %zu steps\n",
                      labelled ? "labels" : "values", p, q, before.value, after.value, d->square,
                      d->n_curve);
        assert_true(d->data_loss_before == before.value && d->data_loss_after == after.value);
        if (!(after.value - before.value <= 1e-2 * d->square)) fail_msg("dear");
        if (!(q < p / 10)) fail_msg("P from %g to %g", p, q);
        assert_true(!d->unchanged && !d->unmet && d->receipt_samples == SAMPLES);
        rk_trained_destroy(trained);
        rk_network_destroy(net);
    }
}

/* --------------------------------------------------------------------------------- on the way */

typedef struct shelf {
    rk_network *last;
    double loss; /* of it, at most what was allowed */
    const rk_network *of;
    int count;
} shelf;

static void keep(void *context, const rk_network *best, const rk_train_point *now) {
    shelf *s = context;
    rk_layer layers[4];
    for (size_t l = 0; l < 4; l++)
        layers[l] = rk_network_layer(best, l);
    rk_network_destroy(s->last);
    assert_int_equal(rk_network_create(&s->last, layers, 4, NULL), RK_OK);
    s->loss = fmax(s->loss, loss(best, s->of, NULL));
    s->count++;
    assert_true(now->phase == RK_PHASE_CLOSURE);
}

/* Every checkpoint keeps to the allowance, and the last one is the result. */
static void test_checkpoints(void **state) {
    (void)state;
    rk_network *net = draw(3, 1, false);
    rk_event event = {.terms = &first, .n_terms = 1};
    rk_train_event_options options = quick(1e-2);
    shelf s = {.of = net};
    char hex[2][65];
    rk_trained *trained;
    make_rare(&event, net, NULL, 1);
    options.checkpoint = keep;
    options.checkpoint_context = &s;
    options.checkpoint_seconds = 0;
    assert_int_equal(rk_train_event(&trained, net, NULL, &event, &options, NULL), RK_OK);
    const rk_train_event_data *d = rk_trained_view(trained);
    assert_true(s.count >= 10 && (size_t)s.count <= d->n_curve + 1);
    if (!(s.loss < 1.03e-2)) fail_msg("a checkpoint's loss is %g", s.loss);
    assert_int_equal(rk_network_sha256(s.last, hex[0], NULL), RK_OK);
    assert_int_equal(rk_network_sha256(d->network, hex[1], NULL), RK_OK);
    assert_string_equal(hex[0], hex[1]);
    rk_trained_destroy(trained);

    /* From a network that has paid half, what it has gained is not given back. */
    const double half = probability(s.last, NULL, &event);
    options.checkpoint = NULL;
    options.keep = net;
    options.keep_loss = 2e-2;
    assert_int_equal(rk_train_event(&trained, s.last, NULL, &event, &options, NULL), RK_OK);
    d = rk_trained_view(trained);
    for (size_t i = 0; i < d->n_curve; i++)
        if (!(d->curve[i].closure_loss > 2e-3)) fail_msg("back to %g", d->curve[i].closure_loss);
    assert_true(probability(d->network, NULL, &event) <= half && d->loss > 1e-2);
    rk_trained_destroy(trained);
    rk_network_destroy(s.last);
    rk_network_destroy(net);
}

/* Where P is 0, and stays so, nothing is moved. */
static void test_out_of_sight(void **state) {
    (void)state;
    for (int biased = 0; biased < 2; biased++) {
        rk_network *net = draw(3, 1, biased);
        const rk_event event = {.terms = &first, .n_terms = 1, .threshold = 1e6};
        const rk_train_event_options options = quick(1e-2);
        rk_trained *trained;
        char hex[2][65];
        assert_int_equal(rk_train_event(&trained, net, NULL, &event, &options, NULL), RK_OK);
        const rk_train_event_data *d = rk_trained_view(trained);
        assert_true(d->unchanged && d->unmet && d->n_warnings == 1 && d->n_curve == 0);
        assert_non_null(strstr(d->warnings[0], "out of sight"));
        assert_true(d->loss == 0);
        assert_int_equal(rk_network_sha256(net, hex[0], NULL), RK_OK);
        assert_int_equal(rk_network_sha256(d->network, hex[1], NULL), RK_OK);
        assert_string_equal(hex[0], hex[1]);
        rk_trained_destroy(trained);
        rk_network_destroy(net);
    }
}

static void refused(const rk_network *net, const rk_event *event,
                    const rk_train_event_options *options, const char *says) {
    rk_trained *trained;
    rk_error error = {.message = ""};
    assert_int_not_equal(rk_train_event(&trained, net, NULL, event, options, &error), RK_OK);
    assert_null(trained);
    if (!strstr(error.message, says)) fail_msg("'%s' has no '%s'", error.message, says);
}

static void test_errors(void **state) {
    (void)state;
    rk_network *net = draw(3, 1, false), *other;
    const size_t hidden[] = {N};
    const rk_random_spec spec = {.n_in = N,
                                 .n_out = 4,
                                 .hidden = hidden,
                                 .n_hidden = 1,
                                 .activation = {.kind = RK_TANH},
                                 .seed = 1};
    const rk_event event = {.terms = &first, .n_terms = 1, .threshold = 3};
    const rk_event_term ninth = {9, 1};
    rk_train_event_options options = quick(1e-2);
    assert_int_equal(rk_network_random(&other, &spec, NULL), RK_OK);
    options.keep_loss = 0;
    refused(net, &event, &options, "keep_loss is 0");
    options = quick(1e-2);
    options.target_factor = 0.5;
    refused(net, &event, &options, "target_factor is 0.5");
    options = quick(1e-2);
    options.pairs_order = 9;
    refused(net, &event, &options, "pairs_order is 9");
    options = quick(1e-2);
    options.pairs = RK_PAIRS_FIRST;
    refused(net, &event, &options, "differs from itself");
    options = quick(1e-2);
    options.pairs = RK_PAIRS_EXACT;
    refused(other, &event, &options, "exact pairs are not known of tanh");
    options = quick(1e-2);
    options.keep = other;
    refused(net, &event, &options, "keep to has 2 layers");
    options = quick(1e-2);
    refused(net, &(rk_event){.terms = &ninth, .n_terms = 1}, &options, "no index 9");
    options.memory_limit = 1000;
    refused(net, &event, &options, "bytes");
    rk_network_destroy(other);
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rarer),       cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_target),      cmocka_unit_test(test_data),
        cmocka_unit_test(test_checkpoints), cmocka_unit_test(test_out_of_sight),
        cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
