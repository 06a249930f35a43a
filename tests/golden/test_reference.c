/* Every configuration of every stored run of the public implementation. */
#include "linalg/blas.h"
#include "reference/reference.h"
#include "support/expand.h"
#include "support/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const kind_names[] = {"SIMPLE", "AUGMENT", "BASE"};

/* One configuration of a stored network, and what was compared. */
typedef struct comparison {
    const golden *g;
    const char *name;
    char config[32];
    double tolerance;
    size_t n_layers;
    bool trace; /* every layer is stored, not only the output */
    size_t *n_arrays;
} comparison;

static double largest(const double *x, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++)
        if (!(fabs(x[i]) <= most)) most = fabs(x[i]);
    return most;
}

/* Cumulants are differences of moments, and the odd ones of odd networks are zero: rounding is
 * allowed for on the scale of the moments. */
static void compare(const comparison *c, const rk_tower *tower, int d, const char *key) {
    const rk_array *wanted = golden_find(c->g, "%s", key);
    if (!wanted) return;
    assert_true(tower->degree[d].core || tower->factors.degree == d);
    size_t n = tower->n, count = 1;
    for (size_t i = 0; i < wanted->n_dims; i++)
        count *= wanted->shape[i];
    double *dense = malloc(count * sizeof *dense), error = 0;
    assert_non_null(dense);
    expand_tower(tower, d, 1, dense);
    for (size_t i = 0; i < count; i++)
        if (!(fabs(dense[i] - wanted->data[i]) <= error)) error = fabs(dense[i] - wanted->data[i]);
    double moment = 1; /* second moments of the neurons are of this size */
    for (size_t i = 0; tower->degree[2].core && i < n; i++) {
        double mean = tower->degree[1].core[i];
        moment = fmax(moment, mean * mean + rk_tower_entry(tower, 2, (size_t[]){i, i}));
    }
    double scale = largest(wanted->data, count), rounding = 1e-14 * pow(moment, 0.5 * d);
    if (!(error <= c->tolerance * scale + rounding))
        fail_msg("%s %s: off by %.2e of %.2e", c->name, key, error, scale);
    ++*c->n_arrays;
    free(dense);
}

static void see(void *context, size_t l, bool activated, const rk_tower *tower) {
    const comparison *c = context;
    bool output = l + 1 == c->n_layers;
    char key[80];
    for (int d = 1; d <= 4; d++) {
        if (c->trace)
            snprintf(key, sizeof key, "%s_%s%zu_K%d", c->config, activated ? "act" : "pre", l, d);
        else
            snprintf(key, sizeof key, "%s_K%d", c->config, d);
        if (c->trace || output) compare(c, tower, d, key);
    }
}

/* Runs dry, then wet, as a plan would. */
static void run(const rk_network *net, const rk_input *input, const rk_reference_spec *spec,
                const rk_reference_observer *observer) {
    rk_work plan, work;
    double mean[64], variance[64];
    rk_outputs outputs = {.mean = mean, .variance = variance};
    rk_work_init_dry(&plan);
    assert_int_equal(rk_propagate_reference(&plan, net, input, spec, &outputs, observer, NULL),
                     RK_OK);
    assert_int_equal(rk_work_init_wet(&work, &plan, NULL, NULL), RK_OK);
    assert_int_equal(rk_propagate_reference(&work, net, input, spec, &outputs, observer, NULL),
                     RK_OK);
    assert_int_equal(work.flops, plan.flops);
    assert_int_equal(work.peak, plan.peak);
    rk_work_finish(&work);
    free(plan.steps);
}

/* Answers the number of configurations compared. */
static size_t compare_file(const char *name, bool trace, bool factored, size_t *n_arrays) {
    golden g = golden_open(name);
    size_t n_configs = 0;
    for (int K = 1; K <= 4; K++)
        for (int kind = 0; kind < 3; kind++)
            for (int average = 0; average < 2; average++) {
                rk_reference_spec spec = {.K = K,
                                          .kind = (rk_reference_kind)kind,
                                          .factored = factored,
                                          .hundred_nodes = true,
                                          .metric = average ? RK_METRIC_AVERAGE : RK_METRIC_EXACT};
                comparison c = {.g = &g,
                                .name = name,
                                .n_layers = rk_network_n_layers(g.net),
                                .trace = trace,
                                .tolerance = K <= 2 ? 1e-12 : 1e-10,
                                .n_arrays = n_arrays};
                snprintf(c.config, sizeof c.config, "k%d_%s_f%d_a%d", K, kind_names[kind], factored,
                         average);
                if (strstr(name, "square") || strstr(name, "cube")) c.tolerance = 1e-9;
                if (!golden_find(&g, trace ? "%s_pre0_K1" : "%s_K1", c.config)) continue;
                if (!trace && golden_is_doubtful(name, c.config)) continue;
                rk_reference_observer observer = {see, &c};
                size_t before = *n_arrays;
                assert_int_equal(rk_reference_check(&spec, &g.input, false, NULL), RK_OK);
                run(g.net, &g.input, &spec, &observer);
                assert_true(*n_arrays > before);
                n_configs++;
            }
    golden_close(&g);
    return n_configs;
}

static size_t compare_all(bool factored, size_t *n_arrays) {
    size_t n_configs = 0;
    for (size_t i = 0; golden_name(i); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s", golden_name(i));
        n_configs += compare_file(name, false, factored, n_arrays);
    }
    return n_configs;
}

static void test_dense(void **state) {
    (void)state;
    size_t n_arrays = 0;
    assert_int_equal(compare_all(false, &n_arrays), 574); /* of 576, 2 of them doubtful */
    assert_int_equal(n_arrays, 1297);
}

static void test_factored(void **state) {
    (void)state;
    size_t n_arrays = 0;
    assert_int_equal(compare_all(true, &n_arrays), 274);
    assert_int_equal(n_arrays, 706);
}

static void test_layer_by_layer(void **state) {
    (void)state;
    for (int factored = 0; factored < 2; factored++) {
        size_t n_arrays = 0;
        compare_file("trace_relu_n6_L3", true, factored, &n_arrays);
        compare_file("trace_gelu_bias_n6_L3", true, factored, &n_arrays);
        assert_int_equal(n_arrays, factored ? 416 : 668);
    }
}

int main(void) {
    rk_blas_make_serial();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_factored),
        cmocka_unit_test(test_layer_by_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
