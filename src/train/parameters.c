#include "train/parameters.h"

#include "base/size.h"

#include <math.h>
#include <stdlib.h>

static size_t weights_of(const rk_layer *layer) {
    return layer->weight ? layer->rows * layer->cols : 0;
}

static size_t biases_of(const rk_layer *layer) {
    return layer->bias ? layer->rows : 0;
}

rk_status rk_parameter_vector_create(rk_parameter_vector *out, const rk_network *net, double *x,
                                     rk_error *error) {
    *out = (rk_parameter_vector){.n = 0};
    for (size_t l = 0; l < net->n_layers; l++) { /* no overflow: the network itself fits */
        out->n_hidden = out->n;
        out->n += weights_of(&net->layers[l]) + biases_of(&net->layers[l]);
    }
    out->own = x ? NULL : rk_alloc(out->n, 1, sizeof *out->own);
    out->weight = rk_alloc(net->n_layers, 1, sizeof *out->weight);
    out->bias = rk_alloc(net->n_layers, 1, sizeof *out->bias);
    if (!(x || out->own) || !out->weight || !out->bias) {
        rk_parameter_vector_free(out);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for a vector of %zu parameters", out->n);
    }
    double *next = out->x = x ? x : out->own;
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (layer->weight) out->weight[l] = next;
        next += weights_of(layer);
        if (layer->bias) out->bias[l] = next;
        next += biases_of(layer);
    }
    return RK_OK;
}

void rk_parameter_vector_free(rk_parameter_vector *vector) {
    free(vector->own);
    free(vector->weight);
    free(vector->bias);
    vector->x = vector->own = NULL;
    vector->weight = vector->bias = NULL;
}

rk_status rk_parameters_create(rk_parameters *out, const rk_network *net, rk_error *error) {
    *out = (rk_parameters){.net = NULL};
    rk_status status = rk_network_create(&out->net, net->layers, net->n_layers, error);
    for (size_t l = 0; status == RK_OK && l < net->n_layers; l++)
        out->net->layers[l].weight_scale = 0;
    if (status == RK_OK)
        status = rk_parameter_vector_create(&out->theta, out->net, out->net->storage, error);
    if (status == RK_OK) status = rk_parameter_vector_create(&out->gradient, out->net, NULL, error);
    if (status != RK_OK) rk_parameters_free(out);
    return status;
}

void rk_parameters_free(rk_parameters *parameters) {
    rk_network_destroy(parameters->net);
    rk_parameter_vector_free(&parameters->theta);
    rk_parameter_vector_free(&parameters->gradient);
    parameters->net = NULL;
}

bool rk_parameters_moved(rk_parameters *parameters) {
    rk_network_measure_rows(parameters->net);
    double sum = 0; /* of zeros, unless something is not finite */
    for (size_t i = 0; i < parameters->theta.n; i++)
        sum += 0 * parameters->theta.x[i];
    return sum == 0;
}
