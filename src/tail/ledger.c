#include "tail/ledger.h"

#include <stdlib.h>
#include <string.h>

/* Grows at powers of two. */
static rk_status make_room(rk_tail_ledger *ledger, rk_error *error) {
    const size_t n = ledger->n_steps;
    if ((n & (n - 1)) != 0) return RK_OK;
    rk_step *grown = realloc(ledger->steps, (n ? 2 * n : 1) * sizeof *grown);
    if (!grown) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the steps");
    ledger->steps = grown;
    return RK_OK;
}

rk_status rk_tail_ledger_enter(rk_tail_ledger *ledger, const rk_step *step, uint64_t bytes,
                               rk_error *error) {
    const rk_status status = make_room(ledger, error);
    if (status != RK_OK) return status;
    ledger->steps[ledger->n_steps++] = *step;
    const uint64_t room = UINT64_MAX - ledger->flops;
    ledger->flops += step->flops < room ? step->flops : room;
    if (bytes > ledger->bytes) ledger->bytes = bytes;
    return RK_OK;
}

rk_status rk_tail_ledger_copy(rk_tail_ledger *out, const rk_tail_ledger *from, rk_error *error) {
    rk_status status = RK_OK;
    *out = (rk_tail_ledger){0};
    for (size_t i = 0; status == RK_OK && i < from->n_steps; i++)
        status = rk_tail_ledger_enter(out, &from->steps[i], from->bytes, error);
    return status;
}

void rk_tail_ledger_clear(rk_tail_ledger *ledger) {
    free(ledger->steps);
    *ledger = (rk_tail_ledger){0};
}
