/* The activation step of the third order: cumulants of z to cumulants of phi(z). */
#ifndef RK_PROPAGATE_THIRD_ACTIVATION_H
#define RK_PROPAGATE_THIRD_ACTIVATION_H

#include "propagate/propagate.h"
#include "propagate/third_source.h"

/** The third and fourth cumulants of z that the step reads: n entries or n x n. */
typedef struct rk_slices {
    double *d3;       /* kappa_iii */
    bool has_D;       /* false: D vanishes, as it does for a Gaussian */
    rk_legs D;        /* D_ij = kappa_iij */
    double *kappa4;   /* one number c: kappa4 = c metric^2, symmetrised */
    double *metric;   /* n x n, off the diagonal; NULL: zero */
    double *diagonal; /* of the metric */
} rk_slices;

enum { RK_NEURONS_MAX_K = 4 };

/** One number a neuron and array: what the pairs need of the two neurons, and the new diagonals. */
typedef struct rk_neurons {
    double *wick;              /* k <= RK_NEURONS_MAX_K, p <= 4 */
    double *m, *var, *k3, *k4; /* cumulants of phi(z_i) */
    double *w1, *w2, *e, *f;   /* E of phi', phi'', and of (phi^2)', (phi^2)'' less 2 m those */
    double *row;               /* a sum over the pairs of the neuron */
    double *zeros, *D12;       /* n zeros; n x n: D transposed */
} rk_neurons;

rk_neurons rk_neurons_take(rk_work *work, size_t width);

/** Fills `m` and `var`; with `pairs` everything but `row` and `D12`. */
void rk_neurons_step(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                     const double *var, const rk_slices *z, bool pairs, rk_neurons *neurons);

/**
 * C (n x n): covariance of z in, of phi(z) out. If `born` is not NULL also the new third and fourth
 * order: [a | z] of the newborn source in `born` (n x 2n), its statics in `source`, and the new
 * z->kappa4. About 50 n^2 FLOPs.
 */
void rk_pairs_step(rk_work *work, size_t n, rk_slices *z, rk_neurons *neurons, double *C,
                   const rk_legs *born, rk_source *source);

#endif
