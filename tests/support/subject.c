#include "support/subject.h"

#include "network/network.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --------------------------------------------------------------------- a network that can change
 */

double *numbers(size_t n) {
    double *x = calloc(n ? n : 1, sizeof *x);
    assert_non_null(x);
    return x;
}

double *copied(size_t n, const double *x) {
    double *out = numbers(n);
    if (x) memcpy(out, x, n * sizeof *x);
    return out;
}

/* Numbers of order 1, by place. */
double chance(size_t kind, size_t k) {
    return sin(1.7 * (double)kind + 2.399 * (double)k + 0.6 * (double)(k % 7));
}

double *chances(size_t kind, size_t n) {
    double *x = numbers(n);
    for (size_t k = 0; k < n; k++)
        x[k] = chance(kind, k);
    return x;
}

subject subject_of(const rk_network *net, const rk_input *input) {
    const size_t L = rk_network_n_layers(net), n_in = rk_network_n_in(net);
    subject s = {.n_layers = L, .n_in = n_in, .n_out = rk_network_n_out(net)};
    s.options = rk_options_default();
    s.layers = calloc(L, sizeof *s.layers);
    s.weight = calloc(L, sizeof *s.weight), s.bias = calloc(L, sizeof *s.bias);
    for (size_t l = 0; l < L; l++) {
        rk_layer layer = rk_network_layer(net, l);
        if (layer.weight) s.weight[l] = copied(layer.rows * layer.cols, layer.weight);
        s.bias[l] = copied(layer.rows, layer.bias);
        s.layers[l] = layer;
        s.layers[l].weight = s.weight[l];
        s.layers[l].bias = layer.bias ? s.bias[l] : NULL;
    }
    s.standard = !input;
    s.mean = copied(n_in, input ? input->mean : NULL);
    s.covariance = copied(n_in * n_in, input ? input->covariance : NULL);
    for (size_t i = 0; !(input && input->covariance) && i < n_in; i++)
        s.covariance[i * (n_in + 1)] = 1;
    return s;
}

void subject_release(subject *s) {
    for (size_t l = 0; l < s->n_layers; l++)
        free(s->weight[l]), free(s->bias[l]);
    free(s->layers), free(s->weight), free(s->bias), free(s->mean), free(s->covariance);
}

rk_network *subject_network(const subject *s) {
    rk_network *net;
    rk_error error;
    if (rk_network_create(&net, s->layers, s->n_layers, &error) != RK_OK)
        fail_msg("%s", error.message);
    return net;
}

/* ------------------------------------------------------------------------------ f, a sum of
 * answers */

sum sum_of(const subject *s) {
    const size_t n = s->n_out;
    sum f = {chances(1, n), chances(2, n), chances(3, n * n), NULL, s->n_layers - 1};
    f.hidden = calloc(s->n_layers, sizeof *f.hidden);
    for (size_t l = 0; l < f.n_hidden; l++)
        f.hidden[l] = chances(4 + l, s->layers[l].rows);
    return f;
}

void sum_release(sum *f) {
    for (size_t l = 0; l < f->n_hidden; l++)
        free(f->hidden[l]);
    free(f->hidden), free(f->mean), free(f->variance), free(f->covariance);
}

rk_cotangents sum_cotangents(const subject *s, const sum *f) {
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
double sum_value(const sum *f, const rk_answer_data *a, double *size) {
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

double subject_value(const subject *s, const sum *f, double *size) {
    rk_network *net = subject_network(s);
    rk_input input = {.mean = s->mean, .covariance = s->covariance};
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, s->standard ? NULL : &input, &s->options, &error) != RK_OK)
        fail_msg("%s", error.message);
    const double value = sum_value(f, rk_answer_view(answer), size);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
    return value;
}

/* --------------------------------------------------------------------------------------- methods
 */

const gradient_method gradient_methods[GRADIENT_METHODS] = {
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
void subject_ask(subject *s, const gradient_method *method) {
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
