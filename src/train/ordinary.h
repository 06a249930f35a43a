/* What a network is to go on doing while something else is made of it: the loss that is kept, as
 * the steps see it and as it is.
 *
 * Kept to another network T it is E|S - T|^2 of E|T|^2: as a closure has it, and by samples. Kept
 * to data it is by how much the mean loss on them has grown since the start, of the targets' mean
 * |t|^2, or in nats; that is known. Steps see its curvature, for its slope at the start is not
 * theirs to follow. */
#ifndef RK_TRAIN_ORDINARY_H
#define RK_TRAIN_ORDINARY_H

#include "gradient/sampled_loss.h"
#include "train/expected_loss.h"
#include "train/kfac.h"

typedef struct rk_ordinary_spec {
    const rk_network *teacher; /**< or else */
    const rk_examples *data;   /**< given ones */
    const rk_input *input;     /**< of the teacher */
    rk_pairs_spec pairs;       /**< of the closure */
    size_t checks;             /**< samples that the teacher's loss is told by; always the same */
    uint64_t seed;
} rk_ordinary_spec;

typedef struct rk_ordinary {
    rk_work *work;
    rk_parameters *of;
    bool by_data;
    rk_expected_loss expected; /**< teachers only */
    rk_sampled_loss sampled;
    size_t rows; /**< that pass for it */
    uint64_t seed;
    double unit;     /**< what losses are relative to */
    double at_start; /**< the loss there: what growth is since */
    double *slope;   /**< its gradient there; NULL: 0, as of another network */
    size_t step;     /**< of the plan: where `value` begins */
} rk_ordinary;

/** For `of` as it is now. In memory of `work`, and some of its own: ends with rk_ordinary_free.
 *  Errors as rk_expected_loss_create and rk_sampled_loss_take; RK_ERROR_ARGUMENT, too, if targets
 *  are all 0, for nothing is a part of that. */
rk_status rk_ordinary_create(rk_ordinary *out, rk_work *work, const rk_ordinary_spec *spec,
                             rk_parameters *of, rk_error *error);
void rk_ordinary_free(rk_ordinary *ordinary);

/** As the steps see it, of the unit. Infinite if interrupted or not finite. */
double rk_ordinary_value(rk_ordinary *ordinary);

/** Makes of->gradient that of the loss (not of the unit), less `slope`, where `value` was asked for
 *  last; once after a value. Data could be fitted better, but that is not what is asked: steps keep
 *  away from where the loss curves up, and only must not climb `slope`. */
void rk_ordinary_gradient(rk_ordinary *ordinary);

/** As it is: of the unit, with its standard error, 0 of data. */
rk_status rk_ordinary_ask(rk_ordinary *ordinary, double *loss, double *standard_error,
                          rk_error *error);

/** Fills the factors of all layers, and inverts them; false if they cannot be. */
bool rk_ordinary_curvature(rk_ordinary *ordinary, double damping, rk_kfac *kfac);

#endif
