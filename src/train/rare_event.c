#include "train/rare_event.h"

#include "base/size.h"
#include "sample/root.h"
#include "tail/log_probability.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static rk_status find_root(rk_work *work, const rk_rare_event *event, rk_error *error) {
    return rk_input_root(work, event->n, event->input.covariance, event->root, error);
}

static rk_status fill_root(rk_rare_event *event, rk_error *error) {
    const size_t n = event->n;
    rk_work dry, wet;
    rk_work_init_dry(&dry);
    rk_status status = find_root(&dry, event, error);
    if (status == RK_OK) status = rk_work_init_wet(&wet, &dry, NULL, error);
    if (status == RK_OK) {
        status = find_root(&wet, event, error);
        rk_work_finish(&wet);
    }
    free(dry.steps);
    for (size_t i = 0; status == RK_OK && i < n; i++)
        for (size_t j = 0; j < n; j++)
            event->turned[j * n + i] = event->root[i * n + j];
    return status;
}

rk_status rk_rare_event_create(rk_rare_event *out, const rk_network *net, const rk_event *event,
                               const rk_input *input, rk_error *error) {
    const size_t n = rk_network_n_in(net), depth = event->layer ? event->layer : net->n_layers;
    const size_t rows = net->layers[depth - 1].rows;
    const bool rooted = input->covariance != NULL;
    const double sign = event->below ? -1 : 1;
    *out = (rk_rare_event){.t = sign * event->threshold, .n = n, .input = *input};
    size_t room = 0;
    bool fits = rk_size_mul(rooted ? 2 * n : 0, n, &room) && rk_size_add(room, rows, &room);
    out->storage = fits ? rk_alloc(room, 1, sizeof *out->storage) : NULL;
    if (!out->storage) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the event");
    double *row = out->storage;
    memset(row, 0, rows * sizeof *row);
    for (size_t k = 0; k < event->n_terms; k++)
        row[event->terms[k].index] += sign * event->terms[k].coefficient;
    out->functional =
        (rk_functional){.depth = event->layer, .bare = event->layer > 0, .row = row};
    if (!rooted) return RK_OK;
    out->root = row + rows;
    out->turned = out->root + n * n;
    const rk_status status = fill_root(out, error);
    if (status != RK_OK) rk_rare_event_free(out);
    return status;
}

void rk_rare_event_free(rk_rare_event *event) {
    free(event->storage);
    *event = (rk_rare_event){.n = 0};
}

#define LOG_ROOT_TWO_PI 0.91893853320467274178

rk_normal_tail rk_normal_tail_at(double mean, double variance, double t) {
    const double deviation = sqrt(variance), x = (t - mean) / deviation;
    const double log_p = rk_log_normal_tail(x);
    const double hazard = exp(-0.5 * x * x - LOG_ROOT_TWO_PI - log_p); /* -d log_p / dx */
    return (rk_normal_tail){log_p, hazard / deviation, 0.5 * hazard * x / variance};
}
