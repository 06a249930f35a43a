/* From standard normals to an input that has a covariance. */
#ifndef RK_SAMPLE_ROOT_H
#define RK_SAMPLE_ROOT_H

#include "base/work.h"

/** root (n x n) of a covariance C: root root' = C, root = D R with the deviations D and the
 *  symmetric square root R of the correlations. It is unique, unlike a Cholesky factor of a
 * singular matrix or eigenvectors, so x = mu + root z depends on nobody's LAPACK, nor on units.
 *  Eigenvalues below zero count as zero: rk_input_accept has seen that they are rounding.
 *  RK_ERROR_ARGUMENT if there are more inputs than LAPACK can count. */
rk_status rk_input_root(rk_work *work, size_t n, const double *covariance, double *root,
                        rk_error *error);

/** Adds to the adjoint of C, symmetric, what that of its root makes of it, both n x n; `covariance`
 *  NULL: of the identity. docs/MATH.md#pathwise. Directions without variance get nothing: samples
 *  know nothing of them. About 15 n^3 FLOPs and 5n^2 doubles if it is not the identity.
 *  RK_ERROR_ARGUMENT as above. */
rk_status rk_input_root_back(rk_work *work, size_t n, const double *covariance,
                             const double *root_adjoint, double *adjoint, rk_error *error);

#endif
