#include "propagate/mean.h"

#include "base/simd.h"
#include "base/sum.h"
#include "network/input.h"
#include "propagate/expansion.h"

#include <string.h>

static double input_variance(rk_work *work, size_t n, const rk_input *input) {
    return input->covariance && rk_work_charge(work, n) ? rk_input_variance(input, n) : 1;
}

/* One pass over the weights for both: they are what costs. */
typedef struct pass {
    const rk_layer *layer;
    const double *m;      /* NULL: zero */
    double *mu, *squares; /* W m + b; the rows' W_i . W_i, or NULL */
} pass;

enum { BLOCK_ROWS = 256 };

RK_HOT static void pass_rows(void *context, size_t block) {
    const pass *p = context;
    const rk_layer *layer = p->layer;
    size_t n = layer->cols, first = block * BLOCK_ROWS;
    size_t last = first + BLOCK_ROWS < layer->rows ? first + BLOCK_ROWS : layer->rows;
    for (size_t i = first; i < last; i++) {
        const double *row = layer->weight + i * n;
        p->mu[i] = (p->m ? rk_dot(n, row, p->m) : 0) + (layer->bias ? layer->bias[i] : 0);
        if (p->squares) p->squares[i] = rk_dot(n, row, row);
    }
}

/* mu = W m + b, var_i = s (W W')_ii if `exact`, or s times its expectation; answers the average of
 * that factor. */
static double linear(rk_work *work, const rk_network *net, size_t l, const rk_mean_spec *spec,
                     bool exact, double s, const double *m, double *mu, double *var) {
    const rk_layer *layer = &net->layers[l];
    size_t n = layer->rows;
    pass p = {layer, m, mu, exact ? var : NULL};
    uint64_t products = (uint64_t)(m != NULL) + exact;
    if (rk_work_charge(work, 2 * products * n * layer->cols))
        rk_pool_run(work->pool, rk_pool_blocks(n, BLOCK_ROWS), pass_rows, &p);
    double average = exact ? rk_average(work, n, var) : rk_network_weight_scale(net, l);
    if (!rk_work_charge(work, n)) return 1;
    for (size_t i = 0; i < n; i++)
        var[i] = spec->unit_variance ? 1 : s * (exact ? var[i] : average);
    return average;
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
    double *var_z = rk_work_doubles(work, width, 1), *var_h = rk_work_doubles(work, width, 1);
    double *w = rk_work_doubles(work, width, 6), *centre = rk_work_doubles(work, width, 1);
    size_t n_activated = rk_network_is_activated(net, n_layers - 1) ? n_layers : n_layers - 1;
    rk_expansion e = rk_expansion_start(work, rk_network_n_in(net), input);
    double s = input_variance(work, rk_network_n_in(net), input);
    rk_input_mean(work, rk_network_n_in(net), input, m);
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        size_t n = layer->rows;
        bool last = l + 1 == n_layers, activated = rk_network_is_activated(net, l);
        if (!rk_work_step(work, "layer %zu: mean", l + 1)) return;
        bool shown = last && (activated || outputs->covariance);
        bool exact = shown || spec->metric == RK_METRIC_EXACT, zero = l == 0 && !input->mean;
        linear(work, net, l, spec, exact, s, zero ? NULL : m, mu, var_z);
        if (activated) {
            rk_wick_step(work, &layer->activation, n, mu, var_z, 2, 2, centre, w);
            rk_wick_moments(work, n, 2, centre, w, m, var_h);
            s = rk_average(work, n, var_h);
            rk_expansion_linear_sampled(work, layer, &e, outputs);
            rk_expansion_activate(work, layer, w, 2, 2, centre, mu, var_z, var_h, &e, outputs);
            if (l == 0) rk_expansion_input(work, layer->cols, &e, outputs);
        }
        if (l + 1 < n_layers)
            rk_expansion_close(work, l, layer + 1, l + 1 >= n_activated, &e, NULL, NULL, outputs);
        if (last) {
            rk_deliver(work, n, activated ? m : mu, outputs->mean);
            rk_deliver(work, n, activated ? var_h : var_z, outputs->variance);
            deliver_diagonal(work, n, activated ? NULL : var_z, s, outputs->covariance);
        } else if (outputs->hidden_mean) {
            rk_deliver(work, n, m, outputs->hidden_mean[l]);
        }
    }
    outputs->roughness = e.total_roughness;
    rk_work_end(work);
}
