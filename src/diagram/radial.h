/* Slices of a radial tensor (docs/MATH.md#radial). */
#ifndef RK_DIAGRAM_RADIAL_H
#define RK_DIAGRAM_RADIAL_H

#include "diagram/terms.h"

/** Appends the terms of the slice lambda of Sym(core x M^r), core symmetric of order |lambda| - 2r:
 *  the average over all ways to give r disjoint pairs of legs to the metric M and the others to
 *  the core. In each term factor[0] says how many legs of each block go to the core, the r others
 *  are edges: (.. 1 .. 1 ..) for M_ij, (.. 2 ..) for M_ii. */
void rk_radial_slice(rk_terms *out, rk_vector lambda, int r);

#endif
