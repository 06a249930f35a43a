/* The diagrams of the activation step (docs/MATH.md#diagrams; paper Theorem A.2, eqs. 13-14).
 *
 * The power cumulant of b distinct neurons is a sum over multisets nu of vectors over the b blocks:
 * each v in nu stands for a cumulant of the pre-activations, v_a legs of it at block a. */
#ifndef RK_DIAGRAM_DIAGRAM_H
#define RK_DIAGRAM_DIAGRAM_H

#include "diagram/terms.h"

/** |v| - 1 - [all v_a even]: squared, a cumulant of this shape is O(n^-cost) on average. */
int rk_diagram_cost(rk_vector v);

/** Appends every admissible diagram on `b` blocks: no vector of degree <= 2 on a single block
 *  (means and variances live in the Wick coefficients), all blocks connected, total cost <=
 *  `budget`. The coefficient is 1 / rk_term_symmetry; vectors are in non-increasing order. */
void rk_activation_diagrams(rk_terms *out, int b, int budget);

#endif
