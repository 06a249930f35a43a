#include "network/normal_form.h"

#include "activation/activation.h"
#include "base/size.h"
#include "base/sum.h"
#include "network/input.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Units are changed only where it matters: layers whose fluctuations are beyond 2^+-LAYER, or with
 * neurons beyond 2^+-NEURON of the others. Closures average over a layer in some places, where it
 * is their unevenness that errs, and would be nothing but a matter of units. */
enum { LAYER = 6, NEURON = 2, FLOAT = 10 };

static bool is_zero(const double *x, size_t n) {
    for (size_t i = 0; x && i < n; i++)
        if (x[i] != 0) return false;
    return true;
}

/* ------------------------------------------------------------------------ is there any need? */

/* A variance of more than 2^+-(2 bits); none is not. */
static bool is_beyond(double var, int bits) {
    return var > 0 && !(fabs(log2(var)) < 2 * bits);
}

/* From the weights' sizes alone: fluctuations of all layers, as if neurons were alike. */
static bool is_moderate(const rk_network *net, double variance, bool *is_extreme) {
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        size_t n = layer->rows;
        double average = 0, bias = 0;
        for (size_t i = 0; i < n; i++) {
            double b = layer->bias ? layer->bias[i] : 0;
            average += net->row_square[l][i] / (double)n;
            bias += b * b / (double)n;
        }
        double var = average * variance;
        bool fixed = l + 1 == net->n_layers ||
                     rk_activation_get(layer->activation.kind)->degree == RK_NO_DEGREE;
        if (fixed && is_beyond(var, FLOAT)) *is_extreme = true;
        if (!fixed && is_beyond(var, LAYER)) return false;
        for (size_t i = 0; i < n && !fixed; i++)
            if (is_beyond(net->row_square[l][i] / average, NEURON)) return false;
        variance = rk_wick_one(&layer->activation, 0, var + bias, 0, 2);
        if (!isfinite(variance)) return false;
    }
    return true;
}

/* ----------------------------------------------------------------------------- one more network */

/* Room for all layers and biases, weights only if they change. */
static rk_status take_room(rk_network *net, bool weights, double **room, rk_error *error) {
    size_t total = 0; /* no overflow: the original fits */
    for (size_t l = 0; l < net->n_layers; l++)
        total += net->layers[l].rows * (weights ? net->layers[l].cols + 1 : 1);
    rk_layer *layers = rk_alloc(net->n_layers, 1, sizeof *layers);
    *room = net->storage = rk_alloc(total, 1, sizeof **room);
    if (layers) memcpy(layers, net->layers, net->n_layers * sizeof *layers);
    net->layers = layers;
    return layers && *room ? RK_OK : rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
}

/* The bias of a layer that reads and adds the input, or does not (`read`, `added` NULL), once its
 * mean is taken off. */
static void add_mean(const rk_layer *layer, const double *read, const double *added, double *bias) {
    for (size_t i = 0; i < layer->rows; i++) {
        bias[i] = layer->bias ? layer->bias[i] : 0;
        if (read)
            bias[i] += layer->weight ? rk_dot(layer->cols, layer->weight + i * layer->cols, read)
                                     : read[i];
        if (added) bias[i] += added[i];
    }
}

/* Every layer that sees the input. */
static void fold_mean(rk_network *form, const rk_network *net, const double *mean, double *room) {
    for (size_t l = 0; l < net->n_layers; l++) {
        size_t value;
        const double *read = rk_network_reads(net, l) == 0 ? mean : NULL;
        const double *added = rk_network_adds(net, l, &value) && value == 0 ? mean : NULL;
        if (!read && !added) continue;
        add_mean(&net->layers[l], read, added, room);
        form->layers[l].bias = room;
        room += net->layers[l].rows;
    }
}

/* What is known of h, in its own units: h_j = 2^e_j h'_j. */
typedef struct moments {
    double *m, *var;
    int *e;
} moments;

/* The largest exponent of a row of W diag(2^e), for products without overflow. */
static int largest_exponent(const double *row, size_t n, const int *e) {
    int largest = -4000, of_weight;
    for (size_t j = 0; j < n; j++) {
        if (row[j] == 0) continue;
        frexp(row[j], &of_weight);
        if (of_weight + e[j] > largest) largest = of_weight + e[j];
    }
    return largest;
}

static int exponent_of(double x) {
    return x > 0 ? (int)lrint(log2(x)) : 0;
}

/* W diag(2^e) of a layer, and mean and variance of its z as if neurons were independent, row i
 * times 2^unit[i]. */
static void enter(const rk_layer *layer, const double *bias, const moments *h, double *weight,
                  double *mu, double *var, int *unit) {
    size_t n = layer->cols;
    for (size_t i = 0; i < layer->rows; i++) {
        const double *from = layer->weight + i * n;
        double *row = weight + i * n;
        unit[i] = largest_exponent(from, n, h->e);
        if (unit[i] < -3000) unit[i] = 0;
        mu[i] = ldexp(bias[i], -unit[i]);
        var[i] = 0;
        for (size_t j = 0; j < n; j++) {
            row[j] = ldexp(from[j], h->e[j] - unit[i]);
            mu[i] += row[j] * h->m[j];
            var[i] += row[j] * row[j] * h->var[j];
        }
    }
}

static int compare(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* The unit of a layer is the median of its neurons' deviations, and that of its neurons unless some
 * are far away from it: then each has its own. */
static void choose_units(size_t n, const double *mu, const double *var, const int *unit,
                         int *sorted, int *z) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        z[i] = unit[i] + exponent_of(sqrt(var[i] > 0 ? var[i] : mu[i] * mu[i]));
        if (var[i] > 0) sorted[count++] = z[i];
    }
    if (count == 0) {
        memset(z, 0, n * sizeof *z);
        return;
    }
    qsort(sorted, count, sizeof *sorted, compare);
    int layer = sorted[count / 2];
    bool alike = sorted[count - 1] - layer <= NEURON && layer - sorted[0] <= NEURON;
    for (size_t i = 0; i < n; i++)
        if (alike || var[i] == 0) z[i] = layer;
}

/* From one layer to the next; `to` is filled with the layer in its units, h with its output. */
static rk_status measure(rk_layer *to, size_t l, bool last, double *room, moments *h,
                         rk_normal_form *form, double *scratch, int *unit, rk_error *error) {
    const rk_layer from = *to;
    size_t n = from.rows;
    int degree = rk_activation_get(from.activation.kind)->degree, *z = unit + n, *sorted = z + n;
    double *weight = room, *bias = room + n * from.cols, *mu = scratch, *var = scratch + n;
    enter(&from, bias, h, weight, mu, var, unit);
    if (degree != RK_NO_DEGREE && !last)
        choose_units(n, mu, var, unit, sorted, z);
    else
        memset(z, 0, n * sizeof *z);
    for (size_t i = 0; i < n; i++) {
        int shift = unit[i] - z[i];
        for (size_t j = 0; j < from.cols; j++)
            weight[i * from.cols + j] = ldexp(weight[i * from.cols + j], shift);
        mu[i] = ldexp(mu[i], shift);
        var[i] = ldexp(var[i], 2 * shift);
        bias[i] = ldexp(bias[i], -z[i]);
        h->e[i] = degree == RK_NO_DEGREE ? 0 : degree * z[i];
        if (is_beyond(var[i], NEURON + FLOAT)) form->is_extreme = true;
    }
    to->weight = weight;
    to->bias = from.bias || !is_zero(bias, n) ? bias : NULL;
    to->weight_scale = 0;
    double *w = scratch + 2 * n;
    rk_wick(&from.activation, n, mu, var, 0, 2, h->m, w);
    double average = 0;
    for (size_t i = 0; i < n; i++) {
        double above = w[i];
        h->m[i] += above;
        h->var[i] = fmax(0, w[n + i] - above * above);
        average += h->var[i] / (double)n;
        bool ok = isfinite(h->m[i]) && isfinite(h->var[i]) && isfinite(bias[i]);
        for (size_t j = 0; j < from.cols && ok; j++)
            ok = isfinite(weight[i * from.cols + j]);
        if (!ok)
            return rk_fail(error, RK_ERROR_NUMERIC,
                           "layer %zu, neuron %zu: its activations are beyond the range of doubles",
                           l + 1, i);
    }
    /* as `mean` sees them: a neuron that only silent ones feed is not measured by what they say */
    for (size_t i = 0; i < n; i++)
        h->var[i] = average;
    return RK_OK;
}

static rk_status change_units(rk_normal_form *form, const rk_network *net, const rk_input *input,
                              rk_error *error) {
    size_t width = rk_network_max_width(net), neurons = 0, n_in = rk_network_n_in(net);
    for (size_t l = 0; l < net->n_layers; l++)
        neurons += net->layers[l].rows;
    double *numbers = rk_alloc(width, 6, sizeof *numbers);
    int *exponents = rk_alloc(width, 4, sizeof *exponents);
    form->unit = rk_alloc(neurons, 1, sizeof *form->unit);
    rk_status status = RK_OK;
    if (!numbers || !exponents || !form->unit)
        status = rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    moments h = {numbers, numbers ? numbers + width : NULL, exponents};
    for (size_t j = 0; status == RK_OK && j < n_in; j++) {
        h.m[j] = 0;
        h.var[j] = input->covariance ? input->covariance[j * n_in + j] : 1;
        h.e[j] = 0;
    }
    double *room = form->net->storage;
    int *unit = form->unit;
    for (size_t l = 0; status == RK_OK && l < net->n_layers; l++) {
        rk_layer *layer = &form->net->layers[l];
        bool last = l + 1 == net->n_layers;
        double *bias = room + layer->rows * layer->cols;
        add_mean(layer, l == 0 ? input->mean : NULL, NULL, bias);
        status =
            measure(layer, l, last, room, &h, form, numbers + 2 * width, exponents + width, error);
        room = bias + layer->rows;
        memcpy(unit, exponents + width + layer->rows, layer->rows * sizeof *unit); /* z */
        unit += layer->rows;
    }
    free(numbers);
    free(exponents);
    return status;
}

/* ---------------------------------------------------------------------------------- the whole */

rk_status rk_normal_form_create(rk_normal_form *form, const rk_network *net, const rk_input *input,
                                rk_error *error) {
    *form = (rk_normal_form){NULL, NULL, false};
    bool centred = is_zero(input->mean, rk_network_n_in(net));
    /* what is added is in one unit with what it is added to: those of a residual network stay */
    bool moderate =
        !rk_network_is_plain(net) ||
        is_moderate(net, rk_input_variance(input, rk_network_n_in(net)), &form->is_extreme);
    if (centred && moderate) return RK_OK;
    double *room;
    form->net = calloc(1, sizeof *form->net);
    if (!form->net) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    *form->net = (rk_network){.n_layers = net->n_layers, .layers = net->layers};
    rk_status status = take_room(form->net, !moderate, &room, error);
    if (status != RK_OK) return status;
    if (moderate) {
        fold_mean(form->net, net, input->mean, room);
    } else {
        status = change_units(form, net, input, error);
    }
    return status == RK_OK ? rk_network_measure(form->net, error) : status;
}

void rk_normal_form_clear(rk_normal_form *form) {
    rk_network_destroy(form->net);
    free(form->unit);
    *form = (rk_normal_form){NULL, NULL, false};
}

/* e of the neurons of layer l, and of what they say. */
static const int *unit_of(const rk_normal_form *form, size_t l) {
    const int *unit = form->unit;
    for (size_t k = 0; k < l; k++)
        unit += form->net->layers[k].rows;
    return unit;
}

static int degree_of(const rk_normal_form *form, size_t l) {
    const int degree = rk_activation_get(form->net->layers[l].activation.kind)->degree;
    return degree == RK_NO_DEGREE ? 0 : degree;
}

void rk_normal_form_restore(const rk_normal_form *form, size_t l, double *mean) {
    if (!form->unit) return;
    const int *unit = unit_of(form, l), degree = degree_of(form, l);
    for (size_t i = 0; i < form->net->layers[l].rows; i++)
        mean[i] = ldexp(mean[i], degree * unit[i]);
}

static void restore_units(const rk_normal_form *form, size_t l, double *weight, double *bias) {
    const rk_layer *layer = &form->net->layers[l];
    const int *unit = unit_of(form, l), *read = l > 0 ? unit_of(form, l - 1) : NULL;
    const int degree = l > 0 ? degree_of(form, l - 1) : 0;
    for (size_t i = 0; i < layer->rows; i++) {
        bias[i] = ldexp(bias[i], -unit[i]);
        for (size_t j = 0; weight && j < layer->cols; j++) {
            double *w = &weight[i * layer->cols + j];
            *w = ldexp(*w, (read ? degree * read[j] : 0) - unit[i]);
        }
    }
}

void rk_normal_form_restore_gradient(const rk_normal_form *form, const double *mean, size_t l,
                                     double *weight, double *bias) {
    if (!form->net) return;
    const rk_layer *layer = &form->net->layers[l];
    if (form->unit) restore_units(form, l, weight, bias);
    if (!mean || !weight || rk_network_reads(form->net, l) != 0) return;
    for (size_t i = 0; i < layer->rows; i++)
        for (size_t j = 0; j < layer->cols; j++)
            weight[i * layer->cols + j] += bias[i] * mean[j];
}

void rk_normal_form_enter_direction(const rk_normal_form *form, const double *mean, size_t l,
                                    double *weight, double *bias) {
    if (!form->net) return;
    const rk_layer *layer = &form->net->layers[l];
    if (mean && weight && rk_network_reads(form->net, l) == 0)
        for (size_t i = 0; i < layer->rows; i++)
            for (size_t j = 0; j < layer->cols; j++)
                bias[i] += weight[i * layer->cols + j] * mean[j];
    if (form->unit) restore_units(form, l, weight, bias); /* which is diagonal */
}
