/* The Kronecker-factored preconditioner against what it stands for. */
#include "train/kfac.h"

#include "linalg/blas.h"
#include "support/drawn.h"
#include "support/near.h"
#include "support/wet.h"
#include "train/parameters.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 4, M = 3, LAYERS = 4, MOST = 64 };

/* A layer with biases, one without, an identity with biases and one with no parameters at all. */
typedef struct shape {
    double W[M * N], V[M * M], b[M];
    rk_layer layers[LAYERS];
    rk_network *net;
    rk_parameter_vector vector;
} shape;

static void create(shape *s) {
    uint64_t chance = 3;
    for (size_t i = 0; i < M * N; i++)
        s->W[i] = draw_uniform(&chance);
    for (size_t i = 0; i < M * M; i++)
        s->V[i] = draw_uniform(&chance);
    for (size_t i = 0; i < M; i++)
        s->b[i] = draw_uniform(&chance);
    const rk_layer layers[LAYERS] = {
        {.rows = M, .cols = N, .weight = s->W, .bias = s->b},
        {.rows = M, .cols = M, .weight = s->V},
        {.rows = M, .cols = M, .bias = s->b, .adds = 2},
        {.rows = M, .cols = M, .adds = 3},
    };
    memcpy(s->layers, layers, sizeof layers);
    assert_int_equal(rk_network_create(&s->net, s->layers, LAYERS, NULL), RK_OK);
    assert_int_equal(rk_parameter_vector_create(&s->vector, s->net, NULL, NULL), RK_OK);
    assert_true(s->vector.n <= MOST);
    for (size_t i = 0; i < s->vector.n; i++)
        s->vector.x[i] = draw_uniform(&chance);
}

static void destroy(shape *s) {
    rk_parameter_vector_free(&s->vector);
    rk_network_destroy(s->net);
}

/* n x n and positive definite. */
static void fill(size_t n, size_t seed, double *out) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            out[i * n + j] = (i == j ? 2 + (double)i : 0) + 0.5 * cos((double)(seed + i + j));
}

typedef struct run {
    const shape *s;
    double lambda;
    size_t dead; /* layer whose factors are 0 */
    bool is_usable;
    double mean[N], covariance[N * N];
    double A[LAYERS][(N + 1) * (N + 1)], G[LAYERS][M * M]; /* as they were filled */
    double in[MOST], out[MOST];
} run;

static void go(rk_work *work, void *context) {
    run *r = context;
    rk_kfac kfac = rk_kfac_take(work, r->s->net, LAYERS);
    for (size_t l = 0; l < LAYERS; l++) {
        rk_kfac_set_inputs(work, &kfac, l, l ? NULL : r->mean, l ? NULL : r->covariance);
        const size_t n = rk_kfac_inputs(&kfac, l);
        double *A = rk_kfac_A(&kfac, l), *G = rk_kfac_G(&kfac, l);
        assert_true((n == 0) == (A == NULL) && (n == 0) == (G == NULL));
        if (work->dry || n == 0) continue;
        fill(M, l, G);
        for (size_t i = 0; i < n * n && l == r->dead; i++)
            A[i] = 0;
        for (size_t i = 0; i < M * M && l == r->dead; i++)
            G[i] = 0;
        memcpy(r->A[l], A, n * n * sizeof *A);
        memcpy(r->G[l], G, M * M * sizeof *G);
    }
    r->is_usable = rk_kfac_invert(work, &kfac, r->lambda);
    rk_kfac_apply(work, &kfac, r->in, r->out);
}

static run start(const shape *s) {
    run r = {.s = s, .dead = LAYERS};
    for (size_t i = 0; i < N; i++)
        r.mean[i] = sin((double)i + 1);
    fill(N, 7, r.covariance);
    memcpy(r.in, s->vector.x, s->vector.n * sizeof *r.in);
    return r;
}

static void test_inputs(void **state) {
    (void)state;
    shape s;
    create(&s);
    run r = start(&s);
    run_wet(go, &r, 1);
    for (size_t i = 0; i <= N; i++)
        for (size_t j = 0; j <= N; j++) {
            const double u = i == N ? 1 : r.mean[i], v = j == N ? 1 : r.mean[j];
            const double C = i < N && j < N ? r.covariance[i * N + j] : 0;
            assert_near(r.A[0][i * (N + 1) + j], C + u * v, 0);
        }
    for (size_t i = 0; i < M * M; i++)
        assert_near(r.A[1][i], i % (M + 1) == 0, 0);
    assert_near(r.A[2][0], 1, 0);
    destroy(&s);
}

/* 2 G P(V) A = V, with the factors as they are damped. */
static void check_inverse(run *r) {
    const rk_network *net = r->s->net;
    rk_parameter_vector in, out;
    assert_int_equal(rk_parameter_vector_create(&in, net, r->in, NULL), RK_OK);
    assert_int_equal(rk_parameter_vector_create(&out, net, r->out, NULL), RK_OK);
    for (size_t l = 0; l < 3; l++) {
        const rk_layer *layer = &net->layers[l];
        const size_t cols = layer->weight ? layer->cols : 0, n = cols + (layer->bias != NULL);
        double *A = r->A[l], *G = r->G[l], trace = 0, other = 0;
        for (size_t i = 0; i < cols; i++)
            trace += A[i * n + i] / (double)cols;
        for (size_t i = 0; i < M; i++)
            other += G[i * M + i] / M;
        for (size_t i = 0; i < n; i++)
            A[i * n + i] += sqrt(r->lambda) * (i < cols ? trace : 1);
        for (size_t i = 0; i < M; i++)
            G[i * M + i] += sqrt(r->lambda) * other;
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < n; j++) {
                double sum = 0;
                for (size_t k = 0; k < M; k++)
                    for (size_t h = 0; h < n; h++) {
                        const double x = h < cols ? out.weight[l][k * cols + h] : out.bias[l][k];
                        sum += 2 * G[i * M + k] * x * A[h * n + j];
                    }
                assert_near(sum, j < cols ? in.weight[l][i * cols + j] : in.bias[l][i], 1e-13);
            }
    }
    rk_parameter_vector_free(&in);
    rk_parameter_vector_free(&out);
}

static void test_the_inverse(void **state) {
    (void)state;
    static const double lambdas[] = {0, 1e-4, 0.1, 3};
    shape s;
    create(&s);
    for (size_t i = 0; i < 4; i++) {
        run r = start(&s);
        r.lambda = lambdas[i];
        run_wet(go, &r, 1);
        assert_true(r.is_usable);
        check_inverse(&r);
    }
    destroy(&s);
}

/* Inputs in other units, and weights in the inverse ones: the same step. */
static void test_units(void **state) {
    (void)state;
    const double unit = 1024;
    shape s;
    create(&s);
    run one = start(&s), two = start(&s);
    one.lambda = two.lambda = 0.1;
    for (size_t i = 0; i < N; i++)
        two.mean[i] *= unit;
    for (size_t i = 0; i < N * N; i++)
        two.covariance[i] *= unit * unit;
    for (size_t i = 0; i < M * N; i++)
        two.in[i] *= unit;
    run_wet(go, &one, 1);
    run_wet(go, &two, 1);
    for (size_t i = 0; i < s.vector.n; i++)
        assert_near(two.out[i] * (i < M * N ? unit : 1), one.out[i], 1e-14);
    destroy(&s);
}

static void test_nothing_there(void **state) {
    (void)state;
    shape s;
    create(&s);
    for (size_t dead = 0; dead < 3; dead++) {
        run r = start(&s);
        r.dead = dead;
        r.lambda = 1e-2;
        run_wet(go, &r, 1);
        assert_true(r.is_usable);
        for (size_t i = 0; i < s.vector.n; i++)
            assert_true(isfinite(r.out[i]));
    }
    destroy(&s);
}

static void test_trouble(void **state) {
    (void)state;
    const double bad[] = {(double)NAN, (double)INFINITY, -50};
    shape s;
    create(&s);
    for (size_t i = 0; i < 3; i++) {
        run r = start(&s);
        r.covariance[2 * N + 2] = bad[i];
        run_wet(go, &r, 1);
        assert_false(r.is_usable);
    }
    destroy(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inputs),  cmocka_unit_test(test_the_inverse),
        cmocka_unit_test(test_units),   cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
