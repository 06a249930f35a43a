#include "propagate/covariance.h"

#include "base/gamma.h"
#include "linalg/blas.h"
#include "propagate/expansion.h"

#include <math.h>

/* C_ii = var_i = Var phi, C_ij = E phi'_i E phi'_j C_ij; w up to (2, 2). */
static void activate_pairs(rk_work *work, size_t n, const double *w, const double *var, double *C) {
    if (!rk_work_charge(work, 2 * (uint64_t)n * n)) return;
    const double *slope = w + rk_wick_at(n, 2, 1, 1);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++)
            C[i * n + j] *= slope[i] * slope[j];
        C[i * n + i] = var[i];
    }
}

/* E |x| / sqrt(n) for x ~ N(0, I_n). */
static double mean_radius(size_t n) {
    double half = (double)n / 2;
    return exp(rk_log_gamma(half + 0.5) - rk_log_gamma(half)) / sqrt(half);
}

void rk_propagate_covariance(rk_work *work, const rk_network *net, const rk_input *input,
                             const rk_covariance_spec *spec, rk_outputs *outputs) {
    size_t width = rk_network_max_rows(net), n_layers = net->n_layers;
    double *m = rk_work_doubles(work, rk_network_max_width(net), 1),
           *mu = rk_work_doubles(work, width, 1);
    double *var_z = rk_work_doubles(work, width, 1), *var_h = rk_work_doubles(work, width, 1);
    double *w = rk_work_doubles(work, width, 6), *centre = rk_work_doubles(work, width, 1);
    double *scratch = rk_congruence_scratch(work, net, input);
    double *C = rk_work_doubles(work, width, width), *Z = rk_work_doubles(work, width, width);
    const double *C_in = input->covariance; /* NULL: the identity */
    size_t n_activated = rk_network_is_activated(net, n_layers - 1) ? n_layers : n_layers - 1;
    double radius = spec->angular ? mean_radius(rk_network_n_in(net)) : 1;
    rk_expansion e = rk_expansion_start(work, rk_network_n_in(net), input);
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
            rk_diagonal(work, n, Z, var_z);
        } else if (activated) {
            rk_variances(work, layer, C_in, scratch, var_z);
        }
        if (l > 0) rk_expansion_close(work, l - 1, layer, !activated, &e, C_in, var_z, outputs);
        if (activated) {
            rk_wick_step(work, &layer->activation, n, mu, var_z, 2, 2, centre, w);
            rk_wick_moments(work, n, 2, centre, w, m, var_h);
            if (full) activate_pairs(work, n, w, var_h, Z);
        }
        if (activated) {
            rk_expansion_linear(work, layer, &e, outputs);
            rk_expansion_activate(work, layer, w, 2, 2, centre, mu, var_z, var_h, &e, outputs);
        }
        if (activated && !full && !last)
            rk_expansion_look_ahead(work, layer, NULL, layer + 1, C_in, w + rk_wick_at(n, 2, 1, 1),
                                    var_z, var_h, &e);
        if (l == 0 && radius != 1) rk_rescale(work, n, 1 / radius, m, var_h, full ? Z : NULL);
        if (last) {
            double *mean = activated ? m : mu, *var = activated ? var_h : var_z;
            if (activated || full)
                rk_deliver(work, n, var, outputs->variance);
            else
                rk_deliver_variance(work, layer, l ? e.variance : 1, outputs);
            if (radius != 1) rk_rescale(work, n, radius, mean, outputs->variance, full ? Z : NULL);
            rk_deliver(work, n, mean, outputs->mean);
            rk_deliver(work, n * n, Z, outputs->covariance);
        } else if (outputs->hidden_mean) {
            rk_deliver_scaled(work, n, radius, m, outputs->hidden_mean[l]);
        }
        double *swap = C;
        C = Z;
        Z = swap;
        C_in = C;
    }
    rk_work_end(work);
}
