/* The kernels of first and second moments, differentiated: each beside its twin in propagate.h, and
 * the transpose of the one in back.h (docs/MATH.md#forward). What ends in _dot is the change of
 * what it is named after; changes of covariances are symmetric. */
#ifndef RK_PROPAGATE_FORWARD_H
#define RK_PROPAGATE_FORWARD_H

#include "propagate/law.h"

/** Of rk_affine_mean: mu_dot = W m_dot + dW m + db. m, dW and db may be NULL: zero. 2 FLOPs a
 *  weight for either product. */
void rk_affine_mean_forward(rk_work *work, const rk_layer *layer, const double *m,
                            const double *m_dot, const double *dW, const double *db,
                            double *mu_dot);

/** Of rk_affine_covariance: Z_dot = A W' + W A' with A = dW C + W C_dot / 2 in `product`, m x n.
 *  dW and C_dot may be NULL: zero; C NULL is the identity. 6 n^3 FLOPs for square W. */
void rk_affine_covariance_forward(rk_work *work, const rk_layer *layer, const double *C,
                                  const double *C_dot, const double *dW, double *product,
                                  double *Z_dot);

/** Of rk_variances: the diagonal of that alone. 4 n^3 FLOPs. */
void rk_variances_forward(rk_work *work, const rk_layer *layer, const double *C,
                          const double *C_dot, const double *dW, double *product, double *var_dot);

/** Of rk_wick_moments; w as there, k_max >= 2, p_max 2. 10 n FLOPs. */
void rk_wick_moments_forward(rk_work *work, size_t n, int k_max, const double *w,
                             const double *mu_dot, const double *var_dot, double *m_dot,
                             double *var_h_dot);

/** Of rk_rescale by r, which made `mean` (n): m_dot, and C_dot (n x n, or without `pairs` n
 *  variances; NULL: none), in place. */
void rk_rescale_forward(rk_work *work, size_t n, double r, const double *mean, double *m_dot,
                        double *C_dot, bool pairs);

#endif
