#include "linalg/lapack.h"

#include "linalg/library.h"

#include <assert.h>
#include <lapacke.h>
#include <limits.h>

static lapack_int lapack_size(size_t size) {
    assert(size <= INT_MAX);
    return (lapack_int)size;
}

/* LAPACK thinks in columns: a symmetric matrix is the same to it, its lower triangle is our upper
 * one, and its columns are our rows. */

bool rk_cholesky(rk_work *work, size_t n, double *a) {
    if (!rk_work_charge(work, (uint64_t)n * n * n / 3)) return true;
    lapack_int size = lapack_size(n);
    rk_blas_turn turn = rk_blas_begin();
    lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', size, a, size);
    rk_blas_end(turn);
    if (info != 0) return false;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            a[i * n + j] = 0;
    return true;
}

/* The most whose workspace of 2n^2 + 6n + 1 an int can count. */
enum { LARGEST = 32766 };

bool rk_eigen_symmetric(rk_work *work, size_t n, double *a, double *values) {
    const size_t mark = rk_work_mark(work);
    if (n > LARGEST) return false;
    const size_t n_doubles = 1 + 6 * n + 2 * n * n, n_ints = 3 + 5 * n;
    double *doubles = rk_work_doubles(work, 1, n_doubles);
    lapack_int *ints = rk_work_take(work, n_ints, sizeof *ints);
    rk_work_release(work, mark);
    if (!rk_work_charge(work, 9 * (uint64_t)n * n * n)) return true;
    lapack_int size = lapack_size(n);
    rk_blas_turn turn = rk_blas_begin();
    lapack_int info =
        LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', size, a, size, values, doubles,
                            lapack_size(n_doubles), ints, lapack_size(n_ints));
    rk_blas_end(turn);
    return info == 0;
}

bool rk_eigenvalues_symmetric(rk_work *work, size_t n, double *a, double *values) {
    const size_t mark = rk_work_mark(work), n_doubles = 2 * n + 1;
    double *doubles = rk_work_doubles(work, 1, n_doubles);
    rk_work_release(work, mark);
    if (!rk_work_charge(work, 4 * (uint64_t)n * n * n / 3)) return true;
    lapack_int size = lapack_size(n), one;
    return LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'N', 'U', size, a, size, values, doubles,
                               lapack_size(n_doubles), &one, 1) == 0;
}
