/* Room for derivatives, in one piece of memory: the structure, its lists, the numbers. */
#include "base/size.h"
#include "estimate/words.h"
#include "network/network.h"

#include <stdlib.h>

typedef struct room {
    rk_derivatives derivatives;
    double **lists, *numbers;
} room;

static size_t n_weights(const rk_layer *layer) {
    return layer->weight ? layer->rows * layer->cols : 0;
}

/* No overflow: the network fits; of the input's covariance nobody knows. */
static bool count(const rk_network *net, bool input_covariance, size_t *n) {
    const size_t n_in = rk_network_n_in(net);
    size_t parameters = n_in;
    for (size_t l = 0; l < net->n_layers; l++)
        parameters += n_weights(&net->layers[l]) + net->layers[l].rows;
    return rk_size_mul(n_in, input_covariance ? n_in : 0, n) && rk_size_add(*n, parameters, n);
}

rk_status rk_derivatives_create(rk_derivatives **out, const rk_network *net,
                                const rk_options *asked, rk_error *error) {
    const size_t n_layers = net->n_layers, n_in = rk_network_n_in(net);
    size_t n = 0;
    *out = NULL;
    rk_options options;
    rk_status status = rk_options_accept(&options, asked, error);
    if (status != RK_OK) return status;
    const bool fits = count(net, options.input_covariance, &n);
    room *r = calloc(1, sizeof *r);
    double **lists = rk_alloc(n_layers, 2, sizeof *lists);
    double *next = fits ? rk_alloc(n, 1, sizeof *next) : NULL;
    if (!r || !lists || !next) {
        free(next);
        free(lists);
        free(r);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for the derivatives");
    }
    *r = (room){.lists = lists, .numbers = next};
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (layer->weight) lists[l] = next, next += n_weights(layer);
        lists[n_layers + l] = next, next += layer->rows;
    }
    r->derivatives =
        (rk_derivatives){.size = sizeof r->derivatives,
                         .weight = lists,
                         .bias = lists + n_layers,
                         .input_mean = next,
                         .input_covariance = options.input_covariance ? next + n_in : NULL};
    *out = &r->derivatives;
    return RK_OK;
}

void rk_derivatives_destroy(rk_derivatives *derivatives) {
    room *r = (room *)derivatives; /* its first member */
    if (!r) return;
    free(r->numbers);
    free(r->lists);
    free(r);
}

static void add(size_t n, double weight, const double *x, double *y) {
    for (size_t i = 0; x && y && i < n; i++)
        y[i] += weight * x[i];
}

void rk_derivatives_add(const rk_derivatives *sum, double weight, const rk_derivatives *term,
                        const rk_network *net) {
    const size_t n_in = rk_network_n_in(net);
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (layer->weight && sum->weight && term->weight)
            add(layer->rows * layer->cols, weight, term->weight[l], sum->weight[l]);
        if (sum->bias && term->bias) add(layer->rows, weight, term->bias[l], sum->bias[l]);
    }
    add(n_in, weight, term->input_mean, sum->input_mean);
    add(n_in * n_in, weight, term->input_covariance, sum->input_covariance);
}
