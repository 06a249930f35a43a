#include "network/homogeneous.h"

#include "activation/activation.h"
#include "base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool rk_layer_is_biased(const rk_layer *layer) {
    for (size_t i = 0; layer->bias && i < layer->rows; i++)
        if (layer->bias[i] != 0) return true;
    return false;
}

/* What keeps layer l from being homogeneous, for people; NULL: nothing does. */
static const char *obstacle(const rk_layer *layer) {
    const rk_activation_ops *ops = rk_activation_get(layer->activation.kind);
    return rk_layer_is_biased(layer) ? "has biases" : ops->degree == 1 ? NULL : ops->name;
}

static rk_status refuse(size_t l, const char *why, rk_error *error) {
    return rk_fail(error, RK_ERROR_UNSUPPORTED,
                   "this method takes positively homogeneous networks only: layer %zu %s%s", l + 1,
                   strcmp(why, "has biases") ? "is " : "", why);
}

rk_status rk_network_check_scales(const rk_network *net, rk_error *error) {
    for (size_t l = 0; l < net->n_layers; l++) {
        const char *why = obstacle(&net->layers[l]);
        if (why) return refuse(l, why, error);
    }
    return RK_OK;
}

rk_status rk_network_check_homogeneous(const rk_network *net, rk_error *error) {
    for (size_t l = 1; l < net->n_layers; l++) {
        const char *why = rk_network_is_activated(net, l) ? obstacle(&net->layers[l]) : NULL;
        if (why) return refuse(l, why, error);
    }
    return RK_OK;
}

bool rk_network_scales(const rk_network *net) {
    return rk_network_check_scales(net, NULL) == RK_OK;
}

bool rk_network_can_be_homogeneous(const rk_network *net) {
    for (size_t l = 1; l < net->n_layers; l++)
        if (rk_network_is_activated(net, l) &&
            rk_activation_get(net->layers[l].activation.kind)->degree != 1)
            return false;
    return true;
}

bool rk_network_is_homogeneous(const rk_network *net) {
    return rk_network_check_homogeneous(net, NULL) == RK_OK;
}

/* Anything from a twentieth to twice the size of the others is as good, and with four times that,
 * networks without many neurons err less and others more: docs/FRONTIER.md. */
static const double CONSTANT = 2;

/* The constant neuron of a layer is as large as the others: so that it is a neuron among them in
 * any units. Their mean square from that of what the layer reads, weights and biases taken as
 * random. */
static double variance(const rk_network *net, size_t l, double read) {
    const rk_layer *layer = &net->layers[l];
    double var = 0, n = (double)layer->rows;
    for (size_t i = 0; i < layer->rows; i++) {
        double b = layer->bias ? layer->bias[i] : 0;
        var += (net->row_square[l][i] * read + b * b) / n;
    }
    return var;
}

static double mean_square(const rk_network *net, size_t l, double read) {
    return rk_wick_one(&net->layers[l].activation, 0, variance(net, l, read), 0, 2);
}

static double constant(double square) {
    return square > 0 ? CONSTANT * sqrt(square) : 1;
}

/* The biases of layer l become weights on the constant neuron. */
static bool is_bias_weighted(const rk_network *net, size_t l) {
    return l > 0 && rk_network_is_activated(net, l);
}

/* Layer l of the new network, to be filled. */
static rk_layer extended(const rk_network *net, size_t l) {
    const rk_layer *from = &net->layers[l];
    rk_layer to = *from;
    to.rows += l + 1 < net->n_layers;
    to.cols += l > 0;
    if (l == 0) to.bias = from->weight; /* that there is one: the first constant neuron's */
    if (is_bias_weighted(net, l)) to.bias = NULL;
    return to;
}

/* `own` is its constant neuron, `below` that of the layer below. */
static void fill(rk_network *to, const rk_network *net, size_t l, double own, double below) {
    const rk_layer *from = &net->layers[l];
    const size_t cols = to->layers[l].cols, rows = from->rows;
    const bool first = l == 0, hidden = l + 1 < net->n_layers;
    const bool as_weights = is_bias_weighted(net, l);
    double *weight = rk_network_weights(to, l), *bias = rk_network_biases(to, l);
    for (size_t i = 0; i < rows; i++) {
        double b = from->bias ? from->bias[i] : 0;
        memcpy(weight + i * cols, from->weight + i * from->cols, from->cols * sizeof *weight);
        if (!first) weight[i * cols + from->cols] = as_weights ? b / below : 0;
        if (bias) bias[i] = b;
    }
    if (hidden && !first) weight[rows * cols + from->cols] = own / below;
    if (hidden && first) bias[rows] = own;
}

rk_status rk_network_homogenise(rk_network **out, const rk_network *net, double input_square,
                                rk_error *error) {
    *out = NULL;
    rk_layer *layers = rk_alloc(net->n_layers, 1, sizeof *layers);
    if (!layers) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    for (size_t l = 0; l < net->n_layers; l++)
        layers[l] = extended(net, l);
    rk_status status = rk_network_make_room(out, layers, net->n_layers, error);
    free(layers);
    if (status != RK_OK) return status;
    double square = input_square, below = 1;
    for (size_t l = 0; l < net->n_layers; l++) {
        square = mean_square(net, l, square);
        double own = constant(square);
        fill(*out, net, l, own, below);
        below = own;
    }
    return rk_network_seal(out, error);
}

/* ------------------------------------------------------------------------------------ backwards */

/* Layer l of the network to which it goes back, and the adjoints of the extended one. */
typedef struct returning {
    const rk_network *net;
    size_t l;
    const double *weight_bar, *bias_bar;
    double *dW, *db;
} returning;

static double at(const double *x, size_t i) {
    return x ? x[i] : 0;
}

/* `fill` backwards: adds to the adjoints of the two constant neurons. */
static void fill_back(const returning *x, double own, double below, double *own_bar,
                      double *below_bar) {
    const rk_layer *layer = &x->net->layers[x->l];
    const size_t rows = layer->rows, first = x->l == 0, cols = layer->cols + !first;
    const bool hidden = x->l + 1 < x->net->n_layers, as_weights = is_bias_weighted(x->net, x->l);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; x->dW && x->weight_bar && j < layer->cols; j++)
            x->dW[i * layer->cols + j] += x->weight_bar[i * cols + j];
        double bar = at(x->bias_bar, i);
        if (as_weights) {
            double weight_bar = at(x->weight_bar, i * cols + layer->cols);
            bar = weight_bar / below;
            *below_bar -= weight_bar * at(layer->bias, i) / (below * below);
        }
        if (x->db) x->db[i] += bar;
    }
    if (hidden && first) *own_bar += at(x->bias_bar, rows);
    if (!hidden || first) return;
    double weight_bar = at(x->weight_bar, rows * cols + layer->cols);
    *own_bar += weight_bar / below;
    *below_bar -= weight_bar * own / (below * below);
}

/* `mean_square` backwards: returns the adjoint of `read`. */
static double mean_square_back(const returning *x, double read, double square_bar) {
    const rk_layer *layer = &x->net->layers[x->l];
    const double n = (double)layer->rows, var = variance(x->net, x->l, read);
    const double var_bar = 0.5 * square_bar * rk_wick_one(&layer->activation, 0, var, 2, 2);
    double read_bar = 0;
    for (size_t i = 0; i < layer->rows; i++) {
        read_bar += var_bar / n * x->net->row_square[x->l][i];
        for (size_t j = 0; x->dW && j < layer->cols; j++) {
            size_t k = i * layer->cols + j;
            x->dW[k] += 2 * var_bar / n * read * layer->weight[k];
        }
        if (x->db) x->db[i] += 2 * var_bar / n * at(layer->bias, i);
    }
    return read_bar;
}

/* The mean square that layer l reads. */
static double square_below(const rk_network *net, size_t l, double input_square) {
    for (size_t k = 0; k < l; k++)
        input_square = mean_square(net, k, input_square);
    return input_square;
}

double rk_network_homogenise_back(const rk_network *net, double input_square,
                                  double *const *weight_bar, double *const *bias_bar,
                                  double *const *dW, double *const *db) {
    double square_bar = 0, own_bar = 0; /* of the layer's mean square and its constant neuron */
    for (size_t l = net->n_layers; l-- > 0;) {
        const double read = square_below(net, l, input_square), square = mean_square(net, l, read);
        const double own = constant(square), below = l > 0 ? constant(read) : 1;
        const returning x = {.net = net,
                             .l = l,
                             .weight_bar = weight_bar[l],
                             .bias_bar = bias_bar[l],
                             .dW = dW ? dW[l] : NULL,
                             .db = db && net->layers[l].bias ? db[l] : NULL};
        double below_bar = 0;
        fill_back(&x, own, below, &own_bar, &below_bar);
        if (square > 0) square_bar += own_bar * CONSTANT / (2 * sqrt(square));
        square_bar = mean_square_back(&x, read, square_bar);
        own_bar = below_bar;
    }
    return square_bar;
}
