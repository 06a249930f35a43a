/* What answering events costs, step by step: planned or done. */
#ifndef RK_TAIL_LEDGER_H
#define RK_TAIL_LEDGER_H

#include "base/status.h"

typedef struct rk_tail_ledger {
    uint64_t flops;
    uint64_t bytes; /**< of the step that needs most */
    rk_step *steps;
    size_t n_steps;
} rk_tail_ledger;

rk_status rk_tail_ledger_enter(rk_tail_ledger *ledger, const rk_step *step, uint64_t bytes,
                               rk_error *error);

/** A copy with steps of its own. */
rk_status rk_tail_ledger_copy(rk_tail_ledger *out, const rk_tail_ledger *from, rk_error *error);
void rk_tail_ledger_clear(rk_tail_ledger *ledger);

#endif
