/* An event as training sees it: a linear functional of a value of the network, above a threshold,
 * and the law of the input, whose standard coordinates u are those of x = mean + root u. */
#ifndef RK_TRAIN_RARE_EVENT_H
#define RK_TRAIN_RARE_EVENT_H

#include "gradient/functional.h"

typedef struct rk_rare_event {
    rk_functional functional;
    double t; /**< the event is that the functional is above */
    size_t n; /**< of inputs */
    rk_input input;        /**< borrowed */
    double *root, *turned; /**< n x n and its transpose; NULL: the identity */
    double *storage;
} rk_rare_event;

/** Of an event that rk_event_check has passed, and an input that rk_input_accept has. An event
 *  below its threshold becomes one of the negative functional. Ends with rk_rare_event_free. */
rk_status rk_rare_event_create(rk_rare_event *out, const rk_network *net, const rk_event *event,
                               const rk_input *input, rk_error *error);
void rk_rare_event_free(rk_rare_event *event);

/** log P(z > t) of a normal z, and its derivatives by mean and variance. */
typedef struct rk_normal_tail {
    double log_p, by_mean, by_variance;
} rk_normal_tail;
rk_normal_tail rk_normal_tail_at(double mean, double variance, double t);

#endif
