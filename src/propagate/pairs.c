#include "propagate/pairs.h"

#include "base/simd.h"
#include "base/sum.h"

#include <math.h>
#include <string.h>

enum { CHUNK = RK_ORTHANT_MOST };

/* ------------------------------------------------------------------------------------ the block */

typedef struct block {
    const rk_pairs_side *a, *b;
    size_t terms;
    double kinks; /* 4 times the product of both sides'; 0: no pair has any */
    rk_orthant_rules rules;
    double *C;
    /* the way back */
    const double *Z;
    rk_pairs_adjoint *a_bar;
    double *partial;             /* [blocks][sums][b->n] for b_bar; NULL in a square block */
    size_t sums, rows;           /* a task's */
    const rk_pairs_tangent *dot; /* changes */
} block;

static block start(const rk_pairs_spec *spec, const rk_pairs_side *a, const rk_pairs_side *b,
                   double *C) {
    block k = {.a = a, .b = b, .terms = rk_pairs_terms(spec), .C = C};
    if (spec->closure == RK_PAIRS_EXACT)
        k.kinks = 4 * rk_pairs_kink(a->activation) * rk_pairs_kink(b->activation);
    if (k.kinks != 0) k.rules = rk_orthant_rules_make();
    k.sums = k.terms + (spec->closure == RK_PAIRS_EXACT ? 2 : 0);
    size_t entries = k.kinks != 0 ? 1 << 11 : 1 << 14; /* ten microseconds or more */
    for (k.rows = 32; k.rows * b->n < entries && k.rows < a->n;)
        k.rows *= 2;
    return k;
}

RK_HOT_PART void correlate(const block *k, size_t i, size_t first, size_t count,
                           const double *restrict Z, double *restrict rho) {
    const double *restrict inverse = k->b->inverse_sd + first;
    double own = k->a->inverse_sd[i];
    for (size_t j = 0; j < count; j++) {
        double r = Z[j] * (own * inverse[j]);
        rho[j] = r < -1 ? -1 : r > 1 ? 1 : r;
    }
}

/* C_ij, columns [first, first + count), becomes C_ij times the series in rho. */
RK_HOT static void pairs_series(const block *k, size_t i, size_t first, size_t count,
                                const double *restrict rho, double *restrict C) {
    const double *own = k->a->g + i;
    double sum[CHUNK];
    for (size_t t = k->terms; t-- > 0;) {
        const double *restrict g = k->b->g + t * k->b->n + first;
        double g_i = own[t * k->a->n];
        if (t + 1 == k->terms)
            for (size_t j = 0; j < count; j++)
                sum[j] = g_i * g[j];
        else
            for (size_t j = 0; j < count; j++)
                sum[j] = sum[j] * rho[j] + g_i * g[j];
    }
    for (size_t j = 0; j < count; j++)
        C[j] *= sum[j];
}

static void activate_block(void *context, size_t index) {
    const block *k = context;
    size_t n = k->b->n, from = index * k->rows;
    size_t to = from + k->rows < k->a->n ? from + k->rows : k->a->n;
    double rho[CHUNK], N[CHUNK], M[CHUNK];
    for (size_t i = from; i < to; i++) {
        double *C = k->C + i * n;
        for (size_t first = 0; first < n; first += CHUNK) {
            size_t count = n - first < CHUNK ? n - first : CHUNK;
            if (k->terms > 1 || k->kinks != 0) correlate(k, i, first, count, C + first, rho);
            pairs_series(k, i, first, count, rho, C + first);
            if (k->kinks == 0) continue;
            rk_orthant_excess(&k->rules, &k->a->at, i, &k->b->at, first, count, rho, N, M);
            for (size_t j = 0; j < count; j++)
                C[first + j] += k->kinks * (k->a->sd[i] * k->b->sd[first + j] * M[j]);
        }
        if (k->a == k->b) C[i] = k->a->var_h[i];
    }
}

static uint64_t count_flops(const rk_pairs_spec *spec, const block *k) {
    uint64_t entries = (uint64_t)k->a->n * k->b->n;
    if (spec->closure == RK_PAIRS_COMPLETED) return entries * (4 * k->terms + 2);
    return entries * (k->kinks != 0 ? 200 : 2);
}

void rk_pairs_activate(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *a,
                       const rk_pairs_side *b, double *C) {
    block k = start(spec, a, b, C);
    if (rk_work_charge(work, count_flops(spec, &k)))
        rk_pool_run(work->pool, rk_pool_blocks(a->n, k.rows), activate_block, &k);
}

/* --------------------------------------------------------------------------------- the way back */

/* Sum `s` of an adjoint: its terms, then what kinks take. */
static double *sum_of(const block *k, const rk_pairs_adjoint *bar, size_t n, size_t s) {
    if (s < k->terms) return bar->g + s * n;
    return s == k->terms ? bar->mu : bar->var;
}

/* Columns [first, first + count) of row i: C_bar becomes Z_bar, sums over the row are added to
 * own[terms] and over the column, unless NULL, to other + t n. */
RK_HOT static void pairs_series_back(const block *k, size_t i, size_t first, size_t count,
                                     const double *restrict rho, const double *restrict Z,
                                     double *restrict C_bar, double *own, double *other) {
    double moved[CHUNK], slope[CHUNK], power[CHUNK];
    for (size_t j = 0; j < count; j++) {
        moved[j] = C_bar[j] * Z[j];
        slope[j] = 0;
        power[j] = 1;
    }
    for (size_t t = 0; t < k->terms; t++) {
        const double *restrict g = k->b->g + t * k->b->n + first;
        double g_i = k->a->g[t * k->a->n + i], factor = (double)(t + 1) * g_i;
        own[t] += rk_dot(count, moved, g);
        if (other) {
            double *restrict sum = other + t * k->b->n + first;
            for (size_t j = 0; j < count; j++)
                sum[j] += moved[j] * g_i;
        }
        for (size_t j = 0; j < count; j++)
            slope[j] += factor * g[j] * power[j];
        if (t + 1 == k->terms) break;
        for (size_t j = 0; j < count; j++) {
            power[j] *= rho[j];
            moved[j] *= rho[j];
        }
    }
    for (size_t j = 0; j < count; j++)
        C_bar[j] *= slope[j];
}

/* The same of what kinks add, with `bar` the adjoint of the covariances: Z_bar takes N, the sides'
 * means and variances the changes of M. */
RK_HOT static void pairs_kinks_back(const block *k, size_t i, size_t first, size_t count,
                                    const double *restrict rho, const double *restrict bar,
                                    double *restrict Z_bar, double *own, double *other) {
    const rk_pairs_side *a = k->a, *b = k->b;
    const double *restrict sd = b->sd + first, *restrict inverse = b->inverse_sd + first;
    double N[CHUNK], M[CHUNK], mean[CHUNK], spread[CHUNK];
    rk_orthant_changes c;
    rk_orthant_excess(&k->rules, &a->at, i, &b->at, first, count, rho, N, M);
    rk_orthant_change(&a->at, i, &b->at, first, count, rho, N, &c);
    for (size_t j = 0; j < count; j++) {
        double kinks = k->kinks * bar[j];
        Z_bar[j] += kinks * N[j];
        mean[j] = kinks * sd[j] * c.dh[j];
        spread[j] = kinks * sd[j] * c.heat_h[j];
    }
    own[k->terms] += rk_sum(count, mean);
    own[k->terms + 1] += 0.5 * a->inverse_sd[i] * rk_sum(count, spread);
    if (!other) return;
    double *restrict sum_mu = other + k->terms * b->n + first, *restrict sum_var = sum_mu + b->n;
    for (size_t j = 0; j < count; j++) {
        double kinks = k->kinks * bar[j] * a->sd[i];
        sum_mu[j] += kinks * c.dk[j];
        sum_var[j] += 0.5 * kinks * inverse[j] * c.heat_k[j];
    }
}

static void activate_block_back(void *context, size_t index) {
    const block *k = context;
    bool square = k->a == k->b;
    size_t n = k->b->n, from = index * k->rows;
    size_t to = from + k->rows < k->a->n ? from + k->rows : k->a->n;
    double *other = k->partial ? k->partial + index * k->sums * n : NULL;
    double rho[CHUNK], bar[CHUNK];
    if (other) memset(other, 0, k->sums * n * sizeof *other);
    for (size_t i = from; i < to; i++) {
        double *C_bar = k->C + i * n, own[RK_PAIRS_MAX_TERMS + 2] = {0};
        const double *Z = k->Z + i * n;
        if (square) {
            k->a_bar->var_h[i] += C_bar[i];
            C_bar[i] = 0;
        }
        for (size_t first = 0; first < n; first += CHUNK) {
            size_t count = n - first < CHUNK ? n - first : CHUNK;
            correlate(k, i, first, count, Z + first, rho);
            if (k->kinks != 0) memcpy(bar, C_bar + first, count * sizeof *bar);
            pairs_series_back(k, i, first, count, rho, Z + first, C_bar + first, own, other);
            if (k->kinks != 0)
                pairs_kinks_back(k, i, first, count, rho, bar, C_bar + first, own, other);
        }
        for (size_t s = 0; s < k->sums; s++) /* a neuron of a square block is on both sides */
            sum_of(k, k->a_bar, k->a->n, s)[i] += (square ? 2 : 1) * own[s];
    }
}

void rk_pairs_activate_back(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *a,
                            const rk_pairs_side *b, const double *Z, double *C_bar,
                            rk_pairs_adjoint *a_bar, rk_pairs_adjoint *b_bar) {
    block k = start(spec, a, b, C_bar);
    size_t n_blocks = rk_pool_blocks(a->n, k.rows), mark = rk_work_mark(work);
    k.Z = Z;
    k.a_bar = a_bar;
    if (a != b && b_bar) k.partial = rk_work_doubles(work, n_blocks * k.sums, b->n);
    if (rk_work_charge(work, 3 * count_flops(spec, &k))) {
        rk_pool_run(work->pool, n_blocks, activate_block_back, &k);
        for (size_t s = 0; k.partial && s < k.sums; s++) {
            double *sum = sum_of(&k, b_bar, b->n, s);
            for (size_t index = 0; index < n_blocks; index++)
                for (size_t j = 0; j < b->n; j++)
                    sum[j] += k.partial[(index * k.sums + s) * b->n + j];
        }
    }
    rk_work_release(work, mark);
}

/* ------------------------------------------------------------------------------------ and changes
 */

/* Columns [first, first + count) of row i, of series and kinks: C_dot, of Z, becomes that of the
 * activations' covariances. */
RK_HOT static void pairs_series_forward(const block *k, size_t i, size_t first, size_t count,
                                        const double *restrict rho, const double *restrict Z,
                                        double *restrict C_dot) {
    const size_t n = k->b->n;
    double slope[CHUNK], moved[CHUNK], power[CHUNK];
    for (size_t j = 0; j < count; j++) {
        slope[j] = moved[j] = 0;
        power[j] = 1;
    }
    for (size_t t = 0; t < k->terms; t++) {
        const double *restrict g = k->b->g + t * n + first, *restrict dg =
                                                                k->dot->g + t * n + first;
        const double g_i = k->a->g[t * n + i], dg_i = k->dot->g[t * n + i];
        for (size_t j = 0; j < count; j++) {
            slope[j] += (double)(t + 1) * (g_i * g[j]) * power[j];
            moved[j] += (dg_i * g[j] + g_i * dg[j]) * power[j];
            power[j] *= rho[j];
        }
    }
    for (size_t j = 0; j < count; j++)
        C_dot[j] = slope[j] * C_dot[j] + moved[j] * Z[j];
}

RK_HOT static void pairs_kinks_forward(const block *k, size_t i, size_t first, size_t count,
                                       const double *restrict rho, const double *restrict Z_dot,
                                       double *restrict C_dot) {
    const rk_pairs_side *a = k->a, *b = k->b;
    const double *restrict sd = b->sd + first, *restrict inverse = b->inverse_sd + first;
    const double *restrict mu = k->dot->mu + first, *restrict var = k->dot->var + first;
    const double mu_i = k->dot->mu[i], half_i = 0.5 * a->inverse_sd[i] * k->dot->var[i];
    double N[CHUNK], M[CHUNK];
    rk_orthant_changes c;
    rk_orthant_excess(&k->rules, &a->at, i, &b->at, first, count, rho, N, M);
    rk_orthant_change(&a->at, i, &b->at, first, count, rho, N, &c);
    for (size_t j = 0; j < count; j++) {
        const double half_j = 0.5 * inverse[j] * var[j];
        const double by_i = sd[j] * (c.dh[j] * mu_i + c.heat_h[j] * half_i);
        const double by_j = a->sd[i] * (c.dk[j] * mu[j] + c.heat_k[j] * half_j);
        C_dot[j] += k->kinks * (N[j] * Z_dot[j] + (by_i + by_j));
    }
}

static void activate_block_forward(void *context, size_t index) {
    const block *k = context;
    size_t n = k->b->n, from = index * k->rows;
    size_t to = from + k->rows < n ? from + k->rows : n;
    double rho[CHUNK], Z_dot[CHUNK];
    for (size_t i = from; i < to; i++) {
        double *C_dot = k->C + i * n;
        const double *Z = k->Z + i * n;
        for (size_t first = 0; first < n; first += CHUNK) {
            size_t count = n - first < CHUNK ? n - first : CHUNK;
            correlate(k, i, first, count, Z + first, rho);
            if (k->kinks != 0) memcpy(Z_dot, C_dot + first, count * sizeof *Z_dot);
            pairs_series_forward(k, i, first, count, rho, Z + first, C_dot + first);
            if (k->kinks != 0) pairs_kinks_forward(k, i, first, count, rho, Z_dot, C_dot + first);
        }
        C_dot[i] = k->dot->var_h[i];
    }
}

void rk_pairs_activate_forward(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *side,
                               const rk_pairs_tangent *dot, const double *Z, double *C_dot) {
    block k = start(spec, side, side, C_dot);
    k.Z = Z;
    k.dot = dot;
    if (rk_work_charge(work, 3 * count_flops(spec, &k)))
        rk_pool_run(work->pool, rk_pool_blocks(side->n, k.rows), activate_block_forward, &k);
}
