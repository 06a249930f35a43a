/* The kernels of first and second moments run backwards (docs/MATH.md#reverse): each beside its
 * twin in propagate.h. Adjoints of covariances are symmetric. */
#ifndef RK_PROPAGATE_BACK_H
#define RK_PROPAGATE_BACK_H

#include "propagate/law.h"

void rk_swap(double **x, double **y);

/** to = x, or zero if x is NULL. */
void rk_set(rk_work *work, size_t count, const double *x, double *to);

/** to[i * stride] += scale x_i; nothing if x or `to` is NULL. */
void rk_add_strided(rk_work *work, size_t n, double scale, const double *x, size_t stride,
                    double *to);

/** An adjoint of second moments: of an n x n covariance, or of n variances. x NULL: zero. */
typedef struct rk_second {
    const double *x;
    bool pairs;
} rk_second;

/** Of rk_affine_mean: m_bar = W' mu_bar, dW += mu_bar m', db += mu_bar. m, dW, db and m_bar may be
 *  NULL: zero, and not wanted. 2 FLOPs a weight for either. */
void rk_affine_mean_back(rk_work *work, const rk_layer *layer, const double *m,
                         const double *mu_bar, double *m_bar, double *dW, double *db);

/** Of Z = W C W', or of its diagonal: C_bar (n x n) = W' Z_bar W, dW += 2 Z_bar W C; either may be
 *  NULL. C NULL is the identity; product m x n. 5 n^3 FLOPs for square W, 3 n^3 of variances. */
void rk_affine_covariance_back(rk_work *work, const rk_layer *layer, const double *C,
                               rk_second z_bar, double *product, double *C_bar, double *dW);

/** Of rk_wick_moments: adjoints of m and var (var_bar[i * stride]; NULL: zero) to those of z's mean
 *  and variance (by the same stride). w as rk_wick, k_max >= 2, p_max 2. 10 n FLOPs. */
void rk_wick_moments_back(rk_work *work, size_t n, int k_max, const double *w, const double *m_bar,
                          const double *var_bar, size_t stride, double *mu_bar, double *z_bar);

/** Of rk_rescale, which made `mean` (n): mean_bar in place; the second moments' is what it was. */
void rk_rescale_back(rk_work *work, size_t n, double r, const double *mean, rk_second bar,
                     double *mean_bar);

/** Adjoints of the present value's mean and second moments, and room for those of the one before.
 */
typedef struct rk_bars {
    double *mean, *mean_next;     /* width */
    double *second, *second_next; /* of a covariance, or, if `pairs` is false, of variances */
    bool any, pairs;              /* whether f depends on second moments here at all */
    double *product;              /* as large as the largest W */
} rk_bars;

/** `input_covariance`: with room for its adjoint. */
rk_bars rk_bars_take(rk_work *work, const rk_network *net, bool input_covariance);
/** Those of an output of n entries, as f has them. */
void rk_bars_begin(rk_work *work, size_t n, const rk_cotangent *f, rk_bars *bar);
/** The value before becomes the present one. */
void rk_bars_step(rk_bars *bar);
/** At the input. */
void rk_bars_end(rk_work *work, size_t n_in, const rk_bars *bar, const rk_adjoint *to);
rk_second rk_bars_second(const rk_bars *bar);
/** The distance of the variances' adjoints in `second`. */
size_t rk_bars_stride(const rk_bars *bar, size_t n);

#endif
