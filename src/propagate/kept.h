/* Values that are needed later than by the next layer: their means and covariances, and how each
 * co-varies with the present value and with the others (docs/MATH.md#residual).
 *
 * All of it is moved as covariances are: through W exactly, through an activation by its mean
 * slope, which is exact for jointly Gaussian pairs. */
#ifndef RK_PROPAGATE_KEPT_H
#define RK_PROPAGATE_KEPT_H

#include "propagate/chain.h"

typedef struct rk_kept_value {
    size_t value, last, n; /**< its number; the layer that needs it last; its entries. n 0: free */
    double *m;
    double *C; /**< n x n; without pairs n variances */
    double *X; /**< covariance of the present value with it: as many rows x n */
} rk_kept_value;

typedef struct rk_kept {
    rk_work *work;
    const rk_chain *chain;
    bool pairs;
    size_t n_slots;
    rk_kept_value slot[RK_MOST_KEPT];
    double *pair[RK_MOST_KEPT][RK_MOST_KEPT]; /* [i][j], j < i: covariance of slots i and j */
    double *spare;
} rk_kept;

/** Room for what `chain` keeps at a time: for k values of up to n entries k (k + 3) / 2 + 1 n^2
 *  doubles, none for none. Without `pairs` values are taken as independent, and 2 k n do. */
rk_kept rk_kept_take(const rk_chain *chain, bool pairs);

/** Keeps the present value, n entries, of this mean (NULL: zero) and covariance (NULL: the
 *  identity), or without pairs variances. */
void rk_kept_add(rk_kept *kept, size_t value, size_t n, const double *m, const double *C);

/** One that is kept. */
const rk_kept_value *rk_kept_find(const rk_kept *kept, size_t value);

/** The present value becomes W u, u what the stage reads; what no stage needs from here on is
 *  forgotten. 2 m n k FLOPs for each value of k entries. */
void rk_kept_affine(rk_kept *kept, const rk_stage *stage);

/** Adds to the present value, of mean mu and covariance Z (not without pairs) with diagonal var,
 * the one that the stage adds. 3 n^2 FLOPs, and n k for every value of k entries. */
void rk_kept_sum(rk_kept *kept, const rk_stage *stage, double *mu, double *Z, double *var);

/** The present value, n entries, goes through an activation of these mean slopes. */
void rk_kept_activate(rk_kept *kept, size_t n, const double *slope);

#endif
