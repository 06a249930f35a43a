/* The paper's whole family of cumulant propagation, K = 1 .. 4, number for number as its public
 * implementation computes it (docs/MATH.md#reference). The lean closures are faster; this one is
 * what they are measured against. */
#ifndef RK_REFERENCE_REFERENCE_H
#define RK_REFERENCE_REFERENCE_H

#include "reference/spec.h"

/** See propagate.h. `observer` may be NULL; with it, every tracked degree is computed up to the
 *  output, otherwise only what `outputs` asks for. Fails on lack of memory only. */
rk_status rk_propagate_reference(rk_work *work, const rk_network *net, const rk_input *input,
                                 const rk_reference_spec *spec, rk_outputs *outputs,
                                 const rk_reference_observer *observer, rk_error *error);

#endif
