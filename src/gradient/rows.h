/* Sums over matrices whose rows are samples: the same bits for any number of threads. */
#ifndef RK_GRADIENT_ROWS_H
#define RK_GRADIENT_ROWS_H

#include "base/work.h"

/** to (cols) += the sum of the rows of `from` (rows x cols), in their order. */
void rk_rows_sum(rk_work *work, size_t rows, size_t cols, const double *from, double *to);

/** to (rows x cols) += from. */
void rk_rows_add(rk_work *work, size_t rows, size_t cols, const double *from, double *to);

#endif
