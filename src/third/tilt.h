/* The tilt: the same means from a law with less to close (docs/MATH.md#gauge).
 *
 * If all that follows is positively homogeneous, F(c h) = c F(h), then for every S > 0 of mean 1
 * E[F(h)] = E[S F(h/S)]: the law of h may be replaced by that of h/S weighted with S. With
 * S = 1 + a.(h - m), a = theta m/|m|^2, that takes the common factor out of the fluctuations, and
 * with it most of the fourth cumulant. The mean m stays; legs of h are projected by 1 - m a'. */
#ifndef RK_THIRD_TILT_H
#define RK_THIRD_TILT_H

#include "third/neurons.h"
#include "third/tilt_trace.h"

/** How theta was had: given, or where the trace vanishes, or where it is smallest. */
typedef enum rk_theta_kind { RK_THETA_GIVEN, RK_THETA_ROOT, RK_THETA_LEAST } rk_theta_kind;

/** What of the law before the tilt, and of the tilted one, is a number. */
typedef struct rk_tilt_numbers {
    /* |m|^2, q'Cq, trace of C, |C|^2; T.q: trace, part along C, q' of its excess diagonal q */
    double mm, qCq, trC, CC, trT, tau, sigma;
    double theta, v, trCp, trTe; /* at theta */
    rk_theta_kind kind;
} rk_tilt_numbers;

/** Of a layer of n neurons. */
typedef struct rk_tilt {
    double *a;                /* n */
    double *feed;             /* n: the y of the newborn source, unprojected: -6 C a */
    double *core;             /* n, diagonal of the core of the fourth cumulant that is left */
    double *along_C, *excess; /* the tilt's own is Sum_6 G_ij C_kl, G = along_C C + diag(excess) */
    bool entire;  /**< the fourth cumulant is tilted away at every layer, not but at the first */
    double *gain; /* one number: variance of the common factors taken out so far */
    double *c, *delta, *g, *r, *b, *d, *de, *te_cp, *cp_cp; /* on the way; n each */
    rk_tilt_numbers *numbers;
} rk_tilt;

rk_tilt rk_tilt_take(rk_work *work, size_t width, bool entire);

/** t_i = sum_j kappa_iijj, in place, to the diagonal of the core that has it. 3 n FLOPs, not
 *  charged. */
void rk_core_of_traces(size_t n, double *t);

/**
 * Chooses theta such that the total fourth cumulant sum_ij kappa_iijj vanishes (unless `entire`: at
 * the first layer, a constant after it); fills `tilt` and replaces C (n x n), the covariance of h,
 * by that of the tilted law. Reads of `neurons` the cumulants of h (m, var, k3, k4, k22, k21_q). 30
 * n^2 FLOPs.
 */
void rk_tilt_step(rk_work *work, size_t n, const rk_neurons *neurons, double *C, rk_tilt *tilt);

/** What theta was chosen by, `numbers` and `tilt` being those of the law before. */
rk_tilt_trace rk_tilt_trace_of(size_t n, const rk_neurons *neurons, const rk_tilt *tilt,
                               const rk_tilt_numbers *numbers);

#endif
