/* Batches of passes: forward as one by one, back as differences have it. */
#include "gradient/batch.h"

#include "activation/activation.h"
#include "linalg/blas.h"
#include "support/differences.h"
#include "support/drawn.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROWS = 5, SEEDS = 40 };

static double wave(double z, void *context) {
    return sin(*(const double *)context * z);
}

static double frequency = 1.3;

/* Smooth where differences look, almost surely. */
static rk_activation kind(int a) {
    return (rk_activation){
        .kind = (rk_activation_kind)a, .parameter = 0.2, .function = wave, .context = &frequency};
}

static size_t differentiable(rk_activation out[RK_ACTIVATION_COUNT]) {
    size_t count = 0;
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++)
        if (rk_activation_get((rk_activation_kind)a)->degree != 0) out[count++] = kind(a);
    return count;
}

/* f = sum over samples and values of cos(i + 2 value) h_i, i counting entries of all samples. */
static double weight_of(size_t value, size_t i) {
    return cos((double)i + 2 * (double)value);
}

typedef struct run {
    rk_network *net, *gradient; /* NULL: forward only */
    double *x, *input;          /* ROWS samples; their adjoints or NULL */
    double f;
    uint64_t flops;
    double output[ROWS * MOST_WIDTH];
} run;

static void pass(rk_work *work, run *r) {
    double *weights[MOST_LAYERS], *biases[MOST_LAYERS];
    const size_t n_in = rk_network_n_in(r->net);
    rk_batch batch = rk_batch_take(work, r->net, ROWS + 2, r->gradient != NULL);
    rk_batch_forward(work, &batch, ROWS, r->x);
    if (r->gradient) rk_batch_begin_back(work, &batch);
    r->f = 0;
    for (size_t v = 1; v <= r->net->n_layers && !work->dry; v++)
        for (size_t i = 0; i < ROWS * rk_network_value_size(r->net, v); i++) {
            r->f += weight_of(v, i) * rk_batch_value(&batch, v)[i];
            if (r->gradient) rk_batch_adjoint(&batch, v)[i] = weight_of(v, i);
        }
    for (size_t i = 0; i < ROWS * rk_network_n_out(r->net) && !work->dry; i++)
        r->output[i] = rk_batch_output(&batch)[i];
    for (size_t l = 0; r->gradient && l < r->net->n_layers; l++) {
        weights[l] = rk_network_weights(r->gradient, l);
        biases[l] = rk_network_biases(r->gradient, l);
    }
    const rk_adjoint wanted = {.weight = weights, .bias = biases};
    if (!r->gradient) return;
    rk_batch_back(work, &batch, &wanted, r->input != NULL);
    for (size_t i = 0; r->input && i < ROWS * n_in && !work->dry; i++)
        r->input[i] = rk_batch_adjoint(&batch, 0)[i];
}

static void pass_with(run *r, int threads) {
    rk_work dry, wet;
    rk_pool *pool;
    assert_int_equal(rk_pool_create(&pool, threads, NULL), RK_OK);
    rk_work_init_dry(&dry);
    pass(&dry, r);
    assert_int_equal(rk_work_init_wet(&wet, &dry, pool, NULL), RK_OK);
    pass(&wet, r);
    assert_true(wet.flops == dry.flops);
    r->flops = wet.flops;
    rk_work_finish(&wet);
    rk_pool_destroy(pool);
}

static double value_of(void *context) {
    run r = *(const run *)context;
    r.gradient = NULL;
    pass_with(&r, 1);
    return r.f;
}

static run create(const rk_layer *layers, size_t n_layers) {
    run r = {.f = 0};
    uint64_t state = 5;
    assert_int_equal(rk_network_create(&r.net, layers, n_layers, NULL), RK_OK);
    assert_int_equal(rk_network_make_room(&r.gradient, layers, n_layers, NULL), RK_OK);
    const size_t count = ROWS * rk_network_n_in(r.net);
    r.x = malloc(count * sizeof *r.x);
    r.input = malloc(count * sizeof *r.input);
    assert_true(r.x && r.input);
    for (size_t i = 0; i < count; i++)
        r.x[i] = draw_uniform(&state);
    return r;
}

static void destroy(run *r) {
    rk_network_destroy(r->net);
    rk_network_destroy(r->gradient);
    free(r->x);
    free(r->input);
}

static void check(const rk_layer *layers, size_t n_layers, const char *what) {
    run r = create(layers, n_layers);
    pass_with(&r, 1);
    const size_t n_in = rk_network_n_in(r.net), n_out = rk_network_n_out(r.net);
    for (size_t s = 0; s < ROWS; s++) {
        double y[MOST_WIDTH];
        assert_int_equal(rk_network_forward(r.net, r.x + s * n_in, y, NULL), RK_OK);
        for (size_t i = 0; i < n_out; i++)
            assert_near(r.output[s * n_out + i], y[i], 1e-13 * (1 + fabs(y[i])));
    }
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &r.net->layers[l];
        if (layer->weight)
            assert_gradient(what, layer->rows * layer->cols, rk_network_weights(r.net, l),
                            rk_network_weights(r.gradient, l), value_of, &r, 1e-8);
        if (layer->bias)
            assert_gradient(what, layer->rows, rk_network_biases(r.net, l),
                            rk_network_biases(r.gradient, l), value_of, &r, 1e-8);
    }
    assert_gradient(what, ROWS * n_in, r.x, r.input, value_of, &r, 1e-8);
    destroy(&r);
}

static void test_activations(void **state) {
    (void)state;
    uint64_t chance = 2;
    double W[2 * 7 * 7], b[2 * 7];
    for (size_t i = 0; i < sizeof W / sizeof *W; i++)
        W[i] = draw_uniform(&chance);
    for (size_t i = 0; i < sizeof b / sizeof *b; i++)
        b[i] = draw_uniform(&chance);
    rk_activation kinds[RK_ACTIVATION_COUNT];
    const size_t count = differentiable(kinds);
    for (size_t k = 0; k < count; k++) {
        const rk_layer layers[] = {
            {.rows = 7, .cols = 4, .weight = W, .bias = b, .activation = kinds[k]},
            {.rows = 3, .cols = 7, .weight = W + 49, .bias = b + 7, .activation = kinds[k]}};
        check(layers, 2, rk_activation_name(kinds[k].kind));
    }
}

static void test_any_wiring(void **state) {
    (void)state;
    const rk_activation kinds[] = {kind(RK_TANH), kind(RK_RELU), kind(RK_IDENTITY), kind(RK_GELU)};
    static drawn d;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        draw_any(&d, seed, kinds, 4);
        check(d.layers, d.n_layers, "any wiring");
    }
}

/* Layers without anything wanted at or below them are not gone back to. */
static void test_what_is_not_wanted(void **state) {
    (void)state;
    const size_t hidden[] = {6, 5};
    const rk_random_spec spec = {.n_in = 4,
                                 .n_out = 3,
                                 .hidden = hidden,
                                 .n_hidden = 2,
                                 .activation = {.kind = RK_TANH},
                                 .init = RK_INIT_MANUAL,
                                 .weight_variance = 1,
                                 .bias_variance = 0.1};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    run all = create(net->layers, 3), some = create(net->layers, 3);
    pass_with(&all, 1);
    double *none[3] = {NULL, NULL, NULL}, *weights[3] = {NULL, NULL, NULL};
    weights[2] = rk_network_weights(some.gradient, 2);
    const rk_adjoint wanted = {.weight = weights, .bias = none};
    rk_work dry, wet;
    for (int is_wet = 0; is_wet < 2; is_wet++) {
        rk_work *work = is_wet ? &wet : &dry;
        if (is_wet)
            assert_int_equal(rk_work_init_wet(&wet, &dry, NULL, NULL), RK_OK);
        else
            rk_work_init_dry(&dry);
        rk_batch batch = rk_batch_take(work, some.net, ROWS, true);
        rk_batch_forward(work, &batch, ROWS, some.x);
        rk_batch_begin_back(work, &batch);
        for (size_t i = 0; is_wet && i < ROWS * 3; i++)
            rk_batch_adjoint(&batch, 3)[i] = weight_of(3, i);
        const uint64_t before = work->flops;
        rk_batch_back(work, &batch, &wanted, false);
        assert_true(work->flops - before == ROWS * (2 * 3 + 2 * 3 * 5));
    }
    assert_memory_equal(weights[2], rk_network_weights(all.gradient, 2), 3 * 5 * sizeof(double));
    rk_work_finish(&wet);
    destroy(&all);
    destroy(&some);
    rk_network_destroy(net);
}

static void test_jumps_are_refused(void **state) {
    (void)state;
    const double one = 1;
    for (int a = 0; a < RK_ACTIVATION_COUNT; a++) {
        const rk_layer layer = {.rows = 1, .cols = 1, .weight = &one, .activation = kind(a)};
        const bool jumps = a == RK_HEAVISIDE || a == RK_SIGN;
        rk_network *net;
        rk_error error = {.message = ""};
        assert_int_equal(rk_network_create(&net, &layer, 1, NULL), RK_OK);
        assert_int_equal(rk_batch_check(net, &error), jumps ? RK_ERROR_UNSUPPORTED : RK_OK);
        if (jumps) assert_non_null(strstr(error.message, "layer 1"));
        rk_network_destroy(net);
    }
}

static void test_threads_change_nothing(void **state) {
    (void)state;
    enum { N = 200, MANY = 700 };
    const size_t hidden[] = {N, N};
    const rk_random_spec spec = {.n_in = N,
                                 .n_out = N,
                                 .hidden = hidden,
                                 .n_hidden = 2,
                                 .activation = {.kind = RK_GELU},
                                 .init = RK_INIT_MANUAL,
                                 .weight_variance = 1,
                                 .bias_variance = 1};
    rk_network *net, *gradient[2];
    double *x = malloc(MANY * N * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < MANY * N; i++)
        x[i] = sin((double)i);
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    for (int t = 0; t < 2; t++) {
        double *weights[3], *biases[3];
        rk_pool *pool;
        rk_work dry, wet;
        assert_int_equal(rk_network_make_room(&gradient[t], net->layers, 3, NULL), RK_OK);
        for (size_t l = 0; l < 3; l++) {
            weights[l] = rk_network_weights(gradient[t], l);
            biases[l] = rk_network_biases(gradient[t], l);
        }
        const rk_adjoint wanted = {.weight = weights, .bias = biases};
        assert_int_equal(rk_pool_create(&pool, t ? 4 : 1, NULL), RK_OK);
        rk_work_init_dry(&dry);
        rk_batch_take(&dry, net, MANY, true);
        assert_int_equal(rk_work_init_wet(&wet, &dry, pool, NULL), RK_OK);
        rk_batch batch = rk_batch_take(&wet, net, MANY, true);
        rk_batch_forward(&wet, &batch, MANY, x);
        rk_batch_begin_back(&wet, &batch);
        for (size_t i = 0; i < MANY * N; i++)
            rk_batch_adjoint(&batch, 3)[i] = weight_of(3, i);
        rk_batch_back(&wet, &batch, &wanted, true);
        rk_work_finish(&wet);
        rk_pool_destroy(pool);
    }
    assert_memory_equal(gradient[0]->storage, gradient[1]->storage,
                        3 * N * (N + 1) * sizeof(double));
    for (int t = 0; t < 2; t++)
        rk_network_destroy(gradient[t]);
    rk_network_destroy(net);
    free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_any_wiring),
        cmocka_unit_test(test_what_is_not_wanted),
        cmocka_unit_test(test_jumps_are_refused),
        cmocka_unit_test(test_threads_change_nothing),
    };
    rk_blas_make_serial();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
