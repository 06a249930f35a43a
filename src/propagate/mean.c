#include "propagate/mean.h"

#include "linalg/blas.h"

#include <string.h>

static double average_variance(rk_work *work, size_t n, const rk_input *input) {
    if (!input->covariance || !rk_work_charge(work, n)) return 1;
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += input->covariance[i * n + i];
    return trace / (double)n;
}

/* var_i = s (W W')_ii, or s times its expectation. */
static void spread(rk_work *work, const rk_network *net, size_t l, const rk_mean_spec *spec,
                   double s, double *var) {
    const rk_layer *layer = &net->layers[l];
    size_t m = layer->rows, n = layer->cols;
    bool exact = spec->metric == RK_METRIC_EXACT || l + 1 == net->n_layers;
    if (!rk_work_charge(work, exact && !spec->unit_variance ? 2 * (uint64_t)m * n : m)) return;
    double average = exact ? 0 : rk_network_weight_scale(net, l);
    for (size_t i = 0; i < m; i++) {
        double sum = average;
        for (size_t j = 0; exact && j < n; j++)
            sum += layer->weight[i * n + j] * layer->weight[i * n + j];
        var[i] = spec->unit_variance ? 1 : s * sum;
    }
}

/* m = E phi(z), var = Var phi(z); answers the average of the latter. */
static double activate(rk_work *work, size_t n, const double *w, double *m, double *var) {
    if (!rk_work_charge(work, 3 * n)) return 1;
    const double *first = w + rk_wick_at(n, 0, 0, 1), *second = w + rk_wick_at(n, 0, 0, 2);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        m[i] = first[i];
        var[i] = second[i] - first[i] * first[i];
        sum += var[i];
    }
    return sum / (double)n;
}

static void deliver_diagonal(rk_work *work, size_t n, const double *var, double s, double *out) {
    if (!out || !rk_work_charge(work, 0)) return;
    memset(out, 0, n * n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[i * n + i] = var ? var[i] : s;
}

void rk_propagate_mean(rk_work *work, const rk_network *net, const rk_input *input,
                       const rk_mean_spec *spec, rk_outputs *outputs) {
    size_t width = rk_network_max_width(net);
    double *m = rk_work_doubles(work, width, 1), *mu = rk_work_doubles(work, width, 1);
    double *var = rk_work_doubles(work, width, 1), *w = rk_work_doubles(work, width, 2);
    double s = average_variance(work, rk_network_n_in(net), input);
    rk_input_mean(work, rk_network_n_in(net), input, m);
    outputs->expansion = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        bool last = l + 1 == net->n_layers, activated = rk_network_is_activated(net, l);
        if (!rk_work_step(work, "layer %zu: mean", l + 1)) return;
        rk_gemv(work, layer->rows, layer->cols, layer->weight, m, layer->bias, mu);
        spread(work, net, l, spec, s, var);
        if (activated) {
            rk_wick_step(work, &layer->activation, layer->rows, mu, var, 0, 2, w);
            if (l > 0) outputs->expansion += 1 / (double)layer->cols;
            s = activate(work, layer->rows, w, m, var);
        }
        if (last) {
            rk_deliver(work, layer->rows, activated ? m : mu, outputs->mean);
            rk_deliver(work, layer->rows, var, outputs->variance);
            deliver_diagonal(work, layer->rows, activated ? NULL : var, s, outputs->covariance);
        } else if (outputs->hidden_mean) {
            rk_deliver(work, layer->rows, m, outputs->hidden_mean[l]);
        }
    }
    rk_work_end(work);
}
