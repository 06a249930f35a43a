/* The direction in which closures see an event become rarer, against the true one: without bias,
 * from passes whose lengths are integrated exactly.
 *
 * A network without biases gives r y(u) at x = r u, |u| = 1, so that P(y > t) = E_u[P(chi_n > t /
 * y(u))]: smooth in the weights, with the derivative E_u[f_n(t / y) t / y^2 dy/dtheta], f_n the
 * density of chi_n. */
#include "gradient/batch.h"
#include "linalg/blas.h"
#include "support/wet.h"
#include "tail/log_probability.h"
#include "train/event_objective.h"
#include "train/parameters.h"

#include "base/normal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 8, WIDTH = 12, PASSES = 40000, BLOCK = 500 };

typedef struct passes {
    rk_parameters of;
    double t, p; /* found: P */
} passes;

static void directions(uint64_t first, double *x) {
    for (size_t r = 0; r < BLOCK; r++) {
        double *u = x + r * N, square = 0;
        rk_normal_doubles((rk_stream){1, RK_STREAM_TRAINING}, first + r, N, u);
        for (size_t i = 0; i < N; i++)
            square += u[i] * u[i];
        for (size_t i = 0; i < N; i++)
            u[i] /= sqrt(square);
    }
}

/* dP/dtheta to of.gradient. */
static void true_gradient(rk_work *work, void *context) {
    passes *s = context;
    rk_batch batch = rk_batch_take(work, s->of.net, BLOCK, true);
    double *x = rk_work_doubles(work, BLOCK, N);
    const rk_adjoint to = {.weight = s->of.gradient.weight};
    const size_t n_out = rk_network_n_out(s->of.net);
    if (!work->dry) s->p = 0;
    for (uint64_t first = 0; first < PASSES; first += BLOCK) {
        if (rk_work_charge(work, 0)) directions(first, x);
        rk_batch_forward(work, &batch, BLOCK, x);
        rk_batch_begin_back(work, &batch);
        for (size_t r = 0; !work->dry && r < BLOCK; r++) {
            const double y = rk_batch_output(&batch)[r * n_out], length = s->t / y;
            if (!(y > 0)) continue;
            s->p += exp(rk_log_chi_tail(N, length)) / PASSES;
            const double log_f = (N - 1) * log(length) - 0.5 * length * length -
                                 (0.5 * N - 1) * log(2) - lgamma(0.5 * N);
            rk_batch_adjoint(&batch, s->of.net->n_layers)[r * n_out] =
                exp(log_f) * length / y / PASSES;
        }
        rk_batch_back(work, &batch, &to, false);
    }
}

typedef struct seen {
    passes *of;
    rk_event_objective objective;
} seen;

static rk_status see(rk_work *work, seen *s) {
    const rk_adjoint to = {.weight = s->of->of.gradient.weight};
    rk_event_objective_step(work, &s->objective, s->of->of.net, 1, &to);
    return RK_OK;
}

/* d log P / dtheta as the view has it, to of.gradient. */
static void seen_gradient(seen *s) {
    rk_work dry, wet;
    rk_work_init_dry(&dry);
    see(&dry, s);
    assert_int_equal(rk_work_init_wet(&wet, &dry, NULL, NULL), RK_OK);
    see(&wet, s);
    rk_work_finish(&wet);
    free(dry.steps);
}

static double cosine(size_t n, const double *a, const double *b) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

static passes draw(uint64_t seed, double t) {
    static const size_t hidden[] = {WIDTH, WIDTH};
    const rk_random_spec spec = {.n_in = N,
                                 .n_out = 2,
                                 .hidden = hidden,
                                 .n_hidden = 2,
                                 .activation = {.kind = RK_RELU},
                                 .seed = seed};
    passes s = {.t = t};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    assert_int_equal(rk_parameters_create(&s.of, net, NULL), RK_OK);
    rk_network_destroy(net);
    return s;
}

/* P between 1e-4 and 1e-2. */
static double rare_threshold(uint64_t seed) {
    for (double t = 1; t < 20; t *= 1.2) {
        passes s = draw(seed, t);
        run_wet(true_gradient, &s, 1);
        rk_parameters_free(&s.of);
        if (s.p < 2e-3) return t;
    }
    fail();
    return 0;
}

static void test_direction(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        const double t = rare_threshold(seed);
        passes s = draw(seed, t), closed = draw(seed, t);
        const rk_event_term term = {0, 1};
        const rk_event event = {.terms = &term, .n_terms = 1, .threshold = t};
        rk_rare_event rare;
        seen by = {.of = &closed};
        run_wet(true_gradient, &s, 1);
        assert_int_equal(
            rk_rare_event_create(&rare, s.of.net, &event, &(rk_input){.mean = NULL}, NULL), RK_OK);
        assert_int_equal(rk_event_objective_create(&by.objective, RK_VIEW_TILTS, &rare, NULL),
                         RK_OK);
        by.objective.closure.pairs = (rk_pairs_spec){RK_PAIRS_COMPLETED, 4};
        seen_gradient(&by);
        const double c = cosine(s.of.theta.n, s.of.gradient.x, closed.of.gradient.x);
        print_message("net %d: P = %.2g, cosine %.3f\n", (int)seed, s.p, c);
        if (!(c > 0.9)) fail_msg("net %d: cosine %g", (int)seed, c);
        rk_event_objective_free(&by.objective);
        rk_rare_event_free(&rare);
        rk_parameters_free(&s.of);
        rk_parameters_free(&closed.of);
    }
}

int main(void) {
    rk_blas_make_serial();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_direction)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
