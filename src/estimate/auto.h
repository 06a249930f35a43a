/* Choosing a method among candidates (docs/METHODS.md#auto). */
#ifndef RK_ESTIMATE_AUTO_H
#define RK_ESTIMATE_AUTO_H

#include "estimate/candidate.h"

typedef struct rk_choice {
    rk_goal goal;
    rk_scout scout;
    rk_candidate *candidates;
    size_t n, chosen;
    char reason[160];
} rk_choice;

/** The goal of some options: the bounds they set. Where there is something to choose, a tolerance
 *  alone comes with 1e15 FLOPs, and `auto` without any bounds with 1e11. */
rk_goal rk_goal_of(const rk_options *options, const rk_method *method);

/**
 * Chooses among all methods with a law (error_model.h), or, if `only` is not NULL, takes that one:
 * then it is a sampling method, and how many samples it takes is the question. Costs a scout
 * (candidate.h), and everything is planned. The choice depends on the speed of the machine only if
 * the goal has seconds. Clear after success and failure alike.
 */
rk_status rk_choose(rk_choice *choice, const rk_problem *problem, const rk_goal *goal,
                    const char *only, rk_error *error);

/**
 * After the chosen method has answered: if it disappoints, by its own account or by missing the
 * tolerance, `next` is the sampling that would do better with what is left of the budget. False if
 * there is none.
 */
bool rk_choose_again(const rk_choice *choice, const rk_problem *problem,
                     const rk_answer_data *answer, rk_candidate *next);

void rk_choice_clear(rk_choice *choice);

#endif
