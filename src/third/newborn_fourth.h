/* The fourth cumulant that an activation makes, as a later layer sees it.
 *
 * Two neurons of h = phi(z) have kappa_iijj and kappa_iiij, three have kappa_iijk, which is made of
 * two edges or of the third cumulant of z, and four have trees of three edges, or of an edge and a
 * third cumulant. All of it is moved on as exactly as products of n x n matrices allow, and the
 * tilt's part of it, Sum_6 G_ij C_kl, with it; what is read are kappa_iiii and kappa_iiij
 * (docs/MATH.md#fourth). For how many layers is decided elsewhere (followed_fourth.h); after the
 * last it lives on in what it made of the cumulants of its neurons. */
#ifndef RK_THIRD_NEWBORN_FOURTH_H
#define RK_THIRD_NEWBORN_FOURTH_H

#include "third/roles.h"
#include "third/tilt.h"

/** Of the neurons of a layer; of pairs of its bent ones. */
typedef struct rk_newborn_fourth {
    rk_pair_cumulants pairs;
    double *k4;            /* kappa_iiii less what the trees have there */
    double *centre, *ends; /* what two legs, and one, are worth at a doubled neuron */
    double *own, *y;       /* w1 var z; y of z */
    double *w1, *w2, *w3;
    double *share;            /* of a neuron in all |k22_sum| of the pairs */
    double *along_C, *excess; /* the tilt's part, see rk_tilt */
} rk_newborn_fourth;

/** `each`: of pairs not only sums. */
rk_newborn_fourth rk_newborn_fourth_take(rk_work *work, size_t width, size_t bent, bool in_double,
                                         bool each);

/** Remembers what belongs to the neurons of h. y, var: of z. `carried`: what older fourth cumulants
 *  that are followed further make of kappa_iiii of z; NULL: there are none. 10 n FLOPs. */
void rk_newborn_fourth_set(rk_work *work, size_t n, size_t bent, const rk_neurons *neurons,
                           const rk_slices *z, const double *var, const double *carried,
                           const rk_tilt *tilt, rk_newborn_fourth *fourth);

typedef struct rk_fourth_scratch {
    double *G;
    double *square; /* what sum_j p^2 k22_ij is taken to be, over sum_j k22_ij */
    rk_legs squares, pa, by_k22, by_k31, edge_by, left31;
} rk_fourth_scratch;

rk_fourth_scratch rk_fourth_scratch_take(rk_work *work, size_t width, size_t bent, bool in_double,
                                         bool each);

/** The layer that sees it: its first n neurons. */
typedef struct rk_fourth_view {
    size_t n;
    rk_roles role;     /* of that layer */
    size_t cols, bent; /* how many neurons of h have a column in p, and in a: for older ones bent */
    bool newborn;      /* or else of the pairs' k22 only the sums are there */
    rk_legs p, a, y;   /* the neurons of h, their edges, and minus the y, as they came here */
    const rk_legs *H; /* of bent z_b: kappa of z_b, z_b and of the z that was activated; NULL: there
                         is none */
    const double *var;        /* of the covariance of h as it came here: the diagonal, */
    const double *C;          /* and n x n, for K31 */
    const double *var_before; /* the same of what the activation made of the covariance of its z */
} rk_fourth_view;

/**
 * k4 += kappa_iiii of z; unless NULL, also kappa_iiij to K31 (n x n), zero but for bent i and heard
 * j. About 4 n^3 FLOPs, 2 more of a newborn and 4 with K31.
 */
void rk_newborn_fourth_move(rk_work *work, const rk_fourth_view *view,
                            const rk_fourth_scratch *scratch, const rk_legs *K31,
                            const rk_newborn_fourth *fourth, double *k4);

#endif
