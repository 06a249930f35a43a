/* What the reference closure must satisfy whatever the weights, and laws that are known exactly. */
#include "cumulant/expand.h"
#include "linalg/blas.h"
#include "reference/reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PI 3.14159265358979323846

enum { MAX_N = 16, MAX_LAYERS = 6 };

typedef struct fixture {
    size_t n_layers;
    rk_layer layer[MAX_LAYERS];
    double weight[MAX_LAYERS][MAX_N * MAX_N], bias[MAX_LAYERS][MAX_N];
} fixture;

/* widths[0] is the input's; smooth deterministic weights without structure. */
static void fill(fixture *f, const size_t *widths, size_t n_layers, rk_activation_kind kind,
                 bool biased) {
    *f = (fixture){.n_layers = n_layers};
    for (size_t l = 0; l < n_layers; l++) {
        size_t m = widths[l + 1], n = widths[l];
        for (size_t i = 0; i < m; i++) {
            f->bias[l][i] = 0.3 * cos((double)(i + 2 * l));
            for (size_t j = 0; j < n; j++)
                f->weight[l][i * n + j] = 1.9 / sqrt((double)n) *
                                          sin(1 + 2.3 * (double)l + 1.7 * (double)i +
                                              0.9 * (double)(j * j) + 0.31 * (double)(i * j));
        }
        f->layer[l] = (rk_layer){.rows = m,
                                 .cols = n,
                                 .weight = f->weight[l],
                                 .bias = biased ? f->bias[l] : NULL,
                                 .activation = {.kind = l + 1 < n_layers ? kind : RK_IDENTITY}};
    }
}

typedef struct result {
    double mean[MAX_N], variance[MAX_N], covariance[MAX_N * MAX_N];
    double hidden[MAX_LAYERS][MAX_N];
    rk_outputs outputs;
    rk_regime regime;
    uint64_t flops;
} result;

static result run(const fixture *f, const rk_input *input, const rk_reference_spec *spec,
                  bool covariance, int threads, const rk_reference_observer *observer) {
    static const rk_input standard = {.mean = NULL};
    result r = {.flops = 0};
    double *hidden[MAX_LAYERS];
    for (size_t l = 0; l < MAX_LAYERS; l++)
        hidden[l] = r.hidden[l];
    rk_outputs outputs = {.mean = r.mean,
                          .variance = r.variance,
                          .covariance = covariance ? r.covariance : NULL,
                          .hidden_mean = hidden,
                          .regime = &r.regime};
    rk_network *net;
    rk_pool *pool;
    rk_work plan, work;
    if (!input) input = &standard;
    assert_int_equal(rk_network_create(&net, f->layer, f->n_layers, NULL), RK_OK);
    assert_int_equal(rk_pool_create(&pool, threads, NULL), RK_OK);
    assert_int_equal(rk_reference_check(spec, input, covariance, NULL), RK_OK);
    rk_work_init_dry(&plan);
    rk_propagate_reference(&plan, net, input, spec, &outputs, observer, NULL);
    assert_int_equal(rk_work_init_wet(&work, &plan, pool, NULL), RK_OK);
    rk_propagate_reference(&work, net, input, spec, &outputs, observer, NULL);
    assert_int_equal(work.flops, plan.flops);
    assert_int_equal(work.clamped, 0);
    r.outputs = outputs;
    r.flops = work.flops;
    rk_work_finish(&work);
    free(plan.steps);
    rk_pool_destroy(pool);
    rk_network_destroy(net);
    return r;
}

static void assert_close(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance * (1 + fabs(b)))) fail_msg("%.17g is not %.17g", a, b);
}

/* Every member of the family in turn; false past the last. */
static bool next_spec(rk_reference_spec *spec) {
    if (spec->K == 0) {
        *spec = (rk_reference_spec){.K = 1};
        return true;
    }
    if (spec->K >= 3 && !spec->factored) {
        spec->factored = true;
        return true;
    }
    spec->factored = false;
    if (spec->kind < RK_REFERENCE_BASE) {
        spec->kind++;
        return true;
    }
    spec->kind = RK_REFERENCE_SIMPLE;
    return ++spec->K <= 4;
}

static const size_t uneven[] = {5, 7, 6, 4, 3};

/* --------------------------------------------------------------------------- symmetries */

static void test_permutation_of_hidden_neurons(void **state) {
    (void)state;
    static fixture f, g;
    const size_t widths[] = {5, 6, 6, 4};
    fill(&f, widths, 3, RK_GELU, true);
    fill(&g, widths, 3, RK_GELU, true);
    for (size_t i = 0; i < 6; i++) {
        size_t from = (i * 5 + 2) % 6;
        g.bias[1][i] = f.bias[1][from];
        for (size_t j = 0; j < 6; j++)
            g.weight[1][i * 6 + j] = f.weight[1][from * 6 + j];
        for (size_t j = 0; j < 4; j++)
            g.weight[2][j * 6 + i] = f.weight[2][j * 6 + from];
    }
    for (rk_reference_spec spec = {.K = 0}; next_spec(&spec);) {
        result a = run(&f, NULL, &spec, false, 1, NULL), b = run(&g, NULL, &spec, false, 1, NULL);
        for (size_t i = 0; i < 4; i++)
            assert_close(b.mean[i], a.mean[i], 1e-12);
    }
}

/* ReLU with the exact metric: a factor on the first layer comes out at the end. Checks the
 * homogeneity of every coefficient. Base K = 1 fixes its variances. */
static void test_positive_scaling(void **state) {
    (void)state;
    static fixture f, g;
    fill(&f, uneven, 4, RK_RELU, false);
    fill(&g, uneven, 4, RK_RELU, false);
    for (size_t i = 0; i < MAX_N * MAX_N; i++)
        g.weight[0][i] *= 3;
    for (rk_reference_spec spec = {.K = 0}; next_spec(&spec);) {
        if (spec.K == 1 && spec.kind == RK_REFERENCE_BASE) continue;
        result a = run(&f, NULL, &spec, true, 1, NULL), b = run(&g, NULL, &spec, true, 1, NULL);
        for (size_t i = 0; i < 3; i++)
            assert_close(b.mean[i], 3 * a.mean[i], 1e-10);
        for (size_t i = 0; i < 9; i++)
            assert_close(b.covariance[i], 9 * a.covariance[i], 1e-9);
        assert_close(b.regime.expansion, a.regime.expansion, 1e-10);
    }
}

static void test_odd_networks_have_no_mean(void **state) {
    (void)state;
    static fixture f;
    fill(&f, uneven, 4, RK_TANH, false);
    for (rk_reference_spec spec = {.K = 0}; next_spec(&spec);) {
        result r = run(&f, NULL, &spec, false, 1, NULL);
        for (size_t i = 0; i < 3; i++)
            assert_close(r.mean[i], 0, 1e-15);
    }
}

/* A network that ends in ReLU is the same network followed by the identity matrix. */
static void test_output_activation(void **state) {
    (void)state;
    static fixture f, g;
    const size_t widths[] = {5, 6, 6, 6, 6};
    fill(&f, widths, 3, RK_RELU, true);
    fill(&g, widths, 4, RK_RELU, true);
    f.layer[2].activation.kind = RK_RELU;
    g.layer[3].bias = NULL;
    for (size_t i = 0; i < 36; i++)
        g.weight[3][i] = i % 7 == 0;
    for (rk_reference_spec spec = {.K = 0}; next_spec(&spec);) {
        bool covariance = spec.K > 1;
        result a = run(&f, NULL, &spec, covariance, 1, NULL);
        result b = run(&g, NULL, &spec, covariance, 1, NULL);
        for (size_t i = 0; i < 6; i++)
            assert_close(a.mean[i], b.mean[i], 1e-14);
        for (size_t i = 0; covariance && i < 36; i++)
            assert_close(a.covariance[i], b.covariance[i], 1e-13);
    }
}

static void ignore(void *context, size_t l, bool activated, const rk_tower *tower) {
    (void)context, (void)l, (void)activated, (void)tower;
}

/* What else is asked for changes no answer, only the work; threads change not a bit. */
static void test_answers_do_not_depend_on_what_else_is_asked(void **state) {
    (void)state;
    static fixture f;
    fill(&f, uneven, 4, RK_RELU, true);
    rk_reference_observer observer = {ignore, NULL};
    for (rk_reference_spec spec = {.K = 0}; next_spec(&spec);) {
        bool covariance = spec.K > 1;
        result a = run(&f, NULL, &spec, false, 1, NULL);
        result b = run(&f, NULL, &spec, covariance, 1, NULL);
        result c = run(&f, NULL, &spec, covariance, 1, &observer);
        result d = run(&f, NULL, &spec, covariance, 3, &observer);
        for (size_t i = 0; i < 3; i++) {
            assert_close(a.mean[i], c.mean[i], 1e-14);
            assert_close(b.mean[i], c.mean[i], 1e-14);
        }
        for (size_t i = 0; covariance && i < 9; i++)
            assert_close(b.covariance[i], c.covariance[i], 1e-14);
        for (size_t l = 0; l < 3; l++)
            for (size_t i = 0; i < uneven[l + 1]; i++)
                assert_close(a.hidden[l][i], c.hidden[l][i], 1e-14);
        assert_true(a.flops <= b.flops && b.flops <= c.flops);
        if (covariance) assert_close(b.variance[1], b.covariance[4], 0);
        assert_memory_equal(c.mean, d.mean, sizeof c.mean);
        assert_memory_equal(c.hidden, d.hidden, sizeof c.hidden);
        assert_memory_equal(c.covariance, d.covariance, sizeof c.covariance);
    }
}

/* The public implementation refuses factored K = 3 unless all widths agree; the simple and base
 * kinds must not change their numbers by being factored, at any widths. */
static void test_factoring_changes_nothing(void **state) {
    (void)state;
    static fixture f;
    fill(&f, uneven, 4, RK_GELU, true);
    for (int K = 3; K <= 4; K++)
        for (int kind = 0; kind < 3; kind += 2) {
            rk_reference_spec spec = {.K = K, .kind = (rk_reference_kind)kind};
            result dense = run(&f, NULL, &spec, true, 1, NULL);
            spec.factored = true;
            result factored = run(&f, NULL, &spec, true, 1, NULL);
            for (size_t i = 0; i < 3; i++)
                assert_close(factored.mean[i], dense.mean[i], 1e-13);
            for (size_t i = 0; i < 9; i++)
                assert_close(factored.covariance[i], dense.covariance[i], 1e-13);
        }
}

/* ----------------------------------------------------------------------------- known laws */

static void test_one_hidden_relu_layer_is_exact(void **state) {
    (void)state;
    static fixture f;
    fill(&f, uneven, 2, RK_RELU, false);
    for (rk_reference_spec spec = {.K = 0}; next_spec(&spec);) {
        if (spec.K == 1 && spec.kind == RK_REFERENCE_BASE) continue;
        result r = run(&f, NULL, &spec, false, 1, NULL);
        for (size_t i = 0; i < 6; i++) {
            double expected = 0;
            for (size_t j = 0; j < 7; j++) {
                double square = 0;
                for (size_t c = 0; c < 5; c++)
                    square += f.weight[0][j * 5 + c] * f.weight[0][j * 5 + c];
                expected += f.weight[1][i * 7 + j] * sqrt(square / (2 * PI));
            }
            assert_close(r.mean[i], expected, 1e-14);
        }
        assert_true(r.regime.closed_layers == 0);
    }
}

static void see_nothing_beyond_two(void *context, size_t l, bool activated, const rk_tower *tower) {
    (void)l, (void)activated;
    for (int d = 3; d <= RK_MAX_DEGREE; d++) {
        if (!tower->degree[d].core) continue;
        for (size_t i = 0; i < rk_simplex(tower->n, rk_tower_order(tower, d)); i++)
            assert_close(tower->degree[d].core[i], 0, 1e-10);
    }
    size_t *seen = context;
    ++*seen;
}

/* A linear network passes a Gaussian on, and all higher cumulants stay zero. */
static void test_linear_networks_stay_gaussian(void **state) {
    (void)state;
    static fixture f;
    fill(&f, uneven, 4, RK_IDENTITY, true);
    double mu[5], sigma[25];
    for (size_t i = 0; i < 5; i++) {
        mu[i] = 0.1 * (double)i - 0.2;
        for (size_t j = 0; j < 5; j++)
            sigma[i * 5 + j] = exp(-fabs((double)i - (double)j));
    }
    rk_input input = {.mean = mu, .covariance = sigma};
    double product[15] = {0}; /* of all weights: 3 x 5 */
    for (size_t j = 0; j < 5; j++) {
        double h[MAX_N] = {0}, z[MAX_N];
        h[j] = 1;
        for (size_t l = 0; l < 4; l++) {
            for (size_t i = 0; i < uneven[l + 1]; i++) {
                z[i] = 0;
                for (size_t k = 0; k < uneven[l]; k++)
                    z[i] += f.weight[l][i * uneven[l] + k] * h[k];
            }
            memcpy(h, z, sizeof z);
        }
        for (size_t i = 0; i < 3; i++)
            product[i * 5 + j] = h[i];
    }
    for (rk_reference_spec spec = {.K = 0}; next_spec(&spec);) {
        if (spec.K == 1) continue;
        size_t seen = 0;
        rk_reference_observer observer = {see_nothing_beyond_two, &seen};
        result r = run(&f, &input, &spec, true, 1, &observer);
        assert_int_equal(seen, 7);
        for (size_t i = 0; i < 3; i++)
            for (size_t j = 0; j < 3; j++) {
                double expected = 0;
                for (size_t a = 0; a < 5; a++)
                    for (size_t b = 0; b < 5; b++)
                        expected += product[i * 5 + a] * sigma[a * 5 + b] * product[j * 5 + b];
                assert_close(r.covariance[i * 3 + j], expected, 1e-13);
            }
    }
}

/* Squares of Gaussians with covariance C: kappa_b(z_1^2, .., z_b^2) = 2^(b-1) sum over the (b-1)!
 * cyclic orders of the products of C around the cycle, whatever indices coincide. */
static double cumulant_of_squares(const double *C, size_t n, const size_t *index, int b) {
    static const int orders[6][4] = {{0, 1, 2, 3}, {0, 1, 3, 2}, {0, 2, 1, 3},
                                     {0, 2, 3, 1}, {0, 3, 1, 2}, {0, 3, 2, 1}};
    static const int triples[2][3] = {{0, 1, 2}, {0, 2, 1}};
    int n_orders = b == 4 ? 6 : b == 3 ? 2 : 1;
    double sum = 0;
    for (int o = 0; o < n_orders; o++) {
        double product = 1;
        for (int t = 0; t < b; t++) {
            int from = b == 4 ? orders[o][t] : b == 3 ? triples[o][t] : t;
            int to = b == 4   ? orders[o][(t + 1) % b]
                     : b == 3 ? triples[o][(t + 1) % b]
                              : (t + 1) % b;
            product *= C[index[from] * n + index[to]];
        }
        sum += product;
    }
    return pow(2, b - 1) * sum;
}

typedef struct squares {
    const double *C;
    size_t n;
    int exact_to; /* degree up to which the closure knows all of the law */
} squares;

static void see_squares(void *context, size_t l, bool activated, const rk_tower *tower) {
    const squares *s = context;
    if (l > 0 || !activated) return;
    for (int d = 1; d <= s->exact_to; d++) {
        size_t index[4] = {0};
        do {
            assert_close(rk_tower_entry(tower, d, index), cumulant_of_squares(s->C, s->n, index, d),
                         1e-12);
        } while (rk_symmetric_next(index, d, s->n));
    }
}

/* K = 3 has the means, covariances; K = 4 the triangle, and augmented the four-cycle. */
static void test_squares_of_gaussians(void **state) {
    (void)state;
    static fixture f;
    const size_t widths[] = {5, 4, 3};
    fill(&f, widths, 2, RK_SQUARE, false);
    double C[16] = {0};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++)
            for (size_t k = 0; k < 5; k++)
                C[i * 4 + j] += f.weight[0][i * 5 + k] * f.weight[0][j * 5 + k];
    const struct {
        rk_reference_spec spec;
        int exact_to;
    } cases[] = {{{.K = 3}, 2},
                 {{.K = 3, .kind = RK_REFERENCE_AUGMENT}, 3},
                 {{.K = 4}, 3},
                 {{.K = 4, .kind = RK_REFERENCE_AUGMENT}, 4}};
    for (size_t c = 0; c < 4; c++) {
        squares s = {C, 4, cases[c].exact_to};
        rk_reference_observer observer = {see_squares, &s};
        run(&f, NULL, &cases[c].spec, true, 1, &observer);
    }
}

/* One neuron has no off-diagonal to truncate: x^2 has cumulants 1, 2, 8, 48; (x^2)^2 mean 3, and
 * (x^2)^3 mean 15. */
static void see_one(void *context, size_t l, bool activated, const rk_tower *tower) {
    const double want[] = {0, 1, 2, 8, 48};
    (void)context;
    for (int d = 1; l == 0 && activated && d <= 4; d++)
        if (tower->degree[d].core || tower->factors.degree == d)
            assert_close(rk_tower_entry(tower, d, (size_t[]){0, 0, 0, 0}), want[d], 1e-14);
}

static void test_powers_of_one_gaussian(void **state) {
    (void)state;
    static fixture f;
    const size_t widths[] = {1, 1, 1, 1};
    fill(&f, widths, 3, RK_SQUARE, false);
    f.weight[0][0] = f.weight[1][0] = f.weight[2][0] = 1;
    rk_reference_observer observer = {see_one, NULL};
    for (rk_reference_spec spec = {.K = 0}; next_spec(&spec);) {
        if (spec.K == 1 && spec.kind == RK_REFERENCE_BASE) continue;
        f.layer[1].activation.kind = RK_SQUARE;
        assert_close(run(&f, NULL, &spec, false, 1, &observer).mean[0], 3, 1e-14);
        f.layer[1].activation.kind = RK_CUBE;
        if (spec.K == 4) assert_close(run(&f, NULL, &spec, false, 1, NULL).mean[0], 15, 1e-14);
    }
}

/* ----------------------------------------------------------------------- factored sizes */

static void see_J(void *context, size_t l, bool activated, const rk_tower *tower) {
    size_t *J = context;
    if (activated) J[l] = tower->factors.J;
}

static void test_numbers_of_products(void **state) {
    (void)state;
    static fixture f;
    const size_t widths[] = {16, 16, 16, 16, 16, 16};
    fill(&f, widths, 5, RK_RELU, false);
    const struct {
        rk_reference_spec spec;
        size_t J[4];
    } cases[] = {
        {{.K = 3}, {32, 64, 96, 128}},
        {{.K = 3, .kind = RK_REFERENCE_AUGMENT}, {48, 192, 336, 480}},
        {{.K = 3, .kind = RK_REFERENCE_AUGMENT, .metric = RK_METRIC_AVERAGE}, {48, 176, 304, 432}},
        {{.K = 4}, {32, 64, 96, 128}},
        {{.K = 4, .kind = RK_REFERENCE_AUGMENT}, {48, 161, 274, 387}},
        {{.K = 4, .kind = RK_REFERENCE_AUGMENT, .metric = RK_METRIC_AVERAGE}, {48, 160, 272, 384}}};
    for (size_t c = 0; c < 6; c++) {
        size_t J[MAX_LAYERS] = {0};
        rk_reference_observer observer = {see_J, J};
        rk_reference_spec spec = cases[c].spec;
        spec.factored = true;
        run(&f, NULL, &spec, false, 1, &observer);
        assert_memory_equal(J, cases[c].J, sizeof cases[c].J);
    }
}

static void test_refusals(void **state) {
    (void)state;
    double third = 1;
    rk_input input = {.third_cumulant = &third};
    const rk_reference_spec refused[] = {
        {.K = 0}, {.K = 5}, {.K = 3, .no_power_cumulants = true}, {.K = 3, .factored = true}};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(rk_reference_check(&refused[i], &input, false, NULL),
                         RK_ERROR_UNSUPPORTED);
    rk_reference_spec base = {.K = 1, .kind = RK_REFERENCE_BASE};
    assert_int_equal(rk_reference_check(&base, NULL, true, NULL), RK_ERROR_UNSUPPORTED);
    assert_int_equal(rk_reference_check(&base, NULL, false, NULL), RK_OK);
}

int main(void) {
    rk_blas_make_serial();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permutation_of_hidden_neurons),
        cmocka_unit_test(test_positive_scaling),
        cmocka_unit_test(test_odd_networks_have_no_mean),
        cmocka_unit_test(test_output_activation),
        cmocka_unit_test(test_answers_do_not_depend_on_what_else_is_asked),
        cmocka_unit_test(test_factoring_changes_nothing),
        cmocka_unit_test(test_one_hidden_relu_layer_is_exact),
        cmocka_unit_test(test_linear_networks_stay_gaussian),
        cmocka_unit_test(test_squares_of_gaussians),
        cmocka_unit_test(test_powers_of_one_gaussian),
        cmocka_unit_test(test_numbers_of_products),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
