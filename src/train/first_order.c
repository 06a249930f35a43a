#include "train/first_order.h"

#include "base/simd.h"
#include "base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double rk_schedule_factor(rk_schedule schedule, uint64_t step, uint64_t n_steps) {
    const double done = n_steps > 0 ? (double)step / (double)n_steps : 0;
    switch (schedule) {
    case RK_SCHEDULE_LINEAR:
        return 1 - done;
    case RK_SCHEDULE_COSINE:
        return (1 + cos(acos(-1) * done)) / 2;
    case RK_SCHEDULE_CONSTANT:
        break;
    }
    return 1;
}

rk_first_order_spec rk_first_order_default(rk_first_order_kind kind, double rate,
                                           uint64_t n_steps) {
    return (rk_first_order_spec){.kind = kind,
                                 .rate = rate,
                                 .schedule = RK_SCHEDULE_LINEAR,
                                 .n_steps = n_steps,
                                 .beta1 = 0.9,
                                 .beta2 = 0.999,
                                 .epsilon = 1e-8,
                                 .average_from = n_steps};
}

static rk_status check(const rk_first_order_spec *s, rk_error *error) {
    const struct {
        const char *name;
        double value;
        bool is_right;
    } numbers[] = {
        {"rate", s->rate, s->rate > 0 && isfinite(s->rate)},
        {"momentum", s->momentum, s->momentum >= 0 && s->momentum < 1},
        {"beta1", s->beta1, s->beta1 >= 0 && s->beta1 < 1},
        {"beta2", s->beta2, s->beta2 >= 0 && s->beta2 < 1},
        {"epsilon", s->epsilon, s->epsilon >= 0 && isfinite(s->epsilon)},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!numbers[i].is_right)
            return rk_fail(error, RK_ERROR_ARGUMENT, "a %s of %g is none: it is %s",
                           numbers[i].name, numbers[i].value,
                           i == 0   ? "positive and finite"
                           : i == 4 ? "finite and not negative"
                                    : "at least 0 and below 1");
    return RK_OK;
}

rk_status rk_first_order_create(rk_first_order *out, const rk_first_order_spec *spec, size_t n,
                                rk_error *error) {
    *out = (rk_first_order){.spec = *spec, .n = n};
    rk_status status = check(spec, error);
    if (status != RK_OK) return status;
    const bool adam = spec->kind == RK_ADAM, averages = spec->average_from < spec->n_steps;
    const size_t has_mean = adam || spec->momentum > 0, parts = has_mean + adam + averages;
    out->state = rk_alloc(parts, n, sizeof *out->state);
    if (!out->state)
        return rk_fail(error, RK_ERROR_MEMORY, "no memory to optimise %zu parameters", n);
    out->n_state = parts * n;
    out->mean = has_mean ? out->state : NULL;
    out->square = adam ? out->state + n : NULL;
    out->average = averages ? out->state + (parts - 1) * n : NULL;
    return RK_OK;
}

void rk_first_order_free(rk_first_order *optimiser) {
    free(optimiser->state);
    optimiser->state = NULL;
}

RK_HOT static void move_plainly(size_t n, double rate, const double *restrict g,
                                double *restrict theta) {
    for (size_t i = 0; i < n; i++)
        theta[i] -= rate * g[i];
}

RK_HOT static void move_with_momentum(size_t n, double rate, double momentum,
                                      const double *restrict g, double *restrict mean,
                                      double *restrict theta) {
    for (size_t i = 0; i < n; i++) {
        mean[i] = momentum * mean[i] + g[i];
        theta[i] -= rate * mean[i];
    }
}

/* Below this squares are 0: a gradient that was always 0 moves nothing, whatever epsilon is. */
static const double NO_SIZE = 0x1p-511;

RK_HOT static void move_by_adam(size_t n, const rk_first_order_spec *spec, double rate,
                                double root_correction, const double *restrict g,
                                double *restrict mean, double *restrict square,
                                double *restrict theta) {
    const double beta1 = spec->beta1, beta2 = spec->beta2, epsilon = spec->epsilon + NO_SIZE;
    for (size_t i = 0; i < n; i++) {
        mean[i] = beta1 * mean[i] + (1 - beta1) * g[i];
        square[i] = beta2 * square[i] + (1 - beta2) * g[i] * g[i];
        theta[i] -= rate * mean[i] / (sqrt(square[i]) * root_correction + epsilon);
    }
}

RK_HOT static void average_parameters(size_t n, double weight, const double *restrict theta,
                                      double *restrict average) {
    for (size_t i = 0; i < n; i++)
        average[i] += weight * (theta[i] - average[i]);
}

void rk_first_order_step(rk_first_order *o, const double *gradient, double *theta) {
    const rk_first_order_spec *s = &o->spec;
    const double rate = s->rate * rk_schedule_factor(s->schedule, o->step, s->n_steps);
    const double steps = (double)o->step + 1;
    if (s->kind == RK_ADAM)
        move_by_adam(o->n, s, rate / (1 - pow(s->beta1, steps)), 1 / sqrt(1 - pow(s->beta2, steps)),
                     gradient, o->mean, o->square, theta);
    else if (o->mean)
        move_with_momentum(o->n, rate, s->momentum, gradient, o->mean, theta);
    else
        move_plainly(o->n, rate, gradient, theta);
    if (o->average && o->step >= s->average_from)
        average_parameters(o->n, 1 / (double)(o->step - s->average_from + 1), theta, o->average);
    o->step++;
}

uint64_t rk_first_order_flops(const rk_first_order *o) {
    const uint64_t each = o->spec.kind == RK_ADAM ? 13 : o->mean ? 4 : 2;
    return o->n * (each + (o->average ? 3 : 0));
}

void rk_first_order_finish(const rk_first_order *o, double *theta) {
    if (o->average && o->step > o->spec.average_from)
        memcpy(theta, o->average, o->n * sizeof *theta);
}
