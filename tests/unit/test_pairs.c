/* Covariances of pairs of activations and the way back: against quadrature, closed cases,
 * differences, and themselves. */
#include "propagate/pairs.h"

#include "linalg/blas.h"
#include "linalg/lapack.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 48 };

static const rk_pairs_spec closures[] = {
    {RK_PAIRS_FIRST, 0},     {RK_PAIRS_COMPLETED, 1}, {RK_PAIRS_COMPLETED, 2},
    {RK_PAIRS_COMPLETED, 3}, {RK_PAIRS_COMPLETED, 4}, {RK_PAIRS_EXACT, 0},
};
enum { N_CLOSURES = sizeof closures / sizeof *closures };

/* Two layers that read the same: what is known of their pre-activations, and what follows. */
typedef struct setup {
    rk_pairs_spec spec;
    rk_activation phi[2];
    size_t n[2]; /* n[1] 0: the square block of the first */
    double mu[2][MOST], var[2][MOST], slope[2][MOST], var_h[2][MOST], m[2][MOST];
    double Z[MOST * MOST], C[MOST * MOST];
    /* the way back */
    double C_bar[MOST * MOST], m_bar[2][MOST], mu_bar[2][MOST], var_bar[2][MOST];
    rk_pool *pool;
} setup;

static rk_activation activation(const char *text) {
    rk_activation a;
    assert_int_equal(rk_activation_parse(text, &a, NULL), RK_OK);
    return a;
}

static bool knows_exact(const rk_activation *phi) {
    return !isnan(rk_pairs_kink(phi));
}

static double draw(unsigned *seed) {
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        sum += (double)(*seed >> 8) / (1 << 24);
    }
    return sum - 6;
}

static void know_side(setup *s, int side) {
    size_t n = s->n[side];
    double w[6 * MOST], centre[MOST];
    rk_wick(&s->phi[side], n, s->mu[side], s->var[side], 2, 2, centre, w);
    for (size_t i = 0; i < n; i++) {
        double first = w[rk_wick_at(n, 2, 0, 1) + i];
        s->m[side][i] = centre[i] + first;
        s->var_h[side][i] = fmax(0, w[rk_wick_at(n, 2, 0, 2) + i] - first * first);
        s->slope[side][i] = w[rk_wick_at(n, 2, 1, 1) + i];
    }
}

/* Forward, and back if asked for, dry and wet. */
static void run(setup *s, bool back) {
    bool square = s->n[1] == 0;
    rk_work runs[2];
    rk_work_init_dry(&runs[0]);
    know_side(s, 0);
    if (!square) know_side(s, 1);
    memcpy(s->C, s->Z, sizeof s->C);
    for (int wet = 0; wet < 2; wet++) {
        rk_work *work = &runs[wet];
        if (wet) assert_int_equal(rk_work_init_wet(work, &runs[0], s->pool, NULL), RK_OK);
        rk_pairs_side side[2];
        for (int i = 0; i < (square ? 1 : 2); i++) {
            side[i] = rk_pairs_side_take(work, &s->spec, s->n[i]);
            rk_pairs_side_prepare(work, &s->spec, &s->phi[i], s->n[i], s->mu[i], s->var[i],
                                  s->slope[i], s->var_h[i], &side[i]);
        }
        const rk_pairs_side *b = &side[square ? 0 : 1];
        rk_pairs_activate(work, &s->spec, &side[0], b, s->C);
        if (!back) continue;
        rk_pairs_adjoint bar[2];
        for (int i = 0; i < (square ? 1 : 2); i++) {
            bar[i] = rk_pairs_adjoint_take(work, &s->spec, s->n[i]);
            rk_pairs_adjoint_zero(work, &s->spec, s->n[i], &bar[i]);
        }
        rk_pairs_activate_back(work, &s->spec, &side[0], b, s->Z, s->C_bar, &bar[0],
                               &bar[square ? 0 : 1]);
        for (int i = 0; i < (square ? 1 : 2); i++) {
            if (wet) {
                memset(s->mu_bar[i], 0, sizeof s->mu_bar[i]);
                memset(s->var_bar[i], 0, sizeof s->var_bar[i]);
            }
            rk_pairs_side_back(work, &s->spec, &side[i], &bar[i], s->m_bar[i], s->mu_bar[i],
                               s->var_bar[i]);
        }
    }
    assert_true(runs[0].flops == runs[1].flops);
    rk_work_finish(&runs[1]);
    free(runs[0].steps);
}

/* Neurons that are rows of noise over `dims` directions, of deviations about `sd`. */
static void fill_random(setup *s, size_t dims, double sd, unsigned seed) {
    static double A[2 * MOST * MOST];
    size_t n_a = s->n[0], n = n_a + s->n[1];
    for (size_t i = 0; i < n * dims; i++)
        A[i] = sd * draw(&seed) / sqrt((double)dims);
    for (size_t i = 0; i < n; i++) {
        int side = i >= n_a;
        size_t at = side ? i - n_a : i;
        s->mu[side][at] = 0.7 * sd * draw(&seed);
        double sum = 0;
        for (size_t d = 0; d < dims; d++)
            sum += A[i * dims + d] * A[i * dims + d];
        s->var[side][at] = sum;
    }
    bool square = s->n[1] == 0;
    size_t cols = square ? n_a : s->n[1], skip = square ? 0 : n_a;
    for (size_t i = 0; i < n_a; i++)
        for (size_t j = 0; j < cols; j++) {
            double sum = 0;
            for (size_t d = 0; d < dims; d++)
                sum += A[i * dims + d] * A[(j + skip) * dims + d];
            s->Z[i * cols + j] = sum;
        }
}

static double value(const rk_activation *phi, double z) {
    double h;
    rk_activation_get(phi->kind)->value(phi, 1, &z, &h);
    return h;
}

/* E phi(z_a) (E[psi(z_b) | z_a] - E psi(z_b)) of piecewise linear ones: panels over z_a on both
 * sides of its kink, psi's mean in closed form. */
static double by_quadrature(const setup *s) {
    const rk_orthant_rules rules = rk_orthant_rules_make();
    const rk_orthant_rule *rule = &rules.rule[RK_ORTHANT_RULES - 1];
    double mu = s->mu[0][0], sd = sqrt(s->var[0][0]), slope = s->Z[0] / sd, total = 0;
    double var = s->var[1][0] - slope * slope, edge[3] = {-10, fmax(-10, fmin(10, -mu / sd)), 10};
    enum { PANELS = 200 };
    for (int side = 0; side < 2; side++) {
        double width = (edge[side + 1] - edge[side]) / PANELS;
        for (size_t t = 0; t < PANELS * rule->n; t++) {
            double x = edge[side] + width * ((double)(t / rule->n) + rule->node[t % rule->n]);
            double mean = s->mu[1][0] + slope * x, centre, w;
            rk_wick(&s->phi[1], 1, &mean, &var, 0, 1, &centre, &w);
            total += width * rule->weight[t % rule->n] * exp(-0.5 * x * x) *
                     value(&s->phi[0], mu + sd * x) * (centre + w - s->m[1][0]);
        }
    }
    return total / sqrt(2 * acos(-1));
}

static void test_exact_is_exact(void **state) {
    (void)state;
    static const struct {
        double h, k, rho;
    } pairs[] = {{0, 0, 0.5},       {0.3, -1.2, 0.29},  {0.3, -1.2, -0.31}, {1, 1.1, 0.59},
                 {2, -2, -0.61},    {-0.5, 0.4, 0.899}, {-0.5, 0.4, 0.901}, {0.2, 0.21, 0.93},
                 {1, -1.05, -0.97}, {0, 1, 0.99},       {-3, 0, 0.95},      {4, 3.9, 0.98},
                 {0, 0, -0.995},    {0.1, 0.1, 1e-3},   {12, 1, 0.4}};
    static const char *const kinds[][2] = {{"relu", "relu"},
                                           {"leaky_relu:0.2", "abs"},
                                           {"abs", "relu"},
                                           {"identity", "leaky_relu:-0.5"}};
    setup s = {.spec = {RK_PAIRS_EXACT, 0}, .n = {1, 1}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
            double sd = 1.7, other = 0.6;
            s.phi[0] = activation(kinds[k][0]);
            s.phi[1] = activation(kinds[k][1]);
            s.mu[0][0] = pairs[p].h * sd;
            s.mu[1][0] = pairs[p].k * other;
            s.var[0][0] = sd * sd;
            s.var[1][0] = other * other;
            s.Z[0] = pairs[p].rho * sd * other;
            run(&s, false);
            assert_near(s.C[0], by_quadrature(&s), 1e-13);
        }
}

/* relu's covariance of centred pairs is (sqrt(1 - rho^2) + rho (pi - acos rho) - 1) / 2 pi, and its
 * derivative the probability that both are positive. */
static void test_arc_cosine(void **state) {
    (void)state;
    setup s = {.spec = {RK_PAIRS_EXACT, 0}, .n = {1, 1}, .var = {{1}, {1}}};
    s.phi[0] = s.phi[1] = activation("relu");
    for (int i = 0; i <= 4000; i++) {
        double rho = i / 2000.0 - 1;
        if (i % 7 == 0) rho = (rho < 0 ? -1 : 1) * (1 - pow(10, -14 * (i / 4000.0)));
        s.Z[0] = rho;
        s.C_bar[0] = 1;
        run(&s, true);
        double pi = acos(-1), r = sqrt((1 - rho) * (1 + rho));
        assert_near(s.C[0], (r + rho * (pi - acos(rho)) - 1) / (2 * pi), 4e-16);
        assert_near(s.C_bar[0], (pi - acos(rho)) / (2 * pi), 4e-16);
    }
}

static void test_first_order_is_the_published(void **state) {
    (void)state;
    setup s = {.spec = closures[0], .n = {40, 0}};
    s.phi[0] = activation("gelu");
    fill_random(&s, 50, 1, 3);
    run(&s, false);
    for (size_t i = 0; i < 40; i++)
        for (size_t j = 0; j < 40; j++) {
            double expected = s.Z[i * 40 + j] * (s.slope[0][i] * s.slope[0][j]);
            assert_true(s.C[i * 40 + j] == (i == j ? s.var_h[0][i] : expected));
        }
}

/* A layer beside itself: C of the two is the same everywhere, the diagonal to rounding. */
static void test_equal_neurons_covary_as_they_vary(void **state) {
    (void)state;
    static const char *const kinds[] = {"relu", "leaky_relu:0.1", "abs",    "identity",
                                        "tanh", "gelu",           "square", "heaviside"};
    static double rectangle[MOST * MOST];
    for (size_t c = 1; c < N_CLOSURES; c++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            setup s = {.spec = closures[c], .n = {40, 0}};
            s.phi[0] = s.phi[1] = activation(kinds[k]);
            if (c == N_CLOSURES - 1 && !knows_exact(&s.phi[0])) continue;
            fill_random(&s, 60, 1, 5);
            s.mu[0][0] = 6; /* linear, and silent */
            s.mu[0][1] = -6;
            for (size_t j = 0; j < 40; j++) /* two that are the same but for rounding */
                s.Z[2 * 40 + j] = s.Z[3 * 40 + j], s.Z[j * 40 + 2] = s.Z[j * 40 + 3];
            s.Z[2 * 40 + 2] = s.Z[3 * 40 + 3];
            s.Z[2 * 40 + 3] *= 1 - 1e-16, s.Z[3 * 40 + 2] *= 1 + 3e-16;
            s.var[0][2] = s.var[0][3];
            s.mu[0][2] = s.mu[0][3];
            s.n[1] = 40;
            memcpy(s.mu[1], s.mu[0], sizeof s.mu[0]);
            memcpy(s.var[1], s.var[0], sizeof s.var[0]);
            run(&s, false);
            memcpy(rectangle, s.C, sizeof rectangle);
            s.n[1] = 0;
            run(&s, false);
            for (size_t i = 0; i < 40; i++)
                for (size_t j = 0; j < 40; j++) {
                    double square = s.C[i * 40 + j], beside = rectangle[i * 40 + j];
                    double scale = fmax(s.var_h[0][i], 0.05 * s.var[0][i]);
                    if (i == j)
                        assert_near(beside / scale, square / scale, 1e-14);
                    else
                        assert_true(beside == square);
                    if ((i != 2 && i != 3) || (j != 2 && j != 3))
                        assert_true(s.C[j * 40 + i] == square);
                }
            assert_near(s.C[2 * 40 + 3] / s.C[2 * 40 + 2], 1, 1e-7); /* acos at rounding of 1 */
        }
}

static void test_no_negative_eigenvalues(void **state) {
    (void)state;
    static const size_t dims[] = {2, 5, 40, MOST};
    for (size_t c = 1; c < N_CLOSURES; c++)
        for (size_t d = 0; d < 4; d++) {
            setup s = {.spec = closures[c], .n = {40, 0}};
            s.phi[0] = activation(d % 2 ? "leaky_relu:-0.3" : "relu");
            fill_random(&s, dims[d], 1, 17);
            run(&s, false);
            double values[MOST];
            rk_work runs[2];
            rk_work_init_dry(&runs[0]);
            rk_eigenvalues_symmetric(&runs[0], 40, s.C, values);
            assert_int_equal(rk_work_init_wet(&runs[1], &runs[0], NULL, NULL), RK_OK);
            assert_true(rk_eigenvalues_symmetric(&runs[1], 40, s.C, values));
            assert_true(values[0] >= -1e-14 * values[39]);
            rk_work_finish(&runs[1]);
            free(runs[0].steps);
        }
}

/* Scaling rows of a homogeneous layer scales what comes out, and a neuron that is nothing, or
 * constant, gives no NaN. */
static void test_units_and_dead_neurons(void **state) {
    (void)state;
    static double plain[MOST * MOST], mu_bar[2][MOST];
    for (size_t c = 0; c < N_CLOSURES; c++) {
        setup s = {.spec = closures[c], .n = {6, 0}};
        s.phi[0] = activation("relu");
        fill_random(&s, 9, 1, 23);
        for (int dead = 4; dead < 6; dead++) {
            s.mu[0][dead] = dead == 4 ? 0 : 0.3;
            s.var[0][dead] = 0;
            for (int j = 0; j < 6; j++)
                s.Z[dead * 6 + j] = s.Z[j * 6 + dead] = 0;
        }
        for (int round = 0; round < 2; round++) {
            double unit[6] = {1e150, 1e-150, 1e150, 1, 1e-150, 1e150};
            for (int i = 0; i < 6 && round; i++) {
                s.mu[0][i] *= unit[i];
                s.var[0][i] *= unit[i] * unit[i];
                for (int j = 0; j < 6; j++)
                    s.Z[i * 6 + j] *= unit[i] * unit[j];
            }
            for (int i = 0; i < 6; i++)
                for (int j = 0; j < 6; j++)
                    s.C_bar[i * 6 + j] =
                        round ? (1 + (i + j) / 7.0) / unit[i] / unit[j] : 1 + (i + j) / 7.0;
            memset(s.m_bar, 0, sizeof s.m_bar);
            run(&s, true);
            for (int i = 0; i < 6; i++) {
                double by = round ? unit[i] : 1;
                assert_true(isfinite(s.mu_bar[0][i]) && isfinite(s.var_bar[0][i]));
                if (round)
                    assert_near(s.mu_bar[0][i] * by, mu_bar[0][i], 1e-12 * fabs(mu_bar[0][i]));
                mu_bar[0][i] = s.mu_bar[0][i] * by;
                for (int j = 0; j < 6; j++) {
                    double C = s.C[i * 6 + j] / by / (round ? unit[j] : 1);
                    assert_true(isfinite(s.C_bar[i * 6 + j]));
                    if (round) assert_near(C, plain[i * 6 + j], 1e-13);
                    plain[i * 6 + j] = C;
                    if (i >= 4 || j >= 4) assert_true(C == 0);
                }
            }
        }
    }
    setup s = {.spec = closures[4], .n = {3, 0}, .mu = {{1, 0, 0}}, .var = {{1e290, 1e-290, 1}}};
    s.phi[0] = activation("tanh");
    s.C_bar[1] = s.C_bar[3] = 1;
    run(&s, true);
    for (int i = 0; i < 3; i++)
        assert_true(isfinite(s.mu_bar[0][i]) && isfinite(s.var_bar[0][i]) && isfinite(s.C[i]));
}

/* ---------------------------------------------------------------------------------- the way back
 */

/* sum C_bar C + sum m_bar m, the weights as they are before the way back. */
static double loss(setup *s, const double *weights, size_t count) {
    double sum = 0;
    run(s, false);
    for (size_t i = 0; i < count; i++)
        sum += weights[i] * s->C[i];
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < s->n[side]; i++)
            sum += s->m_bar[side][i] * s->m[side][i];
    return sum;
}

/* A difference of fourth order in *x and, for a symmetric matrix, *twin. */
static double difference(setup *s, const double *weights, size_t count, double *x, double *twin) {
    static const double at[4] = {-2, -1, 1, 2}, factor[4] = {1, -8, 8, -1};
    double keep = *x, h = 4e-4, sum = 0;
    for (int i = 0; i < 4; i++) {
        *x = *twin = keep + at[i] * h;
        sum += factor[i] * loss(s, weights, count);
    }
    *x = *twin = keep;
    return sum / (12 * h);
}

static void check_back(rk_pairs_spec spec, const char *first, const char *second, bool smooth) {
    static double weights[MOST * MOST];
    bool square = !second;
    setup s = {.spec = spec, .n = {7, square ? 0 : 5}};
    s.phi[0] = activation(first);
    if (!square) s.phi[1] = activation(second);
    fill_random(&s, 6, smooth ? 0.4 : 1, 29); /* where quadrature is exact */
    size_t cols = square ? 7 : 5, count = 7 * cols;
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < cols; j++)
            weights[i * cols + j] = cos(1.0 + (double)(i * j) + 0.3 * (double)(i + j));
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < s.n[side]; i++)
            s.m_bar[side][i] = sin(3.0 * (double)(i + 1));
    memcpy(s.C_bar, weights, sizeof weights);
    run(&s, true);
    static setup at; /* `difference` runs it */
    at = s;
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < s.n[side]; i++) {
            double *mu = &at.mu[side][i], *var = &at.var[side][i];
            assert_near(s.mu_bar[side][i], difference(&at, weights, count, mu, mu), 1e-8);
            assert_near(s.var_bar[side][i], difference(&at, weights, count, var, var), 1e-8);
        }
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < cols; j++) {
            double *x = &at.Z[i * cols + j], *twin = square ? &at.Z[j * cols + i] : x;
            double factor = square && i != j ? 2 : 1;
            assert_near(factor * s.C_bar[i * cols + j], difference(&at, weights, count, x, twin),
                        1e-8);
        }
}

static void test_back_is_the_derivative(void **state) {
    (void)state;
    static const char *const kinds[][2] = {
        {"relu", NULL},         {"relu", "relu"},     {"relu", "leaky_relu"}, {"abs", "identity"},
        {"leaky_relu:2", NULL}, {"identity", NULL},   {"tanh", NULL},         {"gelu", "relu"},
        {"square", NULL},       {"heaviside", "cube"}};
    for (size_t c = 0; c < N_CLOSURES; c++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            rk_activation a = activation(kinds[k][0]);
            rk_activation b = activation(kinds[k][1] ? kinds[k][1] : kinds[k][0]);
            bool known = knows_exact(&a) && knows_exact(&b);
            if (closures[c].closure == RK_PAIRS_EXACT && !known) continue;
            check_back(closures[c], kinds[k][0], kinds[k][1], k >= 6 && k <= 7);
        }
}

/* Blocks of rows and chunks of columns are seams. */
static void test_threads_change_no_bit(void **state) {
    (void)state;
    for (size_t c = 0; c < N_CLOSURES; c++) {
        static setup s[2];
        for (int t = 0; t < 2; t++) {
            s[t] = (setup){.spec = closures[c], .n = {MOST, MOST - 1}};
            s[t].phi[0] = s[t].phi[1] = activation("relu");
            fill_random(&s[t], 20, 1, 31);
            for (int i = 0; i < MOST * (MOST - 1); i++)
                s[t].C_bar[i] = cos(i);
            assert_int_equal(rk_pool_create(&s[t].pool, t ? 3 : 1, NULL), RK_OK);
            run(&s[t], true);
            rk_pool_destroy(s[t].pool);
            s[t].pool = NULL;
        }
        assert_memory_equal(&s[0], &s[1], sizeof s[0]);
    }
}

int main(void) {
    rk_blas_make_serial();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_is_exact),
        cmocka_unit_test(test_arc_cosine),
        cmocka_unit_test(test_first_order_is_the_published),
        cmocka_unit_test(test_equal_neurons_covary_as_they_vary),
        cmocka_unit_test(test_no_negative_eigenvalues),
        cmocka_unit_test(test_units_and_dead_neurons),
        cmocka_unit_test(test_back_is_the_derivative),
        cmocka_unit_test(test_threads_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
