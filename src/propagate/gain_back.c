#include "propagate/gain_state.h"

#include "base/simd.h"
#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"

#include <math.h>

enum { TERMS = RK_GAIN_TERMS, BLOCK_ROWS = RK_GAIN_ROWS, CHUNK = RK_GAIN_CHUNK, MORE = 2 };

/* d E G / d gamma, G chi-distributed: log E G = log Gamma(k + 1/2) - log Gamma(k) - log(k) / 2, k =
 * 1/gamma, whose derivative cancels where k is large and has the series there. */
static double gain_slope(double gamma, double gain) {
    static const double series[] = {1. / 8, -1. / 64, 1. / 128, -17. / 2048, 31. / 2048};
    static const double far = 12;
    if (!(gamma > 1e-12)) return 0;
    double k = 1 / gamma, by_k = 0, tail = 0;
    double shifted = k;
    for (; shifted < far; shifted++)
        by_k += 1 / shifted - 1 / (shifted + 0.5);
    for (size_t t = sizeof series / sizeof *series; t-- > 0;)
        tail = (tail + series[t]) / (shifted * shifted);
    by_k += tail + 0.5 / shifted - 0.5 / k;
    return -k * k * gain * by_k;
}

/* ------------------------------------------------------------------- a common scale, and z = W h
 */

/* x . y; 0 in the dry run. */
static double dot(rk_work *work, size_t n, const double *x, const double *y) {
    return rk_work_charge(work, 2 * (uint64_t)n) ? rk_dot(n, x, y) : 0;
}

/* Of rk_rescale by r of a law of this mean: adjoints of the mean in place; the second moments' are
 * what they were. Returns the adjoint of r. */
static double rescale_back(rk_gain_state *s, size_t n, double r, const double *mean) {
    rk_bars *bar = &s->bar.h;
    double *x = s->bar.x, r_bar = dot(s->work, n, mean, bar->mean);
    if (!bar->any)
        rk_set(s->work, n, NULL, x);
    else if (bar->pairs)
        rk_gemv(s->work, n, n, bar->second, mean, NULL, x);
    if (!rk_work_charge(s->work, 4 * (uint64_t)n)) return 0;
    for (size_t i = 0; i < n; i++) {
        if (bar->any && !bar->pairs) x[i] = bar->second[i] * mean[i];
        bar->mean[i] = r * bar->mean[i] + 2 * (1 - r * r) * x[i];
    }
    return r_bar - 2 * r * rk_dot(n, mean, x);
}

typedef struct couples_back {
    const rk_layer *layer;
    const double *w, *q;
    const rk_gain_coupling *bar;
    double *w_bar, *var_bar, *dW; /* dW may be NULL */
    size_t stride;
} couples_back;

/* Of the coupling: W, w and, through q = var + w^2, var and w. */
static void couple_rows(void *context, size_t first, size_t last) {
    const couples_back *x = context;
    const rk_gain_coupling *bar = x->bar;
    const size_t n = x->layer->cols;
    for (size_t i = first; i < last; i++) {
        const double *row = x->layer->weight + i * n;
        double inverse = x->q[i] > 0 ? 1 / x->q[i] : 0, ratio = x->w[i] * inverse;
        double by_mean = 0, by_q = 0;
        for (size_t j = 0; j < n; j++) {
            double W = row[j], square = W * W * inverse;
            by_mean += bar->t[j] * W;
            by_q += (bar->u[j] + 2 * bar->v[j] * square) * square;
            if (x->dW)
                x->dW[i * n + j] +=
                    2 * W * inverse * (bar->u[j] + 2 * bar->v[j] * square) + bar->t[j] * ratio;
        }
        const double q_bar = -inverse * (by_q + by_mean * ratio);
        x->w_bar[i] += by_mean * inverse + 2 * x->w[i] * q_bar;
        x->var_bar[i * x->stride] += q_bar;
    }
}

/* ---------------------------------------------------------------- what all pairs come to, its twin
 */

typedef struct series_back {
    const rk_gain_layer *h;
    const rk_gain_coupling *c;
    rk_gain_adjoints *bar;
} series_back;

/* uB and tA, and the terms of single neurons. */
static void begin_series(rk_work *work, const series_back *p) {
    const rk_gain_layer *h = p->h;
    const rk_gain_coupling *c = p->c, *c_bar = &p->bar->c;
    const size_t n = h->n;
    const double series = p->bar->series;
    if (!rk_work_charge(work, (uint64_t)n * (2 * TERMS + 14))) return;
    for (size_t k = 1; k <= TERMS; k++)
        for (size_t j = 0; j < n; j++) {
            p->bar->uB[k * n + j] = c->u[j] * h->B[k * n + j];
            p->bar->tA[k * n + j] = c->t[j] * h->A[k * n + j];
        }
    for (size_t j = 0; j < n; j++) {
        const double u = c->u[j], t = c->t[j];
        p->bar->k3[j] = series * 4 * u * t;
        p->bar->k4[j] = series * (u * u - c->v[j]);
        c_bar->u[j] = series * (2 * h->k4[j] * u + 4 * h->k3[j] * t);
        c_bar->v[j] = -series * h->k4[j];
        c_bar->t[j] = series * 4 * h->k3[j] * u;
    }
}

/* With P_k = R^k (u B_k), Q_k = R^k (t A_k): adjoints of u B_k are 2 P_k + 4 Q_k, of t A_k 4 P_k.
 */
RK_HOT static void gain_series_rows(void *context, size_t block) {
    const series_back *p = context;
    const rk_gain_layer *h = p->h;
    const rk_gain_adjoints *bar = p->bar;
    const size_t n = h->n, first = block * BLOCK_ROWS;
    const size_t last = first + BLOCK_ROWS < n ? first + BLOCK_ROWS : n;
    const double series = bar->series;
    double power[CHUNK], term[CHUNK];
    for (size_t i = first; i < last; i++) {
        double P[TERMS + 1] = {0}, Q[TERMS + 1] = {0}, squares = 0;
        for (size_t start = 0; start < n; start += CHUNK) {
            const size_t count = n - start < CHUNK ? n - start : CHUNK;
            const double *restrict R = h->R + i * n + start, *restrict C = h->C + i * n + start;
            for (size_t j = 0; j < count; j++) {
                power[j] = 1;
                term[j] = p->c->u[start + j] * C[j] * C[j];
            }
            if (start <= i && i < start + count) term[i - start] = 0;
            squares += rk_sum(count, term);
            for (size_t k = 1; k <= TERMS; k++) {
                for (size_t j = 0; j < count; j++)
                    power[j] *= R[j];
                P[k] += rk_dot(count, power, bar->uB + k * n + start);
                Q[k] += rk_dot(count, power, bar->tA + k * n + start);
            }
        }
        double u_bar = -4 * squares, t_bar = 0;
        for (size_t k = 1; k <= TERMS; k++) {
            const size_t at = k * n + i;
            const double by_uB = 2 * P[k] + 4 * Q[k], by_tA = 4 * P[k];
            bar->B[at] = series * p->c->u[i] * by_uB;
            bar->A[at] = series * p->c->t[i] * by_tA;
            u_bar += by_uB * h->B[at];
            t_bar += by_tA * h->A[at];
        }
        bar->c.u[i] += series * u_bar;
        bar->c.t[i] += series * t_bar;
    }
}

/* ------------------------------------------------------------------------------ pairs of neurons
 */

typedef struct pairs_back {
    const rk_gain_layer *h;
    const rk_gain_coupling *c;
    const rk_gain_adjoints *bar;
    const double *inverse_sd;
} pairs_back;

/* C_bar, with what the series takes of C, and the series' own by R become the adjoint of Z; A's
 * takes 2 sum_j C_bar_ij A_kj R_ij^k. */
RK_HOT static void gain_pair_rows(void *context, size_t block) {
    const pairs_back *p = context;
    const rk_gain_layer *h = p->h;
    const rk_gain_adjoints *bar = p->bar;
    const size_t n = h->n, first = block * BLOCK_ROWS;
    const size_t last = first + BLOCK_ROWS < n ? first + BLOCK_ROWS : n;
    const double series = bar->series;
    double power[CHUNK], C_bar[CHUNK], R_bar[CHUNK], term[CHUNK];
    for (size_t i = first; i < last; i++) {
        double G[TERMS + 1] = {0}, turned = 0, *row = bar->h.second + i * n;
        const double inverse = p->inverse_sd[i];
        for (size_t start = 0; start < n; start += CHUNK) {
            const size_t count = n - start < CHUNK ? n - start : CHUNK;
            const double *restrict R = h->R + i * n + start, *restrict C = h->C + i * n + start;
            const double mine = series != 0 ? -4 * series * p->c->u[i] : 0;
            for (size_t j = 0; j < count; j++) {
                power[j] = 1;
                R_bar[j] = 0;
                C_bar[j] = row[start + j];
                if (series != 0) C_bar[j] += mine * p->c->u[start + j] * C[j];
            }
            if (start <= i && i < start + count) C_bar[i - start] = 0;
            for (size_t k = 1; k <= TERMS; k++) {
                const double *restrict A = h->A + k * n + start;
                const double *restrict uB = bar->uB + k * n + start;
                const double *restrict tA = bar->tA + k * n + start;
                const double own_A = h->A[k * n + i], own = (double)k * series;
                const double by_uB = own * (bar->uB[k * n + i] + 2 * bar->tA[k * n + i]);
                const double by_tA = own * 2 * bar->uB[k * n + i], by_A = (double)k * own_A;
                for (size_t j = 0; j < count; j++) {
                    R_bar[j] += power[j] * (by_A * A[j] * C_bar[j] + by_uB * uB[j] + by_tA * tA[j]);
                    power[j] *= R[j];
                    term[j] = power[j] * C_bar[j];
                }
                G[k] += rk_dot(count, term, A);
            }
            for (size_t j = 0; j < count; j++) /* nothing moves a correlation that was cut to 1 */
                if (!(fabs(R[j]) < 1)) R_bar[j] = 0;
            if (start <= i && i < start + count) R_bar[i - start] = 0;
            turned += rk_dot(count, R_bar, R);
            for (size_t j = 0; j < count; j++)
                row[start + j] = R_bar[j] * inverse * p->inverse_sd[start + j];
        }
        row[i] = -turned * inverse * inverse;
        for (size_t k = 1; k <= TERMS; k++)
            bar->A[k * n + i] += 2 * G[k];
    }
}

/* ---------------------------------------------------------------------------- single neurons */

/* From the adjoints of mean, variance (`var`), cumulants and coefficients to those of y's mean and
 * variance, which is added to. */
static void neurons_back(rk_gain_state *s, size_t n, const double *y_var, const double *var,
                         double *mu_bar, double *var_bar, size_t stride) {
    const rk_gain_layer *h = &s->layer[0];
    const rk_gain_adjoints *bar = &s->bar;
    const double *w = s->wick, *high = s->powers;
    if (!rk_work_charge(s->work, (uint64_t)n * (16 * TERMS + 60))) return;
    for (size_t i = 0; i < n; i++) {
        const double sd = sqrt(fmax(0, y_var[i])), k3 = bar->k3[i], k4 = bar->k4[i];
        const double m = high[rk_wick_at(n, MORE, 0, 1) + i],
                     E2 = high[rk_wick_at(n, MORE, 0, 2) + i];
        const double E3 = high[rk_wick_at(n, MORE, 0, 3) + i], v = fmax(0, E2 - m * m);
        const double by_v = (var ? var[i] : 0) - 6 * v * k4;
        double by_E[] = {bar->h.mean[i] - 2 * m * by_v + k3 * (6 * m * m - 3 * E2) +
                             k4 * (12 * m * E2 - 4 * E3 - 12 * m * m * m),
                         by_v - 3 * m * k3 + 6 * m * m * k4, k3 - 4 * m * k4, k4};
        double by_mu = 0, by_var = 0, scale = 1;
        for (int k = 1; k <= TERMS; k++) {
            const size_t at = (size_t)k * n + i;
            scale *= sd / sqrt((double)k);
            const double B = bar->B[at], A = bar->A[at] - 2 * m * B;
            const double *wA = w + rk_wick_at(n, TERMS + MORE, k, 1) + i;
            const double *wB = w + rk_wick_at(n, TERMS + MORE, k, 2) + i;
            by_E[0] -= 2 * B * h->A[at];
            by_mu += scale * (A * wA[n] + B * wB[n]);
            by_var += 0.5 * scale * (A * wA[2 * n] + B * wB[2 * n]);
            if (y_var[i] > 0) by_var += 0.5 * k / y_var[i] * scale * (A * wA[0] + B * wB[0]);
        }
        for (int p = 1; p <= 4; p++) {
            by_mu += by_E[p - 1] * high[rk_wick_at(n, MORE, 1, p) + i];
            by_var += 0.5 * by_E[p - 1] * high[rk_wick_at(n, MORE, 2, p) + i];
        }
        mu_bar[i] = by_mu;
        if (!(y_var[i] < 0))
            var_bar[i * stride] += by_var; /* which counts as none, whatever it is */
    }
}

/* ------------------------------------------------------------------------------------- the steps
 */

/* What layer l made, anew from its y, with the derivatives of its coefficients. */
static void remember(rk_gain_state *s, size_t l) {
    const rk_stage stage = rk_chain_stage(s->chain, l);
    const rk_gain_record r = rk_gain_record_of(s, l);
    const size_t n = stage.layer->rows;
    const bool full = stage.need != RK_NEED_MEAN;
    if (full) rk_set(s->work, n * n, r.Z, s->layer[0].R);
    rk_set(s->work, n, r.var, s->var);
    rk_gain_activate(s, &stage.layer->activation, n, r.mu, s->var, full, MORE, &s->layer[0]);
}

/* No layer above takes a gain. */
static void clear_series(rk_gain_state *s, size_t n) {
    rk_gain_adjoints *bar = &s->bar;
    double *none[] = {bar->A, bar->B, bar->uB, bar->tA};
    bar->series = 0;
    for (size_t k = 0; k < sizeof none / sizeof *none; k++)
        rk_set(s->work, n * (TERMS + 1), NULL, none[k]);
    rk_set(s->work, n, NULL, bar->k3);
    rk_set(s->work, n, NULL, bar->k4);
}

static double number(rk_work *work, const double *x) {
    return rk_work_charge(work, 0) ? *x : 1;
}

static void begin_back(void *context, const rk_stage *stage, const rk_cotangent *f) {
    rk_gain_state *s = context;
    const size_t n = stage->layer->rows;
    const rk_gain_record r = rk_gain_record_of(s, stage->l);
    s->bar.f = f;
    s->bar.gamma = 0;
    rk_bars_begin(s->work, n, f, &s->bar.h);
    if (stage->activated) remember(s, stage->l);
    clear_series(s, n);
    s->bar.gain =
        rescale_back(s, n, number(s->work, r.gain), stage->activated ? s->layer[0].mean : r.mu);
}

static rk_back_view back_view(void *context, const rk_stage *stage) {
    rk_gain_state *s = context;
    const rk_bars *bar = &s->bar.h;
    return (rk_back_view){.mean = bar->mean,
                          .var = rk_bars_second(bar).x ? bar->second : NULL,
                          .stride = rk_bars_stride(bar, stage->layer->rows),
                          .scale = number(s->work, rk_gain_record_of(s, stage->l).gain)};
}

static void activate_back(void *context, const rk_stage *stage) {
    rk_gain_state *s = context;
    rk_gain_adjoints *bar = &s->bar;
    rk_bars *h_bar = &bar->h;
    const size_t n = stage->layer->rows;
    const rk_gain_record r = rk_gain_record_of(s, stage->l);
    if (!stage->last && bar->f->hidden_mean && bar->f->hidden_mean[stage->l])
        bar->gain += dot(s->work, n, bar->f->hidden_mean[stage->l], s->layer[0].mean);
    if (h_bar->pairs)
        rk_diagonal(s->work, n, h_bar->second, bar->x);
    else
        rk_set(s->work, n, h_bar->any ? h_bar->second : NULL, bar->x);
    pairs_back p = {.h = &s->layer[0], .c = &s->coupling, .bar = bar, .inverse_sd = s->inverse_sd};
    if (!h_bar->pairs)
        rk_set(s->work, n, NULL, h_bar->second);
    else if (rk_work_charge(s->work, (uint64_t)n * n * (14 * TERMS + 8)))
        rk_pool_run(s->work->pool, rk_pool_blocks(n, BLOCK_ROWS), gain_pair_rows, &p);
    neurons_back(s, n, r.var, bar->x, h_bar->mean_next, h_bar->second, rk_bars_stride(h_bar, n));
    h_bar->any = true;
    double *mean = h_bar->mean;
    h_bar->mean = h_bar->mean_next;
    h_bar->mean_next = mean;
}

/* The gain this layer takes: adjoints of y become those of z = G y, and what the gain says of the
 * activations below is left in s->bar for them. */
static void gain_back(rk_gain_state *s, const rk_stage *stage, double *dW) {
    rk_gain_adjoints *bar = &s->bar;
    const rk_layer *layer = stage->layer;
    const size_t m = layer->rows, n = layer->cols;
    const rk_gain_record r = rk_gain_record_of(s, stage->l);
    const double gain = number(s->work, r.gain);
    const double before = number(s->work, rk_gain_record_of(s, stage->l - 1).gain);
    rk_set(s->work, m, r.mu, s->mu);
    rk_set(s->work, m, r.var, s->var);
    rk_rescale(s->work, m, gain / before, s->mu, s->var, NULL);
    const double r_bar = rescale_back(s, m, before / gain, s->mu);
    bar->gamma +=
        (bar->gain - r_bar * before / (gain * gain)) * gain_slope(number(s->work, r.gamma), gain);
    bar->gain = r_bar / gain;
    bar->series = bar->gamma / ((double)m * ((double)m - 1));
    rk_gain_couple(s, layer, s->mu, s->var);
    series_back p = {&s->layer[0], &s->coupling, bar};
    begin_series(s->work, &p);
    if (rk_work_charge(s->work, (uint64_t)n * n * (5 * TERMS + 3)))
        rk_pool_run(s->work->pool, rk_pool_blocks(n, BLOCK_ROWS), gain_series_rows, &p);
    couples_back c = {.layer = layer,
                      .w = s->mu,
                      .q = s->q,
                      .bar = &bar->c,
                      .w_bar = bar->h.mean,
                      .var_bar = bar->h.second,
                      .dW = dW,
                      .stride = rk_bars_stride(&bar->h, m)};
    if (rk_work_charge(s->work, 20 * (uint64_t)m * n))
        rk_sweep(s->work->pool, m, n, couple_rows, &c);
}

static void affine_back(void *context, const rk_stage *stage, const rk_adjoint *to) {
    rk_gain_state *s = context;
    rk_bars *bar = &s->bar.h;
    const rk_layer *layer = stage->layer;
    const size_t l = stage->l;
    const rk_input *input = s->chain->input;
    const bool all = l > 0 || to->input_covariance;
    double *dW = to->weight ? to->weight[l] : NULL, *db = to->bias ? to->bias[l] : NULL;
    const double *m = l ? s->layer[0].mean : input->mean ? s->m_in : NULL;
    const double *C = l ? s->layer[0].C : input->covariance;
    if (l > 0) remember(s, l - 1);
    if (rk_gain_takes(stage))
        gain_back(s, stage, dW);
    else
        clear_series(s, l ? layer->cols : 0);
    rk_affine_mean_back(s->work, layer, m, bar->mean, bar->mean_next, dW, l ? NULL : db);
    if (l > 0 && stage->last) rk_add_strided(s->work, layer->rows, 1, s->bar.f->mean, 1, db);
    if (bar->any)
        rk_affine_covariance_back(s->work, layer, C, rk_bars_second(bar), bar->product,
                                  all ? bar->second_next : NULL, dW);
    rk_bars_step(bar);
    bar->pairs = bar->any;
}

static void end_back(void *context, const rk_adjoint *to) {
    const rk_gain_state *s = context;
    rk_bars_end(s->work, rk_network_n_in(&s->chain->net), &s->bar.h, to);
}

const rk_law_back rk_gain_back = {.begin = begin_back,
                                  .activate = activate_back,
                                  .affine = affine_back,
                                  .end = end_back,
                                  .view = back_view};
