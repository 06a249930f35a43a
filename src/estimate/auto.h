/* Choosing a method: what each is expected to achieve on this network, and what it costs
 * (docs/METHODS.md#auto). */
#ifndef RK_ESTIMATE_AUTO_H
#define RK_ESTIMATE_AUTO_H

#include "estimate/method.h"

/** What is asked of a run; 0: nothing. */
typedef struct rk_goal {
    double flops, seconds; /**< at most */
    double tolerance;      /**< the root mean square error, at most */
} rk_goal;

/** What is known of the network without a dear run. */
typedef struct rk_scout {
    rk_outputs outputs; /**< of `mean`; its pointers are gone */
    double variance;    /**< of the outputs, averaged */
} rk_scout;

typedef struct rk_choice {
    rk_goal goal;
    rk_scout scout;
    double speed; /**< FLOPs a second of a double product on this machine */
    rk_candidate *candidates;
    size_t n, chosen;
    char reason[160];
} rk_choice;

/** The goal of some options: the bounds they set or, for method auto without any, a FLOP budget. */
rk_goal rk_goal_of(const rk_options *options, bool is_auto);

/**
 * Chooses among all methods with a law (error_model.h), or, if `only` is not NULL, takes that one:
 * then it is a sampling method, and how many samples it takes is the question. Runs `mean` (4n^2L
 * FLOPs) and, for the seconds, small products for 4 ms; plans everything else. The choice depends
 * on the seconds only if the goal does. Clear after success and failure alike.
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
