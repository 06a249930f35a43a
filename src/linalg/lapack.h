/* Factorisations of symmetric matrices: the only door to LAPACK. Serial (see blas.h), so the bits
 * do not depend on the number of threads. */
#ifndef RK_LINALG_LAPACK_H
#define RK_LINALG_LAPACK_H

#include "base/work.h"

/** Overwrites symmetric A (n x n; its lower triangle is read) with the lower triangular L of
 *  A = L L', zeros above the diagonal: n^3 / 3 FLOPs. False, leaving A spoilt, if A is not positive
 *  definite. The dry run answers true. */
bool rk_cholesky(rk_work *work, size_t n, double *a);

/** Overwrites symmetric A (n x n; its lower triangle is read) with orthonormal eigenvectors, one a
 *  row, `values` ascending: A = sum_k values[k] row_k' row_k. About 9 n^3 FLOPs; takes and gives
 *  back 2n^2 + 6n doubles and 5n ints of `work`. False, in the dry run too, for n above 32766; and
 *  if the iteration did not converge, which takes a NaN. */
bool rk_eigen_symmetric(rk_work *work, size_t n, double *a, double *values);

/** The values alone, ascending; spoils A. About 4/3 n^3 FLOPs; takes and gives back 2n doubles.
 * False if the iteration did not converge. */
bool rk_eigenvalues_symmetric(rk_work *work, size_t n, double *a, double *values);

#endif
