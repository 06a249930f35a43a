#include "third/roles.h"

#include "base/simd.h"
#include "base/size.h"
#include "base/sum.h"
#include "base/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Shares of a layer's root mean square below which a neuron is taken as linear, as silent, and as
 * so silent that its own third cumulant says nothing either: about 2.7, -2.3 and -2.9 standard
 * deviations from the kink of a ReLU. Measured in docs/FRONTIER.md. */
static const double BENT_SHARE = 0.037, HEARD_SHARE = 0.04, SHIFTED_SHARE = 0.0075;

enum { MAX_K = 2, MAX_P = 2, WICK = (MAX_K + 1) * MAX_P };

static double root_mean_square(size_t n, const double *x) {
    double mean = rk_dot(n, x, x) / (double)n;
    return mean > 0 ? sqrt(mean) : 1;
}

/* Of the deviation of its quadratic part a neuron's share is `bend`; of that of the linear and the
 * quadratic part, or of the mean if that is more, `voice`. */
static void measure(size_t n, const double *var, const double *m, const double *w, double *bend,
                    double *voice) {
    const double *w1 = w + rk_wick_at(n, MAX_K, 1, 1), *w2 = w + rk_wick_at(n, MAX_K, 2, 1);
    for (size_t i = 0; i < n; i++) {
        bend[i] = fabs(w2[i]) * var[i] / sqrt(2);
        voice[i] = hypot(w1[i] * sqrt(var[i]), bend[i]);
    }
    double typical_bend = root_mean_square(n, bend), typical_voice = root_mean_square(n, voice);
    double typical_mean = root_mean_square(n, m);
    for (size_t i = 0; i < n; i++) {
        bend[i] /= typical_bend;
        voice[i] = fmax(voice[i] / typical_voice, fabs(m[i]) / typical_mean);
    }
}

/* ---------------------------------------------------------------------------- how many they are */

/* `width` entries each. */
typedef struct pass {
    double *m, *var_h; /* of what the layer reads */
    double *mu, *var, *w;
    double *bend, *voice;
    double *scratch;
} pass;

RK_HOT static void linear(const rk_layer *layer, const pass *p) {
    size_t n = layer->cols;
    for (size_t i = 0; i < layer->rows; i++) {
        const double *W = layer->weight + i * n;
        for (size_t j = 0; j < n; j++)
            p->scratch[j] = W[j] * W[j];
        p->mu[i] = rk_dot(n, W, p->m) + (layer->bias ? layer->bias[i] : 0);
        p->var[i] = rk_dot(n, p->scratch, p->var_h);
    }
}

static void activate(const rk_layer *layer, const pass *p) {
    size_t n = layer->rows;
    rk_wick(&layer->activation, n, p->mu, p->var, MAX_K, MAX_P, p->scratch, p->w);
    const double *first = p->w + rk_wick_at(n, MAX_K, 0, 1);
    const double *second = p->w + rk_wick_at(n, MAX_K, 0, 2);
    for (size_t i = 0; i < n; i++) {
        p->m[i] = p->scratch[i] + first[i];
        p->var_h[i] = fmax(0, second[i] - first[i] * first[i]);
    }
    measure(n, p->var, p->m, p->w, p->bend, p->voice);
}

static rk_roles count(size_t n, const pass *p) {
    rk_roles role = {0};
    for (size_t i = 0; i < n; i++) {
        bool silent = p->voice[i] < HEARD_SHARE; /* NaN is heard */
        role.shifted += !(p->voice[i] < SHIFTED_SHARE);
        role.heard += !silent;
        role.bent += !silent && !(p->bend[i] < BENT_SHARE);
    }
    if (role.heard == 0) role.heard = 1;
    if (role.bent == 0) role.bent = 1;
    if (role.shifted == 0) role.shifted = 1;
    return role;
}

rk_status rk_roles_guess(rk_roles *roles, const rk_network *net, const rk_input *input,
                         rk_error *error) {
    enum { VECTORS = 7 };
    size_t width = rk_network_max_width(net), n_in = rk_network_n_in(net);
    double *room = rk_alloc(width, VECTORS + WICK, sizeof *room);
    if (!room) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    pass p = {.w = room + VECTORS * width};
    double **const vectors[VECTORS] = {&p.m,    &p.var_h, &p.mu,     &p.var,
                                       &p.bend, &p.voice, &p.scratch};
    for (size_t k = 0; k < VECTORS; k++)
        *vectors[k] = room + k * width;
    for (size_t j = 0; j < n_in; j++) {
        p.m[j] = input->mean ? input->mean[j] : 0;
        p.var_h[j] = input->covariance ? input->covariance[j * n_in + j] : 1;
    }
    for (size_t l = 0; l + 1 < net->n_layers; l++) {
        linear(&net->layers[l], &p);
        activate(&net->layers[l], &p);
        roles[l] = count(net->layers[l].rows, &p);
    }
    size_t last = net->layers[net->n_layers - 1].rows;
    roles[net->n_layers - 1] = (rk_roles){last, last, last};
    free(room);
    return RK_OK;
}

/* ------------------------------------------------------------------------------- which they are */

typedef struct scored {
    double score;
    size_t neuron;
} scored;

/* By falling score, NaN first. */
static int compare(const void *left, const void *right) {
    const scored *a = left, *b = right;
    if (isnan(a->score) != isnan(b->score)) return isnan(a->score) ? -1 : 1;
    if (a->score > b->score) return -1;
    if (a->score < b->score) return 1;
    return a->neuron < b->neuron ? -1 : 1;
}

static void sort(scored *x, size_t n, const double *score) {
    for (size_t i = 0; i < n; i++)
        x[i].score = score[x[i].neuron];
    qsort(x, n, sizeof *x, compare);
}

void rk_roles_order(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                    const double *var, rk_roles role, size_t *order) {
    size_t mark = rk_work_mark(work);
    double *w = rk_work_doubles(work, n, WICK), *m = rk_work_doubles(work, n, 1);
    double *bend = rk_work_doubles(work, n, 1), *voice = rk_work_doubles(work, n, 1);
    scored *x = rk_work_take(work, n, sizeof *x);
    if (rk_work_charge(work, 20 * n)) {
        rk_wick(activation, n, mu, var, MAX_K, MAX_P, m, w);
        for (size_t i = 0; i < n; i++)
            m[i] += w[rk_wick_at(n, MAX_K, 0, 1) + i];
        measure(n, var, m, w, bend, voice);
        for (size_t i = 0; i < n; i++)
            x[i].neuron = i;
        sort(x, n, voice);
        sort(x, role.heard, bend);
        for (size_t i = 0; i < n; i++)
            order[i] = x[i].neuron;
    }
    rk_work_release(work, mark);
}

/* ------------------------------------------------------------------------ seen in that order */

/* to_ij = from_{rows_i cols_j} of matrices with k columns; NULL: in the order they have. */
typedef struct gathering {
    const size_t *rows, *cols;
    size_t k;
    const double *from;
    double *to;
} gathering;

static void gather_rows(void *context, size_t first, size_t last) {
    const gathering *x = context;
    for (size_t i = first; i < last; i++) {
        const double *from = x->from + (x->rows ? x->rows[i] : i) * x->k;
        double *to = x->to + i * x->k;
        if (!x->cols) memcpy(to, from, x->k * sizeof *to);
        for (size_t j = 0; x->cols && j < x->k; j++)
            to[j] = from[x->cols[j]];
    }
}

rk_relabelling rk_relabelling_take(rk_work *work, const rk_network *net) {
    size_t width = rk_network_max_width(net), most = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        size_t count = net->layers[l].rows * net->layers[l].cols;
        if (count > most) most = count;
    }
    rk_relabelling r = {.rows = rk_work_take(work, width, sizeof *r.rows),
                        .cols = rk_work_take(work, width, sizeof *r.cols),
                        .weight = rk_work_doubles(work, most, 1),
                        .bias = rk_work_doubles(work, width, 1)};
    for (size_t i = 0; rk_work_charge(work, 0) && i < width; i++)
        r.rows[i] = i; /* of the input */
    return r;
}

const rk_layer *rk_relabelling_enter(rk_work *work, const rk_layer *layer, rk_relabelling *r) {
    size_t n = layer->rows, k = layer->cols, *swap = r->cols;
    r->cols = r->rows;
    r->rows = swap;
    r->layer = *layer;
    r->layer.weight = r->weight;
    r->layer.bias = layer->bias ? r->bias : NULL;
    if (!rk_work_charge(work, 0)) return &r->layer;
    for (size_t i = 0; i < n; i++)
        r->rows[i] = i;
    gathering x = {NULL, r->cols, k, layer->weight, r->weight};
    rk_sweep(work->pool, n, k, gather_rows, &x);
    if (layer->bias) memcpy(r->bias, layer->bias, n * sizeof *r->bias);
    return &r->layer;
}

void rk_relabelling_apply(rk_work *work, const rk_relabelling *r, double *scratch) {
    size_t n = r->layer.rows, k = r->layer.cols;
    if (r->layer.bias) rk_reorder(work, r->rows, n, r->bias, scratch);
    if (!rk_work_charge(work, 0)) return;
    memcpy(scratch, r->weight, n * k * sizeof *scratch);
    gathering x = {r->rows, NULL, k, scratch, r->weight};
    rk_sweep(work->pool, n, k, gather_rows, &x);
}

void rk_reorder(rk_work *work, const size_t *order, size_t n, double *x, double *scratch) {
    if (!rk_work_charge(work, 0)) return;
    memcpy(scratch, x, n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = scratch[order[i]];
}

void rk_reorder_pairs(rk_work *work, const size_t *order, size_t n, const double *from,
                      double *to) {
    gathering x = {order, order, n, from, to};
    if (rk_work_charge(work, 0)) rk_sweep(work->pool, n, n, gather_rows, &x);
}
