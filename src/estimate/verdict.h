/* What a receipt makes of the error that an answer states (docs/METHODS.md#receipt). */
#ifndef RK_ESTIMATE_VERDICT_H
#define RK_ESTIMATE_VERDICT_H

#include "estimate/answer.h"

/** Enters the receipt into the answer. If it refutes the stated error, or none is stated, what it
 *  measured takes the place of that, with a warning. Nothing if there is no receipt. */
void rk_verdict_give(rk_answer *answer, const rk_receipt *receipt);

#endif
