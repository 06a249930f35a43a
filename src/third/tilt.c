#include "third/tilt.h"

#include "base/simd.h"
#include "base/sum.h"

#include <math.h>
#include <string.h>

enum { ROWS = 16, CHUNK = 256 };

rk_tilt rk_tilt_take(rk_work *work, size_t width, bool entire) {
    rk_tilt tilt = {
        .entire = entire,
        .a = rk_work_doubles(work, width, 1),
        .feed = rk_work_doubles(work, width, 1),
        .core = rk_work_doubles(work, width, 1),
        .gain = rk_work_doubles(work, 1, 1),
        .along_C = rk_work_doubles(work, 1, 1),
        .excess = rk_work_doubles(work, width, 1),
        .numbers = rk_work_take(work, 1, sizeof *tilt.numbers),
    };
    double **const vectors[] = {&tilt.c, &tilt.delta, &tilt.g,     &tilt.r,    &tilt.b,
                                &tilt.d, &tilt.de,    &tilt.te_cp, &tilt.cp_cp};
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        *vectors[k] = rk_work_doubles(work, width, 1);
    return tilt;
}

static double dot(size_t n, const double *x, const double *y) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* The law before the tilt, and what of the tilted law is a number at the present theta. */
typedef struct tilting {
    size_t n;
    const rk_neurons *neurons;
    rk_tilt *tilt;
    double *C;
    rk_tilt_numbers at;
} tilting;

/* c = C q, and the squares of the rows of C. */
RK_HOT static void tilt_read_rows(void *context, size_t block) {
    const tilting *x = context;
    const double *q = x->neurons->q;
    size_t n = x->n, first = block * ROWS, last = n - first < ROWS ? n : first + ROWS;
    double product[CHUNK], square[CHUNK];
    for (size_t i = first; i < last; i++) {
        double c = 0, squares = 0;
        for (size_t j = 0; j < n; j += CHUNK) {
            size_t count = n - j < CHUNK ? n - j : CHUNK;
            const double *C = x->C + i * n + j;
            RK_INDEPENDENT
            for (size_t k = 0; k < count; k++) {
                product[k] = C[k] * q[j + k];
                square[k] = C[k] * C[k];
            }
            c += rk_sum(count, product);
            squares += rk_sum(count, square);
        }
        x->tilt->c[i] = c;
        x->tilt->cp_cp[i] = squares;
    }
}

/* Of the projected covariance Cp and third cumulant along a, Te: the row sums that the core asks
 * for; and the tilted covariance. */
RK_HOT static void tilt_rows(void *context, size_t block) {
    const tilting *x = context;
    const rk_tilt *tilt = x->tilt;
    const double *m = x->neurons->m, *r = tilt->r, *g = tilt->g, *b = tilt->b;
    double theta = x->at.theta, v = x->at.v, tau = x->at.tau, square = theta * theta;
    size_t n = x->n, first = block * ROWS, last = n - first < ROWS ? n : first + ROWS;
    double cp[CHUNK], te[CHUNK], tilted[CHUNK];
    for (size_t i = first; i < last; i++) {
        double te_cp = 0, cp_cp = 0;
        for (size_t from = 0; from < n; from += CHUNK) {
            size_t count = n - from < CHUNK ? n - from : CHUNK;
            double *C = x->C + i * n + from;
            RK_INDEPENDENT
            for (size_t k = 0; k < count; k++) {
                size_t j = from + k;
                cp[k] = C[k] + m[i] * r[j] + r[i] * m[j];
                te[k] = theta * (tau * cp[k] - theta * (m[i] * g[j] + g[i] * m[j]) +
                                 square * x->at.sigma * m[i] * m[j]);
                tilted[k] = (1 + v) * cp[k] - te[k] + 2 * b[i] * b[j];
            }
            if (from <= i && i < from + count) {
                tilted[i - from] -= theta * tilt->delta[i];
                cp[i - from] = 0;
            }
            RK_INDEPENDENT
            for (size_t k = 0; k < count; k++) {
                te[k] *= cp[k];
                cp[k] *= cp[k];
            }
            te_cp += rk_sum(count, te);
            cp_cp += rk_sum(count, cp);
            memcpy(C, tilted, count * sizeof *C);
        }
        tilt->te_cp[i] = te_cp;
        tilt->cp_cp[i] = cp_cp;
    }
}

/* Everything at `theta` but the rows. */
static void set_theta(tilting *x, double theta) {
    rk_tilt *t = x->tilt;
    const double *m = x->neurons->m, *var = x->neurons->var;
    size_t n = x->n;
    double square = theta * theta;
    x->at.theta = theta;
    x->at.v = square * x->at.qCq;
    x->at.trCp = x->at.trTe = 0;
    for (size_t i = 0; i < n; i++) {
        t->a[i] = theta * x->neurons->q[i];
        t->b[i] = theta * (t->c[i] - theta * x->at.qCq * m[i]);
        t->r[i] = -theta * t->c[i] + 0.5 * square * x->at.qCq * m[i];
        t->d[i] = var[i] + 2 * m[i] * t->r[i];
        t->de[i] = theta * (x->at.tau * t->d[i] + t->delta[i] - 2 * theta * m[i] * t->g[i] +
                            square * x->at.sigma * m[i] * m[i]);
        x->at.trCp += t->d[i];
        x->at.trTe += t->de[i];
    }
}

rk_tilt_trace rk_tilt_trace_of(size_t n, const rk_neurons *neurons, const rk_tilt *tilt,
                               const rk_tilt_numbers *numbers) {
    const double *c = tilt->c, *g = tilt->g, *m = neurons->m;
    double mm = numbers->mm, tau = numbers->tau;
    double mc = dot(n, m, c), mt = tau * mc + dot(n, m, g), cc = mm * dot(n, c, c);
    return (rk_tilt_trace){.fourth = rk_sum(n, neurons->k4) + rk_sum(n, neurons->k22),
                           .trT = numbers->trT,
                           .trC = numbers->trC,
                           .TC = tau * numbers->CC + dot(n, tilt->delta, neurons->var),
                           .CC = numbers->CC,
                           .ct = tau * cc + mm * dot(n, c, g),
                           .cc = cc,
                           .mc = mc,
                           .mt = mt,
                           .qCq = numbers->qCq};
}

/* Where the trace is zero for the first time in [0, 1], else where it is smallest; 0 if it starts
 * below zero. */
static double choose_theta(const rk_tilt_trace *x, rk_theta_kind *kind) {
    enum { STEPS = 64, REFINEMENTS = 40 };
    double step = 1. / STEPS, best = 0, smallest = rk_tilt_trace_at(x, 0);
    for (int k = 1; k <= STEPS && smallest > 0; k++) {
        double value = rk_tilt_trace_at(x, k * step);
        if (value < smallest) {
            smallest = value;
            best = k * step;
        }
    }
    *kind = RK_THETA_GIVEN;
    if (best == 0) return 0;
    bool root = smallest <= 0;
    double low = best - step, high = root ? best : fmin(best + step, 1);
    for (int k = 0; k < REFINEMENTS; k++) {
        double part = (high - low) / (root ? 2 : 3), left = low + part, right = high - part;
        if (rk_tilt_trace_at(x, left) > (root ? 0 : rk_tilt_trace_at(x, right)))
            low = left;
        else
            high = right;
    }
    if (root || high < 1) *kind = root ? RK_THETA_ROOT : RK_THETA_LEAST;
    return low;
}

/* Where some of the fourth cumulant is carried, gauging away all of its trace is too much from the
 * second layer on. */
static const double LATER_THETA = 0.1;

static double theta_of(tilting *x) {
    bool first = *x->tilt->gain == 0;
    x->at.kind = RK_THETA_GIVEN;
    if (!x->tilt->entire && !first) return LATER_THETA;
    rk_tilt_trace trace = rk_tilt_trace_of(x->n, x->neurons, x->tilt, &x->at);
    return choose_theta(&trace, &x->at.kind);
}

void rk_core_of_traces(size_t n, double *t) {
    double width = (double)n, total = rk_sum(n, t);
    for (size_t i = 0; i < n; i++)
        t[i] = 6 / (width + 4) * (t[i] - total / (2 * (width + 2)));
}

/* Diagonal of the core of what is left of the fourth cumulant. */
static void leave_core(const tilting *x) {
    const rk_neurons *neurons = x->neurons;
    rk_tilt *tilt = x->tilt;
    size_t n = x->n;
    double v = x->at.v;
    for (size_t i = 0; i < n; i++) {
        double d = tilt->d[i], de = tilt->de[i], others = x->at.trCp - d,
               de_others = x->at.trTe - de;
        double k4 = neurons->k4[i] - 12 * de * d + 12 * v * d * d;
        double k22 = neurons->k22[i] - 2 * (de * others + d * de_others + 4 * tilt->te_cp[i]) +
                     4 * v * (d * others + 2 * tilt->cp_cp[i]);
        tilt->core[i] = k4 + k22;
    }
    rk_core_of_traces(n, tilt->core);
}

void rk_tilt_step(rk_work *work, size_t n, const rk_neurons *neurons, double *C, rk_tilt *tilt) {
    if (!rk_work_charge(work, 30 * (uint64_t)n * n)) return;
    const double *m = neurons->m, *q = neurons->q, *var = neurons->var;
    tilting x = {.n = n, .neurons = neurons, .tilt = tilt, .C = C};
    rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), tilt_read_rows, &x);
    x.at.mm = dot(n, m, m);
    x.at.qCq = dot(n, q, tilt->c);
    x.at.trC = rk_sum(n, var);
    x.at.CC = rk_sum(n, tilt->cp_cp);
    /* T.q, the third cumulant along q: its diagonal exactly, the rest taken as tau C */
    for (size_t i = 0; i < n; i++)
        x.at.trT += tilt->delta[i] = neurons->k3[i] * q[i] + neurons->k21_q[i];
    x.at.tau = x.at.trC > 0 ? x.at.trT / x.at.trC : 0;
    for (size_t i = 0; i < n; i++) {
        tilt->delta[i] -= x.at.tau * var[i];
        tilt->g[i] = tilt->delta[i] * q[i];
    }
    x.at.sigma = dot(n, tilt->g, q);
    double theta = theta_of(&x);
    set_theta(&x, theta);
    rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), tilt_rows, &x);
    leave_core(&x);
    for (size_t i = 0; i < n; i++) {
        tilt->feed[i] = -6 * theta * tilt->c[i];
        tilt->excess[i] = -2 * theta * tilt->delta[i];
    }
    *tilt->along_C = 2 * x.at.v - 2 * theta * x.at.tau;
    *tilt->gain += (2 * theta - theta * theta) * x.at.qCq;
    *tilt->numbers = x.at;
}
