#include "propagate/third.h"

#include "linalg/blas.h"
#include "propagate/expansion.h"
#include "propagate/third_activation.h"
#include "propagate/third_source.h"

#include <string.h>

/* What the law of a layer's output is needed for. */
typedef enum purpose { FOR_MEAN, FOR_COVARIANCE, FOR_THIRD } purpose;

static purpose purpose_of(const rk_network *net, const rk_outputs *outputs, size_t l) {
    if (l + 1 < net->n_layers && rk_network_is_activated(net, l + 1)) return FOR_THIRD;
    return outputs->covariance ? FOR_COVARIANCE : FOR_MEAN;
}

/* The whole chain. C belongs to h before the linear map of a layer, to z after it, to h again after
 * its activation. */
typedef struct chain {
    rk_work *work;
    const rk_network *net;
    const rk_third_spec *spec;
    const rk_outputs *outputs;
    size_t width, n_sources;
    double *mu, *var, *C, *C_next, *scratch;
    const double *m_in, *C_in; /* of h before the linear map; C_in NULL is the identity */
    rk_slices z;
    double *metric;
    rk_neurons neurons;
    rk_legs W, W_slope; /* W and W diag(w1): transports of the newborn and of older sources */
    rk_legs born, left;
    rk_legs legs;    /* n_sources + 1 slots of width x 3 width */
    double *statics; /* n_sources times w2, s and e */
} chain;

static void zero(rk_work *work, size_t n, double *x) {
    if (rk_work_charge(work, 0)) memset(x, 0, n * sizeof *x);
}

static chain start(rk_work *work, const rk_network *net, const rk_third_spec *spec,
                   const rk_outputs *outputs) {
    chain c = {.work = work, .net = net, .spec = spec, .outputs = outputs};
    size_t scratch = 0, width = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (layer->rows > width) width = layer->rows;
        if (layer->rows * layer->cols > scratch) scratch = layer->rows * layer->cols;
        c.n_sources += purpose_of(net, outputs, l) == FOR_THIRD;
    }
    c.width = width;
    c.mu = rk_work_doubles(work, width, 1);
    c.var = rk_work_doubles(work, width, 1);
    c.C = rk_work_doubles(work, width, width);
    c.C_next = rk_work_doubles(work, width, width);
    c.scratch = rk_work_doubles(work, scratch, 1);
    c.neurons = rk_neurons_take(work, width);
    c.z.kappa4 = rk_work_doubles(work, 1, 1);
    c.z.diagonal = rk_work_doubles(work, width, 1);
    c.z.d3 = rk_work_doubles(work, width, 1);
    zero(work, 1, c.z.kappa4); /* a Gaussian has none of these */
    zero(work, width, c.z.diagonal);
    zero(work, width, c.z.d3);
    if (c.n_sources == 0) return c;
    bool in_double = spec->double_legs;
    size_t slots = (c.n_sources + 1) * 3;
    c.metric = rk_work_doubles(work, width, width);
    c.z.D = rk_legs_take(work, in_double, width, width);
    c.W = rk_legs_take(work, in_double, width, width);
    c.W_slope = rk_legs_take(work, in_double, width, width);
    c.born = rk_legs_take(work, in_double, width, 2 * width);
    c.left = rk_legs_take(work, in_double, width, 3 * width);
    c.legs = rk_legs_take(work, in_double, width * slots, width);
    c.statics = rk_work_doubles(work, 3 * c.n_sources, width);
    return c;
}

/* Source s (born at layer s) as seen from layer l. All sources move on by one slot a layer, so that
 * one spare slot is enough for products that cannot be done in place. */
static rk_source source_at(const chain *c, size_t s, size_t l) {
    size_t slot = (s + l) % (c->n_sources + 1), width = c->net->layers[s].rows;
    double *statics = c->statics + s * 3 * c->width;
    return (rk_source){
        .width = width,
        .legs = rk_legs_view(c->legs, slot * 3 * c->width * c->width, 3 * width),
        .w2 = statics,
        .s = statics + width,
        .e = statics + 2 * width,
    };
}

static void prepare_transports(chain *c, const rk_layer *layer, bool older) {
    size_t n = layer->rows, k = layer->cols;
    c->W.stride = c->W_slope.stride = k;
    if (!rk_work_charge(c->work, older ? (uint64_t)n * k : 0)) return;
    double *row = c->scratch;
    for (size_t i = 0; i < n; i++) {
        const double *W = layer->weight + i * k;
        rk_legs_write(&c->W, i, 0, k, W);
        if (!older) continue;
        for (size_t j = 0; j < k; j++)
            row[j] = W[j] * c->neurons.w1[j];
        rk_legs_write(&c->W_slope, i, 0, k, row);
    }
}

/* The sources seen from z = W h, and their slices kappa_iii and, with `pairs`, kappa_iij. */
static void third_linear(chain *c, size_t l, bool pairs) {
    const rk_layer *layer = &c->net->layers[l];
    size_t n = layer->rows, k = layer->cols;
    c->z.D.stride = n;
    prepare_transports(c, layer, l > 1);
    zero(c->work, n, c->z.d3);
    for (size_t s = l; s-- > 0;) {
        rk_source to = source_at(c, s, l);
        if (s == l - 1) {
            rk_legs born = rk_legs_view(c->born, 0, 2 * k);
            rk_source_first_transport(c->work, n, k, c->W, born, &to);
        } else {
            rk_source from = source_at(c, s, l - 1);
            rk_source_transport(c->work, n, k, c->W_slope, &from, &to);
        }
        rk_legs left = rk_legs_view(c->left, 0, 3 * to.width);
        rk_source_slices(c->work, n, &to, c->z.d3, &left, s == l - 1, pairs ? &c->z.D : NULL);
    }
}

/* The metric of the fourth cumulant, off the diagonal only if `pairs`. */
static void metric_linear(chain *c, size_t l, bool pairs) {
    const rk_layer *layer = &c->net->layers[l];
    size_t n = layer->rows, k = layer->cols;
    bool exact = c->spec->metric == RK_METRIC_EXACT || l + 1 == c->net->n_layers;
    c->z.metric = exact && pairs ? c->metric : NULL;
    if (exact && pairs) {
        rk_congruence(c->work, n, k, layer->weight, NULL, NULL, c->metric);
        rk_diagonal(c->work, n, c->metric, c->z.diagonal);
    } else if (exact) {
        rk_variances(c->work, layer, NULL, NULL, c->z.diagonal);
    } else if (rk_work_charge(c->work, 0)) {
        double scale = rk_network_weight_scale(c->net, l);
        for (size_t i = 0; i < n; i++)
            c->z.diagonal[i] = scale;
    }
}

/* Mean and variance of z, and if `pairs` its covariance. */
static void second_linear(chain *c, size_t l, bool var, bool pairs) {
    const rk_layer *layer = &c->net->layers[l];
    size_t n = layer->rows, k = layer->cols;
    rk_gemv(c->work, n, k, layer->weight, c->m_in, layer->bias, c->mu);
    if (pairs) {
        rk_congruence(c->work, n, k, layer->weight, c->C_in, c->scratch, c->C_next);
        rk_diagonal(c->work, n, c->C_next, c->var);
        double *swap = c->C;
        c->C = c->C_next;
        c->C_next = swap;
    } else if (var) {
        rk_variances(c->work, layer, c->C_in, c->scratch, c->var);
    }
    c->m_in = c->neurons.m;
    c->C_in = c->C;
}

/* Mean and variance of phi(z), and if `pairs` its covariance; if `newborn` also a new source. */
static void activation(chain *c, size_t l, bool pairs, bool newborn) {
    size_t n = c->net->layers[l].rows;
    const rk_activation *phi = &c->net->layers[l].activation;
    rk_neurons_step(c->work, phi, n, c->mu, c->var, &c->z, pairs, &c->neurons);
    if (!pairs) return;
    rk_legs born = {0};
    rk_source source = {0};
    if (newborn) {
        born = rk_legs_view(c->born, 0, 2 * n);
        source = source_at(c, l, l);
    }
    rk_pairs_step(c->work, n, &c->z, &c->neurons, c->C, newborn ? &born : NULL, &source);
}

void rk_propagate_third(rk_work *work, const rk_network *net, const rk_input *input,
                        const rk_third_spec *spec, rk_outputs *outputs) {
    static const char *const name[] = {"mean", "covariance", "third cumulant"};
    chain c = start(work, net, spec, outputs);
    double *m_in = rk_work_doubles(work, rk_network_n_in(net), 1);
    rk_input_mean(work, rk_network_n_in(net), input, m_in);
    c.m_in = m_in;
    c.C_in = input->covariance;
    rk_expansion e = rk_expansion_start(work, rk_network_n_in(net), input);
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        size_t n = layer->rows;
        bool last = l + 1 == net->n_layers, activated = rk_network_is_activated(net, l);
        purpose law = purpose_of(net, outputs, l);
        bool pairs = law != FOR_MEAN;
        if (!rk_work_step(work, "layer %zu: %s", l + 1, name[law])) return;
        second_linear(&c, l, activated, pairs);
        if (activated) {
            c.z.has_D = l > 0;
            if (l > 0) third_linear(&c, l, pairs);
            if (l > 0) metric_linear(&c, l, pairs);
            activation(&c, l, pairs, law == FOR_THIRD);
        }
        if (law == FOR_THIRD) {
            rk_expansion_linear(&e, layer->cols, rk_mean_square_row(work, layer));
            rk_expansion_activate(work, n, c.neurons.wick, RK_NEURONS_MAX_K, c.var, c.neurons.var,
                                  &e);
            rk_expansion_close(work, l, n, &e, c.C, outputs);
        }
        const double *m = activated ? c.neurons.m : c.mu;
        if (!last) {
            if (outputs->hidden_mean) rk_deliver(work, n, m, outputs->hidden_mean[l]);
            continue;
        }
        if (activated || pairs)
            rk_deliver(work, n, activated ? c.neurons.var : c.var, outputs->variance);
        else
            rk_deliver_variance(work, layer, l ? rk_average(work, layer->cols, c.neurons.var) : 1,
                                outputs);
        rk_deliver(work, n, m, outputs->mean);
        rk_deliver(work, n * n, c.C, outputs->covariance);
    }
    rk_work_end(work);
}
