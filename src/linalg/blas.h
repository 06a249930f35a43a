/* Products: the only door to BLAS, besides lapack.h.
 *
 * All matrices are row-major with leading dimension = distance between rows. Every product is cut
 * into tiles whose shape depends on its own alone, each one serial BLAS call, so results do not
 * depend on the number of threads; it charges the ledger 2mnk for what it computes. Aliasing of
 * inputs and output is not allowed. */
#ifndef RK_LINALG_BLAS_H
#define RK_LINALG_BLAS_H

#include "base/work.h"
#include "linalg/library.h"

typedef enum rk_trans { RK_NO_TRANS, RK_TRANS } rk_trans;

/** C (m x n) = alpha op(A) op(B) + beta C, op(A) m x k, op(B) k x n. */
void rk_gemm(rk_work *work, rk_trans trans_a, rk_trans trans_b, size_t m, size_t n, size_t k,
             double alpha, const double *a, size_t lda, const double *b, size_t ldb, double beta,
             double *c, size_t ldc);
void rk_sgemm(rk_work *work, rk_trans trans_a, rk_trans trans_b, size_t m, size_t n, size_t k,
              float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta,
              float *c, size_t ldc);

/** C (n x n) = alpha op(A) op(B) + beta C where the caller knows the result to be symmetric:
 * computes the tiles up to the diagonal (about half the work) and mirrors them. op(A) n x k, op(B)
 * k x n; beta C must be symmetric. */
void rk_gemm_symmetric(rk_work *work, rk_trans trans_a, rk_trans trans_b, size_t n, size_t k,
                       double alpha, const double *a, size_t lda, const double *b, size_t ldb,
                       double beta, double *c, size_t ldc);

/** out (m x m) = W S W' for symmetric S (n x n), W m x n: 2mn^2 + about m^2 n FLOPs. `scratch`
 *  has m x n entries and holds W S afterwards. `s` NULL stands for the identity. */
void rk_congruence(rk_work *work, size_t m, size_t n, const double *w, const double *s,
                   double *scratch, double *out);

/** B (n x m) = op(L)^-1 B for L (n x n) as rk_cholesky makes it: n^2 m FLOPs. */
void rk_solve_lower(rk_work *work, rk_trans trans, size_t n, size_t m, const double *l, double *b);

/** y (m) = A x (+ y0 if not NULL), A m x n. */
void rk_gemv(rk_work *work, size_t m, size_t n, const double *a, const double *x, const double *y0,
             double *y);

/* For use inside a block that some thread has claimed: one serial call each, not charged. */

/** C (m x n) = A B, A m x k, B k x n. */
void rk_block_sgemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);
/** Lower triangle of C (n x n) = A'A, A k x n. */
void rk_block_dsyrk_tn(size_t n, size_t k, const double *a, double *c);

/** RK_ERROR_TOO_LARGE if limits of the process leave no room for the buffers that a BLAS takes for
 *  so many threads: some would wait for them forever. */
rk_status rk_blas_check_room(int threads, rk_error *error);

#endif
