/* Covariances of pairs of activations from those of Gaussian pre-activations, and the way back
 * (docs/MATH.md#pairs).
 *
 * A block has the neurons of side `a` as rows and those of side `b` as columns: two networks that
 * read the same input, two values of one network. A layer with itself is the square block, where a
 * and b are the same pointer: its diagonal holds the exact variances. All closures are one sum,
 *
 *     Cov(phi_i, psi_j) = C_ij sum_t g_t,i g_t,j rho_ij^t  (+ what kinks make of it, if exact)
 *
 * with g_0 the mean slope, so that two equal neurons co-vary as each varies: to rounding, but for
 * the first order, which has g_0 alone. */
#ifndef RK_PROPAGATE_PAIRS_H
#define RK_PROPAGATE_PAIRS_H

#include "activation/activation.h"
#include "base/work.h"
#include "propagate/orthant.h"

enum { RK_PAIRS_MAX_ORDER = 4, RK_PAIRS_MAX_TERMS = RK_PAIRS_MAX_ORDER + 1 };

typedef struct rk_pairs_spec {
    rk_pair_closure closure;
    int order; /**< of COMPLETED: 1 .. RK_PAIRS_MAX_ORDER */
} rk_pairs_spec;

/** How many g a neuron has. */
static inline size_t rk_pairs_terms(const rk_pairs_spec *spec) {
    return spec->closure == RK_PAIRS_COMPLETED ? (size_t)spec->order + 1 : 1;
}

/** The c of phi(z) = p z + c |z|. Not a number where phi is no such sum: EXACT takes none of those.
 */
double rk_pairs_kink(const rk_activation *activation);

/** One side of a block; memory of `work`, but for what is borrowed in rk_pairs_side_prepare. */
typedef struct rk_pairs_side {
    size_t n;
    const rk_activation *activation;
    const double *mu, *var, *var_h;
    double *g;               /**< [terms][n] */
    double *sd, *inverse_sd; /**< of z; 0 where there is no variance */
    rk_orthant_points at;    /**< EXACT: mu / sd */
} rk_pairs_side;

/** Room for a side of up to n neurons. */
rk_pairs_side rk_pairs_side_take(rk_work *work, const rk_pairs_spec *spec, size_t n);

/** A side of n neurons of mean mu and variance var (none: 0), of which the mean slopes E phi' and
 *  the variances var_h of phi are known: all n, borrowed but for the slopes. */
void rk_pairs_side_prepare(rk_work *work, const rk_pairs_spec *spec,
                           const rk_activation *activation, size_t n, const double *mu,
                           const double *var, const double *slope, const double *var_h,
                           rk_pairs_side *side);

/** C (a->n x b->n): covariances of z become those of the activations. Symmetric to the bit if C is
 *  and the sides are equal. An entry takes 2 FLOPs to first order, 4 K + 6 completed, about 200
 *  exact. */
void rk_pairs_activate(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *a,
                       const rk_pairs_side *b, double *C);

/** Adjoints of what a side has in blocks: zeroed, then added to by every block, then used up by
 *  rk_pairs_side_back. */
typedef struct rk_pairs_adjoint {
    double *g;        /**< [terms][n], rho held */
    double *mu, *var; /**< EXACT: those that kinks take directly; NULL otherwise */
    double *var_h;
} rk_pairs_adjoint;
rk_pairs_adjoint rk_pairs_adjoint_take(rk_work *work, const rk_pairs_spec *spec, size_t n);
void rk_pairs_adjoint_zero(rk_work *work, const rk_pairs_spec *spec, size_t n,
                           rk_pairs_adjoint *bar);

/** The way back through rk_pairs_activate: Z are the covariances of z that went in; C_bar, the
 *  adjoint of those of the activations (symmetric for a square block), becomes that of Z with the
 *  rest held, 0 on a square block's diagonal. Adds to a_bar and b_bar, which are the same for a
 *  square block; of another one b_bar may be NULL: not wanted. Same bits for any number of threads.
 * Three times the FLOPs of the way there. */
void rk_pairs_activate_back(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *a,
                            const rk_pairs_side *b, const double *Z, double *C_bar,
                            rk_pairs_adjoint *a_bar, rk_pairs_adjoint *b_bar);

/** Adds to mu_bar and var_bar (n each) what the adjoints of a side's coefficients, of var_h (in
 *  `bar`) and of the means E phi (m_bar, NULL: none) come to. Nothing of a neuron without variance
 *  is infinite. */
void rk_pairs_side_back(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *side,
                        const rk_pairs_adjoint *bar, const double *m_bar, double *mu_bar,
                        double *var_bar);

/** Changes of what a side has in blocks, [terms][n] and n, with rho held as in rk_pairs_adjoint. */
typedef struct rk_pairs_tangent {
    const double *mu, *var; /**< of z */
    double *g, *var_h;
} rk_pairs_tangent;

/** Fills g and var_h of `dot` from its mu and var, and m_dot (n) with the changes of the means E
 *  phi: the transpose of rk_pairs_side_back, by as many calls of it as there are terms, and two. */
void rk_pairs_side_forward(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *side,
                           const rk_pairs_tangent *dot, double *m_dot);

/** rk_pairs_activate of the square block of a side, differentiated: C_dot, the change of the
 *  covariances Z that went in, becomes that of the activations'. Symmetric to the bit if C_dot is,
 *  but for kinks. Three times the FLOPs. */
void rk_pairs_activate_forward(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *side,
                               const rk_pairs_tangent *dot, const double *Z, double *C_dot);

#endif
