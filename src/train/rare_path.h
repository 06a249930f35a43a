/* The way from a network to one for which an event is rarer, at the least price in what it does
 * ordinarily (docs/MATH.md#rare-training).
 *
 * The ordinary loss (train/ordinary.h) + beta log P is walked down while beta grows from step to
 * step, so that what one pays goes up slowly: theta -= rate K^-1 (gradient), K being the curvature
 * of the first term at the start. Samples tell what is paid in truth, and the last step is cut
 * where that is the allowance. */
#ifndef RK_TRAIN_RARE_PATH_H
#define RK_TRAIN_RARE_PATH_H

#include "train/event_objective.h"
#include "train/ordinary.h"

typedef struct rk_rare_path_spec {
    rk_event_view view;
    rk_ordinary_spec keep;
    double allowance;     /**< on what is kept, in truth */
    double rate, damping; /**< of the steps; of K */
    double first, growth; /**< of beta: at the first step, from each to the next */
} rk_rare_path_spec;

/** What was good in trial. */
rk_rare_path_spec rk_rare_path_default(void);

/** Where it stands. Losses are of rk_ordinary's unit. */
typedef struct rk_rare_path {
    rk_rare_path_spec spec;
    rk_work *work;
    rk_parameters *of;
    rk_ordinary ordinary;
    rk_event_objective objective;
    rk_kfac kfac;
    double *before, *step; /**< parameters before the last step, and the step */
    double *uphill;        /**< K^-1 slope, of ordinary's; NULL: there is none */
    double beta;
    uint64_t steps;
    double closure_loss, loss, standard_error; /**< the latter NaN until samples are asked */
    double log_p;                              /**< what the objective says */
    bool ended;                                /**< the allowance is used up */
    bool is_sound;                             /**< where it is keeps to the allowance */
} rk_rare_path;

/** From `of` as it is; spec->keep says what it goes on doing. In memory of `work`, which does with
 *  the plan of one step for any number of them. The networks as rk_ordinary_create has it, and the
 *  way back through the event's layers. Ends with rk_rare_path_free. */
rk_status rk_rare_path_create(rk_rare_path *out, rk_work *work, const rk_rare_path_spec *spec,
                              rk_parameters *of, const rk_rare_event *event, rk_error *error);
void rk_rare_path_free(rk_rare_path *path);

/** Before each step: what the last one came to, as the closure sees it. If it went far beyond the
 *  allowance it is cut, and the path has ended. */
rk_status rk_rare_path_look(rk_rare_path *path, rk_error *error);

/** One step; sets `ended` if it is the last. Interrupted, the network is that of the step before.
 *  RK_ERROR_NUMERIC if there is no way on, likewise. The dry run plans it. */
rk_status rk_rare_path_step(rk_rare_path *path, rk_error *error);

#endif
