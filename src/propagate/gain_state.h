/* What the gain-aware closure (gain.h) keeps, for the files that hold its way there and back.
 */
#ifndef RK_PROPAGATE_GAIN_STATE_H
#define RK_PROPAGATE_GAIN_STATE_H

#include "propagate/back.h"
#include "propagate/chain.h"

/* Terms of the Hermite series in the correlation; 14 reach float32. */
enum { RK_GAIN_TERMS = 14, RK_GAIN_ROWS = 32, RK_GAIN_CHUNK = 256 };
/* Orders of derivatives that the way back takes of it. */
enum { RK_GAIN_MORE = 2 };

/** What is known of one layer's activations h = phi(y), y Gaussian, given gain 1. */
typedef struct rk_gain_layer {
    size_t n;
    double *mean, *var; /* n */
    double *C;          /* n x n covariance of h */
    double *R;          /* n x n correlation of y, zero diagonal */
    double *A;          /* [TERMS + 1][n] Hermite coefficients of h, over sqrt(j!) */
    double *B;          /* [TERMS + 1][n] those of (h - E h)^2 */
    double *k3, *k4;    /* n cumulants of h */
} rk_gain_layer;

/** How the squares z_i^2 / q_i of the next layer co-vary, summed over i: per-neuron weights
 *  u = sum_i W_i^2 / q_i, v = sum_i W_i^4 / q_i^2, t = sum_i W_i w_i / q_i. */
typedef struct rk_gain_coupling {
    double *u, *v, *t;
} rk_gain_coupling;

/** Of layer l for the way back: y as the activation saw it (Z where h has a covariance; the last
 *  layer, if it has no activation: mu), Var G^2 and E G. */
typedef struct rk_gain_record {
    double *mu, *var, *gamma, *gain, *Z;
} rk_gain_record;

/** Adjoints besides those of mean and covariance. */
typedef struct rk_gain_adjoints {
    rk_bars h;
    const rk_cotangent *f;
    double *A, *B, *k3, *k4; /* of the present activations, by what the layer above made of them */
    double *uB, *tA;         /* [TERMS + 1][n]: of that layer's coupling */
    rk_gain_coupling c;      /* adjoints of it */
    double *q, *x;           /* rows */
    double series;           /* of what all pairs of that layer come to; 0 without one */
    double gamma, gain;
} rk_gain_adjoints;

typedef struct rk_gain_state {
    rk_work *work;
    const rk_chain *chain;
    rk_gain_layer layer[2]; /* what was read, and what is made */
    size_t present;         /* which of them is the present value */
    const double *m, *C;    /* of that; C NULL: the identity */
    double *m_in, *mu, *var, *q, *scratch;
    double *wick, *powers, *centre, *inverse_sd; /* up to (TERMS, 2); (0, 4); back 2 more */
    rk_gain_coupling coupling;
    double gamma, gain; /* Var G^2 and E G of the activations so far */
    double *records;
    rk_gain_adjoints bar;
} rk_gain_state;

/** What h = phi(y) is, y of n means, variances and, if `full`, covariances (in h->R). Leaves Wick
 *  coefficients up to (TERMS + more, 2) and (more, 4) in s->wick and s->powers. */
void rk_gain_activate(rk_gain_state *s, const rk_activation *phi, size_t n, const double *mu,
                      double *var, bool full, int more, rk_gain_layer *h);

/** Fills q and `coupling` of layer z = W h, of means mu and variances var. 8 FLOPs a weight. */
void rk_gain_couple(rk_gain_state *s, const rk_layer *layer, const double *mu, const double *var);

/** True if a gain is taken there: the activations below have made it, and there are pairs. */
bool rk_gain_takes(const rk_stage *stage);

rk_gain_record rk_gain_record_of(const rk_gain_state *s, size_t l);

extern const rk_law_back rk_gain_back;

/* Of the activations in s->layer[0], from adjoints in s->bar to adjoints there. */

/** Of what all pairs of the layer above come to (bar.series): fills those of A, B, k3, k4 and of
 * the coupling, with uB and tA for rk_gain_pairs_back. n^2 (5 TERMS + 3) FLOPs. */
void rk_gain_series_back(rk_gain_state *s);
/** Of the covariances of n: bar.h.second becomes that of y's, and A's is added to. n^2 (14 TERMS +
 *  8) FLOPs. */
void rk_gain_pairs_back(rk_gain_state *s, size_t n);
/** From the adjoints of mean, variance (`var`), cumulants and coefficients to those of y's mean,
 * and of its variance, var_bar[i * stride], which is added to. */
void rk_gain_neurons_back(rk_gain_state *s, size_t n, const double *y_var, const double *var,
                          double *mu_bar, double *var_bar, size_t stride);

#endif
