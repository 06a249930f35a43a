/* Residual networks: closures against the joint law of all values at once. */
#include "activation/activation.h"
#include "network/network.h"
#include "support/drawn.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = MOST_LAYERS * MOST_WIDTH };

/* ---------------------------------------------------------------------- the law of all values */

typedef struct joint {
    size_t first[MOST_LAYERS + 2]; /* of each value's entries */
    double m[MOST], C[MOST][MOST];
} joint;

/* Covariances to first order, variances exactly, as `covariance` has them; `pairs` false: none but
 * the variances, a layer's all alike, as `mean`. */
static void propagate(const drawn *d, const double *C, joint *J) {
    size_t n_in = d->layers[0].cols;
    memset(J, 0, sizeof *J);
    for (size_t i = 0; i < n_in; i++)
        for (size_t j = 0; j < n_in; j++)
            J->C[i][j] = C ? C[i * n_in + j] : i == j;
    J->first[1] = n_in;
    for (size_t l = 0; l < d->n_layers; l++) {
        const rk_layer *layer = &d->layers[l];
        size_t n = layer->rows, at = J->first[l + 1];
        size_t read = J->first[layer->reads ? layer->reads - 1 : l];
        J->first[l + 2] = at + n;
        for (size_t i = 0; i < n; i++) {
            J->m[at + i] = layer->bias ? layer->bias[i] : 0;
            double part[MOST] = {0}; /* z_i = part . all values before */
            for (size_t j = 0; j < layer->cols; j++)
                part[read + j] = layer->weight ? layer->weight[i * layer->cols + j] : i == j;
            if (layer->adds) part[J->first[layer->adds - 1] + i] += 1;
            for (size_t k = 0; k < at; k++) {
                J->m[at + i] += part[k] * J->m[k];
                for (size_t other = 0; other < at; other++)
                    J->C[at + i][other] += part[k] * J->C[k][other];
            }
            for (size_t k = 0; k < at + i; k++)
                J->C[k][at + i] = J->C[at + i][k];
            for (size_t before = 0; before <= i; before++) { /* z_before is like part, of its own */
                const double *row = layer->weight ? layer->weight + before * layer->cols : NULL;
                double sum = 0;
                for (size_t j = 0; j < layer->cols; j++)
                    sum += (row ? row[j] : before == j) * J->C[at + i][read + j];
                if (layer->adds) sum += J->C[at + i][J->first[layer->adds - 1] + before];
                J->C[at + i][at + before] = J->C[at + before][at + i] = sum;
            }
        }
        double slope[MOST_WIDTH];
        for (size_t i = 0; i < n; i++) {
            double mu = J->m[at + i], var = J->C[at + i][at + i];
            double first = rk_wick_one(&layer->activation, mu, var, 0, 1);
            double second = rk_wick_one(&layer->activation, mu, var, 0, 2);
            slope[i] = rk_wick_one(&layer->activation, mu, var, 1, 1);
            J->m[at + i] = first;
            for (size_t k = 0; k < at + n; k++)
                J->C[at + i][k] *= slope[i];
            for (size_t k = 0; k < at + n; k++)
                J->C[k][at + i] *= slope[i];
            J->C[at + i][at + i] = second - first * first;
        }
    }
}

static bool near(double x, double y, double scale) {
    return fabs(x - y) <= 1e-11 * (scale + fabs(y));
}

static void check(const drawn *d, const double *C, uint64_t seed) {
    static joint J;
    propagate(d, C, &J);
    rk_network *net;
    rk_error error;
    if (rk_network_create(&net, d->layers, d->n_layers, &error) != RK_OK)
        fail_msg("seed %d: %s", (int)seed, error.message);
    rk_options options = rk_options_default();
    options.method = method_of("covariance");
    options.covariance = options.layers = true;
    const rk_input input = {.covariance = C};
    rk_answer *answer;
    if (rk_estimate(&answer, net, &input, &options, &error) != RK_OK)
        fail_msg("seed %d: %s", (int)seed, error.message);
    const rk_answer_data *data = rk_answer_view(answer);
    size_t n = data->n_out, at = J.first[d->n_layers];
    for (size_t i = 0; i < n; i++) {
        assert_true(near(data->mean[i], J.m[at + i], 1));
        for (size_t j = 0; j < n; j++)
            if (!near(data->covariance[i * n + j], J.C[at + i][at + j],
                      sqrt(J.C[at + i][at + i] * J.C[at + j][at + j])))
                fail_msg("seed %d: C[%zu, %zu] = %.17g, not %.17g", (int)seed, i, j,
                         data->covariance[i * n + j], J.C[at + i][at + j]);
    }
    for (size_t l = 0; l + 1 < d->n_layers; l++)
        for (size_t i = 0; i < d->layers[l].rows; i++)
            assert_true(near(data->hidden_mean[l][i], J.m[J.first[l + 1] + i], 1));
    /* without the covariance less is formed */
    options.covariance = false;
    rk_answer *less;
    assert_int_equal(rk_estimate(&less, net, &input, &options, NULL), RK_OK);
    for (size_t i = 0; i < n; i++) {
        assert_true(near(rk_answer_view(less)->mean[i], J.m[at + i], 1));
        if (d->layers[d->n_layers - 1].adds)
            assert_true(near(rk_answer_view(less)->variance[i], J.C[at + i][at + i], 1e-3));
    }
    rk_answer_destroy(less);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
}

static void test_covariance_is_that_of_all_values(void **state) {
    (void)state;
    static drawn d;
    const rk_activation activations[] = {
        {.kind = RK_RELU}, {.kind = RK_TANH}, {.kind = RK_ABS}, {.kind = RK_IDENTITY}};
    double C[MOST_WIDTH * MOST_WIDTH];
    for (uint64_t seed = 0; seed < 300; seed++) {
        draw_any(&d, seed, activations, 4);
        size_t n = d.layers[0].cols;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                C[i * n + j] = (i == j ? 1.5 : 0) + 0.3 * cos((double)i) * cos((double)j);
        check(&d, seed % 2 ? C : NULL, seed);
    }
}

/* ---------------------------------------------------------------------------- stated errors */

enum { N = 24 };

static double stated(const rk_layer *layers, size_t n_layers, const char *method, bool covariance) {
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, n_layers, NULL), RK_OK);
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.covariance = covariance;
    rk_answer *answer;
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
    const rk_answer_data *data = rk_answer_view(answer);
    double error = covariance ? data->covariance_error_rms : data->error_rms;
    rk_answer_destroy(answer);
    rk_network_destroy(net);
    return error;
}

/* Neurons that no weights mix between activations are not Gaussian, however many there are. */
static void test_what_is_not_mixed_is_not_promised(void **state) {
    (void)state;
    static double W[3][N * N];
    uint64_t chance = 7;
    for (size_t i = 0; i < 3 * N * N; i++)
        W[i / (N * N)][i % (N * N)] = draw_uniform(&chance) * sqrt(3. / N);
#define AFFINE(k) .rows = N, .cols = N, .weight = W[k]
#define SAME      .rows = N, .cols = N
#define RELU      .activation = {.kind = RK_RELU }
    static const struct {
        bool is_promised, of_covariance;
        size_t n;
        rk_layer layers[5];
    } cases[] = {
        /* pre-activation blocks, with and without weights before the activation */
        {true, false, 3, {{AFFINE(0), RELU}, {AFFINE(1), .adds = 1}, {AFFINE(2), RELU}}},
        {true, false, 4, {{AFFINE(0)}, {SAME, RELU}, {AFFINE(1), .adds = 2}, {AFFINE(2), RELU}}},
        {true, true, 3, {{AFFINE(0), RELU}, {AFFINE(1), .adds = 1}, {AFFINE(2)}}},
        /* an activation of an activation, its sum with itself, with what it reads, with a branch */
        {false, false, 3, {{AFFINE(0), RELU}, {SAME, RELU}, {AFFINE(1)}}},
        {false, false, 3, {{AFFINE(0), RELU}, {SAME, .adds = 2, RELU}, {AFFINE(1)}}},
        {false, false, 3, {{AFFINE(0), RELU}, {SAME, .adds = 1, RELU}, {AFFINE(1)}}},
        {false, false, 3, {{AFFINE(0), RELU}, {AFFINE(1), .adds = 2, RELU}, {AFFINE(2)}}},
        {false, false, 4, {{AFFINE(0), RELU}, {SAME}, {SAME, RELU}, {AFFINE(1)}}},
        {false, true, 2, {{AFFINE(0), RELU}, {SAME}}},
    };
#undef AFFINE
#undef SAME
#undef RELU
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double error = stated(cases[c].layers, cases[c].n, "covariance", cases[c].of_covariance);
        if (cases[c].is_promised ? !(error > 0) : !isnan(error))
            fail_msg("case %zu states %g", c, error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covariance_is_that_of_all_values),
        cmocka_unit_test(test_what_is_not_mixed_is_not_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
