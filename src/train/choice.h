/* Which neurons of a layer say most of what the others say: greedy pivots (docs/MATH.md#pivots). */
#ifndef RK_TRAIN_CHOICE_H
#define RK_TRAIN_CHOICE_H

#include "base/work.h"

/** Chooses `count` of n neurons with second moments M (n x n), one after another: the one whose
 *  part R that the chosen ones do not tell explains most of <N, R>, N (n x n) being what the loss
 *  makes of them. picks[k] = SIZE_MAX where nothing is left. 2 n^3 FLOPs, then 4 n for each neuron
 *  that is left and pick. */
void rk_choose_pivots(rk_work *work, size_t n, const double *M, const double *N, size_t count,
                      size_t *picks);

#endif
