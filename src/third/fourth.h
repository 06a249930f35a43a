/* How a fourth cumulant is carried from layer to layer (the flow of it: carried.c).
 *
 * Followed: what the last activations made (newborn_fourth.h), through the layers above. That
 * needs, beside the legs of the source born with it, what all older sources say of two neurons here
 * and one of the layer where it was born (H). It is had from layer to layer: the sources older than
 * all that is followed are sliced once, against the layer of the oldest, and T pulls the result up
 * (docs/MATH.md#reach).
 *
 * Regenerated: made anew at every layer from a diagonal and one fitted number
 * (docs/MATH.md#regenerated). In a wide random relu network the core of the fourth cumulant of z is
 * nearly diag(g) + lambda C, C without its diagonal: g is moved by the squares of the weights, and
 * lambda, an amplitude c_l times the ratio of their averages, stands for all that is coherent. No
 * law is known for c_l: it is fitted. */
#ifndef RK_THIRD_FOURTH_H
#define RK_THIRD_FOURTH_H

#include "third/newborn_fourth.h"

/* ------------------------------------------------------------------------------------ followed */

/** At a layer of z: index `age` belongs to what was born age + 1 layers below. */
typedef struct rk_followed_fourth {
    size_t reach;                         /* 1 .. RK_MAX_REACH layers */
    rk_newborn_fourth born[RK_MAX_REACH]; /* by layer modulo reach */
    rk_legs k22;                          /* of the pairs born last */
    rk_fourth_scratch scratch;
    rk_legs H[RK_MAX_REACH]; /* kappa of two legs at a z here and one at a z there: bent x heard */
    rk_legs G[RK_MAX_REACH]; /* the same with one leg at h there */
    rk_legs T_below[RK_MAX_REACH]; /* from age 1 on: what moved the newborn to the layer above */
    double *k4_carried;            /* kappa_iiii of all but the oldest */
    double *var, *var_before;      /* of the covariance of some age, and of the next */
    double kept[RK_MAX_REACH];     /* by layer modulo reach: see rk_followed_fourth_keep */
} rk_followed_fourth;

rk_followed_fourth rk_followed_fourth_take(rk_work *work, size_t width, size_t bent, bool in_double,
                                           size_t reach, bool each);

/**
 * After the activation of layer l: what share of the total fourth cumulant there, sum_ij
 * kappa_iijj, z had already (core, metric and k4 in z), w1 being the slopes. 10 n FLOPs.
 */
void rk_followed_fourth_keep(rk_work *work, size_t n, size_t l, const rk_slices *z,
                             const rk_neurons *neurons, rk_followed_fourth *followed);

/** G (bent x heard), which has what the source born there says, += H diag(w1): what older ones say.
 */
void rk_followed_fourth_join(rk_work *work, size_t bent, size_t heard, const rk_legs *H,
                             const double *w1, const rk_legs *G);

/** At layer l: what share of kappa_iijj is followed further. */
double rk_followed_fourth_share(const rk_followed_fourth *followed, size_t l);

/** var: from that of an age to the next, without what the activation between, whose newborn has the
 *  legs p and the c of `width` columns, added to the covariance. 3 n width FLOPs. */
void rk_followed_fourth_age(rk_work *work, size_t n, size_t width, const rk_legs *p,
                            const double *c, double *var);

/* --------------------------------------------------------------------------------- regenerated */

/** c_l = far - gap ratio^(l - 1) behind l activations. */
typedef struct rk_amplitude {
    double far, gap, ratio;
} rk_amplitude;

/** The fourth cumulant of z behind l activations: its coherence lambda, and its core completed, in
 *  which is what the squares of `layer`'s weights make of that of h. var_h, var: variances of h and
 *  z. `amplitude` NULL: the fitted one. 5 FLOPs a weight. */
void rk_regenerate(rk_work *work, const rk_amplitude *amplitude, size_t l, const rk_layer *layer,
                   const double *var_h, const double *var, rk_slices *z);

/**
 * What it makes of h = phi(z), whose cumulants are in `neurons` and covariance in C (n x n): the
 * core of `tilt`, and its feed, y of the third cumulant Sym C_ij y_k that kappa_iijk of z is there.
 * Of that the newborn's s and residual (heard rows) know what has equal indices: it is taken off.
 * 6 n^2 FLOPs.
 */
void rk_regenerated_feed(rk_work *work, size_t n, size_t heard, const rk_slices *z,
                         const rk_neurons *neurons, const double *C, const rk_source *newborn,
                         const rk_legs *residual, rk_tilt *tilt);

#endif
