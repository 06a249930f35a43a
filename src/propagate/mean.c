#include "propagate/mean.h"

#include "linalg/blas.h"

#include <string.h>

/* What is known of a layer's covariance: averages over neurons and pairs. Only `variance` acts on
 * the means; the others say how far the layer is from independent neurons (docs/MATH.md#expansion).
 */
typedef struct field {
    double variance;        /* average of C_ii */
    double square_variance; /* of C_ii^2 */
    double square_pair;     /* of C_ij^2, i != j */
} field;

static field input_field(rk_work *work, size_t n, const rk_input *input) {
    field f = {1, 1, 0};
    if (!input->covariance || !rk_work_charge(work, n)) return f;
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += input->covariance[i * n + i];
    f.variance = trace / (double)n;
    f.square_variance = f.variance * f.variance;
    return f;
}

/* z = W h: var_i = variance (W W')_ii, or its expectation; Z_ij^2 for independent weights. */
static field spread(rk_work *work, const rk_network *net, size_t l, const rk_mean_spec *spec,
                    field h, double *var) {
    const rk_layer *layer = &net->layers[l];
    size_t m = layer->rows, n = layer->cols;
    bool exact = spec->metric == RK_METRIC_EXACT || l + 1 == net->n_layers;
    if (!rk_work_charge(work, exact ? 2 * (uint64_t)m * n : m)) return h;
    double scale = exact ? 0 : rk_network_weight_scale(net, l), total = 0;
    for (size_t i = 0; i < m; i++) {
        double sum = scale;
        for (size_t j = 0; exact && j < n; j++)
            sum += layer->weight[i * n + j] * layer->weight[i * n + j];
        var[i] = spec->unit_variance ? 1 : h.variance * sum;
        total += sum;
    }
    double v = total / (double)m;
    h.square_pair = v * v * (h.square_variance + (double)(n - 1) * h.square_pair) / (double)n;
    return h;
}

/* m = E phi(z), var = Var phi(z). */
static field activate(rk_work *work, size_t n, const double *w, field z, double *m, double *var) {
    if (!rk_work_charge(work, 7 * n)) return z;
    const double *first = w + rk_wick_at(n, 1, 0, 1), *slope = w + rk_wick_at(n, 1, 1, 1);
    const double *second = w + rk_wick_at(n, 1, 0, 2);
    field h = {0, 0, 0};
    double square_slope = 0;
    for (size_t i = 0; i < n; i++) {
        m[i] = first[i];
        var[i] = second[i] - first[i] * first[i];
        h.variance += var[i] / (double)n;
        h.square_variance += var[i] * var[i] / (double)n;
        square_slope += slope[i] * slope[i] / (double)n;
    }
    h.square_pair = square_slope * square_slope * z.square_pair;
    return h;
}

/* |C|^2 / (tr C)^2 */
static double inverse_width(size_t n, field h) {
    return (h.square_variance + (double)(n - 1) * h.square_pair) /
           ((double)n * h.variance * h.variance);
}

static void deliver_diagonal(rk_work *work, size_t n, const double *var, double variance,
                             double *out) {
    if (!out || !rk_work_charge(work, 0)) return;
    memset(out, 0, n * n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[i * n + i] = var ? var[i] : variance;
}

void rk_propagate_mean(rk_work *work, const rk_network *net, const rk_input *input,
                       const rk_mean_spec *spec, rk_outputs *outputs) {
    size_t width = rk_network_max_width(net), n_layers = net->n_layers;
    double *m = rk_work_doubles(work, width, 1), *mu = rk_work_doubles(work, width, 1);
    double *var = rk_work_doubles(work, width, 1), *w = rk_work_doubles(work, width, 4);
    field law = input_field(work, rk_network_n_in(net), input);
    size_t n_activated = rk_network_is_activated(net, n_layers - 1) ? n_layers : n_layers - 1;
    rk_input_mean(work, rk_network_n_in(net), input, m);
    outputs->expansion = 0;
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        size_t n = layer->rows;
        bool last = l + 1 == n_layers, activated = rk_network_is_activated(net, l);
        if (!rk_work_step(work, "layer %zu: mean", l + 1)) return;
        rk_gemv(work, n, layer->cols, layer->weight, m, layer->bias, mu);
        law = spread(work, net, l, spec, law, var);
        if (activated) {
            rk_wick_step(work, &layer->activation, n, mu, var, 1, 2, w);
            law = activate(work, n, w, law, m, var);
        }
        if (l + 1 < n_activated) outputs->expansion += inverse_width(n, law);
        if (last) {
            rk_deliver(work, n, activated ? m : mu, outputs->mean);
            rk_deliver(work, n, var, outputs->variance);
            deliver_diagonal(work, n, activated ? NULL : var, law.variance, outputs->covariance);
        } else if (outputs->hidden_mean) {
            rk_deliver(work, n, m, outputs->hidden_mean[l]);
        }
    }
    rk_work_end(work);
}
