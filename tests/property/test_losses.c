/* Losses that anybody may descend, by the public header: values by hand, gradients by differences,
 * and their weighted sums. */
#include "reckon/reckon.h"
#include "support/differences.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof *table)

enum { N_IN = 5, N_OUT = 3, SAMPLES = 700, DEEPEST = 4 };

static rk_network *draw(const char *activation, size_t n_hidden, size_t width, bool biased,
                        uint64_t seed) {
    const size_t hidden[] = {width, width + 1, width};
    rk_network *net;
    rk_random_spec spec = {.n_in = N_IN,
                           .n_out = N_OUT,
                           .hidden = hidden,
                           .n_hidden = n_hidden,
                           .init = RK_INIT_MANUAL,
                           .weight_variance = 1.6,
                           .bias_variance = biased ? 0.2 : 0,
                           .seed = seed};
    assert_int_equal(rk_activation_parse(activation, &spec.activation, NULL), RK_OK);
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    return net;
}

static double x[SAMPLES * N_IN], values[SAMPLES * N_OUT];
static size_t labels[SAMPLES];

static rk_dataset data_of(bool labelled) {
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = 1.5 * sin(1.3 * (double)i + (double)(i % 7));
    for (size_t i = 0; i < COUNT(values); i++)
        values[i] = cos(2.1 * (double)i);
    for (size_t i = 0; i < SAMPLES; i++)
        labels[i] = (i * i + i / 3) % N_OUT;
    rk_dataset d = {.size = sizeof d, .n = SAMPLES, .n_in = N_IN, .x = x};
    d.n_out = labelled ? 0 : N_OUT;
    d.values = labelled ? NULL : values;
    d.labels = labelled ? labels : NULL;
    return d;
}

static double by_hand(const rk_network *net, const rk_dataset *d) {
    double sum = 0, y[N_OUT];
    for (size_t r = 0; r < d->n; r++) {
        double partition = 0;
        assert_int_equal(rk_network_forward(net, x + r * N_IN, y, NULL), RK_OK);
        for (size_t i = 0; i < N_OUT; i++) {
            partition += exp(y[i]);
            if (d->values) sum += pow(y[i] - values[r * N_OUT + i], 2);
        }
        if (d->labels) sum += log(partition) - y[labels[r]];
    }
    return sum / (double)d->n;
}

/* ----------------------------------------------------------- a network whose numbers are one's own
 */

typedef struct subject {
    rk_layer layers[DEEPEST];
    double *numbers[2 * DEEPEST]; /* weights and biases of each layer */
    size_t n_layers;
    const rk_dataset *data;
    const rk_network *teacher;
    const rk_input *input;
    rk_options options;
} subject;

static subject subject_of(const rk_network *net) {
    subject s = {.n_layers = rk_network_n_layers(net), .options = rk_options_default()};
    for (size_t l = 0; l < s.n_layers; l++) {
        rk_layer *layer = &s.layers[l];
        *layer = rk_network_layer(net, l);
        double *W = calloc(layer->rows * layer->cols, sizeof *W);
        double *b = calloc(layer->rows, sizeof *b);
        memcpy(W, layer->weight, layer->rows * layer->cols * sizeof *W);
        if (layer->bias) memcpy(b, layer->bias, layer->rows * sizeof *b);
        layer->weight = s.numbers[2 * l] = W;
        layer->bias = s.numbers[2 * l + 1] = b;
        layer->weight_scale = 0;
    }
    return s;
}

static void subject_free(subject *s) {
    for (size_t k = 0; k < 2 * s->n_layers; k++)
        free(s->numbers[k]);
}

static double loss_now(const subject *s, const rk_derivatives *to) {
    rk_network *net;
    rk_loss loss;
    rk_error error;
    assert_int_equal(rk_network_create(&net, s->layers, s->n_layers, NULL), RK_OK);
    const rk_status status =
        s->data ? rk_data_loss(&loss, to, net, s->data, &s->options, &error)
                : rk_distance_loss(&loss, to, net, s->teacher, s->input, &s->options, &error);
    if (status != RK_OK) fail_msg("%s", error.message);
    rk_network_destroy(net);
    return loss.value;
}

static double f(void *context) {
    return loss_now(context, NULL);
}

/* `net` may lack the biases that the subject has, and has derivatives by them all the same. */
static void check_gradient(const char *name, const rk_network *net, subject *s) {
    rk_derivatives *all;
    assert_int_equal(rk_derivatives_create(&all, net, NULL, NULL), RK_OK);
    loss_now(s, all);
    for (size_t l = 0; l < s->n_layers; l++) {
        const size_t rows = s->layers[l].rows, cols = s->layers[l].cols;
        assert_gradient(name, rows * cols, s->numbers[2 * l], all->weight[l], f, s, 1e-6);
        assert_gradient(name, rows, s->numbers[2 * l + 1], all->bias[l], f, s, 1e-6);
    }
    rk_derivatives_destroy(all);
}

/* ------------------------------------------------------------------------------------------- tests
 */

static void test_data(void **state) {
    (void)state;
    static const char *const smooth[] = {"tanh", "gelu", "softplus"};
    for (size_t k = 0; k < 6; k++) {
        const bool labelled = k % 2;
        const rk_dataset d = data_of(labelled);
        rk_network *net = draw(smooth[k / 2], 1 + k % 3, 6, k % 4 < 2, k);
        subject s = subject_of(net);
        s.data = &d;
        const double value = loss_now(&s, NULL), wanted = by_hand(net, &d);
        if (!(fabs(value - wanted) <= 1e-12 * wanted))
            fail_msg("%s: %.17g, by hand %.17g", smooth[k / 2], value, wanted);
        check_gradient(labelled ? "labels" : "values", net, &s);
        subject_free(&s);
        rk_network_destroy(net);
    }
}

static void test_distance(void **state) {
    (void)state;
    double mean[N_IN], covariance[N_IN * N_IN];
    for (size_t i = 0; i < N_IN; i++) {
        mean[i] = 0.3 * cos((double)i);
        for (size_t j = 0; j < N_IN; j++)
            covariance[i * N_IN + j] = i == j ? 1.1 : 0.1 * sin((double)(i + j));
    }
    const rk_input input = {.mean = mean, .covariance = covariance};
    static const struct {
        size_t student, teacher;
        rk_pair_closure pairs;
        int order;
    } cases[] = {{1, 3, RK_PAIRS_COMPLETED, 2},
                 {3, 1, RK_PAIRS_COMPLETED, 4},
                 {2, 2, RK_PAIRS_FIRST, 0},
                 {2, 3, RK_PAIRS_EXACT, 0}};
    for (size_t k = 0; k < COUNT(cases); k++) {
        rk_network *net = draw("relu", cases[k].student, 4, k % 2, k);
        rk_network *teacher = draw("relu", cases[k].teacher, 6, k > 1, 9 + k);
        const rk_method_spec method = {.size = sizeof method,
                                       .kind = RK_COVARIANCE,
                                       .pairs = cases[k].pairs,
                                       .order = cases[k].order};
        subject s = subject_of(net);
        s.teacher = teacher;
        s.input = k % 2 ? &input : NULL;
        s.options.method = &method;
        check_gradient("distance", net, &s);
        subject_free(&s);
        rk_network_destroy(teacher);
        rk_network_destroy(net);
    }
}

/* A network is at 0 from itself, to rounding, and stays there. */
static void test_itself(void **state) {
    (void)state;
    rk_network *net = draw("relu", 3, 6, true, 2);
    rk_derivatives *all;
    rk_loss loss;
    assert_int_equal(rk_derivatives_create(&all, net, NULL, NULL), RK_OK);
    assert_int_equal(rk_distance_loss(&loss, all, net, net, NULL, NULL, NULL), RK_OK);
    assert_true(fabs(loss.value) <= 1e-13 * loss.square && loss.square > 0);
    for (size_t l = 0; l < 4; l++)
        for (size_t i = 0; i < rk_network_layer(net, l).rows; i++)
            if (!(fabs(all->bias[l][i]) <= 1e-12 * loss.square))
                fail_msg("layer %zu: %g of %g", l, all->bias[l][i], loss.square);
    rk_derivatives_destroy(all);
    rk_network_destroy(net);
}

/* 2 |E y - t|^2 + 0.5 tr Cov y + 3 (loss on data), as the header says it is put together. */
typedef struct weighted {
    subject subject;
    double target[N_OUT];
} weighted;

static double weighted_sum(const weighted *w, rk_derivatives *sum) {
    const subject *s = &w->subject;
    rk_network *net;
    rk_options options = rk_options_default();
    const rk_method_spec method = {.size = sizeof method, .kind = RK_COVARIANCE};
    rk_linearisation *run;
    rk_loss loss;
    double value = 0, by_mean[N_OUT], one[N_OUT * N_OUT] = {0};
    options.method = &method;
    options.covariance = true;
    assert_int_equal(rk_network_create(&net, s->layers, s->n_layers, NULL), RK_OK);
    assert_int_equal(rk_linearise(&run, net, NULL, &options, NULL), RK_OK);
    const rk_answer_data *answer = rk_linearisation_view(run)->answer;
    for (size_t i = 0; i < N_OUT; i++) {
        by_mean[i] = 2 * (answer->mean[i] - w->target[i]);
        one[i * N_OUT + i] = 1;
        value += 2 * pow(answer->mean[i] - w->target[i], 2);
        value += 0.5 * answer->covariance[i * N_OUT + i];
    }
    rk_derivatives *term = NULL;
    if (sum) assert_int_equal(rk_derivatives_create(&term, net, NULL, NULL), RK_OK);
    assert_int_equal(rk_data_loss(&loss, term, net, s->data, NULL, NULL), RK_OK);
    value += 3 * loss.value;
    if (sum) {
        const rk_cotangents spread = {.size = sizeof spread, .covariance = one};
        const rk_cotangents distance = {.size = sizeof distance, .mean = by_mean};
        rk_derivatives_add(sum, 3, term, net);
        assert_int_equal(rk_vjp(run, &spread, term, NULL), RK_OK);
        rk_derivatives_add(sum, 0.5, term, net);
        assert_int_equal(rk_vjp(run, &distance, term, NULL), RK_OK);
        rk_derivatives_add(sum, 2, term, net);
    }
    rk_derivatives_destroy(term);
    rk_linearisation_destroy(run);
    rk_network_destroy(net);
    return value;
}

static double f_weighted(void *context) {
    return weighted_sum(context, NULL);
}

static void test_weighted(void **state) {
    (void)state;
    const rk_dataset d = data_of(true);
    rk_network *net = draw("tanh", 2, 5, true, 7);
    weighted w = {.subject = subject_of(net), .target = {0.3, -0.2, 0.1}};
    rk_derivatives *sum;
    w.subject.data = &d;
    assert_int_equal(rk_derivatives_create(&sum, net, NULL, NULL), RK_OK);
    weighted_sum(&w, sum);
    for (size_t l = 0; l < 3; l++)
        assert_gradient("weighted", w.subject.layers[l].rows * w.subject.layers[l].cols,
                        w.subject.numbers[2 * l], sum->weight[l], f_weighted, &w, 1e-6);
    rk_derivatives_destroy(sum);
    subject_free(&w.subject);
    rk_network_destroy(net);
}

static void test_refused(void **state) {
    (void)state;
    rk_network *net = draw("relu", 1, 4, true, 1), *step = draw("step", 1, 4, true, 1);
    rk_dataset d = data_of(false);
    rk_derivatives *all;
    rk_loss loss;
    rk_error error;
    assert_int_equal(rk_derivatives_create(&all, step, NULL, NULL), RK_OK);
    assert_int_equal(rk_data_loss(&loss, all, step, &d, NULL, &error), RK_ERROR_UNSUPPORTED);
    assert_int_equal(rk_data_loss(&loss, NULL, step, &d, NULL, &error), RK_OK);
    x[3 * N_IN + 2] = NAN;
    assert_int_equal(rk_data_loss(&loss, NULL, net, &d, NULL, &error), RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "x of sample 3 of the data: entry 2 is"));
    d = data_of(true);
    labels[8] = N_OUT;
    assert_int_equal(rk_data_loss(&loss, NULL, net, &d, NULL, &error), RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "sample 8 of the data has label 3"));
    d.values = values;
    assert_int_equal(rk_data_loss(&loss, NULL, net, &d, NULL, &error), RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "either values or labels"));
    d = data_of(false);
    d.n_in = 4;
    assert_int_equal(rk_data_loss(&loss, NULL, net, &d, NULL, &error), RK_ERROR_ARGUMENT);
    const rk_method_spec third = {.size = sizeof third, .kind = RK_THIRD};
    rk_options options = rk_options_default();
    options.method = &third;
    assert_int_equal(rk_distance_loss(&loss, NULL, net, net, NULL, &options, &error),
                     RK_ERROR_UNSUPPORTED);
    rk_derivatives_destroy(all);
    rk_network_destroy(step);
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),    cmocka_unit_test(test_distance),
        cmocka_unit_test(test_itself),  cmocka_unit_test(test_weighted),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
