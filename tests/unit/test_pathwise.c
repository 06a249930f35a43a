/* Derivatives along samples' paths: those of the sampled estimate itself. */
#include "gradient/pathwise.h"

#include "linalg/blas.h"
#include "sample/root.h"
#include "support/differences.h"
#include "support/drawn.h"
#include "support/monte_carlo.h"
#include "support/near.h"
#include "support/wet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N_IN = 4, N_HIDDEN = 6, N_OUT = 3, N_LAYERS = 3 };

static const size_t hidden[] = {N_HIDDEN, N_HIDDEN};
static const rk_stream stream = {.seed = 3, .stream = RK_STREAM_SAMPLES};

/* ------------------------------------------------------------------------------------ the root */

typedef struct root_run {
    double covariance[N_IN * N_IN], weights[N_IN * N_IN]; /* f = <weights, root> */
    double adjoint[N_IN * N_IN], f;
} root_run;

static void take_root(rk_work *work, void *context) {
    root_run *r = context;
    double *root = rk_work_doubles(work, N_IN, N_IN);
    assert_int_equal(rk_input_root(work, N_IN, r->covariance, root, NULL), RK_OK);
    r->f = 0;
    for (int i = 0; i < N_IN * N_IN && !work->dry; i++)
        r->f += r->weights[i] * root[i];
}

static void take_root_back(rk_work *work, void *context) {
    root_run *r = context;
    if (!work->dry) memset(r->adjoint, 0, sizeof r->adjoint);
    assert_int_equal(rk_input_root_back(work, N_IN, r->covariance, r->weights, r->adjoint, NULL),
                     RK_OK);
}

/* A covariance as its lower triangle, so that it stays symmetric where entries move. */
typedef struct triangle {
    double entry[N_IN * (N_IN + 1) / 2];
    double *covariance;
    double (*f)(void *context);
    void *context;
} triangle;

static double f_of_triangle(void *context) {
    triangle *t = context;
    for (size_t i = 0, k = 0; i < N_IN; i++)
        for (size_t j = 0; j <= i; j++, k++)
            t->covariance[i * N_IN + j] = t->covariance[j * N_IN + i] = t->entry[k];
    return t->f(t->context);
}

static void assert_covariance_gradient(const char *what, double *covariance, const double *adjoint,
                                       double (*f)(void *context), void *context,
                                       double tolerance) {
    triangle t = {.covariance = covariance, .f = f, .context = context};
    double gradient[N_IN * (N_IN + 1) / 2];
    for (size_t i = 0, k = 0; i < N_IN; i++)
        for (size_t j = 0; j <= i; j++, k++) {
            t.entry[k] = covariance[i * N_IN + j];
            assert_near(adjoint[i * N_IN + j], adjoint[j * N_IN + i], 1e-12);
            gradient[k] = (i == j ? 1 : 2) * adjoint[i * N_IN + j];
        }
    assert_gradient(what, N_IN * (N_IN + 1) / 2, t.entry, gradient, f_of_triangle, &t, tolerance);
    f_of_triangle(&t);
}

static double f_of_root(void *context) {
    run_wet(take_root, context, 1);
    return ((root_run *)context)->f;
}

static void fill_covariance(double *covariance) {
    for (int i = 0; i < N_IN; i++)
        for (int j = 0; j < N_IN; j++)
            covariance[i * N_IN + j] = (i == j ? 1 : 0.3 * cos(i + j)) * (i + 0.5) * (j + 0.5);
}

static void test_roots(void **state) {
    (void)state;
    root_run r = {.f = 0};
    for (int i = 0; i < N_IN * N_IN; i++)
        r.weights[i] = sin(3 * i);
    fill_covariance(r.covariance);
    run_wet(take_root_back, &r, 1);
    assert_covariance_gradient("root", r.covariance, r.adjoint, f_of_root, &r, 1e-8);

    double of_identity[N_IN * N_IN] = {0};
    for (int i = 0; i < N_IN; i++)
        for (int j = 0; j < N_IN; j++)
            r.covariance[i * N_IN + j] = i == j;
    run_wet(take_root_back, &r, 1);
    rk_work work = {.dry = false};
    assert_int_equal(rk_input_root_back(&work, N_IN, NULL, r.weights, of_identity, NULL), RK_OK);
    for (int i = 0; i < N_IN * N_IN; i++)
        assert_near(r.adjoint[i], of_identity[i], 1e-14);

    fill_covariance(r.covariance); /* an input without variance */
    for (int i = 0; i < N_IN; i++)
        r.covariance[i * N_IN + 1] = r.covariance[N_IN + i] = 0;
    run_wet(take_root_back, &r, 1);
    for (int i = 0; i < N_IN * N_IN; i++)
        assert_true(isfinite(r.adjoint[i]));
}

/* -------------------------------------------------------------------------------- the estimate */

static const double mean_seed[N_OUT] = {1, -0.5, 0.3};
static const double variance_seed[N_OUT] = {0.1, 0.7, -0.3};
static const double covariance_seed[N_OUT * N_OUT] = {0.3, 0.1, -0.2, 0.1, -0.4, 0.5, -0.2, 0.5, 1};
static const double hidden_seed[N_HIDDEN] = {0.2, -0.1, 0.3, 0.4, -0.5, 0.6};

typedef struct path_run {
    rk_network *net, *gradient;
    rk_input input;
    rk_pathwise_spec spec;
    double mu[N_IN], covariance[N_IN * N_IN]; /* of the input */
    double mean[N_OUT], mean_adjoint[N_IN], adjoint[N_IN * N_IN];
    double f;
} path_run;

static void go_path(rk_work *work, void *context) {
    path_run *r = context;
    double *weights[N_LAYERS], *biases[N_LAYERS];
    for (size_t l = 0; l < N_LAYERS; l++) {
        weights[l] = rk_network_weights(r->gradient, l);
        biases[l] = rk_network_biases(r->gradient, l);
    }
    const double *const hidden_mean[N_LAYERS - 1] = {NULL, hidden_seed};
    const rk_cotangent f = {.mean = mean_seed,
                            .variance = variance_seed,
                            .covariance = covariance_seed,
                            .hidden_mean = hidden_mean};
    const rk_adjoint to = {weights, biases, r->mean_adjoint, r->adjoint};
    assert_int_equal(rk_pathwise(work, r->net, &r->input, &r->spec, &f, &to, r->mean, NULL), RK_OK);
}

/* The same by plain loops over the same inputs. */
static void estimate(rk_work *work, void *context) {
    path_run *r = context;
    const size_t n = r->spec.n_samples;
    rk_inputs inputs;
    assert_int_equal(
        rk_inputs_take(work, &r->input, N_IN, r->spec.points, r->spec.stream, n, &inputs, NULL),
        RK_OK);
    assert_int_equal(rk_inputs_draw(work, &inputs, 0, n, NULL), RK_OK);
    rk_batch batch = rk_batch_take(work, r->net, n, false);
    rk_batch_forward(work, &batch, n, inputs.x);
    if (work->dry) return;
    const double *y = rk_batch_output(&batch), *h = rk_batch_value(&batch, 2);
    double mean[N_OUT] = {0};
    r->f = 0;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < N_OUT; i++)
            mean[i] += y[k * N_OUT + i] / (double)n;
    for (size_t i = 0; i < N_OUT; i++)
        r->f += mean_seed[i] * mean[i];
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < N_HIDDEN; i++)
            r->f += hidden_seed[i] * h[k * N_HIDDEN + i] / (double)n;
        for (size_t i = 0; i < N_OUT; i++)
            r->f += variance_seed[i] * pow(y[k * N_OUT + i] - mean[i], 2) / (double)(n - 1);
        for (size_t i = 0; i < N_OUT * N_OUT; i++)
            r->f += covariance_seed[i] * (y[k * N_OUT + i / N_OUT] - mean[i / N_OUT]) *
                    (y[k * N_OUT + i % N_OUT] - mean[i % N_OUT]) / (double)(n - 1);
    }
}

static double f_of_path(void *context) {
    run_wet(estimate, context, 1);
    return ((path_run *)context)->f;
}

static path_run create(rk_point_set points, size_t n_samples, const char *activation) {
    rk_random_spec spec = {.n_in = N_IN,
                           .n_out = N_OUT,
                           .hidden = hidden,
                           .n_hidden = 2,
                           .init = RK_INIT_MANUAL,
                           .weight_variance = 1,
                           .bias_variance = 0.1,
                           .seed = 4};
    path_run r = {.f = 0};
    assert_int_equal(rk_activation_parse(activation, &spec.activation, NULL), RK_OK);
    assert_int_equal(rk_network_random(&r.net, &spec, NULL), RK_OK);
    assert_int_equal(rk_network_make_room(&r.gradient, r.net->layers, N_LAYERS, NULL), RK_OK);
    for (int i = 0; i < N_IN; i++)
        r.mu[i] = 0.3 * cos(i);
    fill_covariance(r.covariance);
    r.spec = (rk_pathwise_spec){n_samples, points, stream, 50};
    return r;
}

static void destroy(path_run *r) {
    rk_network_destroy(r->net);
    rk_network_destroy(r->gradient);
}

static void test_differences(void **state) {
    (void)state;
    static const struct {
        rk_point_set points;
        size_t n_samples;
    } cases[] = {{RK_POINTS_IID, 130},
                 {RK_POINTS_ANTITHETIC, 130},
                 {RK_POINTS_ORTHOGONAL, 12 * 32}, /* more than a replicate */
                 {RK_POINTS_DESIGN, 32}};
    static const char *const activations[] = {"tanh", "gelu"}; /* no kinks */
    for (size_t c = 0; c < 8; c++) {
        path_run r = create(cases[c / 2].points, cases[c / 2].n_samples, activations[c % 2]);
        r.input = (rk_input){.mean = r.mu, .covariance = r.covariance};
        run_wet(go_path, &r, 1);
        for (size_t l = 0; l < N_LAYERS; l++) {
            const rk_layer *layer = &r.net->layers[l];
            assert_gradient("weights", layer->rows * layer->cols, rk_network_weights(r.net, l),
                            rk_network_weights(r.gradient, l), f_of_path, &r, 1e-7);
            assert_gradient("biases", layer->rows, rk_network_biases(r.net, l),
                            rk_network_biases(r.gradient, l), f_of_path, &r, 1e-7);
        }
        assert_gradient("input mean", N_IN, r.mu, r.mean_adjoint, f_of_path, &r, 1e-7);
        assert_covariance_gradient("input covariance", r.covariance, r.adjoint, f_of_path, &r,
                                   1e-7);
        destroy(&r);
    }
}

/* The inputs are the sampler's. */
static void test_the_same_samples(void **state) {
    (void)state;
    for (int points = RK_POINTS_IID; points <= RK_POINTS_ANTITHETIC; points++) {
        path_run r = create((rk_point_set)points, 5000, "tanh");
        r.input = (rk_input){.mean = r.mu, .covariance = r.covariance};
        run_wet(go_path, &r, 1);
        const rk_sample_spec spec = {.n_samples = 5000,
                                     .seed = stream.seed,
                                     .stream = stream.stream,
                                     .points = (rk_point_set)points};
        monte_carlo mc = monte_carlo_run(r.net, &r.input, spec, 1, NULL, NULL);
        for (size_t i = 0; i < N_OUT; i++)
            assert_near(r.mean[i], mc.result.mean[i], 1e-6);
        monte_carlo_free(&mc);
        destroy(&r);
    }
}

/* A linear network's moments move as one can say. */
static void test_linear(void **state) {
    (void)state;
    path_run r = create(RK_POINTS_DESIGN, 288 * 400, "identity");
    r.spec.block = 512;
    run_wet(go_path, &r, 1); /* of N(0, I) */
    double J[N_OUT * N_IN], scratch[N_HIDDEN * N_IN], G[N_IN * N_IN];
    rk_work work = {.dry = false};
    const double *W[] = {r.net->layers[0].weight, r.net->layers[1].weight, r.net->layers[2].weight};
    rk_gemm(&work, RK_NO_TRANS, RK_NO_TRANS, N_HIDDEN, N_IN, N_HIDDEN, 1, W[1], N_HIDDEN, W[0],
            N_IN, 0, scratch, N_IN);
    rk_gemm(&work, RK_NO_TRANS, RK_NO_TRANS, N_OUT, N_IN, N_HIDDEN, 1, W[2], N_HIDDEN, scratch,
            N_IN, 0, J, N_IN);
    for (size_t i = 0; i < N_IN; i++)
        for (size_t j = 0; j < N_IN; j++) {
            G[i * N_IN + j] = 0;
            for (size_t k = 0; k < N_OUT * N_OUT; k++)
                G[i * N_IN + j] +=
                    (covariance_seed[k] + (k % (N_OUT + 1) ? 0 : variance_seed[k % N_OUT])) *
                    J[k / N_OUT * N_IN + i] * J[k % N_OUT * N_IN + j];
            assert_near(r.adjoint[i * N_IN + j], G[i * N_IN + j], 0.02);
        }
    destroy(&r);
}

static void test_threads_and_blocks(void **state) {
    (void)state;
    path_run one = create(RK_POINTS_ORTHOGONAL, 640, "relu");
    path_run many = create(RK_POINTS_ORTHOGONAL, 640, "relu");
    run_wet(go_path, &one, 1);
    run_wet(go_path, &many, 4);
    const size_t count = N_HIDDEN * (N_IN + 1 + N_HIDDEN + 1) + N_OUT * (N_HIDDEN + 1);
    assert_memory_equal(one.gradient->storage, many.gradient->storage, count * sizeof(double));
    assert_memory_equal(one.adjoint, many.adjoint, sizeof one.adjoint);
    destroy(&one);
    destroy(&many);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_the_same_samples),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_threads_and_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
