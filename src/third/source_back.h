/* A source of the third cumulant run backwards (docs/MATH.md#third-back): each step beside its twin
 * in source.h. A source here is exact (its rank is its width), whole and in double; its adjoint is
 * another one. */
#ifndef RK_THIRD_SOURCE_BACK_H
#define RK_THIRD_SOURCE_BACK_H

#include "third/source.h"

/** rk_source_transport: T_bar (m x n) += to_bar from', from_bar = T' to_bar + beta from_bar. 4 m n
 *  FLOPs a column. */
void rk_source_transport_back(rk_work *work, size_t m, size_t n, const double *T,
                              const rk_source *from, const rk_source *to_bar, double beta,
                              const rk_source *from_bar, double *T_bar);

/** rk_source_first_transport, n neurons being the source's: born_bar is added to. */
void rk_source_first_transport_back(rk_work *work, size_t m, size_t n, const double *T,
                                    rk_legs born, const rk_source *to_bar, rk_legs born_bar,
                                    double *T_bar);

/** rk_source_pairs: from D_bar (n x heard) the adjoint of the left factors, which is made, and,
 * added to, that of the legs `there`. 4 n heard FLOPs a column. */
void rk_source_pairs_back(rk_work *work, size_t n, size_t heard, const rk_source *there,
                          const rk_slice_scratch *scratch, const rk_legs *D_bar, rk_legs left_bar,
                          const rk_source *there_bar);

/** rk_source_pairs_at_birth, likewise; born_bar is added to. */
void rk_source_pairs_at_birth_back(rk_work *work, size_t n, const rk_source *source, rk_legs born,
                                   const rk_slice_scratch *scratch, const rk_legs *G_bar,
                                   rk_legs left_bar, rk_legs born_bar);

/** rk_source_slices: from adjoints of kappa_iii (d3_bar) and, unless NULL, of the left factors what
 *  is added to `bar`. 60 n FLOPs a neuron of the source. */
void rk_source_slices_back(rk_work *work, size_t n, const rk_source *source,
                           const rk_legs *left_bar, const double *d3_bar, const rk_source *bar);

#endif
