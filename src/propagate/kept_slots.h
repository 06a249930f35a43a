/* Where values that are needed later (kept.h) are, with how each co-varies with the others. */
#ifndef RK_PROPAGATE_KEPT_SLOTS_H
#define RK_PROPAGATE_KEPT_SLOTS_H

#include "propagate/chain.h"

typedef struct rk_kept_value {
    size_t value, last, n; /**< its number; the layer that needs it last; its entries. n 0: free */
    double *m;
    double *C; /**< n x n; without pairs n variances */
    double *X; /**< covariance of the present value with it: as many rows x n */
} rk_kept_value;

/* On the way back a slot is that of a value from the layer that needs it last down to where it was
 * kept, and what it and pairs hold are adjoints, none of them made symmetric. */

typedef struct rk_kept {
    rk_work *work;
    const rk_chain *chain;
    bool pairs;
    size_t n_slots;
    rk_kept_value slot[RK_MOST_KEPT];
    double *pair[RK_MOST_KEPT][RK_MOST_KEPT]; /* [i][j], j < i: covariance of slots i and j */
    double *spare;
    double *slopes, *crosses; /* if recorded: of every layer, and its X before the activation */
} rk_kept;

/** The last layer of the chain that needs `value`. */
size_t rk_kept_last_use(const rk_chain *chain, size_t value);

/** Where in kept->crosses X of layer l with `value` begins: a value's are of the layers from where
 *  it was kept to the one before it is needed last. And in kept->slopes those of layer l. */
size_t rk_kept_cross_at(const rk_chain *chain, size_t value, size_t l);
size_t rk_kept_slopes_at(const rk_chain *chain, size_t l);

/** One that is kept. */
const rk_kept_value *rk_kept_find(const rk_kept *kept, size_t value);

/** Covariance of slot i with slot j, as it is there, or `transposed`. */
double *rk_kept_pair_of(const rk_kept *kept, size_t i, size_t j, bool *transposed);

/** Cov(u, v), u what the stage reads and v in its slot, or if `swapped` its transpose; C is u's own
 *  covariance. NULL: the identity. May be in kept->spare. */
const double *rk_kept_cross_of(const rk_kept *kept, const rk_stage *stage, const rk_kept_value *v,
                               const double *C, bool *swapped);

/** to (n x k) = from, or its transpose. */
void rk_kept_copy(rk_work *work, bool transposed, size_t n, size_t k, const double *from,
                  double *to);

/** X (n x k) += pair, as it is there or transposed. n k FLOPs. */
void rk_kept_sum_pair(rk_work *work, size_t n, size_t k, const double *pair, bool transposed,
                      double *X);

#endif
