/* From slices back to a tracked core (docs/MATH.md#projection; paper Theorem S.2.4). */
#ifndef RK_CUMULANT_HARMONIC_H
#define RK_CUMULANT_HARMONIC_H

#include "cumulant/slice.h"

/** The core of order s <= 3 for which Sym(core x I^r) has the same r-fold trace as the tensor of
 *  degree s + 2r whose slices are in `family`: its orthogonal projection. Slices whose r-fold trace
 *  is empty are not needed; untracked ones count as zero. */
void rk_harmonic_core(rk_work *work, const rk_slice family[RK_N_PARTITIONS], int s, int r, size_t n,
                      double *core);

#endif
