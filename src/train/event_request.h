/* What is asked of training against an event: read, checked, and as the steps want it. */
#ifndef RK_TRAIN_EVENT_REQUEST_H
#define RK_TRAIN_EVENT_REQUEST_H

#include "gradient/sampled_loss.h"
#include "train/rare_event.h"

typedef struct rk_event_request {
    rk_train_event_options options;
    const rk_network *net, *keep; /**< the same, if nobody says otherwise */
    const rk_event *event;
    rk_examples data; /**< n = 0: it keeps to a network */
    rk_input input;
    double *symmetric; /**< storage of its covariance */
    rk_rare_event rare;
} rk_event_request;

/** Borrows everything; as rk_train_event says. Ends with rk_event_request_free, after an error,
 * too.
 */
rk_status rk_event_request_accept(rk_event_request *out, const rk_network *net,
                                  const rk_input *input, const rk_event *event,
                                  const rk_train_event_options *options, rk_error *error);
void rk_event_request_free(rk_event_request *request);

#endif
