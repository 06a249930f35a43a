/* Two correlated standard normals X, Y: by how much P(X < h, Y < k) exceeds the product of its
 * factors, and what follows from it (docs/MATH.md#pairs). What exact pairs of activations with a
 * kink are made of. */
#ifndef RK_PROPAGATE_ORTHANT_H
#define RK_PROPAGATE_ORTHANT_H

#include <stddef.h>

/** Pairs that are taken at a time. */
enum { RK_ORTHANT_MOST = 256 };

/** |x| of points is at most this: a density is 1e-18 there. */
static const double RK_ORTHANT_REACH = 9;

/** Gauss and Legendre's nodes on [0, 1], as many as correlations of a size need. */
typedef struct rk_orthant_rule {
    size_t n;
    double reach; /**< the largest |rho| it is for */
    double node[16], weight[16];
} rk_orthant_rule;

enum { RK_ORTHANT_RULES = 3 };
typedef struct rk_orthant_rules {
    rk_orthant_rule rule[RK_ORTHANT_RULES];
} rk_orthant_rules;

/** A few microseconds. */
rk_orthant_rules rk_orthant_rules_make(void);

/** Points with the normal distribution function and density there. */
typedef struct rk_orthant_points {
    double *x, *cdf, *pdf;
} rk_orthant_points;

/** Fills cdf and pdf of n points. */
void rk_orthant_points_fill(size_t n, rk_orthant_points *points);

/** For h point i of `a` and k the points [first, first + count) of `b`, count <= RK_ORTHANT_MOST,
 *  |rho| <= 1: N(h, k; rho) = P(X < h, Y < k) - P(X < h) P(Y < k), the integral of the bivariate
 *  density over the correlation from 0 on, and M, that of N: what Cov((X + h)^+, (Y + k)^+) has
 *  beyond its linear part. To a few 1e-16; symmetric in h and k to the bit. About 8 exponentials
 *  a pair for small correlations, 40 at |rho| > 0.9. */
void rk_orthant_excess(const rk_orthant_rules *rules, const rk_orthant_points *a, size_t i,
                       const rk_orthant_points *b, size_t first, size_t count, const double *rho,
                       double *N, double *M);

/** How M changes: dh = dM/dh, and heat_h = the change with half the variance of X's term, sd and
 *  covariance held, which is s_i s_j M(mu_i / s_i, ...) with respect to var_i / 2 where all is 1.
 *  dk and heat_k are the same of the other. From N of the same pairs. */
typedef struct rk_orthant_changes {
    double dh[RK_ORTHANT_MOST], dk[RK_ORTHANT_MOST];
    double heat_h[RK_ORTHANT_MOST], heat_k[RK_ORTHANT_MOST];
} rk_orthant_changes;
void rk_orthant_change(const rk_orthant_points *a, size_t i, const rk_orthant_points *b,
                       size_t first, size_t count, const double *rho, const double *N,
                       rk_orthant_changes *changes);

#endif
