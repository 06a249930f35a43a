#include "train/event_truth.h"

#include <math.h>

/* Estimates of the same number are apart by more than this factor and so many errors. */
#define FACTOR 1.5
#define ERRORS 3.0

/* Above, plain passes see the event, and no tilt was needed. */
#define FREQUENT 1e-2

static rk_status ask(rk_tail_estimate *out, double *flops, const rk_network *net,
                     const rk_input *input, const rk_event *event, const rk_options *options,
                     rk_tail_kind kind, rk_error *error) {
    const rk_tail_spec spec = {.size = sizeof spec, .kind = kind};
    rk_options own = *options;
    rk_tail_answer *answer;
    own.size = sizeof own;
    own.tail = &spec;
    const rk_status status = rk_tail(&answer, net, input, event, 1, &own, error);
    if (status != RK_OK) return status;
    *out = rk_tail_view(answer)->estimates[0];
    *flops += (double)rk_tail_view(answer)->flops_executed;
    rk_tail_destroy(answer);
    return RK_OK;
}

/* Errors of logarithms; the chains of subset simulation are biased by some cv^2. */
static bool is_apart(const rk_tail_estimate *a, const rk_tail_estimate *b) {
    const double error = sqrt(log1p(a->cv * a->cv) + log1p(b->cv * b->cv));
    return fabs(a->log10_p - b->log10_p) * log(10) > log(FACTOR) + ERRORS * error;
}

rk_status rk_event_truth_find(rk_event_truth *out, const rk_network *net, const rk_input *input,
                              const rk_event *event, const rk_options *options, bool checked,
                              rk_error *error) {
    *out = (rk_event_truth){.check = {.log10_p = (double)NAN, .p = (double)NAN}};
    rk_status status =
        ask(&out->estimate, &out->flops, net, input, event, options, RK_TAIL_BY_AUTO, error);
    if (status != RK_OK || !checked || out->estimate.p > FREQUENT) return status;
    status = ask(&out->check, &out->flops, net, input, event, options, RK_TAIL_BY_SUBSET, error);
    if (status != RK_OK || !isfinite(out->check.log10_p)) return status;
    const bool lost = !isfinite(out->estimate.log10_p) || !isfinite(out->estimate.cv);
    out->apart = lost || is_apart(&out->estimate, &out->check);
    if (out->apart && (lost || out->check.log10_p > out->estimate.log10_p)) {
        const rk_tail_estimate swap = out->estimate;
        out->estimate = out->check;
        out->check = swap;
    }
    return RK_OK;
}
