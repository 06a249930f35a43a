/* Identities that every closure must satisfy, whatever the weights. */
#include "estimate/method.h"
#include "support/estimate.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PI 3.14159265358979323846

enum { N = 6, N_METHODS = 3 };

static const char *const methods[N_METHODS] = {"mean", "covariance", "third:legs=double"};

/* Smooth deterministic weights without structure. */
static double entry(size_t l, size_t i, size_t j) {
    return sin(1.0 + 2.3 * (double)l + 1.7 * (double)i + 0.9 * (double)(j * j) +
               0.31 * (double)(i * j));
}

typedef struct fixture {
    rk_layer layers[4];
    double weight[4][N * N], bias[4][N];
} fixture;

static void fill(fixture *f, size_t n_layers, rk_activation_kind kind, bool biased) {
    memset(f, 0, sizeof *f);
    for (size_t l = 0; l < n_layers; l++) {
        for (size_t i = 0; i < N; i++) {
            f->bias[l][i] = 0.3 * cos((double)(i + 2 * l));
            for (size_t j = 0; j < N; j++)
                f->weight[l][i * N + j] = entry(l, i, j) * 0.7;
        }
        f->layers[l] = (rk_layer){.rows = N,
                                  .cols = N,
                                  .weight = f->weight[l],
                                  .bias = biased ? f->bias[l] : NULL,
                                  .activation = {.kind = l + 1 < n_layers ? kind : RK_IDENTITY}};
    }
}

static rk_answer *estimate(const fixture *f, size_t n_layers, const rk_input *input,
                           const char *method, bool covariance) {
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.covariance = covariance;
    options.layers = true;
    options.threads = 1;
    return answer_of_layers(f->layers, n_layers, input, &options);
}

static void assert_close(double a, double b, double tolerance) {
    double error = fabs(a - b);
    if (!(error <= tolerance * (1 + fabs(b)))) fail_msg("%.17g is not %.17g", a, b);
}

static void test_one_hidden_relu_layer_is_exact(void **state) {
    (void)state;
    fixture f;
    fill(&f, 2, RK_RELU, false);
    for (int k = 0; k < N_METHODS; k++) {
        rk_answer *answer = estimate(&f, 2, NULL, methods[k], false);
        const rk_answer_data *data = rk_answer_view(answer);
        for (size_t i = 0; i < N; i++) {
            double expected = 0;
            for (size_t j = 0; j < N; j++) {
                double square = 0;
                for (size_t c = 0; c < N; c++)
                    square += f.weight[0][j * N + c] * f.weight[0][j * N + c];
                expected += f.weight[1][i * N + j] * sqrt(square / (2 * PI));
            }
            assert_close(data->mean[i], expected, 1e-14);
        }
        assert_close(data->expansion, 0, 0);
        rk_answer_destroy(answer);
    }
}

static void test_a_linear_network_has_its_exact_law(void **state) {
    (void)state;
    fixture f;
    fill(&f, 1, RK_IDENTITY, true);
    double mu[N], sigma[N * N];
    for (size_t i = 0; i < N; i++) {
        mu[i] = 0.1 * (double)i - 0.2;
        for (size_t j = 0; j < N; j++)
            sigma[i * N + j] = exp(-fabs((double)i - (double)j));
    }
    rk_input input = {.mean = mu, .covariance = sigma};
    rk_answer *answer = estimate(&f, 1, &input, "covariance", true);
    const rk_answer_data *data = rk_answer_view(answer);
    for (size_t i = 0; i < N; i++) {
        double mean = f.bias[0][i];
        for (size_t a = 0; a < N; a++)
            mean += f.weight[0][i * N + a] * mu[a];
        assert_close(data->mean[i], mean, 1e-14);
        for (size_t j = 0; j < N; j++) {
            double covariance = 0;
            for (size_t a = 0; a < N; a++)
                for (size_t b = 0; b < N; b++)
                    covariance +=
                        f.weight[0][i * N + a] * sigma[a * N + b] * f.weight[0][j * N + b];
            assert_close(data->covariance[i * N + j], covariance, 1e-13);
        }
    }
    rk_answer_destroy(answer);
}

/* Relabelling the neurons of a hidden layer changes nothing. */
static void test_permutation_of_hidden_neurons(void **state) {
    (void)state;
    fixture f, g;
    fill(&f, 3, RK_RELU, true);
    fill(&g, 3, RK_RELU, true);
    for (size_t i = 0; i < N; i++) {
        size_t from = (i * 5 + 2) % N; /* a permutation of 0..5 */
        g.bias[1][i] = f.bias[1][from];
        for (size_t j = 0; j < N; j++) {
            g.weight[1][i * N + j] = f.weight[1][from * N + j];
            g.weight[2][j * N + i] = f.weight[2][j * N + from];
        }
    }
    for (int k = 0; k < N_METHODS; k++) {
        rk_answer *a = estimate(&f, 3, NULL, methods[k], true);
        rk_answer *b = estimate(&g, 3, NULL, methods[k], true);
        for (size_t i = 0; i < N; i++)
            assert_close(rk_answer_view(a)->mean[i], rk_answer_view(b)->mean[i], 1e-13);
        for (size_t i = 0; i < N * N; i++)
            assert_close(rk_answer_view(a)->covariance[i], rk_answer_view(b)->covariance[i], 1e-13);
        rk_answer_destroy(a);
        rk_answer_destroy(b);
    }
}

/* ReLU: scaling a layer by s > 0 and the next by 1/s changes nothing; scaling the first by s scales
 * every mean by s. */
static void test_positive_scaling(void **state) {
    (void)state;
    fixture f, g, h;
    fill(&f, 4, RK_RELU, false);
    fill(&g, 4, RK_RELU, false);
    fill(&h, 4, RK_RELU, false);
    for (size_t i = 0; i < N * N; i++) {
        g.weight[1][i] *= 4;
        g.weight[2][i] /= 4;
        h.weight[0][i] *= 3;
    }
    for (int k = 0; k < N_METHODS; k++) {
        rk_answer *a = estimate(&f, 4, NULL, methods[k], false);
        rk_answer *b = estimate(&g, 4, NULL, methods[k], false);
        rk_answer *c = estimate(&h, 4, NULL, methods[k], false);
        for (size_t i = 0; i < N; i++) {
            /* with the exact metric K=1 averages variances over a layer: still equivariant */
            assert_close(rk_answer_view(b)->mean[i], rk_answer_view(a)->mean[i], 1e-12);
            assert_close(rk_answer_view(c)->mean[i], 3 * rk_answer_view(a)->mean[i], 1e-12);
        }
        rk_answer_destroy(a);
        rk_answer_destroy(b);
        rk_answer_destroy(c);
    }
}

/* The output is affine in the last layer. */
static void test_affine_read_out(void **state) {
    (void)state;
    fixture f, g;
    fill(&f, 3, RK_LEAKY_RELU, true);
    fill(&g, 3, RK_LEAKY_RELU, true);
    for (size_t i = 0; i < N * N; i++)
        g.weight[2][i] *= -2;
    for (size_t i = 0; i < N; i++)
        g.bias[2][i] = f.bias[2][i] * -2 + 5;
    rk_answer *a = estimate(&f, 3, NULL, "covariance", true);
    rk_answer *b = estimate(&g, 3, NULL, "covariance", true);
    for (size_t i = 0; i < N; i++)
        assert_close(rk_answer_view(b)->mean[i], -2 * rk_answer_view(a)->mean[i] + 5, 1e-13);
    for (size_t i = 0; i < N * N; i++)
        assert_close(rk_answer_view(b)->covariance[i], 4 * rk_answer_view(a)->covariance[i], 1e-13);
    rk_answer_destroy(a);
    rk_answer_destroy(b);
}

static void test_means_do_not_depend_on_what_else_is_asked(void **state) {
    (void)state;
    fixture f;
    fill(&f, 4, RK_RELU, true);
    rk_answer *a = estimate(&f, 4, NULL, "covariance", false);
    rk_answer *b = estimate(&f, 4, NULL, "covariance", true);
    for (size_t i = 0; i < N; i++) {
        assert_close(rk_answer_view(a)->mean[i], rk_answer_view(b)->mean[i], 1e-14);
        for (size_t l = 0; l < 3; l++)
            assert_close(rk_answer_view(a)->hidden_mean[l][i], rk_answer_view(b)->hidden_mean[l][i],
                         1e-14);
    }
    rk_answer_destroy(a);
    rk_answer_destroy(b);
}

/* An output activation is one more activation step: a network ending in ReLU answers what the same
 * network followed by the identity matrix answers. */
static void test_output_activation(void **state) {
    (void)state;
    fixture f, g;
    fill(&f, 3, RK_RELU, true);
    f.layers[2].activation.kind = RK_RELU;
    fill(&g, 4, RK_RELU, true);
    memset(g.weight[3], 0, sizeof g.weight[3]);
    memset(g.bias[3], 0, sizeof g.bias[3]);
    for (size_t i = 0; i < N; i++)
        g.weight[3][i * N + i] = 1;
    for (int k = 0; k < N_METHODS; k++) {
        rk_answer *a = estimate(&f, 3, NULL, methods[k], true);
        rk_answer *b = estimate(&g, 4, NULL, methods[k], true);
        for (size_t i = 0; i < N; i++)
            assert_close(rk_answer_view(a)->mean[i], rk_answer_view(b)->mean[i], 1e-14);
        for (size_t i = 0; i < N * N; i++)
            assert_close(rk_answer_view(a)->covariance[i], rk_answer_view(b)->covariance[i], 1e-14);
        rk_answer_destroy(a);
        rk_answer_destroy(b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_hidden_relu_layer_is_exact),
        cmocka_unit_test(test_a_linear_network_has_its_exact_law),
        cmocka_unit_test(test_permutation_of_hidden_neurons),
        cmocka_unit_test(test_positive_scaling),
        cmocka_unit_test(test_affine_read_out),
        cmocka_unit_test(test_means_do_not_depend_on_what_else_is_asked),
        cmocka_unit_test(test_output_activation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
