/* Planning and running a method that is known. Below choosing among methods: candidate.h. */
#ifndef RK_ESTIMATE_PREPARE_H
#define RK_ESTIMATE_PREPARE_H

#include "estimate/answer.h"
#include "estimate/methods.h"

/** Refuses what the problem's method does not cover. */
rk_status rk_problem_check(const rk_problem *problem, rk_error *error);

/** Checks that, resolves its arguments, and runs it `dry`. Clear the problem and free dry->steps
 * after success and failure alike. */
rk_status rk_problem_prepare(rk_problem *problem, rk_work *dry, rk_error *error);

/** RK_ERROR_TOO_LARGE, naming the bytes, if a run that takes what `dry` has found, and its answer,
 *  are beyond the limit. */
rk_status rk_problem_check_memory(const rk_problem *problem, const rk_work *dry, rk_error *error);

/** Frees what preparing added. */
void rk_problem_clear(rk_problem *problem);

/** The method and the receipt, dry or wet. */
rk_status rk_problem_run(const rk_problem *problem, rk_work *work, rk_report *report,
                         rk_receipt *receipt, rk_error *error);

#endif
