/* Parameters as a vector, steps along gradients, and the order of samples. */
#include "train/first_order.h"

#include "support/near.h"
#include "train/parameters.h"
#include "train/shuffle.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---------------------------------------------------------------------------------- parameters */

static void test_a_network_is_a_vector(void **state) {
    (void)state;
    const double W[] = {1, 2, 3, 4, 5, 6}, b[] = {7, 8, 9}, V[] = {10, 11, 12};
    const rk_layer layers[] = {
        {.rows = 3, .cols = 2, .weight = W, .bias = b, .weight_scale = 2},
        {.rows = 3, .cols = 3, .adds = 2},
        {.rows = 1, .cols = 3, .weight = V},
    };
    rk_network *net;
    rk_parameters p;
    assert_int_equal(rk_network_create(&net, layers, 3, NULL), RK_OK);
    assert_int_equal(rk_parameters_create(&p, net, NULL), RK_OK);
    assert_int_equal(p.theta.n, 12);
    assert_int_equal(p.theta.n_hidden, 9);
    for (size_t i = 0; i < 12; i++) {
        assert_near(p.theta.x[i], (double)i + 1, 0);
        assert_near(p.gradient.x[i], 0, 0);
    }
    for (size_t l = 0; l < 3; l++) {
        assert_ptr_equal(p.theta.weight[l], p.net->layers[l].weight);
        assert_ptr_equal(p.theta.bias[l], p.net->layers[l].bias);
        assert_near(p.net->layers[l].weight_scale, 0, 0);
    }
    assert_ptr_equal(p.gradient.weight[2], p.gradient.x + 9);
    assert_null(p.gradient.bias[1]);

    p.theta.weight[0][1] = -3; /* the network has it, and the original has not */
    assert_true(rk_parameters_moved(&p));
    assert_near(p.net->row_square[0][0], 10, 0);
    assert_near(net->layers[0].weight[1], 2, 0);
    p.theta.bias[0][2] = (double)NAN;
    assert_false(rk_parameters_moved(&p));
    rk_parameters_free(&p);
    rk_network_destroy(net);
}

/* --------------------------------------------------------------------------------------- steps */

static void test_schedules(void **state) {
    (void)state;
    assert_near(rk_schedule_factor(RK_SCHEDULE_CONSTANT, 99, 100), 1, 0);
    assert_near(rk_schedule_factor(RK_SCHEDULE_LINEAR, 0, 4), 1, 0);
    assert_near(rk_schedule_factor(RK_SCHEDULE_LINEAR, 3, 4), 0.25, 0);
    assert_near(rk_schedule_factor(RK_SCHEDULE_COSINE, 0, 4), 1, 0);
    assert_near(rk_schedule_factor(RK_SCHEDULE_COSINE, 2, 4), 0.5, 1e-15);
    assert_near(rk_schedule_factor(RK_SCHEDULE_COSINE, 4, 4), 0, 1e-15);
}

enum { N = 37 };

/* Something that changes from step to step, and theta. */
static void fill(uint64_t step, double *gradient) {
    for (size_t i = 0; i < N; i++)
        gradient[i] = cos((double)(i * (step + 1))) * (i % 5 == 4 ? 0 : 1);
}

static void run(const rk_first_order_spec *spec, uint64_t n_steps, double *theta) {
    rk_first_order o;
    double gradient[N];
    assert_int_equal(rk_first_order_create(&o, spec, N, NULL), RK_OK);
    for (uint64_t t = 0; t < n_steps; t++) {
        fill(t, gradient);
        rk_first_order_step(&o, gradient, theta);
    }
    rk_first_order_finish(&o, theta);
    rk_first_order_free(&o);
}

static void test_formulas(void **state) {
    (void)state;
    enum { STEPS = 20 };
    rk_first_order_spec sgd = rk_first_order_default(RK_SGD, 0.1, STEPS);
    rk_first_order_spec momentum = sgd, adam = rk_first_order_default(RK_ADAM, 0.1, STEPS);
    momentum.momentum = 0.9;
    double by_sgd[N] = {0}, by_momentum[N] = {0}, by_adam[N] = {0};
    run(&sgd, STEPS, by_sgd);
    run(&momentum, STEPS, by_momentum);
    run(&adam, STEPS, by_adam);
    for (size_t i = 0; i < N; i++) {
        double x = 0, y = 0, z = 0, m = 0, first = 0, second = 0, gradient[N];
        for (int t = 0; t < STEPS; t++) {
            const double rate = 0.1 * (1 - (double)t / STEPS);
            fill((uint64_t)t, gradient);
            const double g = gradient[i];
            x -= rate * g;
            m = 0.9 * m + g;
            y -= rate * m;
            first = 0.9 * first + 0.1 * g;
            second = 0.999 * second + 0.001 * g * g;
            z -= rate * first / (1 - pow(0.9, t + 1)) /
                 (sqrt(second / (1 - pow(0.999, t + 1))) + 1e-8);
        }
        assert_near(by_sgd[i], x, 1e-15);
        assert_near(by_momentum[i], y, 1e-14);
        assert_near(by_adam[i], z, 1e-13);
    }
}

static void test_averages(void **state) {
    (void)state;
    enum { STEPS = 20, FROM = 12 };
    rk_first_order_spec spec = rk_first_order_default(RK_SGD, 0.1, STEPS);
    double average[N] = {0}, expected[N] = {0};
    spec.average_from = FROM;
    run(&spec, STEPS, average);
    spec.average_from = STEPS;
    for (uint64_t t = FROM; t < STEPS; t++) {
        double theta[N] = {0};
        run(&spec, t + 1, theta);
        for (size_t i = 0; i < N; i++)
            expected[i] += theta[i] / (STEPS - FROM);
    }
    for (size_t i = 0; i < N; i++)
        assert_near(average[i], expected[i], 1e-15);
    double theta[N] = {0}, last[N] = {0}; /* before there is an average: what there is */
    run(&spec, FROM, last);
    spec.average_from = FROM;
    run(&spec, FROM, theta);
    assert_memory_equal(theta, last, sizeof theta);
}

/* `state`, `step` and theta are all of a run. */
static void test_resuming(void **state) {
    (void)state;
    enum { STEPS = 20, HALF = 11 };
    for (int kind = RK_SGD; kind <= RK_ADAM; kind++) {
        rk_first_order_spec spec = rk_first_order_default((rk_first_order_kind)kind, 0.1, STEPS);
        rk_first_order first, second;
        double whole[N] = {0}, theta[N] = {0}, gradient[N];
        spec.momentum = 0.5;
        spec.average_from = 5;
        run(&spec, STEPS, whole);
        assert_int_equal(rk_first_order_create(&first, &spec, N, NULL), RK_OK);
        assert_int_equal(rk_first_order_create(&second, &spec, N, NULL), RK_OK);
        for (uint64_t t = 0; t < STEPS; t++) {
            rk_first_order *o = t < HALF ? &first : &second;
            if (t == HALF) {
                memcpy(second.state, first.state, first.n_state * sizeof(double));
                second.step = first.step;
            }
            fill(t, gradient);
            rk_first_order_step(o, gradient, theta);
        }
        rk_first_order_finish(&second, theta);
        assert_memory_equal(theta, whole, sizeof theta);
        rk_first_order_free(&first);
        rk_first_order_free(&second);
    }
}

/* In other units of the loss Adam does the same, SGD in proportion. */
static void test_units(void **state) {
    (void)state;
    const double unit = ldexp(1, 40);
    rk_first_order_spec spec = rk_first_order_default(RK_ADAM, 0.1, 5);
    spec.epsilon = 0;
    for (int scaled = 0; scaled < 2; scaled++) {
        rk_first_order o;
        double theta[N] = {0}, other[N] = {0}, gradient[N];
        for (int k = 0; k < 2; k++) {
            double *x = k ? other : theta;
            assert_int_equal(rk_first_order_create(&o, &spec, N, NULL), RK_OK);
            for (uint64_t t = 0; t < 5; t++) {
                fill(t, gradient);
                for (size_t i = 0; i < N; i++)
                    gradient[i] *= k ? unit : 1;
                rk_first_order_step(&o, gradient, x);
            }
            rk_first_order_free(&o);
        }
        for (size_t i = 0; i < N; i++)
            assert_near(other[i], theta[i] * (scaled ? unit : 1), 0);
        spec.kind = RK_SGD;
    }
}

static void test_trouble(void **state) {
    (void)state;
    const struct {
        rk_first_order_spec spec;
        const char *complaint;
    } cases[] = {
        {{.rate = 0}, "rate"},
        {{.rate = (double)NAN}, "rate"},
        {{.rate = 1, .momentum = 1}, "momentum"},
        {{.rate = 1, .beta1 = -0.1}, "beta1"},
        {{.rate = 1, .beta2 = 1}, "beta2"},
        {{.rate = 1, .epsilon = -1}, "epsilon"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_first_order o;
        rk_error error = {.message = ""};
        assert_int_equal(rk_first_order_create(&o, &cases[i].spec, N, &error), RK_ERROR_ARGUMENT);
        if (!strstr(error.message, cases[i].complaint)) fail_msg("%s", error.message);
    }
}

/* ------------------------------------------------------------------------------------ the order */

static void test_shuffles(void **state) {
    (void)state;
    enum { FEW = 4, MANY = 1000, TIMES = 24000 };
    const rk_stream stream = {1, RK_STREAM_TRAINING};
    size_t order[MANY], again[MANY], count[FEW][FEW] = {{0}};
    bool seen[MANY] = {false};
    rk_shuffle(stream, 5, MANY, order);
    rk_shuffle(stream, 5, MANY, again);
    assert_memory_equal(order, again, sizeof order);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(order[i] < MANY && !seen[order[i]]);
        seen[order[i]] = true;
    }
    rk_shuffle(stream, 6, MANY, again);
    assert_memory_not_equal(order, again, sizeof order);
    for (uint64_t epoch = 0; epoch < TIMES; epoch++) {
        rk_shuffle(stream, epoch, FEW, order);
        for (size_t i = 0; i < FEW; i++)
            count[i][order[i]]++;
    }
    for (size_t i = 0; i < FEW * FEW; i++) /* four deviations of 67 */
        assert_near((double)count[i / FEW][i % FEW], TIMES / FEW, 268);
    rk_shuffle(stream, 0, 1, order);
    assert_true(order[0] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_network_is_a_vector),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_averages),
        cmocka_unit_test(test_resuming),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_trouble),
        cmocka_unit_test(test_shuffles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
