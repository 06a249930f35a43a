/* The answer about all events, and the memory that holds it. */
#ifndef RK_TAIL_ANSWER_H
#define RK_TAIL_ANSWER_H

#include "tail/plan.h"

enum { RK_TAIL_MAX_WARNINGS = 4 };

struct rk_tail_answer {
    rk_tail_data data;
    rk_tail_estimate *estimates;
    rk_tail_ledger ledger;
    rk_tail_spec spec;
    char method[RK_METHOD_TEXT];
    char warning_text[RK_TAIL_MAX_WARNINGS][200];
    const char *warnings[RK_TAIL_MAX_WARNINGS];
};

/** About the plan's events, of which nothing is known yet. */
rk_status rk_tail_answer_create(rk_tail_answer **out, const rk_tail_plan *plan, rk_error *error);

/** The ledger becomes the answer's. */
void rk_tail_answer_settle(rk_tail_answer *answer, const rk_tail_ledger *ledger, uint64_t passes);

/** Beyond RK_TAIL_MAX_WARNINGS the rest is dropped. */
void rk_tail_answer_warn(rk_tail_answer *answer, const char *format, ...) RK_PRINTF(2, 3);

/** Whether it keeps to the tolerance and the budgets that were asked for, if any: sets `unmet`,
 * with a warning. */
void rk_tail_answer_judge(rk_tail_answer *answer, const rk_options *asked);

#endif
