/* The last layer in closed form: variable projection (docs/MATH.md#readout).
 *
 * Of features h (n) and targets y (k) that are known by their moments, the least E|y - W h - b|^2.
 * With biases the features are taken about their means; without, about zero. */
#ifndef RK_TRAIN_READOUT_H
#define RK_TRAIN_READOUT_H

#include "base/work.h"

/** Moments of features and targets. */
typedef struct rk_regression {
    size_t n, k;
    const double *m, *C; /**< of h: n; n x n */
    const double *y;     /**< E y: k */
    const double *N;     /**< Cov(h, y), n x k */
} rk_regression;

/** In doubles, what rk_readout_fit needs of `scratch`: n (n + k). */
size_t rk_readout_scratch(size_t n, size_t k);

/** W (k x n) and, unless NULL, b (k), with a ridge of 1e-9 of the features' average second moment:
 *  features may be dead or alike. n^3 / 3 + 2 k n^2 FLOPs. Returns <B, W>, B = E y h' (with b:
 *  Cov): by so much the ridged optimum is below E|y|^2 (with b: tr Cov y). */
double rk_readout_fit(rk_work *work, const rk_regression *of, double *scratch, double *W,
                      double *b);

/** d (k) = E(y - W h - b). */
void rk_readout_residual(rk_work *work, const rk_regression *of, const double *W, const double *b,
                         double *d);

/** E|y - W h - b|^2 - tr Cov(y) given d; scratch n k. 2 k n^2 FLOPs. */
double rk_readout_loss(rk_work *work, const rk_regression *of, const double *W, const double *d,
                       double *scratch);

/** Adds the derivatives of that to W_bar and b_bar (NULL: not wanted). 2 k n^2 FLOPs. */
void rk_readout_back(rk_work *work, const rk_regression *of, const double *W, const double *d,
                     double *W_bar, double *b_bar);

#endif
