/* How likely an event is in truth: by passes that no closure has a say in. */
#ifndef RK_TRAIN_EVENT_TRUTH_H
#define RK_TRAIN_EVENT_TRUTH_H

#include "base/status.h"

typedef struct rk_event_truth {
    rk_tail_estimate estimate; /**< the larger of the two where they part ways */
    rk_tail_estimate check;    /**< by subset simulation; log10_p NaN: not asked */
    bool apart;                /**< they do not agree within their errors */
    double flops;
} rk_event_truth;

/** `options` says seed, threads, memory, context, samples and progress. `checked`: with the check,
 *  unless `auto` itself took plain passes or subset simulation. Interrupted: estimates as rk_tail
 *  leaves them. */
rk_status rk_event_truth_find(rk_event_truth *out, const rk_network *net, const rk_input *input,
                              const rk_event *event, const rk_options *options, bool checked,
                              rk_error *error);

#endif
