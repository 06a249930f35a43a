#include "third/tilt_trace.h"

#include <stddef.h>

/* <P X P', P Y P'> for P = 1 - theta m q', from <X, Y>, |m|^2 Xq.Yq and (m.Xq)(m.Yq). */
static double projected(double theta, double xy, double both, double single) {
    double t2 = theta * theta;
    return xy - 4 * theta * both + t2 * (4 * single + 2 * both) - 4 * theta * t2 * single +
           t2 * t2 * single;
}

double rk_tilt_trace_at(const rk_tilt_trace *x, double theta) {
    double once = 2 * theta - theta * theta;
    double trC = x->trC - once * x->mc, trT = x->trT - once * x->mt;
    return x->fourth - 4 * theta * (trT * trC + 2 * projected(theta, x->TC, x->ct, x->mc * x->mt)) +
           4 * theta * theta * x->qCq *
               (trC * trC + 2 * projected(theta, x->CC, x->cc, x->mc * x->mc));
}

rk_tilt_trace rk_tilt_trace_gradient(const rk_tilt_trace *x, double theta) {
    double once = 2 * theta - theta * theta, square = 4 * theta * theta;
    double trC = x->trC - once * x->mc, trT = x->trT - once * x->mt;
    double along = -4 * theta, length = square * x->qCq; /* what the two brackets are worth */
    double both = projected(theta, 0, 1, 0), single = projected(theta, 0, 0, 1);
    double trC_bar = along * trT + 2 * length * trC, trT_bar = along * trC;
    return (rk_tilt_trace){
        .fourth = 1,
        .trT = trT_bar,
        .trC = trC_bar,
        .TC = 2 * along,
        .CC = 2 * length,
        .ct = 2 * along * both,
        .cc = 2 * length * both,
        .mc = -once * trC_bar + 2 * along * single * x->mt + 4 * length * single * x->mc,
        .mt = -once * trT_bar + 2 * along * single * x->mc,
        .qCq = square * (trC * trC + 2 * projected(theta, x->CC, x->cc, x->mc * x->mc)),
    };
}

/* The derivative of a polynomial of degree 6 or less by differences, exact but for rounding. */
enum { STENCIL = 3 };
static const double STEP = 0.125;
static const double WEIGHT[STENCIL] = {3. / 4, -3. / 20, 1. / 60};

static double slope(const rk_tilt_trace *x, double theta) {
    double sum = 0;
    for (int k = 0; k < STENCIL; k++) {
        double step = (k + 1) * STEP;
        sum += WEIGHT[k] / STEP *
               (rk_tilt_trace_at(x, theta + step) - rk_tilt_trace_at(x, theta - step));
    }
    return sum;
}

static double curvature(const rk_tilt_trace *x, double theta) {
    double sum = 0;
    for (int k = 0; k < STENCIL; k++) {
        double step = (k + 1) * STEP;
        sum += WEIGHT[k] / STEP * (slope(x, theta + step) - slope(x, theta - step));
    }
    return sum;
}

static void add(rk_tilt_trace *sum, double scale, rk_tilt_trace x) {
    sum->fourth += scale * x.fourth;
    sum->trT += scale * x.trT;
    sum->trC += scale * x.trC;
    sum->TC += scale * x.TC;
    sum->CC += scale * x.CC;
    sum->ct += scale * x.ct;
    sum->cc += scale * x.cc;
    sum->mc += scale * x.mc;
    sum->mt += scale * x.mt;
    sum->qCq += scale * x.qCq;
}

rk_tilt_trace rk_tilt_theta_back(const rk_tilt_trace *x, double theta, bool root,
                                 double theta_bar) {
    rk_tilt_trace bar = {0};
    if (root) {
        add(&bar, -theta_bar / slope(x, theta), rk_tilt_trace_gradient(x, theta));
        return bar;
    }
    double scale = -theta_bar / curvature(x, theta);
    for (int k = 0; k < STENCIL; k++) {
        double step = (k + 1) * STEP, weight = scale * WEIGHT[k] / STEP;
        add(&bar, weight, rk_tilt_trace_gradient(x, theta + step));
        add(&bar, -weight, rk_tilt_trace_gradient(x, theta - step));
    }
    return bar;
}
