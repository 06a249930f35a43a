/* Choosing a method among candidates (docs/METHODS.md#auto). */
#ifndef RK_ESTIMATE_AUTO_H
#define RK_ESTIMATE_AUTO_H

#include "estimate/answer.h"
#include "estimate/candidate.h"

typedef struct rk_choice {
    rk_goal goal; /* what was asked for, or does where that is nothing */
    rk_scout scout;
    rk_candidate *candidates;
    size_t n, chosen;
    char reason[160];
} rk_choice;

/**
 * Chooses for the goal of the problem's options among all variants that are not there for
 * comparison only (method.h), or, if `only` is not NULL, takes that one: then it is a sampling
 * method, and how many samples it takes is the question. Costs a scout (candidate.h), and
 * everything is planned. The choice depends on the speed of the machine only if the goal has
 * seconds. RK_ERROR_OUT_OF_REACH: nothing reaches the tolerance, and no budget says to try. Clear
 * after success and failure alike.
 */
rk_status rk_choose(rk_choice *choice, const rk_problem *problem, const rk_method_spec *only,
                    rk_error *error);

/** The receipt that the chosen method gets by default: none if it measures its own error or has
 *  none, else what a small share of the budget, or of a default one, pays for. */
rk_sample_spec rk_choice_receipt(const rk_choice *choice, const rk_problem *problem);

/**
 * After the chosen method has answered: if it disappoints, by its own account, by its receipt or by
 * missing the tolerance, `next` is the sampling that would do better with what is left of the
 * budget, or where passes fail a closure. False if there is none.
 */
bool rk_choose_again(const rk_choice *choice, const rk_problem *problem, const rk_answer *answer,
                     rk_candidate *next);

void rk_choice_clear(rk_choice *choice);

#endif
