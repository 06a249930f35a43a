/* Tail probabilities from a few cumulants (docs/MATH.md#tail-series).
 *
 * All answer log P(X > t), and NaN where they are not defined: a negative Edgeworth sum, a
 * saddlepoint that does not exist. P(X < t) is the tail of -X. `by` not NULL: d log P / d kappa_d
 * in by->kappa[d]. */
#ifndef RK_TAIL_SERIES_H
#define RK_TAIL_SERIES_H

#include "tail/law.h"

/** The law of -X. */
rk_tail_law rk_law_mirror(const rk_tail_law *law);

/** X ~ N(kappa_1, kappa_2). */
double rk_series_normal(const rk_tail_law *law, double t, rk_tail_law *by);

/** The mean of the threshold as an activation, in the paper's diagrams of budget B = K - 1, or K
 *  if augmented (arXiv:2605.05179, section 6.6): Phi and terms in kappa_3, kappa_4 from B = 2 on,
 *  in kappa_5, kappa_6 and products from B = 4 on, where `by` is NULL. */
double rk_series_edgeworth(const rk_tail_law *law, int budget, double t, rk_tail_law *by);

/** Lugannani and Rice's formula on the cumulant generating function of four cumulants. Where that
 *  is not convex up to the saddlepoint, kappa_4 is left out; if it still is not, kappa_3 is too
 *  (*degree: what was used, 4 .. 2). */
double rk_series_saddlepoint(const rk_tail_law *law, double t, int *degree, rk_tail_law *by);

/** log of Phi(-w) + phi(w) (1/u - 1/w): with K the cumulant generating function, K'(s) = t,
 *  w = sign(s) sqrt(2 (s t - K(s))), u = s sqrt(K''(s)), s not 0. */
double rk_lugannani_rice(double w, double u);

#endif
