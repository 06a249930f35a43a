/* What one sample's outputs cost, and how that moves with them. */
#ifndef RK_GRADIENT_RESIDUAL_H
#define RK_GRADIENT_RESIDUAL_H

#include "base/work.h"

typedef enum rk_residual {
    RK_RESIDUAL_SQUARED,      /**< |y - t|^2 */
    RK_RESIDUAL_CROSS_ENTROPY /**< -log softmax(y)_label */
} rk_residual;

/** What outputs should be: values (rows x n_out) or, of a cross entropy, labels (rows) below n_out.
 */
typedef struct rk_targets {
    const double *values;
    const size_t *labels;
} rk_targets;

/** loss[r] of each row of y (rows x n_out) and, unless NULL, ybar = weight d loss[r] / dy. 3 FLOPs
 *  an entry. */
void rk_residual_apply(rk_work *work, rk_residual residual, size_t rows, size_t n_out,
                       const double *y, const rk_targets *targets, double weight, double *loss,
                       double *ybar);

#endif
