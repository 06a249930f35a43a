#include "propagate/gauge.h"

#include "base/simd.h"
#include "base/sum.h"
#include "linalg/blas.h"
#include "network/homogeneous.h"

#include <math.h>

enum { ROWS = 16, CHUNK = 256 };

/* The sum of 1 / width over the activations: L / n. */
static double depth_over_width(const rk_network *net) {
    double sum = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        if (rk_network_is_activated(net, l)) sum += 1 / (double)net->layers[l].rows;
    return sum;
}

rk_gauge rk_gauge_choose(rk_gauge asked, const rk_network *net, bool covariance) {
    if (asked != RK_GAUGE_AUTO) return asked;
    if (covariance || !rk_network_can_be_homogeneous(net)) return RK_GAUGE_NONE;
    if (!rk_network_is_homogeneous(net)) return RK_GAUGE_ZERO;
    return depth_over_width(net) <= 0.25 ? RK_GAUGE_DIAGONAL : RK_GAUGE_ZERO; /* measured */
}

rk_tilt rk_tilt_take(rk_work *work, size_t width, rk_gauge gauge) {
    rk_tilt tilt = {
        .gauge = gauge,
        .a = rk_work_doubles(work, width, 1),
        .feed = rk_work_doubles(work, width, 1),
        .core = rk_work_doubles(work, width, 1),
        .gain = rk_work_doubles(work, 1, 1),
    };
    double **const vectors[] = {&tilt.c, &tilt.delta, &tilt.g,     &tilt.r,    &tilt.b,
                                &tilt.d, &tilt.de,    &tilt.te_cp, &tilt.cp_cp};
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        *vectors[k] = rk_work_doubles(work, width, 1);
    if (gauge != RK_GAUGE_FULL) return tilt;
    double **const more[] = {&tilt.Cm, &tilt.Cc, &tilt.Cg, &tilt.Cr, &tilt.h, &tilt.k, &tilt.z_C};
    for (size_t k = 0; k < sizeof more / sizeof *more; k++)
        *more[k] = rk_work_doubles(work, width, 1);
    tilt.Q = rk_work_doubles(work, width, width);
    tilt.C2 = rk_work_doubles(work, width, width);
    return tilt;
}

static double dot(size_t n, const double *x, const double *y) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static size_t n_blocks(size_t n) {
    return (n + ROWS - 1) / ROWS;
}

/* The law before the tilt, and what of the tilted law is a number at the present theta. */
typedef struct tilting {
    rk_work *work;
    size_t n;
    const rk_neurons *neurons;
    rk_tilt *tilt;
    double *C;
    bool write; /* C and Q, not only their sums */
    /* |m|^2, q'Cq, trace of C, |C|^2; T.q: trace, part along C, q' of its excess diagonal q */
    double mm, qCq, trC, CC, trT, tau, sigma;
    double theta, v, trCp, trTe, rm, rr;
} tilting;

/* c = C q, and the squares of the rows of C. */
RK_HOT static void gauge_read_rows(void *context, size_t block) {
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
 * for. With `write` the tilted covariance. With a full core, its off-diagonal entries z and their
 * overlap with the tilted covariance. */
RK_HOT static void gauge_rows(void *context, size_t block) {
    const tilting *x = context;
    const rk_tilt *tilt = x->tilt;
    const double *m = x->neurons->m, *r = tilt->r, *g = tilt->g, *b = tilt->b;
    const double *delta = tilt->delta;
    double theta = x->theta, v = x->v, tau = x->tau, square = theta * theta;
    size_t n = x->n, first = block * ROWS, last = n - first < ROWS ? n : first + ROWS;
    double cp[CHUNK], te[CHUNK], tilted[CHUNK], z[CHUNK], sum[CHUNK];
    for (size_t i = first; i < last; i++) {
        double te_cp = 0, cp_cp = 0, z_C = 0;
        for (size_t from = 0; from < n; from += CHUNK) {
            size_t count = n - from < CHUNK ? n - from : CHUNK;
            double *C = x->C + i * n + from;
            RK_INDEPENDENT
            for (size_t k = 0; k < count; k++) {
                size_t j = from + k;
                cp[k] = C[k] + m[i] * r[j] + r[i] * m[j];
                te[k] = theta * (tau * cp[k] - theta * (m[i] * g[j] + g[i] * m[j]) +
                                 square * x->sigma * m[i] * m[j]);
                tilted[k] = (1 + v) * cp[k] - te[k] + 2 * b[i] * b[j];
            }
            if (tilt->Q) {
                double *Q = tilt->Q + i * n + from, *C2 = tilt->C2 + i * n + from;
                const double *Cm = tilt->Cm, *Cr = tilt->Cr, *h = tilt->h, *l = tilt->k;
                double on_r = Cm[i] + x->rm * m[i] + x->mm * r[i];
                double on_m = Cr[i] + x->rm * r[i] + x->rr * m[i];
                RK_INDEPENDENT
                for (size_t k = 0; k < count; k++) {
                    size_t j = from + k;
                    double cp2 = C2[k] + on_r * r[j] + on_m * m[j] + r[i] * Cm[j] + m[i] * Cr[j];
                    double anti = (delta[i] + delta[j]) * cp[k] -
                                  theta * (m[i] * h[j] + h[i] * m[j] + g[i] * l[j] + l[i] * g[j]) +
                                  square * x->sigma * (m[i] * l[j] + l[i] * m[j]);
                    z[k] = Q[k] - 2 * (x->trTe * cp[k] + x->trCp * te[k]) -
                           4 * theta * (2 * tau * cp2 + anti) + 4 * v * (x->trCp * cp[k] + 2 * cp2);
                    sum[k] = z[k] * tilted[k];
                }
                if (from <= i && i < from + count) sum[i - from] = 0;
                z_C += rk_sum(count, sum);
                for (size_t k = 0; x->write && k < count; k++)
                    Q[k] = 6 / ((double)n + 4) * z[k];
            }
            if (from <= i && i < from + count) {
                tilted[i - from] -= theta * delta[i];
                cp[i - from] = 0;
            }
            RK_INDEPENDENT
            for (size_t k = 0; k < count; k++) {
                te[k] *= cp[k];
                cp[k] *= cp[k];
            }
            te_cp += rk_sum(count, te);
            cp_cp += rk_sum(count, cp);
            for (size_t k = 0; x->write && k < count; k++)
                C[k] = tilted[k];
        }
        tilt->te_cp[i] = te_cp;
        tilt->cp_cp[i] = cp_cp;
        if (tilt->Q) tilt->z_C[i] = z_C;
    }
}

/* Everything at `theta` but the rows. */
static void set_theta(tilting *x, double theta) {
    rk_tilt *t = x->tilt;
    const double *m = x->neurons->m, *var = x->neurons->var;
    size_t n = x->n;
    double square = theta * theta;
    x->theta = theta;
    x->v = square * x->qCq;
    x->trCp = x->trTe = 0;
    for (size_t i = 0; i < n; i++) {
        t->a[i] = theta * x->neurons->q[i];
        t->b[i] = theta * (t->c[i] - theta * x->qCq * m[i]);
        t->r[i] = -theta * t->c[i] + 0.5 * square * x->qCq * m[i];
        t->d[i] = var[i] + 2 * m[i] * t->r[i];
        t->de[i] = theta * (x->tau * t->d[i] + t->delta[i] - 2 * theta * m[i] * t->g[i] +
                            square * x->sigma * m[i] * m[i]);
        x->trCp += t->d[i];
        x->trTe += t->de[i];
    }
    if (!t->Q) return;
    x->rm = dot(n, t->r, m);
    x->rr = dot(n, t->r, t->r);
    double rg = dot(n, t->r, t->g), mg = dot(n, m, t->g);
    for (size_t i = 0; i < n; i++) {
        t->Cr[i] = -theta * t->Cc[i] + 0.5 * square * x->qCq * t->Cm[i];
        t->h[i] = t->Cg[i] + m[i] * rg + t->r[i] * mg;
        t->k[i] = t->Cm[i] + m[i] * x->rm + t->r[i] * x->mm;
    }
}

/* <P X P', P Y P'> for P = 1 - theta m q', from <X, Y>, |m|^2 Xq.Yq and (m.Xq)(m.Yq). */
static double projected(double theta, double xy, double both, double single) {
    double t2 = theta * theta;
    return xy - 4 * theta * both + t2 * (4 * single + 2 * both) - 4 * theta * t2 * single +
           t2 * t2 * single;
}

/* sum_ij kappa_iijj of the tilted law. */
static double trace_at(tilting *x, double theta) {
    const rk_neurons *neurons = x->neurons;
    const double *c = x->tilt->c, *g = x->tilt->g, *m = neurons->m;
    size_t n = x->n;
    double mc = dot(n, m, c), mt = x->tau * mc + dot(n, m, g), cc = x->mm * dot(n, c, c);
    double ct = x->tau * cc + x->mm * dot(n, c, g);
    double TC = x->tau * x->CC + dot(n, x->tilt->delta, neurons->var);
    double once = 2 * theta - theta * theta, trC = x->trC - once * mc, trT = x->trT - once * mt;
    double fourth = rk_sum(n, neurons->k4) + rk_sum(n, neurons->k22);
    return fourth - 4 * theta * (trT * trC + 2 * projected(theta, TC, ct, mc * mt)) +
           4 * theta * theta * x->qCq * (trC * trC + 2 * projected(theta, x->CC, cc, mc * mc));
}

/* Overlap of the full core with the tilted covariance, off the diagonal. */
static double overlap_at(tilting *x, double theta) {
    set_theta(x, theta);
    rk_pool_run(x->work->pool, n_blocks(x->n), gauge_rows, x);
    return rk_sum(x->n, x->tilt->z_C);
}

/* The smallest root in [0, top], else where the function is smallest; 0 if it starts below 0. */
static double choose_theta(tilting *x, double (*f)(tilting *, double), double top, int steps,
                           int refinements) {
    double step = top / steps, best = 0, smallest = f(x, 0);
    for (int k = 1; k <= steps && smallest > 0; k++) {
        double value = f(x, k * step);
        if (value < smallest) {
            smallest = value;
            best = k * step;
        }
    }
    if (best == 0) return 0;
    bool root = smallest <= 0;
    double low = best - step, high = root ? best : fmin(best + step, top);
    for (int k = 0; k < refinements; k++) {
        double part = (high - low) / (root ? 2 : 3), left = low + part, right = high - part;
        if (root ? f(x, left) > 0 : f(x, left) > f(x, right))
            low = left;
        else
            high = right;
    }
    return low;
}

/* Where the diagonal of the core is carried, gauging away all of the trace is too much from the
 * second layer on: what vanishes there in the full core (overlap_at) does so at about this theta.
 */
static const double LATER_THETA = 0.1;

static double theta_of(tilting *x) {
    rk_gauge gauge = x->tilt->gauge;
    if (gauge == RK_GAUGE_FULL) return choose_theta(x, overlap_at, 0.5, 8, 6);
    bool first = *x->tilt->gain == 0;
    if (gauge == RK_GAUGE_DIAGONAL && !first) return LATER_THETA;
    return choose_theta(x, trace_at, 1, 64, 40);
}

/* Diagonal of the core of what is left of the fourth cumulant. */
static void leave_core(const tilting *x) {
    const rk_neurons *neurons = x->neurons;
    rk_tilt *tilt = x->tilt;
    size_t n = x->n;
    double v = x->v, total = 0, width = (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = tilt->d[i], de = tilt->de[i], others = x->trCp - d, de_others = x->trTe - de;
        double k4 = neurons->k4[i] - 12 * de * d + 12 * v * d * d;
        double k22 = neurons->k22[i] - 2 * (de * others + d * de_others + 4 * tilt->te_cp[i]) +
                     4 * v * (d * others + 2 * tilt->cp_cp[i]);
        tilt->core[i] = k4 + k22;
        total += k4 + k22;
    }
    for (size_t i = 0; i < n; i++) {
        tilt->core[i] = 6 / (width + 4) * (tilt->core[i] - total / (2 * (width + 2)));
        if (tilt->Q) tilt->Q[i * n + i] = tilt->core[i];
    }
}

static void multiply(size_t n, const double *C, const double *x, double *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = dot(n, C + i * n, x);
}

void rk_tilt_step(rk_work *work, size_t n, const rk_neurons *neurons, double *C, rk_tilt *tilt) {
    if (tilt->Q) rk_gemm_symmetric(work, RK_NO_TRANS, n, n, 1, C, n, C, n, 0, tilt->C2, n);
    if (!rk_work_charge(work, (tilt->Q ? 900 : 30) * (uint64_t)n * n)) return;
    const double *m = neurons->m, *q = neurons->q, *var = neurons->var;
    tilting x = {.work = work, .n = n, .neurons = neurons, .tilt = tilt, .C = C};
    rk_pool_run(work->pool, n_blocks(n), gauge_read_rows, &x);
    x.mm = dot(n, m, m);
    x.qCq = dot(n, q, tilt->c);
    x.trC = rk_sum(n, var);
    x.CC = rk_sum(n, tilt->cp_cp);
    /* T.q, the third cumulant along q: its diagonal exactly, the rest taken as tau C */
    for (size_t i = 0; i < n; i++)
        x.trT += tilt->delta[i] = neurons->k3[i] * q[i] + neurons->k21_q[i];
    x.tau = x.trC > 0 ? x.trT / x.trC : 0;
    for (size_t i = 0; i < n; i++) {
        tilt->delta[i] -= x.tau * var[i];
        tilt->g[i] = tilt->delta[i] * q[i];
    }
    x.sigma = dot(n, tilt->g, q);
    for (size_t i = 0; tilt->Q && i < n; i++)
        tilt->Cm[i] = x.mm * tilt->c[i];
    if (tilt->Q) multiply(n, C, tilt->c, tilt->Cc);
    if (tilt->Q) multiply(n, C, tilt->g, tilt->Cg);
    double theta = theta_of(&x);
    set_theta(&x, theta);
    x.write = true;
    rk_pool_run(work->pool, n_blocks(n), gauge_rows, &x);
    leave_core(&x);
    for (size_t i = 0; i < n; i++)
        tilt->feed[i] = -6 * theta * tilt->c[i];
    *tilt->gain += (2 * theta - theta * theta) * x.qCq;
}

/* B = C diag(f) without the diagonal; C loses its own. f is what two legs are worth at the middle
 * of a chain of two edges from one neuron to another. */
static void cut_chain(rk_work *work, size_t n, const rk_neurons *neurons, double *C, double *B,
                      double *to_all) {
    if (!rk_work_charge(work, 5 * (uint64_t)n * n)) return;
    const double *w1 = neurons->w.k1, *e1 = neurons->e.k1, *e2 = neurons->e.k2;
    for (size_t i = 0; i < n; i++) {
        C[i * n + i] = 0;
        for (size_t j = 0; j < n; j++)
            B[i * n + j] = C[i * n + j] * (e2[j] - 2 * w1[j] * w1[j]);
        to_all[i] = neurons->w.k2[i] * dot(n, C + i * n, e1);
    }
}

void rk_core_chains(rk_work *work, size_t n, const rk_neurons *neurons, double *C, double *scratch,
                    rk_tilt *tilt) {
    cut_chain(work, n, neurons, C, scratch, tilt->h);
    rk_gemm_symmetric(work, RK_NO_TRANS, n, n, 1, scratch, n, C, n, 0, tilt->Q, n);
    if (!rk_work_charge(work, 7 * (uint64_t)n * n)) return;
    const double *w1 = neurons->w.k1, *to_all = tilt->h;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double *Q = &tilt->Q[i * n + j];
            *Q =
                0.5 * (*Q * w1[i] * w1[j] + C[i * n + j] * (to_all[i] * w1[j] + to_all[j] * w1[i]));
        }
}

void rk_core_symmetrise(rk_work *work, size_t n, double *Q) {
    if (!rk_work_charge(work, (uint64_t)n * n)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            Q[i * n + j] = Q[j * n + i] = Q[i * n + j] + Q[j * n + i];
}
