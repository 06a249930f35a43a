/* Factored top cumulants (docs/MATH.md#factored; paper section 4.3). */
#ifndef RK_REFERENCE_FACTORED_H
#define RK_REFERENCE_FACTORED_H

#include "reference/state.h"

extern const rk_factored_ops rk_factored3; /**< K = 3: products of three vectors */
extern const rk_factored_ops rk_factored4; /**< K = 4: products of two matrices */

/** An edge of a tree diagram: the matrix s_ij with `a` legs at i and `b` at j, divided by the
 *  symmetry of its legs; zero diagonal. */
typedef struct rk_tree_edge {
    int a, b, cost;
    double *s; /* n x n */
} rk_tree_edge;

enum { RK_MAX_TREE_EDGES = 5 };

/** The edges of cost up to `max_cost` that the slices of the pre-activations have; memory from
 *  `work`. Answers their number. */
int rk_tree_edges(rk_work *work, size_t n, const rk_slice *sources, int max_cost,
                  rk_tree_edge edge[RK_MAX_TREE_EDGES]);

#endif
