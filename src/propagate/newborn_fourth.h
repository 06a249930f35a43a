/* The fourth cumulant that an activation makes, as the next layer sees it.
 *
 * Two neurons of h = phi(z) have kappa_iijj and kappa_iiij, three have kappa_iijk, which is made of
 * two edges or of the third cumulant of z, and four have trees of three edges, or of an edge and a
 * third cumulant. All of it is moved by the next matrix as exactly as products of n x n matrices
 * allow, and the gauge's part of it, Sum_6 G_ij C_kl, with it (docs/MATH.md#fourth). What it
 * becomes of three and four different neurons is forgotten after that: it lives on in what it makes
 * of the cumulants of two. */
#ifndef RK_PROPAGATE_NEWBORN_FOURTH_H
#define RK_PROPAGATE_NEWBORN_FOURTH_H

#include "propagate/gauge.h"
#include "propagate/roles.h"

/** Of a layer with `heard` neurons that the next one hears, `bent` of them not linear. */
typedef struct rk_newborn_fourth {
    rk_pair_cumulants pairs;
    double *k4;            /* kappa_iiii less what the trees have there */
    double *centre, *ends; /* what two legs, and one, are worth at a doubled neuron */
    double *own, *y;       /* w1 var z; y of z */
    double *w1, *w2, *w3;
    double *G, *C; /* scratch, as are all the following */
    rk_legs squares, by_k22, by_k31, by_edge, edge_by, left22, left31;
} rk_newborn_fourth;

rk_newborn_fourth rk_newborn_fourth_take(rk_work *work, size_t width, size_t bent, bool in_double);

/** Remembers what belongs to the neurons of h. y: of z. 10 n FLOPs. */
void rk_newborn_fourth_set(rk_work *work, size_t n, const rk_neurons *neurons, const rk_slices *z,
                           const double *var, rk_newborn_fourth *fourth);

/**
 * kappa_iiii of the next z (n neurons, of which `heard` are) and, if `K22` is not NULL, kappa_iijj
 * and kappa_iiij, n x n, zero where not both are heard. T (n x from.heard) moves the legs of h,
 * `newborn` are those of the source born there, moved. H (heard x from.heard): kappa of z_b, z_b
 * and of the z_i below; NULL: there is none. C (n x n, or its diagonal is in `var`): covariance
 * of the next z. About 16 n^3 FLOPs, 6 without K22.
 */
void rk_newborn_fourth_move(rk_work *work, size_t n, size_t heard, rk_role from, const rk_legs *T,
                            const rk_source *newborn, const rk_legs *H, const rk_tilt *tilt,
                            const double *var, const double *C, rk_newborn_fourth *fourth,
                            double *k4, const rk_legs *K22, const rk_legs *K31);

#endif
