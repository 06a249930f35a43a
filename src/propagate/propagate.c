#include "propagate/propagate.h"

#include "base/simd.h"
#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"

#include <math.h>
#include <string.h>

/* Against the layer's average: below `NOTHING` a variance is none (and its powers would leave the
 * range of doubles), and a negative one beyond `ROUNDING` is no rounding of single precision. */
static const double NOTHING = 1e-36, ROUNDING = 1e-6;

static size_t clear_variances(size_t n, double *var) {
    double sum = 0;
    size_t n_negative = 0;
    for (size_t i = 0; i < n; i++)
        sum += fabs(var[i]);
    for (size_t i = 0; i < n; i++) {
        n_negative += var[i] < -ROUNDING * sum / (double)n;
        if (var[i] <= NOTHING * sum / (double)n) var[i] = 0;
    }
    return n_negative;
}

void rk_wick_step(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                  double *var, int k_max, int p_max, double *centre, double *w) {
    uint64_t coefficients = (uint64_t)n * (uint64_t)(k_max + 1) * (uint64_t)p_max;
    /* a product, a sum and a scaling, more or less */
    if (!rk_work_charge(work, 4 * coefficients)) return;
    work->clamped += clear_variances(n, var);
    rk_wick(activation, n, mu, var, k_max, p_max, centre, w);
}

void rk_wick_moments(rk_work *work, size_t n, int k_max, const double *centre, const double *w,
                     double *m, double *var) {
    if (!rk_work_charge(work, 2 * n)) return;
    const double *first = w + rk_wick_at(n, k_max, 0, 1), *second = w + rk_wick_at(n, k_max, 0, 2);
    for (size_t i = 0; i < n; i++) {
        m[i] = centre[i] + first[i];
        var[i] = fmax(0, second[i] - first[i] * first[i]);
    }
}

double *rk_congruence_scratch(rk_work *work, const rk_network *net, const rk_input *input) {
    size_t most = 0;
    for (size_t l = input->covariance ? 0 : 1; l < net->n_layers; l++) {
        size_t count = net->layers[l].rows * net->layers[l].cols;
        if (count > most) most = count;
    }
    return rk_work_doubles(work, most, 1);
}

void rk_input_mean(rk_work *work, size_t n, const rk_input *input, double *m) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        m[i] = input->mean ? input->mean[i] : 0;
}

typedef struct row_pairs {
    size_t n;
    const double *a, *b;
    double *out;
} row_pairs;

RK_HOT static void dot_rows(void *context, size_t first, size_t last) {
    const row_pairs *p = context;
    for (size_t i = first; i < last; i++)
        p->out[i] = rk_dot(p->n, p->a + i * p->n, p->b + i * p->n);
}

static void add(rk_work *work, size_t n, const double *x, const double *y, double *sum) {
    if (!rk_work_charge(work, y ? n : 0)) return;
    for (size_t i = 0; i < n; i++)
        sum[i] = x[i] + (y ? y[i] : 0);
}

void rk_affine_mean(rk_work *work, const rk_layer *layer, const double *m, double *mu) {
    if (layer->weight)
        rk_gemv(work, layer->rows, layer->cols, layer->weight, m, layer->bias, mu);
    else
        add(work, layer->rows, m, layer->bias, mu);
}

static void copy_covariance(rk_work *work, size_t n, const double *C, double *Z) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            Z[i * n + j] = C ? C[i * n + j] : i == j;
}

void rk_affine_covariance(rk_work *work, const rk_layer *layer, const double *C, double *scratch,
                          double *Z) {
    if (layer->weight)
        rk_congruence(work, layer->rows, layer->cols, layer->weight, C, scratch, Z);
    else
        copy_covariance(work, layer->rows, C, Z);
}

void rk_variances(rk_work *work, const rk_layer *layer, const double *C, double *scratch,
                  double *var) {
    size_t m = layer->rows, n = layer->cols;
    if (!layer->weight) {
        rk_diagonal(work, n, C, var);
        return;
    }
    const double *WC = layer->weight;
    if (C) {
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 1, layer->weight, n, C, n, 0, scratch, n);
        WC = scratch;
    }
    row_pairs p = {n, WC, layer->weight, var};
    if (rk_work_charge(work, 2 * (uint64_t)m * n)) rk_sweep(work->pool, m, n, dot_rows, &p);
}

void rk_diagonal(rk_work *work, size_t n, const double *C, double *diagonal) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        diagonal[i] = C ? C[i * n + i] : 1;
}

double rk_inverse_width(rk_work *work, size_t n, const double *C) {
    double trace = 0, square = 0;
    row_pairs whole = {n * n, C, C, &square};
    if (!rk_work_charge(work, 2 * (uint64_t)n * n)) return 0;
    for (size_t i = 0; i < n; i++)
        trace += C[i * n + i];
    dot_rows(&whole, 0, 1);
    return square / (trace * trace);
}

double rk_average(rk_work *work, size_t n, const double *x) {
    if (!rk_work_charge(work, n)) return 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

void rk_deliver(rk_work *work, size_t count, const double *result, double *out) {
    if (out && rk_work_charge(work, 0)) memcpy(out, result, count * sizeof *out);
}

void rk_deliver_ordered(rk_work *work, size_t n, const size_t *order, const double *x,
                        double *out) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        out[order[i]] = x[i];
}

void rk_deliver_scaled(rk_work *work, size_t n, double scale, const double *x, double *out) {
    if (!rk_work_charge(work, n)) return;
    for (size_t i = 0; i < n; i++)
        out[i] = scale * x[i];
}

typedef struct rescaling {
    size_t n;
    double lost;
    const double *mean;
    double *var, *C;
} rescaling;

static void rescale_rows(void *context, size_t first, size_t last) {
    const rescaling *x = context;
    const double *mean = x->mean;
    for (size_t i = first; i < last; i++) {
        x->var[i] += x->lost * mean[i] * mean[i];
        for (size_t j = 0; x->C && j < x->n; j++)
            x->C[i * x->n + j] += x->lost * mean[i] * mean[j];
    }
}

void rk_rescale(rk_work *work, size_t n, double r, double *mean, double *var, double *C) {
    if (!rk_work_charge(work, 4 * (uint64_t)n + (C ? 3 * (uint64_t)n * n : 0))) return;
    rescaling x = {n, 1 - r * r, mean, var, C};
    rk_sweep(work->pool, n, C ? n : 1, rescale_rows, &x);
    for (size_t i = 0; i < n; i++)
        mean[i] *= r;
}

void rk_deliver_variance(rk_work *work, const rk_layer *layer, double average,
                         rk_outputs *outputs) {
    rk_variances(work, layer, NULL, NULL, outputs->variance);
    rk_deliver_scaled(work, layer->rows, average, outputs->variance, outputs->variance);
}
