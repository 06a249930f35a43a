/* The fourth cumulants that the last activations made, followed through the layers above.
 *
 * A fourth cumulant needs, beside the legs of the source born with it, what all older sources say
 * of two neurons here and one of the layer where it was born (H), and what became of the covariance
 * of that time. Both are had from layer to layer: the sources older than all that is followed are
 * sliced once, against the layer of the oldest, and T pulls the result up (docs/MATH.md#reach). */
#ifndef RK_PROPAGATE_FOLLOWED_FOURTH_H
#define RK_PROPAGATE_FOLLOWED_FOURTH_H

#include "propagate/newborn_fourth.h"

/* Below the age from which sources are folded (third_fold.c). */
enum { RK_MAX_REACH = 3 };

/** At a layer of z: index `age` belongs to what was born age + 1 layers below. */
typedef struct rk_followed_fourth {
    size_t reach;                         /* 1 .. RK_MAX_REACH layers */
    rk_newborn_fourth born[RK_MAX_REACH]; /* by layer modulo reach */
    rk_fourth_scratch scratch;
    rk_legs H[RK_MAX_REACH];
    rk_legs K31;
    rk_legs K22[RK_MAX_REACH]; /* of what is so old and all younger */
    double *k4_carried;        /* of all but the oldest */
    /* From age 1 on: */
    rk_legs T_below[RK_MAX_REACH]; /* what moved the sources to the layer `age` below */
    rk_legs C[RK_MAX_REACH];       /* covariance of that time, as it came here, */
    double *var[RK_MAX_REACH];     /* its diagonal, */
    rk_legs C_below[RK_MAX_REACH]; /* and as it was one layer below */
    rk_legs half_moved;
} rk_followed_fourth;

rk_followed_fourth rk_followed_fourth_take(rk_work *work, size_t width, size_t bent, bool in_double,
                                           size_t reach);

/** Before the activation of a layer: remembers C (n x n) of its `heard` neurons, and what became of
 *  older ones. */
void rk_followed_fourth_keep(rk_work *work, size_t n, size_t heard, const double *C,
                             rk_followed_fourth *followed);

/** C and var of this age: C_below moved by T (n x k); C, of `heard` neurons, with `pairs` only. */
void rk_followed_fourth_move(rk_work *work, size_t age, size_t n, size_t heard, size_t k, rk_legs T,
                             bool pairs, rk_followed_fourth *followed);

#endif
