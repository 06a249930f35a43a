#include "propagate/gauge.h"

#include "base/simd.h"
#include "base/sum.h"

#include <math.h>

enum { ROWS = 16, CHUNK = 256 };

bool rk_gauge_applies(const rk_network *net) {
    for (size_t l = 1; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (!rk_network_is_activated(net, l)) continue;
        if (layer->bias || !rk_activation_get(layer->activation.kind)->homogeneous) return false;
    }
    return true;
}

rk_gauge rk_gauge_choose(rk_gauge asked, const rk_network *net, bool covariance) {
    if (asked != RK_GAUGE_AUTO) return asked;
    return rk_gauge_applies(net) && !covariance ? RK_GAUGE_DIAGONAL : RK_GAUGE_NONE;
}

rk_tilt rk_tilt_take(rk_work *work, size_t width) {
    return (rk_tilt){
        .a = rk_work_doubles(work, width, 1),
        .feed = rk_work_doubles(work, width, 1),
        .core = rk_work_doubles(work, width, 1),
        .gain = rk_work_doubles(work, 1, 1),
        .c = rk_work_doubles(work, width, 1),
        .t = rk_work_doubles(work, width, 1),
        .delta = rk_work_doubles(work, width, 1),
        .rows = rk_work_doubles(work, width, 4),
    };
}

static double dot(size_t n, const double *x, const double *y) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

typedef struct job {
    size_t n;
    const rk_neurons *neurons;
    rk_tilt *tilt;
    double *C;
    double theta, tau, qCq, qTq;
} job;

/* c = C q, and the squares of the rows of C. */
RK_HOT static void gauge_read_rows(void *context, size_t block) {
    const job *x = context;
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
        x->tilt->rows[i] = squares;
    }
}

/* The tilted covariance, and of Cp and Te, the projected covariance and third cumulant along a,
 * what the core of the fourth cumulant asks for: diagonals and row sums of products. */
RK_HOT static void gauge_write_rows(void *context, size_t block) {
    const job *x = context;
    const rk_tilt *tilt = x->tilt;
    const double *m = x->neurons->m, *c = tilt->c, *t = tilt->t;
    double theta = x->theta, v = theta * theta * x->qCq, square = theta * theta;
    size_t n = x->n, first = block * ROWS, last = n - first < ROWS ? n : first + ROWS;
    double cp[CHUNK], te[CHUNK];
    for (size_t i = first; i < last; i++) {
        double b_i = theta * (c[i] - theta * x->qCq * m[i]);
        double *diagonal = tilt->rows + 4 * i;
        diagonal[2] = diagonal[3] = 0;
        for (size_t j = 0; j < n; j += CHUNK) {
            size_t count = n - j < CHUNK ? n - j : CHUNK;
            double *C = x->C + i * n + j;
            const double *m_j = m + j, *c_j = c + j, *t_j = t + j;
            RK_INDEPENDENT
            for (size_t k = 0; k < count; k++) {
                double mm = square * m[i] * m_j[k];
                double mc = theta * (m[i] * c_j[k] + c[i] * m_j[k]);
                double mt = theta * (m[i] * t_j[k] + t[i] * m_j[k]);
                double b_j = theta * (c_j[k] - theta * x->qCq * m_j[k]);
                cp[k] = C[k] - mc + x->qCq * mm;
                te[k] = theta * (x->tau * C[k] - mt + x->qTq * mm);
                C[k] = (1 + v) * cp[k] - te[k] + 2 * b_i * b_j;
            }
            if (j <= i && i < j + count) {
                C[i - j] -= theta * tilt->delta[i];
                te[i - j] += theta * tilt->delta[i];
                diagonal[0] = cp[i - j];
                diagonal[1] = te[i - j];
                cp[i - j] = 0;
            }
            RK_INDEPENDENT
            for (size_t k = 0; k < count; k++) {
                te[k] *= cp[k];
                cp[k] *= cp[k];
            }
            diagonal[2] += rk_sum(count, te);
            diagonal[3] += rk_sum(count, cp);
        }
    }
}

/* <P X P', P Y P'> for P = 1 - theta m q', from <X, Y>, |m|^2 Xq.Yq and (m.Xq)(m.Yq). */
static double projected(double theta, double xy, double both, double single) {
    double t2 = theta * theta;
    return xy - 4 * theta * both + t2 * (4 * single + 2 * both) - 4 * theta * t2 * single +
           t2 * t2 * single;
}

/* sum_ij kappa_iijj of the tilted law, as a function of theta. */
typedef struct trace {
    double fourth;          /* of the law itself */
    double CC, CC_both, mc; /* what `projected` wants of the covariance ... */
    double TC, TC_both, mt; /* ... and the third cumulant along q */
    double trC, trT, qCq;
} trace;

static double trace_at(const trace *x, double theta) {
    double once = 2 * theta - theta * theta, v = theta * theta * x->qCq;
    double trC = x->trC - once * x->mc, trT = x->trT - once * x->mt;
    double TC = projected(theta, x->TC, x->TC_both, x->mc * x->mt);
    double CC = projected(theta, x->CC, x->CC_both, x->mc * x->mc);
    return x->fourth - 4 * theta * (trT * trC + 2 * TC) + 4 * v * (trC * trC + 2 * CC);
}

/* The smallest root in [0, 1], else where the function is smallest; 0 if it starts below 0. */
static double choose_theta(const trace *x) {
    enum { STEPS = 64, REFINEMENTS = 40 };
    const double step = 1. / STEPS;
    double best = 0, smallest = trace_at(x, 0);
    for (int k = 1; k <= STEPS && smallest > 0; k++) {
        double value = trace_at(x, k * step);
        if (value < smallest) {
            smallest = value;
            best = k * step;
        }
    }
    if (best == 0) return 0;
    bool root = smallest <= 0;
    double low = best - step, high = root ? best : fmin(best + step, 1);
    for (int k = 0; k < REFINEMENTS; k++) {
        double third = root ? (high - low) / 2 : (high - low) / 3;
        double left = low + third, right = high - third;
        if (root ? trace_at(x, left) > 0 : trace_at(x, left) > trace_at(x, right))
            low = left;
        else
            high = right;
    }
    return low;
}

/* Diagonal of the core of what is left of the fourth cumulant. */
static void leave_core(size_t n, double v, const rk_neurons *neurons, rk_tilt *tilt) {
    double sum_d = 0, sum_de = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        sum_d += tilt->rows[4 * i];
        sum_de += tilt->rows[4 * i + 1];
    }
    for (size_t i = 0; i < n; i++) {
        const double *rows = tilt->rows + 4 * i;
        double d = rows[0], de = rows[1], others = sum_d - d, de_others = sum_de - de;
        double k4 = neurons->k4[i] - 12 * de * d + 12 * v * d * d;
        double k22 = neurons->k22[i] - 2 * (de * others + d * de_others + 4 * rows[2]) +
                     4 * v * (d * others + 2 * rows[3]);
        tilt->core[i] = k4 + k22;
        total += k4 + k22;
    }
    double width = (double)n;
    for (size_t i = 0; i < n; i++)
        tilt->core[i] = 6 / (width + 4) * (tilt->core[i] - total / (2 * (width + 2)));
}

static size_t n_blocks(size_t n) {
    return (n + ROWS - 1) / ROWS;
}

void rk_tilt_step(rk_work *work, size_t n, const rk_neurons *neurons, double *C, rk_tilt *tilt) {
    if (!rk_work_charge(work, 30 * (uint64_t)n * n)) return;
    const double *m = neurons->m, *q = neurons->q, *var = neurons->var;
    double *c = tilt->c, *t = tilt->t, *delta = tilt->delta;
    job rows = {.n = n, .neurons = neurons, .tilt = tilt, .C = C};
    rk_pool_run(work->pool, n_blocks(n), gauge_read_rows, &rows);

    /* T q, the third cumulant along q: its diagonal exactly, the rest taken as tau C */
    trace x = {.fourth = rk_sum(n, neurons->k4) + rk_sum(n, neurons->k22),
               .CC = rk_sum(n, tilt->rows),
               .trC = rk_sum(n, var),
               .mc = dot(n, m, c),
               .qCq = dot(n, q, c)};
    for (size_t i = 0; i < n; i++)
        x.trT += t[i] = neurons->k3[i] * q[i] + neurons->k21_q[i];
    double tau = x.trC > 0 ? x.trT / x.trC : 0, square = dot(n, m, m);
    for (size_t i = 0; i < n; i++) {
        delta[i] = t[i] - tau * var[i];
        t[i] = tau * c[i] + delta[i] * q[i];
    }
    x.mt = dot(n, m, t);
    x.CC_both = square * dot(n, c, c);
    x.TC = tau * x.CC + dot(n, delta, var);
    x.TC_both = square * dot(n, c, t);

    double theta = choose_theta(&x);
    for (size_t i = 0; i < n; i++) {
        tilt->a[i] = theta * q[i];
        tilt->feed[i] = -6 * theta * c[i];
    }
    *tilt->gain += (2 * theta - theta * theta) * x.qCq;
    rows.theta = theta;
    rows.tau = tau;
    rows.qCq = x.qCq;
    rows.qTq = dot(n, q, t);
    rk_pool_run(work->pool, n_blocks(n), gauge_write_rows, &rows);
    leave_core(n, theta * theta * x.qCq, neurons, tilt);
}
