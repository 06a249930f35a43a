/* Integer and vector partitions. */
#ifndef RK_DIAGRAM_PARTITION_H
#define RK_DIAGRAM_PARTITION_H

#include "diagram/terms.h"

/** Steps through the partitions of an integer d <= RK_MAX_BLOCKS in decreasing lexicographic order:
 *  (d), (d-1, 1), ..., (1, ..., 1). Start with rk_partition_first; false after the last. */
rk_vector rk_partition_first(int d);
bool rk_partition_next(rk_vector *partition);

/** Appends every multiset of non-zero vectors summing to `total`, |total| <= RK_MAX_FACTORS, each
 *  once, factors in non-increasing lexicographic order, coefficient 1. */
void rk_vector_partitions(rk_terms *out, rk_vector total);

#endif
