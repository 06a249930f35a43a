/* What a receipt makes of the error that an answer states (docs/METHODS.md#receipt). */
#ifndef RK_ESTIMATE_VERDICT_H
#define RK_ESTIMATE_VERDICT_H

#include "estimate/answer.h"

/** Enters the receipt into the answer. If it refutes the stated error (with a warning), is surely
 *  above it or less than half of it, or none is stated, what it measured takes the place of that.
 *  Nothing if there is no receipt. */
void rk_verdict_give(rk_answer *answer, const rk_receipt *receipt);

/** Whether the answer's own receipt is such that a better look is worth its cost: it refutes, or
 * all but does. */
bool rk_verdict_is_doubtful(const rk_answer *answer);

/** Judges the answer once more by a sample that is independent of it, if that sees more than the
 *  answer's receipt. */
void rk_verdict_confront(rk_answer *answer, const rk_answer_data *sample);

#endif
