/* The public way back, against differences of rk_estimate itself: every method that has one, on
 * networks of many kinds, in any units. */
#include "network/network.h"
#include "support/kinds.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --------------------------------------------------------------------- a network that can change
 */

typedef struct subject {
    size_t n_layers, n_in, n_out;
    rk_layer *layers;
    double **weight, **bias; /* of the layers, that change */
    double *mean, *covariance;
    bool standard; /* the input is NULL */
    rk_options options;
    rk_method_spec method;
    double step, tolerance; /* of differences */
    const char *name, *kind;
} subject;

static double *numbers(size_t n) {
    double *x = calloc(n ? n : 1, sizeof *x);
    assert_non_null(x);
    return x;
}

static double *copy(size_t n, const double *x) {
    double *out = numbers(n);
    if (x) memcpy(out, x, n * sizeof *x);
    return out;
}

/* Numbers of order 1, by place. */
static double chance(size_t kind, size_t k) {
    return sin(1.7 * (double)kind + 2.399 * (double)k + 0.6 * (double)(k % 7));
}

static double *chances(size_t kind, size_t n) {
    double *x = numbers(n);
    for (size_t k = 0; k < n; k++)
        x[k] = chance(kind, k);
    return x;
}

static subject subject_of(const rk_network *net, const rk_input *input) {
    const size_t L = rk_network_n_layers(net), n_in = rk_network_n_in(net);
    subject s = {.n_layers = L, .n_in = n_in, .n_out = rk_network_n_out(net)};
    s.options = rk_options_default();
    s.layers = calloc(L, sizeof *s.layers);
    s.weight = calloc(L, sizeof *s.weight), s.bias = calloc(L, sizeof *s.bias);
    for (size_t l = 0; l < L; l++) {
        rk_layer layer = rk_network_layer(net, l);
        if (layer.weight) s.weight[l] = copy(layer.rows * layer.cols, layer.weight);
        s.bias[l] = copy(layer.rows, layer.bias);
        s.layers[l] = layer;
        s.layers[l].weight = s.weight[l];
        s.layers[l].bias = layer.bias ? s.bias[l] : NULL;
    }
    s.standard = !input;
    s.mean = copy(n_in, input ? input->mean : NULL);
    s.covariance = copy(n_in * n_in, input ? input->covariance : NULL);
    for (size_t i = 0; !(input && input->covariance) && i < n_in; i++)
        s.covariance[i * (n_in + 1)] = 1;
    return s;
}

static void release(subject *s) {
    for (size_t l = 0; l < s->n_layers; l++)
        free(s->weight[l]), free(s->bias[l]);
    free(s->layers), free(s->weight), free(s->bias), free(s->mean), free(s->covariance);
}

static rk_network *network_of(const subject *s) {
    rk_network *net;
    rk_error error;
    if (rk_network_create(&net, s->layers, s->n_layers, &error) != RK_OK)
        fail_msg("%s", error.message);
    return net;
}

/* ------------------------------------------------------------------------------ f, a sum of
 * answers */

typedef struct sum {
    double *mean, *variance, *covariance, **hidden;
    size_t n_hidden;
} sum;

static sum sum_of(const subject *s) {
    const size_t n = s->n_out;
    sum f = {chances(1, n), chances(2, n), chances(3, n * n), NULL, s->n_layers - 1};
    f.hidden = calloc(s->n_layers, sizeof *f.hidden);
    for (size_t l = 0; l < f.n_hidden; l++)
        f.hidden[l] = chances(4 + l, s->layers[l].rows);
    return f;
}

static void sum_release(sum *f) {
    for (size_t l = 0; l < f->n_hidden; l++)
        free(f->hidden[l]);
    free(f->hidden), free(f->mean), free(f->variance), free(f->covariance);
}

static rk_cotangents cotangents_of(const subject *s, const sum *f) {
    const bool pairs = s->options.covariance;
    return (rk_cotangents){.size = sizeof(rk_cotangents),
                           .mean = f->mean,
                           .variance = pairs ? f->variance : NULL,
                           .covariance = pairs ? f->covariance : NULL,
                           .hidden_mean = (const double *const *)f->hidden};
}

static void add(double term, double *value, double *size) {
    *value += term;
    *size += fabs(term);
}

/* And the sum of what its terms are in absolute value. */
static double value_in(const sum *f, const rk_answer_data *a, double *size) {
    const size_t n = a->n_out;
    double value = *size = 0;
    for (size_t i = 0; i < n; i++)
        add(f->mean[i] * a->mean[i], &value, size);
    for (size_t i = 0; a->covariance && i < n; i++)
        add(f->variance[i] * a->variance[i], &value, size);
    for (size_t i = 0; a->covariance && i < n * n; i++)
        add(f->covariance[i] * a->covariance[i], &value, size);
    for (size_t l = 0; l < a->n_hidden; l++)
        for (size_t i = 0; i < a->hidden_width[l]; i++)
            add(f->hidden[l][i] * a->hidden_mean[l][i], &value, size);
    return value;
}

static double value_at(const subject *s, const sum *f, double *size) {
    rk_network *net = network_of(s);
    rk_input input = {.mean = s->mean, .covariance = s->covariance};
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, s->standard ? NULL : &input, &s->options, &error) != RK_OK)
        fail_msg("%s", error.message);
    const double value = value_in(f, rk_answer_view(answer), size);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
    return value;
}

/* ------------------------------------------------------------------------------------- differences
 */

/* A direction in x, rows x cols, as large as rows and columns are. */
static double *direction_of(size_t l, size_t rows, size_t cols, bool symmetric, const double *x) {
    double *direction = chances(30 + l, rows * cols), *sizes = numbers(rows + cols), largest = 0;
    for (size_t k = 0; k < rows * cols; k++) {
        double *of_row = &sizes[k / cols], *of_col = &sizes[rows + k % cols];
        *of_row = fmax(*of_row, fabs(x[k]));
        *of_col = fmax(*of_col, fabs(x[k]));
        largest = fmax(largest, fabs(x[k]));
    }
    for (size_t k = 0; k < rows * cols; k++)
        direction[k] *=
            largest > 0 ? sizes[k / cols] * (sizes[rows + k % cols] / largest) / sqrt((double)cols)
                        : 0;
    for (size_t i = 0; symmetric && i < rows; i++)
        for (size_t j = 0; j <= i; j++) {
            double *a = &direction[i * cols + j], *b = &direction[j * cols + i];
            *a = *b = (*a + *b) / 4; /* it stays positive */
        }
    free(sizes);
    return direction;
}

/* The sum of w_k f(x + h_k direction); `size` is that of f. */
static double combine(const subject *s, const sum *f, int count, const double *h, const double *w,
                      size_t n, double *x, const double *direction, double *size) {
    double *at = copy(n, x), total = 0;
    for (int step = 0; step < count; step++) {
        for (size_t k = 0; k < n; k++)
            x[k] = at[k] + h[step] * direction[k];
        total += w[step] * value_at(s, f, size);
    }
    memcpy(x, at, n * sizeof *x);
    free(at);
    return total;
}

/* Of fourth order, and what rounding makes of values where they should not differ at all. */
static double difference_of(const subject *s, const sum *f, double h, size_t n, double *x,
                            const double *direction, double *rounding, double *size) {
    const double near[] = {-1e-7, 0, 1e-7}, bend[] = {1, -2, 1};
    const double at[] = {-2 * h, -h, h, 2 * h},
                 w[] = {1 / 12. / h, -2 / 3. / h, 2 / 3. / h, -1 / 12. / h};
    *rounding = 10 * fabs(combine(s, f, 3, near, bend, n, x, direction, size)) / h;
    return combine(s, f, 4, at, w, n, x, direction, size);
}

/* A step is too long where the closure has a kink, and too short where covariances are singular and
 * it rounds much: one of them will do. */
static void compare(const subject *s, const sum *f, const char *what, size_t l, size_t rows,
                    size_t cols, bool symmetric, double *x, const double *gradient) {
    static const double longer[] = {1, 0.1};
    double *direction = direction_of(l, rows, cols, symmetric, x);
    double difference = 0, wanted = 0, square = 0, size = 0;
    for (size_t k = 0; k < rows * cols; k++) {
        const double term = direction[k] * gradient[k];
        wanted += term;
        square += term * term;
    }
    bool agrees = false;
    for (int k = 0; !agrees && k < 2; k++) {
        double rounding;
        difference =
            difference_of(s, f, longer[k] * s->step, rows * cols, x, direction, &rounding, &size);
        const double scale = fabs(difference) + sqrt(square) + 1e-4 * size;
        agrees = fabs(wanted - difference) <= s->tolerance * scale + rounding;
    }
    free(direction);
    if (!agrees)
        fail_msg("%s on %s, %s %zu: %.12g, by differences %.12g (size %.3g)", s->name, s->kind,
                 what, l + 1, wanted, difference, sqrt(square));
}

/* False if the method does not take the network at all. */
static bool check(subject *s) {
    rk_network *net = network_of(s);
    rk_input input = {.mean = s->mean, .covariance = s->covariance};
    rk_linearisation *run;
    rk_error error;
    s->options.method = &s->method;
    rk_status status = rk_linearise(&run, net, s->standard ? NULL : &input, &s->options, &error);
    if (status == RK_ERROR_UNSUPPORTED) {
        rk_answer *none;
        assert_int_equal(rk_estimate(&none, net, s->standard ? NULL : &input, &s->options, NULL),
                         status);
        rk_network_destroy(net);
        return false;
    }
    if (status != RK_OK) fail_msg("%s on %s: %s", s->name, s->kind, error.message);
    rk_derivatives *to;
    assert_int_equal(rk_derivatives_create(&to, net, &s->options, &error), RK_OK);
    if (s->method.angular) to->input_mean = NULL;
    sum f = sum_of(s);
    const rk_cotangents seen = cotangents_of(s, &f);
    double size;
    const double value = value_in(&f, rk_linearisation_view(run)->answer, &size);
    assert_true(fabs(value - value_at(s, &f, &size)) <= 1e-13 * size);
    if (rk_vjp(run, &seen, to, &error) != RK_OK) fail_msg("%s", error.message);
    for (size_t l = 0; l < s->n_layers; l++) {
        const rk_layer *layer = &s->layers[l];
        if (layer->weight)
            compare(s, &f, "weights", l, layer->rows, layer->cols, false, s->weight[l],
                    to->weight[l]);
        if (layer->bias)
            compare(s, &f, "biases", l, 1, layer->rows, false, s->bias[l], to->bias[l]);
    }
    if (!s->standard) {
        compare(s, &f, "input mean", 0, 1, s->n_in, false, s->mean, to->input_mean);
        compare(s, &f, "input covariance", 0, s->n_in, s->n_in, true, s->covariance,
                to->input_covariance);
    }
    sum_release(&f);
    rk_derivatives_destroy(to);
    rk_linearisation_destroy(run);
    rk_network_destroy(net);
    return true;
}

/* --------------------------------------------------------------------------------------- methods
 */

static const struct asked {
    const char *text;
    bool covariance; /* it knows one */
    bool standard;   /* and only the standard input */
    bool smooth;     /* differences of what is not are none of it */
    double step, tolerance;
} methods[] = {
    {"covariance", true, false, false, 1e-3, 1e-6},
    {"covariance:pairs=completed,order=2", true, false, false, 1e-3, 1e-6},
    {"covariance:pairs=exact", true, false, false, 1e-3, 1e-6},
    {"covariance:gauge=angular", true, true, false, 1e-3, 1e-6},
    {"mean", true, false, false, 1e-3, 1e-6},
    {"mean:metric=avg", true, false, false, 1e-3, 1e-6},
    {"gain", true, false, false, 1e-3, 1e-6},
    {"third:tilt=off,legs=double", true, false, false, 1e-3, 1e-6},
    {"third:tilt=on,fourth=zero,rank=full,neurons=all,legs=double", false, false, false, 1e-3,
     1e-6},
    {"third:tilt=on,fourth=diagonal,rank=full,neurons=all,legs=double", false, false, false, 1e-3,
     1e-6},
    {"third:tilt=on,fourth=lean,rank=full,neurons=all,legs=double", false, false, false, 1e-3,
     1e-6},
    {"third:tilt=on,fourth=full,rank=full,neurons=all,legs=double", false, false, false, 1e-3,
     1e-6},
    {"sample", true, false, true, 1e-2, 1e-3}, /* in single precision */
    {"sample:antithetic", false, false, true, 1e-2, 1e-3},
};
enum { METHODS = sizeof methods / sizeof *methods, SAMPLE = METHODS - 2 };

static void ask(subject *s, const struct asked *method) {
    s->name = method->text;
    s->step = method->step;
    s->tolerance = method->tolerance;
    s->options.covariance = method->covariance;
    s->options.layers = true;
    s->options.input_covariance = !method->standard;
    s->options.samples = 2000;
    s->options.threads = 1;
    assert_int_equal(rk_method_parse(method->text, &s->method, NULL), RK_OK);
}

/* Of a kind, by every method; how many networks each takes is added to `taken`. */
static void check_kind(const char *kind, const char *activation, size_t hidden,
                       void (*change)(subject *s), size_t *taken) {
    kind_case c = kind_draw(kind, activation, 32, hidden, 3);
    const bool standard = !c.mean && !c.covariance, smooth = strcmp(activation, "relu") != 0;
    for (size_t m = 0; m < METHODS; m++) {
        if (methods[m].smooth && (change || !smooth)) continue;
        subject s = subject_of(c.net, standard && methods[m].standard ? NULL : &c.input);
        s.kind = kind;
        ask(&s, &methods[m]);
        if (change) change(&s);
        taken[m] += check(&s);
        release(&s);
    }
    kind_release(&c);
}

static void test_relu(void **state) {
    (void)state;
    size_t taken[METHODS] = {0};
    for (size_t k = 0; kind_name(k); k++)
        check_kind(kind_name(k), "relu", 2, NULL, taken);
    assert_true(taken[0] >= 32 && taken[3] >= 10);
}

static void test_smooth(void **state) {
    (void)state;
    size_t taken[METHODS] = {0};
    for (size_t k = 0; kind_name(k); k++)
        check_kind(kind_name(k), k % 2 ? "tanh" : "gelu", 1 + k % 2, NULL, taken);
    assert_true(taken[0] >= 32 && taken[SAMPLE] >= 32 && taken[SAMPLE + 1] >= 32);
}

/* ------------------------------------------------------------------------ units, offsets, corners
 */

static void scale(subject *s, size_t l, double factor) {
    for (size_t i = 0; i < s->layers[l].rows * s->layers[l].cols; i++)
        s->weight[l][i] *= factor;
}

static void in_other_units(subject *s) {
    for (size_t l = 0; l < s->n_layers; l++)
        scale(s, l, l % 2 ? 1e-8 : 1e8);
}

static void with_a_loud_neuron(subject *s) {
    for (size_t j = 0; j < s->layers[0].cols; j++)
        s->weight[0][3 * s->layers[0].cols + j] *= 1e12;
    s->bias[0][3] *= 1e12;
    for (size_t i = 0; i < s->layers[1].rows; i++)
        s->weight[1][i * s->layers[1].cols + 3] *= 1e-12;
}

static void with_offsets(subject *s) {
    for (size_t l = 0; l < s->n_layers; l++)
        for (size_t i = 0; i < s->layers[l].rows; i++)
            s->bias[l][i] += 1 + 50. * (double)(i % 2);
}

static void far_away(subject *s) {
    for (size_t j = 0; j < s->n_in; j++)
        s->mean[j] = 100 + (double)(j % 3);
}

static void far_away_in_other_units(subject *s) {
    far_away(s);
    in_other_units(s);
}

/* Neurons without any weights or bias: their rows stay as they are. */
static void with_dead_neurons(subject *s) {
    for (size_t l = 0; l + 1 < s->n_layers; l++)
        for (size_t i = 0; i < s->layers[l].rows; i += 4) {
            memset(s->weight[l] + i * s->layers[l].cols, 0, s->layers[l].cols * sizeof(double));
            s->bias[l][i] = 0;
        }
}

static void with_one_output(subject *s) {
    s->layers[s->n_layers - 1].rows = s->n_out = 1;
}

static void of_one_layer(subject *s) {
    for (size_t l = 1; l < s->n_layers; l++)
        free(s->weight[l]), free(s->bias[l]);
    s->n_layers = 1;
    s->n_out = s->layers[0].rows;
    s->layers[0].activation = (rk_activation){.kind = RK_IDENTITY};
}

static void activated_at_the_end(subject *s) {
    s->layers[s->n_layers - 1].activation = s->layers[0].activation;
}

static void test_corners(void **state) {
    (void)state;
    static void (*const changes[])(subject *) = {
        in_other_units, with_a_loud_neuron,      with_offsets,
        far_away,       far_away_in_other_units, with_one_output,
        of_one_layer,   with_dead_neurons,       activated_at_the_end};
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        size_t taken[METHODS] = {0};
        check_kind("random", "relu", 2, changes[c], taken);
        check_kind("biases .3", "relu", 3, changes[c], taken);
        check_kind("narrow input", "gelu", 2, changes[c], taken);
        assert_true(taken[0] == 3);
    }
}

/* ------------------------------------------------------------------------------------ a single run
 */

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
    ask(&x.s, &methods[0]);
    x.s.options.threads = 2;
    x.net = network_of(&x.s);
    x.f = sum_of(&x.s);
    x.seen = cotangents_of(&x.s, &x.f);
    assert_int_equal(rk_derivatives_create(&x.to, x.net, &x.s.options, NULL), RK_OK);
    return x;
}

static void tear_down(fixture *x) {
    rk_derivatives_destroy(x->to);
    sum_release(&x->f);
    release(&x->s);
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
        cmocka_unit_test(test_relu),     cmocka_unit_test(test_smooth),
        cmocka_unit_test(test_corners),  cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_costs),    cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_auto)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
