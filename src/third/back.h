/* The law of the third order backwards (docs/MATH.md#third-back): what it keeps of the way there
 * (record.c), and its steps' twins (law_back.c, sources_back.c, carried_back.c). */
#ifndef RK_THIRD_BACK_H
#define RK_THIRD_BACK_H

#include "third/state.h"

/* ------------------------------------------------------------------ of the way there: record.c */

/** Of all layers. */
double *rk_third_records_take(const rk_third *c);
rk_third_record rk_third_record_of(const rk_third *c, size_t l);

/** What is known once the layer's z is, and once its h is. */
void rk_third_record_z(rk_third *c, const rk_stage *stage);
void rk_third_record_h(rk_third *c, const rk_stage *stage);

/** z of the layer stands in `c` again. */
void rk_third_recall(rk_third *c, const rk_stage *stage);

/* ----------------------------------- back: law_back.c, sources_back.c, carried_back.c */

extern const rk_law_back rk_third_law_back;

/** Adjoints and scratch, for a state that is otherwise there. */
rk_third_back rk_third_back_take(const rk_third *c, const rk_chain *chain);

/** Which sources' adjoints are there at a time: all, if those of layers below get some beforehand.
 */
static inline size_t rk_third_slots_back(const rk_third *c) {
    return rk_third_follows(c) ? rk_third_slots(c) : c->n_sources + 1;
}

/** The adjoint of rk_third_born. */
rk_legs rk_third_born_bar(const rk_third *c, size_t s);

/** Adjoint of source s at layer l, of its statics at any. */
rk_source rk_third_source_bar(const rk_third *c, size_t s, size_t l);

/** rk_third_move backwards: from back.z's d3 and D to the sources at the layer below, back.slope,
 *  tilt.a, y and W (all made), and, added, to mean and second of z. */
void rk_third_move_back(rk_third *c, size_t l, const rk_layer *layer, bool pairs);

/** On entering layer l: T of the layers below once more, and its own adjoint so far in back.W. */
void rk_third_recall_below(rk_third *c, size_t l);

/** What follows fourth cumulants, backwards: from back.z's K31, k4 and D, and back.carried, to H
 *  and G, back.fourth, legs of sources, T, and those below, and the covariance of z. */
void rk_third_follow_back(rk_third *c, size_t l, bool pairs);

/** The adjoint of followed22 to those of what was kept at layers below. */
void rk_third_share_back(rk_third *c, size_t l);

/** rk_third_move_fourth backwards: from back.z's core, metric and M, added, to W, and tilt.core. */
void rk_third_move_fourth_back(rk_third *c, size_t l, const rk_layer *layer, bool pairs);

#endif
