/* L-BFGS: where it arrives, how fast, and what it asks for on the way. */
#include "train/lbfgs.h"

#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 40 };

/* f(theta) = unit * of(theta * scale). */
typedef struct test_problem {
    double (*of)(const double *x, double *gradient); /* gradient may be NULL */
    double unit, scale;
    const double *diagonal; /* of P, or NULL */
    double at[N], values[200];
    uint64_t n_values, stop_at;
    bool moved; /* since the last value */
} test_problem;

static double value(void *context, const double *theta) {
    test_problem *p = context;
    for (size_t i = 0; i < N; i++)
        p->at[i] = p->scale * theta[i];
    p->n_values++;
    return p->unit * p->of(p->at, NULL);
}

static void gradient(void *context, double *g) {
    test_problem *p = context;
    p->of(p->at, g);
    for (size_t i = 0; i < N; i++)
        g[i] *= p->unit * p->scale;
}

static void precondition(void *context, const double *in, double *out) {
    const test_problem *p = context;
    for (size_t i = 0; i < N; i++)
        out[i] = p->diagonal[i] * in[i];
}

static bool go_on(void *context, uint64_t iteration, double f) {
    test_problem *p = context;
    assert_true(iteration >= 1 && iteration <= 200);
    assert_true(iteration == 1 || f < p->values[iteration - 2]);
    p->values[iteration - 1] = f;
    return iteration != p->stop_at;
}

static rk_lbfgs_result run(test_problem *p, rk_lbfgs_spec spec, double *theta) {
    const rk_lbfgs_problem problem = {.context = p,
                                      .n = N,
                                      .value = value,
                                      .gradient = gradient,
                                      .precondition = p->diagonal ? precondition : NULL,
                                      .go_on = go_on};
    rk_lbfgs_result result;
    if (spec.max_iterations == 0) spec.max_iterations = 200;
    p->n_values = 0;
    assert_int_equal(rk_lbfgs_run(NULL, &problem, &spec, theta, &result, NULL), RK_OK);
    assert_true(result.values == p->n_values);
    assert_true(result.values >= result.iterations + 1);
    if (result.end != RK_LBFGS_NOT_FINITE) assert_true(result.gradients == result.iterations + 1);
    return result;
}

/* Chained, N variables; the minimum is at (1, ..., 1). */
static double rosenbrock(const double *x, double *g) {
    double sum = 0;
    for (size_t i = 0; g && i < N; i++)
        g[i] = 0;
    for (size_t i = 0; i + 1 < N; i += 2) {
        const double a = 1 - x[i], b = x[i + 1] - x[i] * x[i];
        sum += a * a + 100 * b * b;
        if (!g) continue;
        g[i] += -2 * a - 400 * b * x[i];
        g[i + 1] += 200 * b;
    }
    return sum;
}

static double curvature(size_t i) {
    return pow(10, 8 * (double)i / (N - 1)); /* condition number 1e8 */
}

static double quadratic(const double *x, double *g) {
    double sum = 0;
    for (size_t i = 0; i < N; i++) {
        const double d = x[i] - cos((double)i);
        sum += curvature(i) * d * d / 2;
        if (g) g[i] = curvature(i) * d;
    }
    return sum;
}

/* -log of what must stay positive: steps that are too long have no value. */
static double barrier(const double *x, double *g) {
    double sum = 0;
    for (size_t i = 0; i < N; i++) {
        sum += x[i] - log(x[i]);
        if (g) g[i] = 1 - 1 / x[i];
    }
    return sum;
}

static double flat(const double *x, double *g) {
    (void)x;
    for (size_t i = 0; g && i < N; i++)
        g[i] = 0;
    return 3;
}

/* Says that it falls where it rises. */
static double liar(const double *x, double *g) {
    double sum = 0;
    for (size_t i = 0; i < N; i++) {
        sum += x[i] * x[i];
        if (g) g[i] = -2 * x[i];
    }
    return sum;
}

static double nowhere(const double *x, double *g) {
    (void)g;
    return x[0] * (double)NAN;
}

static void test_rosenbrock(void **state) {
    (void)state;
    test_problem p = {.of = rosenbrock, .unit = 1, .scale = 1};
    double theta[N];
    for (size_t i = 0; i < N; i++)
        theta[i] = i % 2 ? 1 : -1.2;
    const rk_lbfgs_result result = run(&p, (rk_lbfgs_spec){.tolerance = 1e-12}, theta);
    assert_int_equal(result.end, RK_LBFGS_CONVERGED);
    assert_true(result.iterations < 60);
    assert_true(result.value <= 1e-12);
    for (size_t i = 0; i < N; i++)
        assert_near(theta[i], 1, 1e-5);
}

/* With the inverse Hessian for P there is nothing to find out; times a constant, all but nothing.
 */
static void test_preconditioned(void **state) {
    (void)state;
    double inverse[N], tilted[N], theta[N] = {0};
    for (size_t i = 0; i < N; i++) {
        inverse[i] = 1 / curvature(i);
        tilted[i] = 1e-3 * inverse[i] * (1 + 0.5 * sin((double)i));
    }
    test_problem p = {.of = quadratic, .unit = 1, .scale = 1, .diagonal = inverse};
    rk_lbfgs_result result = run(&p, (rk_lbfgs_spec){.tolerance = 1e-6}, theta);
    assert_true(result.iterations <= 2 && result.value <= 1e-12);
    double again[N] = {0};
    p.diagonal = tilted;
    result = run(&p, (rk_lbfgs_spec){.max_iterations = 15}, again);
    assert_true(result.value <= 1e-9 * quadratic((double[N]){0}, NULL));
    double plain[N] = {0};
    p.diagonal = NULL;
    const rk_lbfgs_result unhelped = run(&p, (rk_lbfgs_spec){.max_iterations = 15}, plain);
    assert_true(unhelped.value > 1e3 * result.value);
}

/* In other units of f and theta: the same way. */
static void test_units(void **state) {
    (void)state;
    for (int preconditioned = 0; preconditioned < 2; preconditioned++) {
        double ones[N], scaled[N], theta[N], other[N];
        test_problem p = {.of = rosenbrock, .unit = 1, .scale = 1};
        test_problem q = {.of = rosenbrock, .unit = ldexp(1, 60), .scale = ldexp(1, -20)};
        for (size_t i = 0; i < N; i++) {
            theta[i] = i % 2 ? 1.3 : -1.2;
            other[i] = theta[i] / q.scale;
            ones[i] = 1e-3;
            scaled[i] = 1e-3 / q.unit / q.scale / q.scale;
        }
        if (preconditioned) {
            p.diagonal = ones;
            q.diagonal = scaled;
        }
        const rk_lbfgs_spec spec = {.max_iterations = 20};
        const rk_lbfgs_result one = run(&p, spec, theta), two = run(&q, spec, other);
        assert_true(one.values == two.values && one.value * q.unit == two.value);
        for (size_t i = 0; i < N; i++)
            assert_near(other[i] * q.scale, theta[i], 0);
    }
}

static void test_where_there_is_no_value(void **state) {
    (void)state;
    test_problem p = {.of = barrier, .unit = 1, .scale = 1};
    double theta[N];
    for (size_t i = 0; i < N; i++)
        theta[i] = i % 2 ? 20 : 1e-2;
    rk_lbfgs_result result = run(&p, (rk_lbfgs_spec){.tolerance = 1e-10}, theta);
    assert_int_equal(result.end, RK_LBFGS_CONVERGED);
    for (size_t i = 0; i < N; i++)
        assert_near(theta[i], 1, 1e-3);
    assert_true(result.values > result.gradients); /* some steps were too long */
    p.of = nowhere;
    result = run(&p, (rk_lbfgs_spec){.tolerance = 1e-10}, theta);
    assert_int_equal(result.end, RK_LBFGS_NOT_FINITE);
}

static void test_ends(void **state) {
    (void)state;
    double theta[N] = {0}, start[N];
    test_problem p = {.of = quadratic, .unit = 1, .scale = 1, .stop_at = 3};
    rk_lbfgs_result result = run(&p, (rk_lbfgs_spec){.memory = 2}, theta);
    assert_int_equal(result.end, RK_LBFGS_STOPPED);
    assert_true(result.iterations == 3);
    assert_near(p.of(theta, NULL), result.value, 0); /* theta is where that is */
    p.stop_at = 0;
    result = run(&p, (rk_lbfgs_spec){.max_iterations = 4}, theta);
    assert_int_equal(result.end, RK_LBFGS_ITERATIONS);
    assert_true(result.iterations == 4);
    p.of = flat;
    result = run(&p, (rk_lbfgs_spec){.tolerance = 0}, theta);
    assert_int_equal(result.end, RK_LBFGS_CONVERGED);
    assert_true(result.iterations == 0 && result.value == 3);
    p.of = liar;
    memcpy(start, theta, sizeof theta);
    result = run(&p, (rk_lbfgs_spec){.tolerance = 0}, theta);
    assert_int_equal(result.end, RK_LBFGS_STUCK);
    assert_memory_equal(start, theta, sizeof theta);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rosenbrock), cmocka_unit_test(test_preconditioned),
        cmocka_unit_test(test_units),      cmocka_unit_test(test_where_there_is_no_value),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
