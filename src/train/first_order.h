/* Steps along gradients that come one by one, mostly from samples: SGD and Adam.
 *
 * A step works on flat vectors and takes no memory. All that a run needs to go on is in `state`. */
#ifndef RK_TRAIN_FIRST_ORDER_H
#define RK_TRAIN_FIRST_ORDER_H

#include "base/status.h"

/** What is left of a rate at step `step` of [0, n_steps). */
double rk_schedule_factor(rk_schedule schedule, uint64_t step, uint64_t n_steps);

typedef enum rk_first_order_kind {
    RK_SGD, /**< m = momentum m + g, theta -= rate m */
    RK_ADAM /**< Kingma and Ba's, with both corrections for the start */
} rk_first_order_kind;

typedef struct rk_first_order_spec {
    rk_first_order_kind kind;
    double rate;
    rk_schedule schedule;
    uint64_t n_steps;
    double momentum;       /**< SGD */
    double beta1, beta2;   /**< Adam: decay of the means of g and g^2 */
    double epsilon;        /**< Adam: added to the root of the latter, in units of g */
    uint64_t average_from; /**< what comes out is the mean of what the steps from this one on
                            *   make; n_steps: the last */
} rk_first_order_spec;

/** SGD without momentum, Adam with (0.9, 0.999, 1e-8): at this rate, linear to 0. */
rk_first_order_spec rk_first_order_default(rk_first_order_kind kind, double rate, uint64_t n_steps);

typedef struct rk_first_order {
    rk_first_order_spec spec;
    size_t n;
    uint64_t step; /**< the next one */
    double *state; /**< n_state numbers, all that is remembered */
    size_t n_state;
    double *mean, *square, *average; /**< n each, in `state`; NULL: not needed */
} rk_first_order;

/** RK_ERROR_ARGUMENT names what no steps can be made with. */
rk_status rk_first_order_create(rk_first_order *out, const rk_first_order_spec *spec, size_t n,
                                rk_error *error);
void rk_first_order_free(rk_first_order *optimiser);

/** Moves theta along the gradient there. 2 to 16 operations a parameter, see
 *  rk_first_order_flops; not charged. */
void rk_first_order_step(rk_first_order *optimiser, const double *gradient, double *theta);
uint64_t rk_first_order_flops(const rk_first_order *optimiser);

/** Makes theta what comes out: the average, if any step was averaged. */
void rk_first_order_finish(const rk_first_order *optimiser, double *theta);

#endif
