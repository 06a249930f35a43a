#include "train/event_request.h"

#include "base/size.h"
#include "estimate/words.h"
#include "gradient/dataset.h"
#include "network/input.h"
#include "tail/event.h"
#include "train/checks.h"

#include <math.h>
#include <stdlib.h>

static rk_status accept(rk_train_event_options *own, const rk_train_event_options *asked,
                        rk_error *error) {
    const rk_train_event_options standard = rk_train_event_options_default();
    if (!asked) asked = &standard;
    if (rk_read_sized(own, sizeof *own, sizeof *own, asked)) return RK_OK;
    return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_train_event_options", asked->size,
                   sizeof *own);
}

static rk_status check_options(const rk_train_event_options *o, rk_error *error) {
    if (!(o->keep_loss > 0 && o->keep_loss < 1))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "keep_loss is %g, and not between 0 and 1: a part of the outputs' second "
                       "moment, 1e-3 for example",
                       o->keep_loss);
    if (!(o->target_factor == 0 || (o->target_factor > 1 && isfinite(o->target_factor))))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "target_factor is %g, and not above 1: 1000 makes the event a thousand "
                       "times rarer",
                       o->target_factor);
    if (o->pairs == RK_PAIRS_FIRST)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "to first order a network differs from itself: take completed or exact "
                       "pairs");
    if (o->max_steps == 0 || o->samples == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "there must be steps and samples");
    if (!(o->checkpoint_seconds >= 0))
        return rk_fail(error, RK_ERROR_ARGUMENT, "checkpoint_seconds is a number from 0 on");
    if (o->keep && o->data)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "keep and data: one of them says what the network goes on doing");
    return rk_train_check_pairs(o->pairs, o->pairs_order, error);
}

static rk_status check_network(const rk_event_request *r, const rk_network *net, rk_error *error) {
    return rk_train_check_network(net, "training against an event", "network", r->options.pairs,
                                  error);
}

static rk_status check_keep(const rk_event_request *r, rk_error *error) {
    const rk_network *a = r->net, *b = r->keep;
    if (a->n_layers == b->n_layers && rk_network_n_in(a) == rk_network_n_in(b) &&
        rk_network_n_out(a) == rk_network_n_out(b))
        return check_network(r, b, error);
    return rk_fail(
        error, RK_ERROR_UNSUPPORTED,
        "the network to keep to has %zu layers, %zu inputs and %zu outputs, and not %zu, "
        "%zu and %zu",
        b->n_layers, rk_network_n_in(b), rk_network_n_out(b), a->n_layers, rk_network_n_in(a),
        rk_network_n_out(a));
}

rk_status rk_event_request_accept(rk_event_request *out, const rk_network *net,
                                  const rk_input *input, const rk_event *event,
                                  const rk_train_event_options *options, rk_error *error) {
    rk_event_request *r = out;
    *r = (rk_event_request){.net = net, .event = event};
    rk_status status = accept(&r->options, options, error);
    r->keep = r->options.keep ? r->options.keep : net;
    if (status == RK_OK) status = check_options(&r->options, error);
    if (status == RK_OK) status = check_network(r, net, error);
    if (status == RK_OK) status = check_keep(r, error);
    if (status == RK_OK && r->options.data)
        status = rk_dataset_accept(&r->data, r->options.data, net, error);
    if (status == RK_OK) status = rk_event_check(event, net, error);
    if (status == RK_OK)
        status = rk_input_accept(&r->input, &r->symmetric, input, rk_network_n_in(net), error);
    if (status == RK_OK && r->input.third_cumulant)
        status = rk_fail(error, RK_ERROR_UNSUPPORTED,
                         "training against an event takes Gaussian inputs only");
    return status == RK_OK ? rk_rare_event_create(&r->rare, net, event, &r->input, error) : status;
}

void rk_event_request_free(rk_event_request *request) {
    rk_rare_event_free(&request->rare);
    free(request->symmetric);
}
