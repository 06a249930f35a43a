/* Losses by samples: as plain loops have them, and their gradients. */
#include "gradient/sampled_loss.h"

#include "support/differences.h"
#include "support/drawn.h"
#include "support/near.h"
#include "support/wet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N_IN = 4, N_OUT = 3, N_DATA = 23, N_LAYERS = 3 };

typedef struct loss_run {
    rk_examples examples;
    rk_network *student, *gradient;
    size_t block;
    uint64_t first, rows;
    bool back;
    rk_loss_value value;
    double *loss; /* of each sample, by plain loops; NULL: not wanted */
} loss_run;

static rk_network *draw(size_t width, uint64_t seed) {
    const size_t hidden[] = {width, width};
    const rk_random_spec spec = {.n_in = N_IN,
                                 .n_out = N_OUT,
                                 .hidden = hidden,
                                 .n_hidden = 2,
                                 .activation = {.kind = RK_GELU},
                                 .init = RK_INIT_MANUAL,
                                 .weight_variance = 2,
                                 .bias_variance = 0.1,
                                 .seed = seed};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    return net;
}

static loss_run create(void) {
    loss_run r = {.student = draw(5, 1), .block = 10, .back = true};
    assert_int_equal(rk_network_make_room(&r.gradient, r.student->layers, N_LAYERS, NULL), RK_OK);
    return r;
}

static void destroy(loss_run *r) {
    rk_network_destroy(r->student);
    rk_network_destroy(r->gradient);
}

static void go(rk_work *work, void *context) {
    loss_run *r = context;
    double *weights[N_LAYERS], *biases[N_LAYERS];
    for (size_t l = 0; l < N_LAYERS; l++) {
        weights[l] = rk_network_weights(r->gradient, l);
        biases[l] = rk_network_biases(r->gradient, l);
    }
    const rk_adjoint gradient = {.weight = weights, .bias = biases};
    rk_sampled_loss loss;
    assert_int_equal(
        rk_sampled_loss_take(work, &r->examples, r->student, r->block, r->back, &loss, NULL),
        RK_OK);
    assert_int_equal(rk_sampled_loss_run(work, &loss, r->first, r->rows, r->back ? &gradient : NULL,
                                         &r->value, NULL),
                     RK_OK);
}

static double value_of(void *context) {
    loss_run r = *(const loss_run *)context;
    r.back = false;
    run_wet(go, &r, 1);
    return r.value.mean;
}

static void check_gradient(loss_run *r) {
    for (size_t l = 0; l < N_LAYERS; l++) {
        const rk_layer *layer = &r->student->layers[l];
        assert_gradient("weights", layer->rows * layer->cols, rk_network_weights(r->student, l),
                        rk_network_weights(r->gradient, l), value_of, r, 1e-7);
        assert_gradient("biases", layer->rows, rk_network_biases(r->student, l),
                        rk_network_biases(r->gradient, l), value_of, r, 1e-7);
    }
}

static double squared_error(const rk_network *student, const double *x, const double *target) {
    double y[N_OUT], sum = 0;
    assert_int_equal(rk_network_forward(student, x, y, NULL), RK_OK);
    for (size_t i = 0; i < N_OUT; i++)
        sum += (y[i] - target[i]) * (y[i] - target[i]);
    return sum;
}

/* --------------------------------------------------------------------------------- a teacher */

/* In the order of the run: mirrored sets as halves of blocks. */
static void draw_all(rk_work *work, void *context) {
    loss_run *r = context;
    rk_inputs inputs;
    const rk_examples *e = &r->examples;
    const size_t block = rk_inputs_block(e->points, N_IN, r->block);
    assert_int_equal(
        rk_inputs_take(work, e->input, N_IN, e->points, e->stream, block, &inputs, NULL), RK_OK);
    for (size_t done = 0; done < r->rows; done += block) {
        const size_t count = r->rows - done < block ? r->rows - done : block;
        assert_int_equal(rk_inputs_draw(work, &inputs, done, count, NULL), RK_OK);
        for (size_t i = 0; i < count && !work->dry; i++) {
            const double *x = inputs.x + i * N_IN;
            double y[N_OUT];
            assert_int_equal(rk_network_forward(e->teacher, x, y, NULL), RK_OK);
            r->loss[done + i] = squared_error(r->student, x, y);
        }
    }
}

static double mean_of(size_t n, const double *x) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

static double error_of(size_t n, const double *x) {
    const double mean = mean_of(n, x);
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return sqrt(squares / (double)(n - 1) / (double)n);
}

static void test_a_teacher(void **state) {
    (void)state;
    double mu[N_IN], C[N_IN * N_IN] = {0}, loss[600];
    for (int i = 0; i < N_IN; i++) {
        mu[i] = 0.1 * i;
        C[i * N_IN + i] = 1 + i;
    }
    const rk_input laws[] = {{0}, {.mean = mu, .covariance = C}};
    rk_network *teacher = draw(7, 2);
    for (int points = RK_POINTS_IID; points <= RK_POINTS_DESIGN; points++)
        for (int law = 0; law < 2; law++) {
            loss_run r = create();
            r.examples = (rk_examples){.teacher = teacher,
                                       .input = &laws[law],
                                       .points = (rk_point_set)points,
                                       .stream = {1, RK_STREAM_TRAINING}};
            r.rows = points < RK_POINTS_ORTHOGONAL ? 90 : 2 * 288;
            r.loss = loss;
            run_wet(go, &r, 1);
            run_wet(draw_all, &r, 1);
            assert_near(r.value.mean, mean_of(r.rows, loss), 1e-13);
            check_gradient(&r);
            if (points == RK_POINTS_IID)
                assert_near(r.value.standard_error, error_of(r.rows, loss), 1e-13);
            if (points == RK_POINTS_ANTITHETIC) {
                double pairs[45];
                for (size_t i = 0; i < 45; i++) /* blocks of ten */
                    pairs[i] = (loss[i / 5 * 10 + i % 5] + loss[i / 5 * 10 + i % 5 + 5]) / 2;
                assert_near(r.value.standard_error, error_of(45, pairs), 1e-13);
            }
            if (points >= RK_POINTS_ORTHOGONAL) {
                const double halves[] = {mean_of(288, loss), mean_of(288, loss + 288)};
                assert_near(r.value.standard_error, error_of(2, halves), 1e-13);
            }
            destroy(&r);
        }
    rk_network_destroy(teacher);
}

/* Against itself there is nothing to learn. */
static void test_itself(void **state) {
    (void)state;
    const rk_input standard = {0};
    loss_run r = create();
    r.examples = (rk_examples){.teacher = r.student, .input = &standard};
    r.rows = 1000;
    run_wet(go, &r, 1);
    assert_true(r.value.mean == 0 && r.value.standard_error == 0);
    for (size_t i = 0; i < 5 * 5; i++)
        assert_true(rk_network_weights(r.gradient, 1)[i] == 0);
    destroy(&r);
}

/* Other samples have another loss, as far away as the standard error says. */
static void test_samples_go_on(void **state) {
    (void)state;
    const rk_input standard = {0};
    rk_network *teacher = draw(7, 2);
    loss_run r = create();
    r.back = false;
    r.block = 100;
    r.examples = (rk_examples){.teacher = teacher, .input = &standard};
    r.rows = 2000;
    run_wet(go, &r, 1);
    const rk_loss_value all = r.value;
    r.rows = 1000;
    run_wet(go, &r, 1);
    const rk_loss_value head = r.value;
    r.first = 1000;
    run_wet(go, &r, 1);
    assert_near((head.mean + r.value.mean) / 2, all.mean, 1e-13);
    assert_true(fabs(head.mean - r.value.mean) > 1e-4 * all.mean);
    assert_true(fabs(head.mean - r.value.mean) < 4 * M_SQRT2 * head.standard_error);
    rk_network_destroy(teacher);
    destroy(&r);
}

/* ----------------------------------------------------------------------------------- data */

static void test_values(void **state) {
    (void)state;
    double x[N_DATA * N_IN], y[N_DATA * N_OUT];
    size_t order[N_DATA];
    uint64_t chance = 9;
    for (size_t i = 0; i < N_DATA * N_IN; i++)
        x[i] = 2 * draw_uniform(&chance);
    for (size_t i = 0; i < N_DATA * N_OUT; i++)
        y[i] = draw_uniform(&chance);
    for (size_t i = 0; i < N_DATA; i++)
        order[i] = (i * 5 + 2) % N_DATA;
    loss_run r = create();
    r.examples = (rk_examples){.x = x, .targets = {.values = y}, .n = N_DATA, .order = order};
    r.first = 2 * N_DATA - 4; /* over the end */
    r.rows = 11;
    run_wet(go, &r, 1);
    double loss[11];
    for (size_t i = 0; i < 11; i++) {
        const size_t at = order[(r.first + i) % N_DATA];
        loss[i] = squared_error(r.student, x + at * N_IN, y + at * N_OUT);
    }
    assert_near(r.value.mean, mean_of(11, loss), 1e-13);
    assert_near(r.value.standard_error, error_of(11, loss), 1e-13);
    check_gradient(&r);
    destroy(&r);
}

static void test_labels(void **state) {
    (void)state;
    double x[N_DATA * N_IN], loss[N_DATA];
    size_t labels[N_DATA];
    uint64_t chance = 9;
    for (size_t i = 0; i < N_DATA * N_IN; i++)
        x[i] = 2 * draw_uniform(&chance);
    for (size_t i = 0; i < N_DATA; i++)
        labels[i] = i * i % N_OUT;
    loss_run r = create();
    r.examples = (rk_examples){
        .residual = RK_RESIDUAL_CROSS_ENTROPY, .x = x, .targets = {.labels = labels}, .n = N_DATA};
    r.rows = N_DATA;
    run_wet(go, &r, 1);
    for (size_t i = 0; i < N_DATA; i++) {
        double y[N_OUT], sum = 0;
        assert_int_equal(rk_network_forward(r.student, x + i * N_IN, y, NULL), RK_OK);
        for (size_t k = 0; k < N_OUT; k++)
            sum += exp(y[k] - y[labels[i]]);
        loss[i] = log(sum);
    }
    assert_near(r.value.mean, mean_of(N_DATA, loss), 1e-13);
    check_gradient(&r);
    destroy(&r);

    /* outputs that no exponential holds */
    const double y[] = {1e4, -1e4, 9990};
    const size_t label = 1;
    const rk_targets targets = {.labels = &label};
    rk_work work = {.dry = false};
    double of_row, ybar[3];
    rk_residual_apply(&work, RK_RESIDUAL_CROSS_ENTROPY, 1, 3, y, &targets, 1, &of_row, ybar);
    assert_near(of_row, 20000, 1e-4);
    assert_near(ybar[0] + ybar[1] + ybar[2], 0, 1e-15);
}

static void test_trouble(void **state) {
    (void)state;
    const rk_input standard = {0};
    const double x[N_IN] = {0}, y[N_OUT] = {0};
    const size_t label = N_OUT;
    rk_network *narrow = draw(5, 1);
    const rk_layer layer = {.rows = 1, .cols = N_IN, .weight = x};
    rk_network *other;
    assert_int_equal(rk_network_create(&other, &layer, 1, NULL), RK_OK);
    const struct {
        rk_examples examples;
        const char *complaint;
    } cases[] = {
        {{.teacher = other, .input = &standard}, "output"},
        {{.x = x, .n = 1}, "values"},
        {{.targets = {.values = y}}, "samples"},
        {{.residual = RK_RESIDUAL_CROSS_ENTROPY, .x = x, .n = 1}, "labelled"},
        {{.residual = RK_RESIDUAL_CROSS_ENTROPY, .x = x, .n = 1, .targets = {.labels = &label}},
         "label 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_work work;
        rk_sampled_loss loss;
        rk_error error = {.message = ""};
        rk_work_init_dry(&work);
        assert_int_equal(
            rk_sampled_loss_take(&work, &cases[i].examples, narrow, 4, true, &loss, &error),
            RK_ERROR_ARGUMENT);
        if (!strstr(error.message, cases[i].complaint)) fail_msg("%s", error.message);
    }
    rk_network_destroy(narrow);
    rk_network_destroy(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_teacher),     cmocka_unit_test(test_itself),
        cmocka_unit_test(test_samples_go_on), cmocka_unit_test(test_values),
        cmocka_unit_test(test_labels),        cmocka_unit_test(test_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
