/* Older sources in fewer directions (docs/MATH.md#fold).
 *
 * The legs p and a of an older source are products of many layers, which all but kills most of
 * their directions. Folded, [p | a] = u K: a tall thin u moves on, K (span x 2 width) stays. */
#ifndef RK_PROPAGATE_THIRD_FOLD_H
#define RK_PROPAGATE_THIRD_FOLD_H

#include "propagate/third_source.h"

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

#endif
