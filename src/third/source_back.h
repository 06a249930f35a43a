/* A source of the third cumulant run backwards (docs/MATH.md#third-back): each step beside its twin
 * in source.h. A source here is exact (its rank is its width), whole and in double; its adjoint is
 * another one. */
#ifndef RK_THIRD_SOURCE_BACK_H
#define RK_THIRD_SOURCE_BACK_H

#include "third/source.h"

/** rk_source_transport: T_bar (m x n) += to_bar from', from_bar = T' to_bar. 4 m n FLOPs a column.
 */
void rk_source_transport_back(rk_work *work, size_t m, size_t n, const double *T,
                              const rk_source *from, const rk_source *to_bar,
                              const rk_source *from_bar, double *T_bar);

/** rk_source_first_transport, n neurons being the source's: born_bar is made. */
void rk_source_first_transport_back(rk_work *work, size_t m, size_t n, const double *T,
                                    rk_legs born, const rk_source *to_bar, rk_legs born_bar,
                                    double *T_bar);

/** rk_source_slices and, with `pairs`, rk_source_pairs: from adjoints of kappa_iii (d3_bar) and
 *  kappa_iij (D_bar, n x n) what is added to `bar`. Scratch: `slicing`, and left_bar like its left.
 *  12 n^2 FLOPs a neuron of the source with `pairs`, else 60 n. */
void rk_source_slices_back(rk_work *work, size_t n, const rk_source *source, bool pairs,
                           const rk_slice_scratch *slicing, rk_legs left_bar, const double *d3_bar,
                           const rk_legs *D_bar, const rk_source *bar);

#endif
