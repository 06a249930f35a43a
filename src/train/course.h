/* How a training run goes: what it has cost, its curve, whether to go on, and who is given the best
 * network on the way. */
#ifndef RK_TRAIN_COURSE_H
#define RK_TRAIN_COURSE_H

#include "base/work.h"

/** Hands out the network as it is now, which `context` knows. */
typedef void rk_course_save(void *context, const rk_train_point *now);

typedef struct rk_course {
    rk_work *work;
    double budget_flops, budget_seconds; /**< of all phases; 0: none */
    double share;                        /**< of the budgets, up to the end of this phase */
    uint64_t usual_steps;                /**< of this phase, without a budget */
    rk_train_progress progress;
    void *context;
    rk_course_save *save; /**< NULL: nobody wants it before the end */
    void *save_context;
    double save_seconds; /**< between two of them */
    double saved;        /**< rk_seconds, of the last one */
    double started;      /**< rk_seconds */
    double flops_before; /**< of work's, what does not count */
    rk_train_point now;
    rk_train_point *curve;
    size_t n_curve, room;
    bool stopped; /**< by `progress` */
    bool lost;    /**< there was no memory for a point of the curve */
} rk_course;

/** From now on; `work` reports to the course. */
void rk_course_start(rk_course *course, rk_work *work);
void rk_course_free(rk_course *course);

/** A phase begins, which may spend so much of the budgets. Hears `progress` again. */
void rk_course_phase(rk_course *course, rk_train_phase phase, double share, uint64_t usual_steps);

/** A point of the curve. False: the phase ends here, for one more step like the last one would
 *  exceed its share. */
bool rk_course_point(rk_course *course, uint64_t step, double loss);

/** The network as it is now is the best so far: it is handed out if it is time. */
void rk_course_best(rk_course *course);

/** What the steps came to. */
typedef struct rk_course_end {
    double flops, seconds;
    bool interrupted;
} rk_course_end;

/** The steps are over: the network is handed out, and the phase of the receipt begins, which hears
 *  `progress` again: whoever has asked to stop may do so once more. */
rk_course_end rk_course_finish(rk_course *course);

/** Whether so much more keeps to the phase's share of the budgets; not once it was asked to stop.
 */
bool rk_course_affords(const rk_course *course, double flops);

/** What is left of the budget in FLOPs up to the end of the phase; infinite without. */
double rk_course_left(const rk_course *course);

double rk_course_flops(const rk_course *course);
double rk_course_seconds(const rk_course *course);

#endif
