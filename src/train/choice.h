/* Which neurons of a layer say most of what the others say: greedy pivots (docs/MATH.md#pivots). */
#ifndef RK_TRAIN_CHOICE_H
#define RK_TRAIN_CHOICE_H

#include "base/work.h"

/** Chooses `count` of n neurons with second moments M (n x n, spoilt), one after another: the one
 *  whose part that the chosen ones do not tell explains most of <N, what is left of M>, N (n x n)
 *  being what the loss makes of them. picks[k] = SIZE_MAX where nothing is left. scratch n x n.
 *  2 n^3 FLOPs and 6 n^2 a neuron. */
void rk_choose_pivots(rk_work *work, size_t n, double *M, const double *N, size_t count,
                      double *scratch, size_t *picks);

#endif
