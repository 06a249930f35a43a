#include "train/balance.h"

#include <math.h>

static void scale_neuron(rk_parameters *student, size_t l, size_t i, double factor) {
    const rk_layer *layer = &student->net->layers[l], *next = &student->net->layers[l + 1];
    for (size_t j = 0; j < layer->cols; j++)
        student->theta.weight[l][i * layer->cols + j] *= factor;
    if (layer->bias) student->theta.bias[l][i] *= factor;
    for (size_t k = 0; k < next->rows; k++)
        student->theta.weight[l + 1][k * next->cols + i] /= factor;
}

void rk_balance(rk_work *work, rk_parameters *student, const rk_tape *tape) {
    const rk_network *net = student->net;
    for (size_t l = 0; l + 1 < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (!layer->weight || !net->layers[l + 1].weight || layer->activation.kind == RK_IDENTITY ||
            rk_activation_get(layer->activation.kind)->degree != 1)
            continue;
        const rk_marginals z = rk_covariance_marginals(tape, l);
        if (!rk_work_charge(work, 2 * (uint64_t)layer->rows * layer->cols)) continue;
        for (size_t i = 0; i < layer->rows; i++) {
            const double square = z.var[i] + z.mu[i] * z.mu[i];
            if (square > 0) scale_neuron(student, l, i, 1 / sqrt(square));
        }
    }
    if (rk_work_charge(work, 0)) rk_parameters_moved(student);
}
