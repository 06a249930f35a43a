#include "propagate/back.h"

#include "base/simd.h"
#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"

#include <string.h>

void rk_swap(double **x, double **y) {
    double *keep = *x;
    *x = *y;
    *y = keep;
}

void rk_set(rk_work *work, size_t count, const double *x, double *to) {
    if (!rk_work_charge(work, 0)) return;
    if (x)
        memcpy(to, x, count * sizeof *to);
    else
        memset(to, 0, count * sizeof *to);
}

void rk_add_strided(rk_work *work, size_t n, double scale, const double *x, size_t stride,
                    double *to) {
    if (!x || !to || !rk_work_charge(work, 2 * (uint64_t)n)) return;
    for (size_t i = 0; i < n; i++)
        to[i * stride] += scale * x[i];
}

/* dW += x y', x and y of as many entries as W has rows and columns. */
static void add_outer(rk_work *work, size_t m, size_t n, const double *x, const double *y,
                      double *dW) {
    rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, 1, 1, x, 1, y, n, 1, dW, n);
}

void rk_affine_mean_back(rk_work *work, const rk_layer *layer, const double *m,
                         const double *mu_bar, double *m_bar, double *dW, double *db) {
    const size_t rows = layer->rows, cols = layer->cols;
    rk_add_strided(work, rows, 1, mu_bar, 1, db);
    if (dW && m) add_outer(work, rows, cols, mu_bar, m, dW);
    if (!m_bar) return;
    if (layer->weight)
        rk_gemm(work, RK_TRANS, RK_NO_TRANS, cols, 1, rows, 1, layer->weight, cols, mu_bar, 1, 0,
                m_bar, 1);
    else
        rk_set(work, cols, mu_bar, m_bar);
}

typedef struct row_scaling {
    size_t n;
    const double *d, *W;
    double *out;
} row_scaling;

static void scale_rows(void *context, size_t first, size_t last) {
    const row_scaling *x = context;
    for (size_t i = first; i < last; i++)
        for (size_t j = 0; j < x->n; j++)
            x->out[i * x->n + j] = x->d[i] * x->W[i * x->n + j];
}

/* Z_bar W. */
static void pull(rk_work *work, const rk_layer *layer, rk_second z_bar, double *product) {
    const size_t m = layer->rows, n = layer->cols;
    if (z_bar.pairs) {
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, m, 1, z_bar.x, m, layer->weight, n, 0,
                product, n);
        return;
    }
    row_scaling x = {n, z_bar.x, layer->weight, product};
    if (rk_work_charge(work, (uint64_t)m * n)) rk_sweep(work->pool, m, n, scale_rows, &x);
}

typedef struct doubling {
    const double *x;
    double *sum;
    size_t n;
} doubling;

static void add_twice_rows(void *context, size_t first, size_t last) {
    const doubling *d = context;
    for (size_t k = first * d->n; k < last * d->n; k++)
        d->sum[k] += 2 * d->x[k];
}

/* C_bar (n x n) = W' P, which is symmetric. */
static void push(rk_work *work, const rk_layer *layer, const double *product, double *C_bar) {
    const size_t m = layer->rows, n = layer->cols;
    rk_gemm_symmetric(work, RK_TRANS, RK_NO_TRANS, n, m, 1, layer->weight, n, product, n, 0, C_bar,
                      n);
}

static void copy_second(rk_work *work, size_t n, rk_second bar, double *C_bar) {
    if (bar.pairs) {
        rk_set(work, n * n, bar.x, C_bar);
        return;
    }
    rk_set(work, n * n, NULL, C_bar);
    rk_add_strided(work, n, 1, bar.x, n + 1, C_bar);
}

void rk_affine_covariance_back(rk_work *work, const rk_layer *layer, const double *C,
                               rk_second z_bar, double *product, double *C_bar, double *dW) {
    const size_t m = layer->rows, n = layer->cols;
    if (!layer->weight) {
        if (C_bar) copy_second(work, n, z_bar, C_bar);
        return;
    }
    if (!C_bar && !dW) return;
    pull(work, layer, z_bar, product);
    if (C_bar) push(work, layer, product, C_bar);
    if (!dW) return;
    if (C) {
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 2, product, n, C, n, 1, dW, n);
        return;
    }
    doubling d = {product, dW, n};
    if (rk_work_charge(work, 2 * (uint64_t)m * n)) rk_sweep(work->pool, m, n, add_twice_rows, &d);
}

void rk_wick_moments_back(rk_work *work, size_t n, int k_max, const double *w, const double *m_bar,
                          const double *var_bar, size_t stride, double *mu_bar, double *z_bar) {
    if (!rk_work_charge(work, 10 * (uint64_t)n)) return;
    const double *w01 = w + rk_wick_at(n, k_max, 0, 1), *w11 = w + rk_wick_at(n, k_max, 1, 1);
    const double *w21 = w + rk_wick_at(n, k_max, 2, 1), *w12 = w + rk_wick_at(n, k_max, 1, 2);
    const double *w22 = w + rk_wick_at(n, k_max, 2, 2);
    for (size_t i = 0; i < n; i++) {
        const double v = var_bar ? var_bar[i * stride] : 0;
        mu_bar[i] = m_bar[i] * w11[i] + v * (w12[i] - 2 * w01[i] * w11[i]);
        z_bar[i * stride] = 0.5 * (m_bar[i] * w21[i] + v * (w22[i] - 2 * w01[i] * w21[i]));
    }
}

typedef struct rescaling {
    size_t n;
    double r;
    const double *mean;
    rk_second bar;
    double *mean_bar;
} rescaling;

RK_HOT static void rescale_mean_rows(void *context, size_t first, size_t last) {
    const rescaling *x = context;
    const double lost = 2 * (1 - x->r * x->r) / x->r; /* mean is r times what it was made of */
    for (size_t i = first; i < last; i++) {
        double sum = !x->bar.x      ? 0
                     : x->bar.pairs ? rk_dot(x->n, x->bar.x + i * x->n, x->mean)
                                    : x->bar.x[i] * x->mean[i];
        x->mean_bar[i] = x->r * x->mean_bar[i] + lost * sum;
    }
}

void rk_rescale_back(rk_work *work, size_t n, double r, const double *mean, rk_second bar,
                     double *mean_bar) {
    if (!rk_work_charge(work, 4 * (uint64_t)n + (bar.pairs ? 2 * (uint64_t)n * n : 0))) return;
    rescaling x = {n, r, mean, bar, mean_bar};
    rk_sweep(work->pool, n, bar.pairs ? n : 1, rescale_mean_rows, &x);
}

rk_bars rk_bars_take(rk_work *work, const rk_network *net, bool input_covariance) {
    size_t product = 0, width = rk_network_max_width(net);
    size_t second = input_covariance ? width : rk_network_max_rows(net);
    for (size_t l = 0; l < net->n_layers; l++)
        if (net->layers[l].rows * net->layers[l].cols > product)
            product = net->layers[l].rows * net->layers[l].cols;
    return (rk_bars){.mean = rk_work_doubles(work, width, 1),
                     .mean_next = rk_work_doubles(work, width, 1),
                     .second = rk_work_doubles(work, second, second),
                     .second_next = rk_work_doubles(work, second, second),
                     .product = rk_work_doubles(work, product, 1)};
}

size_t rk_bars_stride(const rk_bars *bar, size_t n) {
    return bar->pairs ? n + 1 : 1;
}

rk_second rk_bars_second(const rk_bars *bar) {
    return (rk_second){bar->any ? bar->second : NULL, bar->pairs};
}

void rk_bars_begin(rk_work *work, size_t n, const rk_cotangent *f, rk_bars *bar) {
    bar->pairs = f->covariance != NULL;
    bar->any = bar->pairs || f->variance;
    rk_set(work, n, f->mean, bar->mean);
    if (!bar->any) return;
    rk_set(work, bar->pairs ? n * n : n, f->covariance, bar->second);
    rk_add_strided(work, n, 1, f->variance, rk_bars_stride(bar, n), bar->second);
}

void rk_bars_step(rk_bars *bar) {
    rk_swap(&bar->mean, &bar->mean_next);
    rk_swap(&bar->second, &bar->second_next);
}

void rk_bars_end(rk_work *work, size_t n_in, const rk_bars *bar, const rk_adjoint *to) {
    rk_add_strided(work, n_in, 1, bar->mean, 1, to->input_mean);
    if (bar->any) rk_add_strided(work, n_in * n_in, 1, bar->second, 1, to->input_covariance);
}
