#include "propagate/gain.h"

#include "base/gamma.h"
#include "base/simd.h"
#include "base/sum.h"
#include "linalg/blas.h"
#include "propagate/expansion.h"

#include <math.h>

/* Terms of the Hermite series in the correlation; 14 reach float32. */
enum { TERMS = 14, BLOCK_ROWS = 32, CHUNK = 256 };

/* What is known of one layer's activations h = phi(y), y Gaussian, given gain 1. */
typedef struct law {
    size_t n;
    double *mean, *var; /* n */
    double *C;          /* n x n covariance of h */
    double *R;          /* n x n correlation of y, zero diagonal */
    double *A;          /* [TERMS + 1][n] Hermite coefficients of h, over sqrt(j!) */
    double *B;          /* [TERMS + 1][n] those of (h - E h)^2 */
    double *k3, *k4;    /* n cumulants of h */
} law;

static law take_law(rk_work *work, size_t width) {
    law h = {.mean = rk_work_doubles(work, width, 1),
             .var = rk_work_doubles(work, width, 1),
             .C = rk_work_doubles(work, width, width),
             .R = rk_work_doubles(work, width, width),
             .A = rk_work_doubles(work, TERMS + 1, width),
             .B = rk_work_doubles(work, TERMS + 1, width),
             .k3 = rk_work_doubles(work, width, 1),
             .k4 = rk_work_doubles(work, width, 1)};
    return h;
}

/* How the squares z_i^2 / q_i of the next layer co-vary, summed over i: per-neuron weights
 * u = sum_i W_i^2 / q_i, v = sum_i W_i^4 / q_i^2, t = sum_i W_i w_i / q_i. */
typedef struct coupling {
    double *u, *v, *t;
} coupling;

static void couple(rk_work *work, const rk_layer *layer, const double *w, const double *q,
                   coupling *c) {
    size_t m = layer->rows, n = layer->cols;
    if (!rk_work_charge(work, 8 * (uint64_t)m * n)) return;
    for (size_t j = 0; j < n; j++)
        c->u[j] = c->v[j] = c->t[j] = 0;
    for (size_t i = 0; i < m; i++) {
        const double *row = layer->weight + i * n;
        double inverse = q[i] > 0 ? 1 / q[i] : 0, ratio = w[i] * inverse;
        for (size_t j = 0; j < n; j++) {
            double square = row[j] * row[j] * inverse;
            c->u[j] += square;
            c->v[j] += square * square;
            c->t[j] += row[j] * ratio;
        }
    }
}

/* Sum of Cov(z_i^2, z_j^2) / (q_i q_j) over pairs i != j of the next layer, z = W h: the part of it
 * that means a common gain (docs/MATH.md#gain). */
typedef struct pairs {
    const law *h;
    const coupling *c;
    double *partial; /* one a block */
} pairs;

/* The sum over k of u B_k,i sum_j R_ij^k (u B_k,j + 4 t A_k,j): columns [start, start + count). */
RK_HOT_PART double series(const pairs *p, size_t i, size_t start, size_t count) {
    const law *h = p->h;
    const double *restrict R = h->R + i * h->n + start;
    const double *restrict u = p->c->u + start, *restrict t = p->c->t + start;
    double power[CHUNK], part[8] = {0}, sum = 0;
    for (size_t j = 0; j < count; j++)
        power[j] = 1;
    for (size_t k = 1; k <= TERMS; k++) {
        const double *restrict A = h->A + k * h->n + start, *restrict B = h->B + k * h->n + start;
        size_t j = 0;
        for (size_t lane = 0; lane < 8; lane++)
            part[lane] = 0;
        for (; j + 8 <= count; j += 8)
            for (size_t lane = j; lane < j + 8; lane++) {
                power[lane] *= R[lane];
                part[lane - j] += power[lane] * (u[lane] * B[lane] + 4 * t[lane] * A[lane]);
            }
        for (; j < count; j++) {
            power[j] *= R[j];
            part[0] += power[j] * (u[j] * B[j] + 4 * t[j] * A[j]);
        }
        sum += h->B[k * h->n + i] * rk_sum(8, part);
    }
    return p->c->u[i] * sum;
}

RK_HOT static void sum_pairs(void *context, size_t block) {
    const pairs *p = context;
    size_t n = p->h->n, first = block * BLOCK_ROWS;
    size_t last = first + BLOCK_ROWS < n ? first + BLOCK_ROWS : n;
    const double *restrict u = p->c->u;
    double sum = 0, term[CHUNK];
    for (size_t i = first; i < last; i++) {
        const double *restrict C = p->h->C + i * n;
        for (size_t start = 0; start < n; start += CHUNK) {
            size_t count = n - start < CHUNK ? n - start : CHUNK;
            for (size_t j = 0; j < count; j++)
                term[j] = u[start + j] * C[start + j] * C[start + j];
            if (start <= i && i < start + count) term[i - start] = 0;
            sum += series(p, i, start, count) - 2 * u[i] * rk_sum(count, term);
        }
    }
    p->partial[block] = sum;
}

static double spread_of_gain(rk_work *work, const law *h, const coupling *c) {
    size_t n = h->n, n_blocks = rk_pool_blocks(n, BLOCK_ROWS), mark = rk_work_mark(work);
    pairs p = {h, c, rk_work_doubles(work, n_blocks, 1)};
    double total = 0;
    if (rk_work_charge(work, (uint64_t)n * n * (4 + 6 * TERMS))) {
        rk_pool_run(work->pool, n_blocks, sum_pairs, &p);
        for (size_t b = 0; b < n_blocks; b++)
            total += p.partial[b];
        for (size_t j = 0; j < n; j++)
            total += h->k4[j] * (c->u[j] * c->u[j] - c->v[j]) + 4 * h->k3[j] * c->u[j] * c->t[j];
    }
    rk_work_release(work, mark);
    return total;
}

/* E G for a chi-distributed gain with E G^2 = 1, Var G^2 = gamma. */
static double mean_gain(double gamma) {
    if (!(gamma > 1e-12)) return 1;
    double k = 1 / gamma;
    return exp(rk_log_gamma(k + 0.5) - rk_log_gamma(k) - 0.5 * log(k));
}

/* q = E z^2 given gain 1, z of mean w. */
static void second_moments(rk_work *work, size_t n, const double *var, const double *w, double *q) {
    if (!rk_work_charge(work, 2 * n)) return;
    for (size_t i = 0; i < n; i++)
        q[i] = var[i] + w[i] * w[i];
}

/* A_j, B_j over sqrt(j!) and the cumulants of one layer from its Wick coefficients. */
static void expand(rk_work *work, size_t n, const double *var, const double *centre,
                   const double *w, const double *high, law *h) {
    h->n = n;
    if (!rk_work_charge(work, (uint64_t)n * (6 * TERMS + 30))) return;
    const double *E1 = high, *E2 = high + n, *E3 = high + 2 * n, *E4 = high + 3 * n;
    for (size_t i = 0; i < n; i++) {
        double m = E1[i], v = fmax(0, E2[i] - m * m);
        h->mean[i] = centre[i] + m;
        h->var[i] = v;
        h->k3[i] = E3[i] - 3 * m * E2[i] + 2 * m * m * m;
        h->k4[i] = E4[i] - 4 * m * E3[i] + 6 * m * m * E2[i] - 3 * m * m * m * m - 3 * v * v;
    }
    for (size_t i = 0; i < n; i++) {
        double scale = 1, sd = sqrt(var[i]);
        for (int j = 1; j <= TERMS; j++) {
            size_t at = (size_t)j * n + i;
            scale *= sd / sqrt((double)j);
            h->A[at] = scale * w[rk_wick_at(n, TERMS, j, 1) + i];
            h->B[at] = scale * w[rk_wick_at(n, TERMS, j, 2) + i] - 2 * E1[i] * h->A[at];
        }
    }
}

/* C = exact covariance of phi of Gaussian pairs of covariance Z, which becomes the correlation R.
 */
typedef struct bivariate {
    law *h;
    const double *inverse_sd; /* of y; 0 where there is no variance */
} bivariate;

RK_HOT static void bivariate_rows(void *context, size_t block) {
    const bivariate *b = context;
    const law *h = b->h;
    size_t n = h->n, first = block * BLOCK_ROWS;
    size_t last = first + BLOCK_ROWS < n ? first + BLOCK_ROWS : n;
    for (size_t i = first; i < last; i++) {
        double *restrict R = h->R + i * n, *restrict C = h->C + i * n;
        double inverse = b->inverse_sd[i];
        for (size_t j = 0; j < n; j++) {
            double rho = R[j] * inverse * b->inverse_sd[j];
            R[j] = rho < -1 ? -1 : rho > 1 ? 1 : rho;
            C[j] = 0;
        }
        R[i] = 0;
        for (size_t k = TERMS; k >= 1; k--) {
            const double *restrict A = h->A + k * n;
            double own = A[i];
            for (size_t j = 0; j < n; j++)
                C[j] = (C[j] + own * A[j]) * R[j];
        }
        C[i] = h->var[i];
    }
}

static void invert(rk_work *work, size_t n, const double *var, double *inverse_sd) {
    if (!rk_work_charge(work, 2 * n)) return;
    for (size_t i = 0; i < n; i++)
        inverse_sd[i] = var[i] > 0 ? 1 / sqrt(var[i]) : 0;
}

/* The law of h = phi(y), y of mean mu and variances var; its covariance only if `full`, from that
 * of y in h->R. */
static void activate(rk_work *work, const rk_layer *layer, const double *mu, double *var, bool full,
                     law *h, rk_expansion *e, rk_outputs *outputs) {
    size_t n = layer->rows, mark = rk_work_mark(work);
    double *w = rk_work_doubles(work, 2 * (TERMS + 1), n), *powers = rk_work_doubles(work, 4, n);
    double *centre = rk_work_doubles(work, n, 1);
    rk_wick_step(work, &layer->activation, n, mu, var, TERMS, 2, centre, w);
    rk_wick_step(work, &layer->activation, n, mu, var, 0, 4, centre, powers);
    expand(work, n, var, centre, w, powers, h);
    rk_expansion_activate(work, layer, w, TERMS, 2, centre, mu, var, h->var, e, outputs);
    double *inverse_sd = rk_work_doubles(work, n, 1);
    invert(work, n, var, inverse_sd);
    bivariate b = {h, inverse_sd};
    if (full && rk_work_charge(work, (uint64_t)n * n * (3 * TERMS + 4)))
        rk_pool_run(work->pool, rk_pool_blocks(n, BLOCK_ROWS), bivariate_rows, &b);
    rk_work_release(work, mark);
}

static void add(rk_work *work, size_t n, const double *bias, double *mean) {
    if (!bias || !rk_work_charge(work, n)) return;
    for (size_t i = 0; i < n; i++)
        mean[i] += bias[i];
}

/* A[1] is the slope in units of the deviation. */
static void look_ahead(rk_work *work, const rk_layer *layer, const double *C, const double *var,
                       const law *h, rk_expansion *e) {
    size_t n = layer->rows, mark = rk_work_mark(work);
    double *slope = rk_work_doubles(work, n, 1);
    invert(work, n, var, slope);
    bool wet = rk_work_charge(work, n);
    for (size_t i = 0; wet && i < n; i++)
        slope[i] *= h->A[n + i];
    rk_expansion_look_ahead(work, layer, NULL, layer + 1, C, slope, var, h->var, e);
    rk_work_release(work, mark);
}

void rk_propagate_gain(rk_work *work, const rk_network *net, const rk_input *input,
                       rk_outputs *outputs) {
    size_t width = rk_network_max_rows(net), n_layers = net->n_layers;
    law laws[2] = {take_law(work, width), take_law(work, width)};
    double *scratch = rk_congruence_scratch(work, net, input);
    double *m_in = rk_work_doubles(work, rk_network_n_in(net), 1);
    double *mu = rk_work_doubles(work, width, 1), *var = rk_work_doubles(work, width, 1);
    double *q = rk_work_doubles(work, width, 1);
    coupling c = {rk_work_doubles(work, width, 1), rk_work_doubles(work, width, 1),
                  rk_work_doubles(work, width, 1)};
    size_t n_activated = rk_network_is_activated(net, n_layers - 1) ? n_layers : n_layers - 1;
    double gamma = 0, gain = 1; /* Var G^2 and E G of the activations so far */
    const double *C = input->covariance;
    rk_expansion e = rk_expansion_start(work, rk_network_n_in(net), input);
    rk_input_mean(work, rk_network_n_in(net), input, m_in);
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        law *h = &laws[l % 2], *next = &laws[(l + 1) % 2];
        size_t n = layer->rows;
        bool last = l + 1 == n_layers, activated = rk_network_is_activated(net, l);
        bool full = outputs->covariance || l + 1 < n_activated;
        if (!rk_work_step(work, "layer %zu: gain", l + 1)) return;
        rk_gemv(work, n, layer->cols, layer->weight, l ? h->mean : m_in, l ? NULL : layer->bias,
                mu);
        if (full) {
            rk_congruence(work, n, layer->cols, layer->weight, C, scratch, next->R);
            rk_diagonal(work, n, next->R, var);
        } else if (activated) {
            rk_variances(work, layer, C, scratch, var);
        }
        if (l > 0) rk_expansion_close(work, l - 1, layer, !activated, &e, C, var, outputs);
        if (activated) {
            if (l > 0 && n > 1) { /* the input is Gaussian and has no gain */
                second_moments(work, n, var, mu, q);
                couple(work, layer, mu, q, &c);
                gamma += spread_of_gain(work, h, &c) / ((double)n * ((double)n - 1));
                double before = gain;
                gain = mean_gain(gamma);
                rk_rescale(work, n, before / gain, mu, var, full ? next->R : NULL);
            }
            rk_expansion_linear(work, layer, &e, outputs);
            activate(work, layer, mu, var, full, next, &e, outputs);
            if (!full && !last) look_ahead(work, layer, C, var, next, &e);
        }
        if (last) {
            double *mean = activated ? next->mean : mu;
            double *variance = activated ? next->var : var;
            double *covariance = activated ? next->C : next->R;
            if (activated || full)
                rk_deliver(work, n, variance, outputs->variance);
            else
                rk_deliver_variance(work, layer, l ? e.variance : 1, outputs);
            rk_rescale(work, n, gain, mean, outputs->variance, full ? covariance : NULL);
            if (l > 0) add(work, n, layer->bias, mean);
            rk_deliver(work, n, mean, outputs->mean);
            rk_deliver(work, n * n, covariance, outputs->covariance);
        } else if (outputs->hidden_mean) {
            rk_deliver_scaled(work, n, gain, next->mean, outputs->hidden_mean[l]);
        }
        C = next->C;
    }
    rk_work_end(work);
}
