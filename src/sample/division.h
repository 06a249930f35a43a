/* How a run is cut: passes into replicates (points.h), these into blocks that a thread does at
 * once. The same whatever the threads, or the bits would differ. */
#ifndef RK_SAMPLE_DIVISION_H
#define RK_SAMPLE_DIVISION_H

#include "sample/passes.h"
#include "sample/points.h"

typedef struct rk_division {
    bool by_group; /**< the error comes from whole groups of passes, not from passes or pairs */
    uint64_t n_passes, n_replicates, n_blocks;
    uint64_t passes_per_replicate, blocks_per_replicate; /**< but for the last */
    uint64_t passes_per_group, blocks_per_group;         /**< a replicate, or a basis of it */
} rk_division;

/** Of `n_samples` passes, rounded up to whole pairs, or to whole groups where these tell the error:
 *  replicates of rotated points and of any with a control variate. Of less than RK_FEW_REPLICATES
 *  rotated ones it is told by their bases, if one fills a block; the last replicate then need not
 *  be complete. Bases of a design depend on each other such that too much is told. */
enum { RK_FEW_REPLICATES = 4 };
rk_division rk_divide(rk_point_set points, bool control, size_t n_in, uint64_t n_samples);

/** The same in so many independent groups of equal size, of whole replicates or of a part of one,
 *  rounded to whole pairs or bases, but at least one of these. */
rk_division rk_divide_into_groups(rk_point_set points, size_t n_in, uint64_t n_samples,
                                  uint64_t n_groups);

/** Passes in the blocks before this one. */
uint64_t rk_passes_before(const rk_division *division, uint64_t block);

#endif
