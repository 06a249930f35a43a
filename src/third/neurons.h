/* The activation step of the third order: cumulants of z to cumulants of phi(z). */
#ifndef RK_THIRD_NEURONS_H
#define RK_THIRD_NEURONS_H

#include "propagate/propagate.h"
#include "third/connect.h"
#include "third/source.h"

/** The third and fourth cumulants of z that the step reads: n entries or n x n. The fourth is the
 *  symmetrised product of a core and a metric, of which off-diagonal entries may be neglected. */
typedef struct rk_slices {
    double *d3;   /* kappa_iii */
    bool has_D;   /* false: D vanishes, as it does for a Gaussian */
    rk_legs D;    /* D_ij = kappa_iij */
    double *core; /* diagonals */
    double *metric;
    double *k4;         /* kappa_iiii; NULL: the product of the two */
    double *M;          /* the metric, n x n; NULL: off-diagonal entries neglected */
    double *core_scale; /* off the diagonal the core is this times M */
    bool has_K31;
    rk_legs K31;                   /* RK_PAIRS_FOURTH: kappa_iiij */
    double followed22, followed31; /* what share of kappa_iijj and kappa_iiij is not born again */
    double *coherence;             /* RK_PAIRS_REGENERATED: kappa_iiij is this times C_ij */
    const double *y; /* the third cumulant contains Sym C_ij y_k, C the present covariance */
} rk_slices;

static inline double rk_slices_k4(const rk_slices *z, size_t i) {
    return z->k4 ? z->k4[i] : z->core[i] * z->metric[i];
}

/** Of the third and fourth cumulant of a neuron. */
typedef struct rk_bounds {
    double skewed, peaked;
} rk_bounds;

/** Where next to nothing is left of a neuron, rounding of others in single precision must not be
 *  all of its law: no more than its variance has room for. `typical`: the layer's average. */
rk_bounds rk_neurons_bounds(double var, double typical);

static inline double rk_within(double bound, double x) {
    return x < -bound ? -bound : x > bound ? bound : x;
}

enum { RK_NEURONS_MAX_K = 5 };

/** What the pairs need of the two neurons, and the new diagonals; `width` entries each. */
typedef struct rk_neurons {
    double *centre, *wick;     /* k <= RK_NEURONS_MAX_K, p <= 4 */
    double *m, *var, *k3, *k4; /* cumulants of phi(z_i) */
    rk_ends w, e, t;           /* of phi, phi^2 and phi^3, less what lower cumulants explain */
    double *bend; /* w3 / w2 of phi: what one leg more is worth at the centre of a tree */
    double *zeros;
    double *D12, *K13;   /* width x width: D and K31 transposed; K13 NULL if there is none */
    double *q;           /* m / |m|^2 */
    double *k22, *k21_q; /* sum_j kappa_iijj and sum_j kappa_iij q_j of phi(z), j != i */
} rk_neurons;

rk_neurons rk_neurons_take(rk_work *work, size_t width, bool pair_cumulants);

/** Fourth cumulants of phi(z) with two different neurons, less what its trees with three and four
 *  have there (docs/MATH.md#fourth): kappa_iijj of bent neurons, summed over j; if `each`, all of
 *  these, kappa_iiij of bent and heard ones, and the edges of the trees to their centres, C_ij
 * w2_j, of bent ones. */
typedef struct rk_pair_cumulants {
    double *k22_sum;
    bool each;
    rk_legs k22, k31, edge;
} rk_pair_cumulants;

/** Fills `m`, `var`; with `pairs` everything but D12, k22 and k21_q. */
void rk_neurons_step(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                     double *var, const rk_slices *z, bool pairs, rk_neurons *neurons);

/**
 * C (n x n): covariance of z in, of phi(z) out. If `newborn` is not NULL also k22, k21_q and the
 * source born here: w2, s and e, its leg `a` (unless RK_PAIRS_SIMPLE an edge that D dresses) and
 * the residual z L, both for heard rows and bent columns only; with RK_PAIRS_FOURTH also
 * `fourth`. About 100 to 200 n^2 FLOPs.
 */
void rk_pairs_step(rk_work *work, size_t n, const rk_slices *z, rk_pair_terms terms,
                   rk_neurons *neurons, double *C, size_t heard, const rk_source *newborn,
                   const rk_legs *a, const rk_legs *residual, const rk_pair_cumulants *fourth);

#endif
