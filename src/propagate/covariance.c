#include "propagate/covariance.h"

#include "linalg/blas.h"

/* var_i = (W C W')_ii without the other entries; `scratch` m x n. C NULL is the identity. */
static void variances(rk_work *work, const rk_layer *layer, const double *C, double *scratch,
                      double *var) {
    size_t m = layer->rows, n = layer->cols;
    const double *WC = layer->weight;
    if (C) {
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 1, layer->weight, n, C, n, 0, scratch, n);
        WC = scratch;
    }
    if (!rk_work_charge(work, 2 * (uint64_t)m * n)) return;
    for (size_t i = 0; i < m; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += WC[i * n + j] * layer->weight[i * n + j];
        var[i] = sum;
    }
}

static void take_diagonal(rk_work *work, size_t n, const double *C, double *var) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        var[i] = C[i * n + i];
}

/* 1 / (effective width) = |C|^2 / (tr C)^2: 1/n for independent neurons, 1 for a single direction.
 */
static double inverse_width(rk_work *work, size_t n, const double *C) {
    if (!rk_work_charge(work, 2 * (uint64_t)n * n)) return 0;
    double trace = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        trace += C[i * n + i];
        for (size_t j = 0; j < n; j++)
            square += C[i * n + j] * C[i * n + j];
    }
    return square / (trace * trace);
}

static double average(rk_work *work, size_t n, const double *var) {
    if (!rk_work_charge(work, n)) return 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += var[i];
    return sum / (double)n;
}

/* m_i = E phi, var_i = C_ii = Var phi, C_ij = E phi'_i E phi'_j C_ij; w up to (1, 2); C NULL: not
 * wanted. */
static void activate(rk_work *work, size_t n, const double *w, double *m, double *var, double *C) {
    if (!rk_work_charge(work, 2 * n + (C ? 2 * (uint64_t)n * n : 0))) return;
    const double *first = w + rk_wick_at(n, 1, 0, 1), *slope = w + rk_wick_at(n, 1, 1, 1);
    const double *second = w + rk_wick_at(n, 1, 0, 2);
    for (size_t i = 0; i < n; i++) {
        m[i] = first[i];
        var[i] = second[i] - first[i] * first[i];
    }
    for (size_t i = 0; C && i < n; i++) {
        for (size_t j = 0; j < n; j++)
            C[i * n + j] *= slope[i] * slope[j];
        C[i * n + i] = var[i];
    }
}

void rk_propagate_covariance(rk_work *work, const rk_network *net, const rk_input *input,
                             rk_outputs *outputs) {
    size_t width = rk_network_max_width(net), n_layers = net->n_layers;
    double *m = rk_work_doubles(work, width, 1), *mu = rk_work_doubles(work, width, 1);
    double *var = rk_work_doubles(work, width, 1), *w = rk_work_doubles(work, width, 4);
    double *scratch = rk_work_doubles(work, width, width);
    double *C = rk_work_doubles(work, width, width), *Z = rk_work_doubles(work, width, width);
    const double *C_in = input->covariance; /* NULL: the identity */
    size_t n_activated = rk_network_is_activated(net, n_layers - 1) ? n_layers : n_layers - 1;
    outputs->expansion = 0;
    rk_input_mean(work, rk_network_n_in(net), input, m);
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        size_t n = layer->rows;
        bool last = l + 1 == n_layers, activated = rk_network_is_activated(net, l);
        bool full = outputs->covariance || l + 1 < n_activated; /* someone needs it later */
        if (!rk_work_step(work, "layer %zu: %s", l + 1,
                          full        ? "covariance"
                          : activated ? "variances"
                                      : "mean"))
            return;
        rk_gemv(work, n, layer->cols, layer->weight, m, layer->bias, mu);
        if (full) {
            rk_congruence(work, n, layer->cols, layer->weight, C_in, scratch, Z);
            take_diagonal(work, n, Z, var);
        } else if (activated) {
            variances(work, layer, C_in, scratch, var);
        }
        if (activated) {
            rk_wick_step(work, &layer->activation, n, mu, var, 1, 2, w);
            activate(work, n, w, m, var, full ? Z : NULL);
        }
        if (l + 1 < n_activated) outputs->expansion += inverse_width(work, n, Z);
        if (last) {
            if (activated || full)
                rk_deliver(work, n, var, outputs->variance);
            else
                rk_deliver_variance(work, layer, l ? average(work, layer->cols, var) : 1, outputs);
            rk_deliver(work, n, activated ? m : mu, outputs->mean);
            rk_deliver(work, n * n, Z, outputs->covariance);
        } else if (outputs->hidden_mean) {
            rk_deliver(work, n, m, outputs->hidden_mean[l]);
        }
        double *swap = C;
        C = Z;
        Z = swap;
        C_in = C;
    }
    rk_work_end(work);
}
