#include "gradient/mean_gradient.h"

#include "linalg/blas.h"

#include <string.h>

enum { MAX_K = 3 }; /* one derivative more than the variance step, two for its variance */

/* What the reverse pass needs of a layer. */
typedef struct record {
    double *Z; /* covariance of its pre-activations */
    double *w; /* Wick coefficients, k <= MAX_K, p <= 2 */
} record;

typedef struct tape {
    rk_work *work;
    const rk_network *net;
    record *layers;
    size_t width;
    double *m, *mu, *var, *centre, *C, *scratch, *product, *W_t;
} tape;

static tape start(rk_work *work, const rk_network *net) {
    tape t = {.work = work, .net = net, .width = rk_network_max_width(net)};
    t.layers = rk_work_take(work, net->n_layers, sizeof *t.layers);
    for (size_t l = 0; l < net->n_layers; l++) {
        size_t n = net->layers[l].rows;
        record layer = {.Z = rk_work_doubles(work, n, n),
                        .w = rk_work_doubles(work, n, 2 * (MAX_K + 1))};
        if (rk_work_charge(work, 0)) t.layers[l] = layer;
    }
    t.m = rk_work_doubles(work, t.width, 1);
    t.mu = rk_work_doubles(work, t.width, 1);
    t.var = rk_work_doubles(work, t.width, 1);
    t.centre = rk_work_doubles(work, t.width, 1);
    t.product = rk_work_doubles(work, t.width, t.width);
    t.C = rk_work_doubles(work, t.width, t.width);
    t.scratch = rk_work_doubles(work, t.width, t.width);
    t.W_t = rk_work_doubles(work, t.width, t.width);
    return t;
}

static record layer_of(const tape *t, size_t l) {
    return t->work->dry ? (record){NULL, NULL} : t->layers[l];
}

/* The activation step of propagate/covariance.c, with what it passes on in other memory. */
static void activate(tape *t, size_t n, record r) {
    if (!rk_work_charge(t->work, 2 * (uint64_t)n * (n + 1))) return;
    const double *first = r.w + rk_wick_at(n, MAX_K, 0, 1),
                 *slope = r.w + rk_wick_at(n, MAX_K, 1, 1);
    const double *second = r.w + rk_wick_at(n, MAX_K, 0, 2);
    for (size_t i = 0; i < n; i++) {
        t->m[i] = t->centre[i] + first[i];
        for (size_t j = 0; j < n; j++)
            t->C[i * n + j] = slope[i] * slope[j] * r.Z[i * n + j];
        t->C[i * n + i] = second[i] - first[i] * first[i];
    }
}

static void forward(tape *t, const rk_input *input) {
    rk_input_mean(t->work, rk_network_n_in(t->net), input, t->m);
    for (size_t l = 0; l < t->net->n_layers; l++) {
        const rk_layer *layer = &t->net->layers[l];
        size_t n = layer->rows;
        record r = layer_of(t, l);
        rk_gemv(t->work, n, layer->cols, layer->weight, t->m, layer->bias, t->mu);
        rk_congruence(t->work, n, layer->cols, layer->weight, l ? t->C : input->covariance,
                      t->scratch, r.Z);
        rk_diagonal(t->work, n, r.Z, t->var);
        rk_wick_step(t->work, &layer->activation, n, t->mu, t->var, MAX_K, 2, t->centre, r.w);
        activate(t, n, r);
    }
}

/* Adjoints of m and C become those of mu (in t->mu) and Z (in t->scratch). With O the adjoint of C
 * off its diagonal and d on it,
 *     mu_i: m_i w(1,1) + d_i (w(1,2) - 2 w(0,1) w(1,1)) + 2 w(2,1)_i sum_j (O Z)_ij w(1,1)_j
 *     var_i: half of the same two derivatives higher, Z_ij: O_ij w(1,1)_i w(1,1)_j. */
static void activate_back(tape *t, size_t n, record r) {
    if (!rk_work_charge(t->work, 6 * (uint64_t)n * n)) return;
    const double *w[MAX_K + 1], *w12 = r.w + rk_wick_at(n, MAX_K, 1, 2);
    const double *w22 = r.w + rk_wick_at(n, MAX_K, 2, 2);
    for (int k = 0; k <= MAX_K; k++)
        w[k] = r.w + rk_wick_at(n, MAX_K, k, 1);
    for (size_t i = 0; i < n; i++) {
        double d = t->C[i * n + i], pairs = 0, *out = t->scratch + i * n;
        for (size_t j = 0; j < n; j++) {
            double O = t->C[i * n + j];
            pairs += j == i ? 0 : O * r.Z[i * n + j] * w[1][j];
            out[j] = O * w[1][i] * w[1][j];
        }
        t->mu[i] = t->m[i] * w[1][i] + d * (w12[i] - 2 * w[0][i] * w[1][i]) + 2 * w[2][i] * pairs;
        out[i] = 0.5 * (t->m[i] * w[2][i] + d * (w22[i] - 2 * w[0][i] * w[2][i])) + w[3][i] * pairs;
    }
}

static void transpose(rk_work *work, size_t m, size_t n, const double *x, double *out) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            out[j * m + i] = x[i * n + j];
}

static void clear(rk_work *work, size_t count, double *x) {
    if (rk_work_charge(work, 0)) memset(x, 0, count * sizeof *x);
}

/* C = W' Z W where Z's adjoint has a diagonal only: no covariance is read above this layer. */
static void pull_back_diagonal(tape *t, const rk_layer *layer) {
    size_t m = layer->rows, n = layer->cols;
    if (rk_work_charge(t->work, (uint64_t)m * n))
        for (size_t j = 0; j < n; j++)
            for (size_t i = 0; i < m; i++)
                t->W_t[j * m + i] *= t->scratch[i * m + i];
    rk_gemm_symmetric(t->work, RK_NO_TRANS, n, m, 1, t->W_t, m, layer->weight, n, 0, t->C, n);
}

/* The adjoints at the output: m = seed, C = 0. */
static void seed_output(tape *t, size_t n, const double *seed, rk_mean_gradient *gradient) {
    if (!rk_work_charge(t->work, 2 * (uint64_t)n * n)) return;
    gradient->value = gradient->variance = 0;
    for (size_t i = 0; i < n; i++) {
        gradient->value += seed[i] * t->m[i];
        for (size_t j = 0; j < n; j++)
            gradient->variance += seed[i] * seed[j] * t->C[i * n + j];
    }
    memcpy(t->m, seed, n * sizeof *t->m);
    memset(t->C, 0, n * n * sizeof *t->C);
}

void rk_gradient_of_mean(rk_work *work, const rk_network *net, const rk_input *input,
                         const double *seed, rk_mean_gradient *gradient) {
    size_t mark = rk_work_mark(work), n_in = rk_network_n_in(net), n_activated = net->n_layers;
    while (n_activated > 0 && net->layers[n_activated - 1].activation.kind == RK_IDENTITY)
        n_activated--;
    tape t = start(work, net);
    forward(&t, input);
    seed_output(&t, rk_network_n_out(net), seed, gradient);
    for (size_t l = net->n_layers; l-- > 0;) {
        const rk_layer *layer = &net->layers[l];
        size_t m = layer->rows, n = layer->cols;
        activate_back(&t, m, layer_of(&t, l));
        transpose(work, m, n, layer->weight, t.W_t);
        rk_gemv(work, n, m, t.W_t, t.mu, NULL, t.m);
        if (l >= n_activated)
            clear(work, n * n, t.C);
        else if (l + 1 == n_activated)
            pull_back_diagonal(&t, layer);
        else
            rk_congruence(work, n, m, t.W_t, t.scratch, t.product, t.C);
    }
    rk_deliver(work, n_in, t.m, gradient->mean);
    rk_deliver(work, n_in * n_in, t.C, gradient->covariance);
    rk_work_release(work, mark);
}
