/* The total fourth cumulant of a tilted law as a function of theta (docs/MATH.md#gauge), and its
 * derivatives: the tilt is where it vanishes. */
#ifndef RK_THIRD_TILT_TRACE_H
#define RK_THIRD_TILT_TRACE_H

#include <stdbool.h>

/** What it depends on besides: all of the fourth cumulant of the law before; with T its third
 *  cumulant along q = m / |m|^2, taken as tau C + a diagonal, traces of T and C, <T, C> and <C, C>,
 *  |m|^2 Cq.Tq and |m|^2 |Cq|^2, m.Cq and m.Tq, and q'Cq. Or the derivatives by these. */
typedef struct rk_tilt_trace {
    double fourth, trT, trC, TC, CC, ct, cc, mc, mt, qCq;
} rk_tilt_trace;

/** sum_ij kappa_iijj of the law tilted by theta: a polynomial of degree 6. */
double rk_tilt_trace_at(const rk_tilt_trace *x, double theta);

/** Its derivatives by all of x. */
rk_tilt_trace rk_tilt_trace_gradient(const rk_tilt_trace *x, double theta);

/** What theta depends on: if the trace vanishes there, or else is smallest. theta_bar is the
 *  adjoint of theta; x's are returned. */
rk_tilt_trace rk_tilt_theta_back(const rk_tilt_trace *x, double theta, bool root, double theta_bar);

#endif
