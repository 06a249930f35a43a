#include "third/tilt_back.h"

#include "base/simd.h"
#include "base/sum.h"

enum { ROWS = 16 };

/* Sums over the rows of matrices that the rows' threads make. */
enum { X_R, X_M, TE_G, TE_M, TE_CP, TILTED_CP, TILTED_B, N_SUMS };

typedef struct tilting_back {
    size_t n;
    const rk_neurons *neurons;
    const double *C;
    const rk_tilt *tilt, *bar;
    double *C_bar;
    rk_neurons *neurons_bar;
    rk_tilt_numbers at, at_bar; /* theta's adjoint is in at_bar, and so on */
    double *sums[N_SUMS];       /* n each */
} tilting_back;

/* Of the core: core = t less a part of its sum is a symmetric map, its own twin. te_cp and cp_cp of
 * `bar` become the adjoints of these sums. */
static void core_back(tilting_back *x) {
    const rk_tilt *tilt = x->tilt, *bar = x->bar;
    const rk_tilt_numbers *at = &x->at;
    size_t n = x->n;
    double v = at->v, trCp_bar = 0, trTe_bar = 0;
    rk_core_of_traces(n, bar->core);
    for (size_t i = 0; i < n; i++) {
        double t = bar->core[i], d = tilt->d[i], de = tilt->de[i];
        double others = at->trCp - d, de_others = at->trTe - de;
        x->neurons_bar->k4[i] += t;
        x->neurons_bar->k22[i] += t;
        bar->d[i] = t * (24 * v * d - 12 * de - 2 * (de_others - de) + 4 * v * (others - d));
        bar->de[i] = -t * (12 * d + 2 * (others - d));
        bar->te_cp[i] = -8 * t;
        bar->cp_cp[i] = 8 * v * t;
        trCp_bar += t * (4 * v * d - 2 * de);
        trTe_bar -= 2 * t * d;
        x->at_bar.v += t * (12 * d * d + 4 * (d * others + 2 * tilt->cp_cp[i]));
    }
    for (size_t i = 0; i < n; i++) {
        bar->d[i] += trCp_bar;
        bar->de[i] += trTe_bar;
    }
}

/* Adjoints of the tilted covariance become those of the projected one, both symmetric. */
RK_HOT static void tilt_back_rows(void *context, size_t block) {
    const tilting_back *x = context;
    const rk_tilt *tilt = x->tilt;
    const double *m = x->neurons->m, *r = tilt->r, *g = tilt->g, *b = tilt->b;
    const double *u = x->bar->te_cp, *w = x->bar->cp_cp;
    const rk_tilt_numbers *at = &x->at;
    double theta = at->theta, square = theta * theta;
    size_t n = x->n, first = block * ROWS, last = n - first < ROWS ? n : first + ROWS;
    for (size_t i = first; i < last; i++) {
        double sums[N_SUMS] = {0}, *C_bar = x->C_bar + i * n;
        for (size_t j = 0; j < n; j++) {
            double cp = x->C[i * n + j] + m[i] * r[j] + r[i] * m[j], tilted = C_bar[j];
            double te = theta * (at->tau * cp - theta * (m[i] * g[j] + g[i] * m[j]) +
                                 square * at->sigma * m[i] * m[j]);
            double both = i == j ? 0 : 0.5 * (u[i] + u[j]), twice = i == j ? 0 : w[i] + w[j];
            double te_bar = both * cp - tilted;
            double cp_bar =
                (1 + at->v) * tilted + both * te + twice * cp + theta * at->tau * te_bar;
            sums[X_R] += cp_bar * r[j];
            sums[X_M] += cp_bar * m[j];
            sums[TE_G] += te_bar * g[j];
            sums[TE_M] += te_bar * m[j];
            sums[TE_CP] += te_bar * cp;
            sums[TILTED_CP] += tilted * cp;
            sums[TILTED_B] += tilted * b[j];
            C_bar[j] = cp_bar;
        }
        for (size_t k = 0; k < N_SUMS; k++)
            x->sums[k][i] = sums[k];
    }
}

/* To the vectors that the rows read; `diagonal` is that of the adjoint of the tilted covariance. */
static void rows_to_vectors(tilting_back *x, const double *diagonal) {
    const rk_tilt *tilt = x->tilt, *bar = x->bar;
    const double *m = x->neurons->m;
    double theta = x->at.theta, square = theta * theta, cube = square * theta;
    rk_tilt_numbers *to = &x->at_bar;
    for (size_t i = 0; i < x->n; i++) {
        double *const *s = x->sums;
        x->neurons_bar->m[i] +=
            2 * s[X_R][i] - 2 * square * s[TE_G][i] + 2 * cube * x->at.sigma * s[TE_M][i];
        bar->r[i] = 2 * s[X_M][i];
        bar->g[i] = -2 * square * s[TE_M][i];
        bar->b[i] = 4 * s[TILTED_B][i];
        bar->delta[i] = -theta * diagonal[i];
        to->v += s[TILTED_CP][i];
        to->tau += theta * s[TE_CP][i];
        to->sigma += cube * m[i] * s[TE_M][i];
        to->theta += x->at.tau * s[TE_CP][i] - 4 * theta * m[i] * s[TE_G][i] +
                     3 * square * x->at.sigma * m[i] * s[TE_M][i] - tilt->delta[i] * diagonal[i];
    }
}

/* set_theta backwards, and what the tilt says of itself. */
static void vectors_back(tilting_back *x) {
    const rk_tilt *tilt = x->tilt, *bar = x->bar;
    const double *m = x->neurons->m, *q = x->neurons->q, *c = tilt->c;
    const rk_tilt_numbers *at = &x->at;
    rk_tilt_numbers *to = &x->at_bar;
    rk_neurons *neurons = x->neurons_bar;
    double theta = at->theta, square = theta * theta, cube = square * theta, along = *bar->along_C;
    to->v += 2 * along;
    to->tau -= 2 * theta * along;
    to->theta -= 2 * at->tau * along;
    to->theta += *bar->gain * (2 - 2 * theta) * at->qCq;
    to->qCq += *bar->gain * (2 * theta - square);
    for (size_t i = 0; i < x->n; i++) {
        double m2 = m[i] * m[i], de = bar->de[i], d = bar->d[i] + theta * at->tau * de;
        double r = bar->r[i] + 2 * m[i] * d, b = bar->b[i];
        bar->delta[i] += theta * de - 2 * theta * bar->excess[i];
        bar->g[i] -= 2 * square * m[i] * de;
        bar->c[i] = -theta * r + theta * b - 6 * theta * bar->feed[i];
        neurons->m[i] += de * (2 * cube * at->sigma * m[i] - 2 * square * tilt->g[i]) +
                         2 * tilt->r[i] * d + square * at->qCq * (0.5 * r - b);
        neurons->var[i] += d;
        neurons->q[i] += theta * bar->a[i];
        to->tau += theta * de * tilt->d[i];
        to->sigma += cube * m2 * de;
        to->qCq += square * m[i] * (0.5 * r - b);
        to->theta += de * (at->tau * tilt->d[i] + tilt->delta[i] - 4 * theta * m[i] * tilt->g[i] +
                           3 * square * at->sigma * m2) +
                     r * (theta * at->qCq * m[i] - c[i]) + b * (c[i] - 2 * theta * at->qCq * m[i]) -
                     6 * c[i] * bar->feed[i] - 2 * tilt->delta[i] * bar->excess[i] +
                     q[i] * bar->a[i];
    }
    to->qCq += square * to->v;
    to->theta += 2 * theta * at->qCq * to->v;
}

/* To what theta was chosen by. */
static void theta_back(tilting_back *x) {
    const rk_tilt_numbers *at = &x->at;
    const rk_neurons *neurons = x->neurons;
    if (at->kind == RK_THETA_GIVEN) return;
    size_t n = x->n;
    const double *m = neurons->m, *c = x->tilt->c, *g = x->tilt->g;
    rk_tilt_trace trace = rk_tilt_trace_of(n, neurons, x->tilt, at);
    rk_tilt_trace bar =
        rk_tilt_theta_back(&trace, at->theta, at->kind == RK_THETA_ROOT, x->at_bar.theta);
    double cc = bar.cc + at->tau * bar.ct, mc = bar.mc + at->tau * bar.mt;
    rk_tilt_numbers *to = &x->at_bar;
    to->trT += bar.trT;
    to->trC += bar.trC;
    to->qCq += bar.qCq;
    to->CC += bar.CC + at->tau * bar.TC;
    to->tau += at->CC * bar.TC + trace.cc * bar.ct + trace.mc * bar.mt;
    to->mm += rk_dot(n, c, c) * cc + rk_dot(n, c, g) * bar.ct;
    for (size_t i = 0; i < n; i++) {
        rk_neurons *to_neurons = x->neurons_bar;
        to_neurons->k4[i] += bar.fourth;
        to_neurons->k22[i] += bar.fourth;
        to_neurons->var[i] += x->tilt->delta[i] * bar.TC;
        to_neurons->m[i] += c[i] * mc + g[i] * bar.mt + 2 * m[i] * to->mm;
        x->bar->delta[i] += neurons->var[i] * bar.TC;
        x->bar->c[i] += at->mm * (2 * c[i] * cc + g[i] * bar.ct) + m[i] * mc;
        x->bar->g[i] += at->mm * c[i] * bar.ct + m[i] * bar.mt;
    }
}

/* To the cumulants of h along q. */
static void cumulants_back(tilting_back *x) {
    const rk_neurons *neurons = x->neurons;
    const rk_tilt *tilt = x->tilt, *bar = x->bar;
    const rk_tilt_numbers *at = &x->at;
    rk_tilt_numbers *to = &x->at_bar;
    rk_neurons *to_neurons = x->neurons_bar;
    size_t n = x->n;
    for (size_t i = 0; i < n; i++) {
        bar->g[i] += to->sigma * neurons->q[i];
        bar->delta[i] += bar->g[i] * neurons->q[i];
        to_neurons->q[i] += to->sigma * tilt->g[i] + bar->g[i] * tilt->delta[i];
        to_neurons->var[i] -= at->tau * bar->delta[i];
        to->tau -= bar->delta[i] * neurons->var[i];
    }
    double trT = to->trT, trC = to->trC;
    if (at->trC > 0) {
        trT += to->tau / at->trC;
        trC -= to->tau * at->tau / at->trC;
    }
    for (size_t i = 0; i < n; i++) {
        double along = bar->delta[i] + trT;
        to_neurons->var[i] += trC;
        to_neurons->k3[i] += neurons->q[i] * along;
        to_neurons->k21_q[i] += along;
        to_neurons->q[i] += neurons->k3[i] * along + tilt->c[i] * to->qCq;
        bar->c[i] += neurons->q[i] * to->qCq;
    }
}

/* c = C q and |C|^2. */
RK_HOT static void tilt_read_back_rows(void *context, size_t block) {
    const tilting_back *x = context;
    const double *q = x->neurons->q, *c_bar = x->bar->c;
    size_t n = x->n, first = block * ROWS, last = n - first < ROWS ? n : first + ROWS;
    for (size_t i = first; i < last; i++) {
        const double *C = x->C + i * n;
        double *C_bar = x->C_bar + i * n;
        RK_INDEPENDENT
        for (size_t j = 0; j < n; j++)
            C_bar[j] += 0.5 * (c_bar[i] * q[j] + q[i] * c_bar[j]) + 2 * x->at_bar.CC * C[j];
        x->neurons_bar->q[i] += rk_dot(n, C, c_bar);
    }
}

void rk_tilt_back(rk_work *work, size_t n, const rk_neurons *neurons, const double *C,
                  const rk_tilt *tilt, const rk_tilt *bar, double *C_bar, rk_neurons *neurons_bar) {
    const size_t mark = rk_work_mark(work), n_blocks = rk_pool_blocks(n, ROWS);
    double *sums = rk_work_doubles(work, N_SUMS + 1, n), *diagonal = sums + N_SUMS * n;
    if (rk_work_charge(work, 60 * (uint64_t)n * n)) {
        tilting_back x = {.n = n,
                          .neurons = neurons,
                          .C = C,
                          .tilt = tilt,
                          .bar = bar,
                          .C_bar = C_bar,
                          .neurons_bar = neurons_bar,
                          .at = *tilt->numbers};
        for (size_t k = 0; k < N_SUMS; k++)
            x.sums[k] = sums + k * n;
        for (size_t i = 0; i < n; i++)
            diagonal[i] = C_bar[i * n + i];
        core_back(&x);
        rk_pool_run(work->pool, n_blocks, tilt_back_rows, &x);
        rows_to_vectors(&x, diagonal);
        vectors_back(&x);
        theta_back(&x);
        cumulants_back(&x);
        rk_pool_run(work->pool, n_blocks, tilt_read_back_rows, &x);
    }
    rk_work_release(work, mark);
}
