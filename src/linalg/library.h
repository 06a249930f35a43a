/* Which BLAS the process runs with, and keeping it serial: its own threads would cut sums
 * elsewhere from run to run, and fight with the pool's.
 *
 * What libraries keep for the whole process (OpenBLAS with pthreads, BLIS) is set by
 * rk_blas_make_serial while reckon's pool is at work; what they keep for each thread (OpenMP, MKL)
 * around every single call, in the thread that makes it. */
#ifndef RK_LINALG_LIBRARY_H
#define RK_LINALG_LIBRARY_H

/** Makes BLAS serial, for the whole process, until rk_blas_restore has been called as often. */
void rk_blas_make_serial(void);
void rk_blas_restore(void);

/** What the calling thread had before; MKL counts in a way of its own. */
typedef struct rk_blas_turn {
    int openmp[2], mkl[2];
} rk_blas_turn;

/** Around every call of BLAS or LAPACK: serial in this thread in between. Some nanoseconds. */
rk_blas_turn rk_blas_begin(void);
void rk_blas_end(rk_blas_turn turn);

typedef struct rk_blas_identity {
    char name[200];      /**< with version and build, or "unknown" */
    const char *threads; /**< whose threads it could use: "none", "pthreads", "OpenMP", ... */
    char core[40];       /**< the processor it has code for, on which the last bits depend */
    char file[200];      /**< where it was loaded from; "" if unknown */
} rk_blas_identity;

rk_blas_identity rk_blas_identify(void);

#endif
