/* Steps on samples of the input: SGD and Adam for comparison, and the finish, SGD over curvature
 * that is held (docs/METHODS.md#distill). */
#ifndef RK_TRAIN_SAMPLED_STEPS_H
#define RK_TRAIN_SAMPLED_STEPS_H

#include "train/course.h"
#include "train/first_order.h"
#include "train/kfac.h"
#include "train/parameters.h"

typedef struct rk_sampled_steps_spec {
    rk_first_order_kind kind;
    double rate;
    rk_schedule schedule;
    rk_point_set points;
    size_t batch; /**< samples a step */
    uint64_t seed;
    const rk_kfac *kfac; /**< of all layers; NULL: plain gradients */
    double flops;        /**< what they may cost without a budget */
} rk_sampled_steps_spec;

/** What a step costs. */
double rk_sampled_steps_flops(const rk_network *teacher, const rk_parameters *student,
                              const rk_input *input, const rk_sampled_steps_spec *spec);

/** Moves the student until what the phase may spend is spent: as many steps as that pays for are
 *  known from the start. In the dry run, one. `steps`: done. RK_ERROR_NUMERIC, the student being
 *  what it was, if they diverge; RK_ERROR_UNSUPPORTED as rk_batch_check. */
rk_status rk_sampled_steps_run(rk_course *course, const rk_network *teacher, rk_parameters *student,
                               const rk_input *input, const rk_sampled_steps_spec *spec,
                               uint64_t *steps, rk_error *error);

#endif
