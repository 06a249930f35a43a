/* How a training run goes: what it has cost, its curve, and whether to go on. */
#ifndef RK_TRAIN_COURSE_H
#define RK_TRAIN_COURSE_H

#include "base/work.h"

typedef struct rk_course {
    rk_work *work;
    double budget_flops, budget_seconds; /**< of all phases; 0: none */
    double share;                        /**< of the budgets, up to the end of this phase */
    uint64_t usual_steps;                /**< of this phase, without a budget */
    rk_train_progress progress;
    void *context;
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

/** What is left of the budget in FLOPs up to the end of the phase; infinite without. */
double rk_course_left(const rk_course *course);

double rk_course_flops(const rk_course *course);
double rk_course_seconds(const rk_course *course);

#endif
