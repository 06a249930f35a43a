#include "gradient/constant.h"

#include "network/homogeneous.h"
#include "network/input.h"

#include <string.h>

static double *zeros(rk_work *work, size_t n) {
    double *x = rk_work_doubles(work, n, 1);
    if (rk_work_charge(work, 0)) memset(x, 0, n * sizeof *x);
    return x;
}

/* The constant neuron is a layer's last: no f depends on it. */
static double *longer(rk_work *work, size_t n, const double *f) {
    if (!f) return NULL;
    double *x = zeros(work, n + 1);
    if (rk_work_charge(work, 0)) memcpy(x, f, n * sizeof *x);
    return x;
}

/* What the constant is measured by is the average of the input's variances. */
static void add_to_variances(size_t n, double by_square, double *covariance) {
    for (size_t i = 0; covariance && i < n; i++)
        covariance[i * (n + 1)] += by_square / (double)n;
}

void rk_tape_back_through_constant(rk_work *work, const rk_problem *problem, rk_tape *tape,
                                   const rk_cotangent *f, const rk_adjoint *to, double **lists) {
    const rk_network *net = problem->net, *seen = problem->homogeneous;
    const size_t n_layers = net->n_layers, n_in = rk_network_n_in(net);
    double **weight = lists, **bias = lists + n_layers, **hidden = bias + n_layers;
    rk_cotangent longer_f = *f;
    uint64_t weights = 0;
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &seen->layers[l];
        weight[l] = zeros(work, layer->rows * layer->cols);
        bias[l] = zeros(work, layer->rows);
        hidden[l] = NULL;
        if (f->hidden_mean && l + 1 < n_layers)
            hidden[l] = longer(work, net->layers[l].rows, f->hidden_mean[l]);
        weights += (uint64_t)layer->rows * layer->cols;
    }
    if (f->hidden_mean) longer_f.hidden_mean = (const double *const *)hidden;
    rk_tape_back(tape, &longer_f,
                 &(rk_adjoint){weight, bias, to->input_mean, to->input_covariance});
    if (!rk_work_charge(work, 4 * weights)) return;
    const double by_square = rk_network_homogenise_back(
        net, rk_input_variance(&problem->input, n_in), weight, bias, to->weight, to->bias);
    add_to_variances(n_in, by_square, to->input_covariance);
}
