/* The answer: what a run found out, and the memory that holds it. */
#ifndef RK_ESTIMATE_ANSWER_H
#define RK_ESTIMATE_ANSWER_H

#include "estimate/receipt.h"

enum { RK_MAX_WARNINGS = 8 };

struct rk_answer {
    rk_answer_data data;
    rk_report report;   /* points into `storage` */
    rk_receipt receipt; /* so does this; no passes: none was taken */
    double *storage;
    size_t *hidden_width;
    double **hidden_mean;
    rk_step *steps;
    rk_method_spec spec;
    char method[RK_METHOD_TEXT], reason[160];
    char warning_text[RK_MAX_WARNINGS][200];
    const char *warnings[RK_MAX_WARNINGS];
};

/** Numbers in the answer to `problem`; false if there are too many to count. */
bool rk_answer_count(const rk_problem *problem, size_t *count);

/** An answer with room for everything `problem` asks for, filled with NaN. */
rk_status rk_answer_create(rk_answer **out, const rk_problem *problem, rk_error *error);

/** FLOPs that count against a budget: all but those of a receipt that was asked for. */
double rk_answer_spent(const rk_options *asked, const rk_answer_data *data);

/** Whether the answer keeps to the tolerance and the budgets that were asked for, if any: sets
 *  `unmet`, with a warning. */
void rk_answer_judge(rk_answer *answer, const rk_options *asked);

/** Adds a warning; beyond RK_MAX_WARNINGS the rest is dropped. */
void rk_answer_warn(rk_answer *answer, const char *format, ...) RK_PRINTF(2, 3);

#endif
