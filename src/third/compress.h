/* Sources in fewer directions: older ones (docs/MATH.md#fold), and the residual of newborn ones. */
#ifndef RK_THIRD_COMPRESS_H
#define RK_THIRD_COMPRESS_H

#include "third/source.h"

/* A source is folded after so many layers have read it, or more. */
enum { RK_FOLD_AGE = 7 };

/** How many directions then hold a source of `width` neurons in a layer of n: 0 if it is not worth
 *  it. */
size_t rk_fold_span(size_t width, size_t n);

/** The source with its legs in full; `room` (n rows of its columns) holds them if it is folded. */
rk_source rk_source_unfold(rk_work *work, size_t n, const rk_source *source, rk_legs room);

typedef struct rk_fold_scratch {
    rk_legs wide;   /* span x 2 width */
    rk_legs narrow; /* span x n */
    double *basis;  /* span x n */
    double *gram;   /* span x span */
} rk_fold_scratch;

/** Folds a source that is not, n rows, into `to`, whose legs may be the same memory if 2 span is
 *  not above its width. Deterministic; about 8 n span width FLOPs and 2 n span^2. */
void rk_source_fold(rk_work *work, size_t n, const rk_source *whole, const rk_fold_scratch *scratch,
                    const rk_source *to);

/**
 * z L = R projected on the `rank` directions that random probes find most of R in, after one power
 * iteration: R n x m, z n x rank with orthonormal columns, L rank x m. `thin` (rank x n) and
 * `basis` (rank x n doubles) are scratch. About 8 n m rank FLOPs.
 */
void rk_residual_compress(rk_work *work, size_t n, size_t m, size_t rank, rk_legs R, rk_legs thin,
                          double *basis, rk_legs z, rk_legs L);

#endif
