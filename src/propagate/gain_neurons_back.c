#include "base/simd.h"
#include "base/sum.h"
#include "propagate/gain_state.h"

#include <math.h>

enum {
    TERMS = RK_GAIN_TERMS,
    BLOCK_ROWS = RK_GAIN_ROWS,
    CHUNK = RK_GAIN_CHUNK,
    MORE = RK_GAIN_MORE
};

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

void rk_gain_series_back(rk_gain_state *s) {
    const size_t n = s->layer[0].n;
    series_back p = {&s->layer[0], &s->coupling, &s->bar};
    begin_series(s->work, &p);
    if (rk_work_charge(s->work, (uint64_t)n * n * (5 * TERMS + 3)))
        rk_pool_run(s->work->pool, rk_pool_blocks(n, BLOCK_ROWS), gain_series_rows, &p);
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

void rk_gain_pairs_back(rk_gain_state *s, size_t n) {
    pairs_back p = {
        .h = &s->layer[0], .c = &s->coupling, .bar = &s->bar, .inverse_sd = s->inverse_sd};
    if (rk_work_charge(s->work, (uint64_t)n * n * (14 * TERMS + 8)))
        rk_pool_run(s->work->pool, rk_pool_blocks(n, BLOCK_ROWS), gain_pair_rows, &p);
}

/* ---------------------------------------------------------------------------- single neurons */

void rk_gain_neurons_back(rk_gain_state *s, size_t n, const double *y_var, const double *var,
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
