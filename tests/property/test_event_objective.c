/* The log-probability of an event, as it is trained on: its gradient by all weights and biases. */
#include "base/size.h"
#include "linalg/blas.h"
#include "support/differences.h"
#include "support/drawn.h"
#include "tail/event.h"
#include "train/event_objective.h"
#include "train/parameters.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 8, WIDTH = 16, DIRECTIONS = 2 };

/* What networks and events there are; thresholds in deviations of the functional. */
static const struct kind {
    const char *name, *activation, *event;
    double scale; /* of the last layer's weights */
    bool biased, whitened;
} kinds[] = {
    {"an output", "relu", "y[1] > 2.5", 1, false, false},
    {"large units", "relu", "y[1] > 2500000", 1e6, false, false},
    {"small units", "relu", "y[1] > 0.0000025", 1e-6, true, false},
    {"below", "relu", "y[1] < -2.5", 1, true, false},
    {"a sum", "leaky_relu", "y[0] - 2 y[1] > 2.5", 1, true, false},
    {"a pre-activation", "relu", "layer 2: z[1] > 3", 1, true, false},
    {"smooth", "tanh", "y[0] > 1.1", 1, true, false},
    {"of any input", "relu", "y[1] < -2.5", 1, true, true},
};

typedef struct scene {
    rk_parameters of;
    rk_event_objective objective;
    rk_rare_event event;
    double *mean, *covariance;
    double weight, value;
    double *start, *directions,
        along[DIRECTIONS]; /* parameters: start + sum of along_k direction_k */
} scene;

static void step(rk_work *work, scene *s) {
    const rk_adjoint to = {.weight = s->of.gradient.weight, .bias = s->of.gradient.bias};
    s->value = rk_event_objective_step(work, &s->objective, s->of.net, s->weight, &to);
}

/* What is found decides what it costs: less than planned. */
static void run_step(scene *s) {
    rk_work dry, wet;
    rk_work_init_dry(&dry);
    step(&dry, s);
    assert_int_equal(rk_work_init_wet(&wet, &dry, NULL, NULL), RK_OK);
    step(&wet, s);
    assert_true(wet.flops <= dry.flops);
    rk_work_finish(&wet);
    free(dry.steps);
}

/* From the start, as if nothing were known. */
static double value_of(void *context) {
    scene *s = context;
    const size_t n = s->of.theta.n;
    for (size_t i = 0; i < n; i++) {
        s->of.theta.x[i] = s->start[i];
        for (size_t k = 0; k < DIRECTIONS; k++)
            s->of.theta.x[i] += s->along[k] * s->directions[k * n + i];
    }
    s->objective.step = 0;
    s->objective.modes.count = 0;
    run_step(s);
    return s->value;
}

/* As large as the parameters, each. */
static void draw_directions(scene *s) {
    const size_t n = s->of.theta.n;
    s->start = rk_alloc(n, DIRECTIONS + 1, sizeof *s->start);
    s->directions = s->start + n;
    uint64_t stream = 3;
    for (size_t i = 0; i < n; i++) {
        s->start[i] = s->of.theta.x[i];
        for (size_t k = 0; k < DIRECTIONS; k++)
            s->directions[k * n + i] = draw_uniform(&stream) * s->start[i];
    }
}

static void open_scene(scene *s, const struct kind *k, rk_event_view view) {
    static const size_t hidden[] = {WIDTH, WIDTH};
    rk_random_spec spec = {.n_in = N,
                           .n_out = 3,
                           .hidden = hidden,
                           .n_hidden = 2,
                           .init = RK_INIT_MANUAL,
                           .weight_variance = 1.6,
                           .bias_variance = k->biased ? 0.1 : 0,
                           .seed = 5};
    rk_network *net;
    rk_events *events;
    rk_error error = {0};
    *s = (scene){.weight = 0.7};
    assert_int_equal(rk_activation_parse(k->activation, &spec.activation, NULL), RK_OK);
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    assert_int_equal(rk_parameters_create(&s->of, net, NULL), RK_OK);
    rk_network_destroy(net);
    for (size_t i = 0; i < 3 * WIDTH; i++)
        s->of.theta.weight[2][i] *= k->scale;
    if (k->biased)
        for (size_t i = 0; i < 3; i++)
            s->of.theta.bias[2][i] *= k->scale;
    draw_directions(s);
    s->mean = rk_alloc(N, N + 1, sizeof *s->mean);
    s->covariance = s->mean + N;
    for (size_t i = 0; i < N; i++) {
        s->mean[i] = 0.2 * sin(3.0 * (double)i);
        for (size_t j = 0; j < N; j++)
            s->covariance[i * N + j] = i == j ? 1 + 0.2 * (double)i : 0.2 * cos((double)(i + j));
    }
    rk_input input = {.mean = NULL};
    if (k->whitened) input = (rk_input){.mean = s->mean, .covariance = s->covariance};
    if (rk_events_parse(&events, s->of.net, k->event, &error) != RK_OK)
        fail_msg("%s", error.message);
    assert_int_equal(
        rk_rare_event_create(&s->event, s->of.net, rk_events_list(events), &input, NULL), RK_OK);
    rk_events_destroy(events);
    assert_int_equal(rk_event_objective_create(&s->objective, view, &s->event, NULL), RK_OK);
    s->objective.rounds = 80;
}

static void close_scene(scene *s) {
    rk_event_objective_free(&s->objective);
    rk_rare_event_free(&s->event);
    rk_parameters_free(&s->of);
    free(s->start);
    free(s->mean);
}

/* The tilts are the best there are, so that their own motion adds nothing. */
static void test_gradients(void **state) {
    (void)state;
    static const rk_event_view views[] = {RK_VIEW_NORMAL, RK_VIEW_TILTS, RK_VIEW_BOTH};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
            scene s;
            char what[80];
            snprintf(what, sizeof what, "%s, view %d", kinds[k].name, (int)views[v]);
            open_scene(&s, &kinds[k], views[v]);
            const double log_p = value_of(&s);
            if (!(log_p < -1 && log_p > -40)) fail_msg("%s: log P = %g", what, log_p);
            double slopes[DIRECTIONS] = {0};
            for (size_t d = 0; d < DIRECTIONS; d++)
                for (size_t i = 0; i < s.of.theta.n; i++)
                    slopes[d] += s.of.gradient.x[i] * s.directions[d * s.of.theta.n + i] / s.weight;
            assert_gradient(what, DIRECTIONS, s.along, slopes, value_of, &s, 1e-5);
            close_scene(&s);
        }
}

int main(void) {
    rk_blas_make_serial();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gradients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
