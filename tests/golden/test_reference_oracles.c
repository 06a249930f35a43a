/* The public implementation's own golden setting, and a network with closed-form weights: every
 * tracked core at every layer. */
#include "linalg/blas.h"
#include "reference/reference.h"
#include "support/expand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ORACLES RK_TEST_DATA "/goldens/oracles/"

enum { MAX_LAYERS = 4, MAX_N = 16, MAX_LINE = 8192 };

typedef struct fixture {
    size_t n, n_layers;
    double weight[MAX_LAYERS][MAX_N * MAX_N], bias[MAX_LAYERS][MAX_N];
    rk_layer layer[MAX_LAYERS];
} fixture;

/* One stored core: its values, or their sum and sum of squares. */
typedef struct record {
    char layer[8];
    int degree, radial; /* radial -1: factored */
    size_t J;           /* of a factored one */
    bool summed;
    const char *values;
} record;

typedef struct watch {
    char **lines; /* of the configuration in question */
    size_t n_lines, n_compared;
    record (*parse)(char *line);
} watch;

/* The dense core of degree d. */
static double *dense_core(const rk_tower *tower, int d, size_t *count) {
    rk_tower core = {.n = tower->n, .factors = tower->factors};
    int s = tower->factors.degree == d ? d : rk_tower_order(tower, d);
    core.degree[s].core = tower->degree[d].core;
    if (tower->factors.degree != d) core.factors = (rk_factors){.J = 0};
    *count = 1;
    for (int a = 0; a < s; a++)
        *count *= tower->n;
    double *dense = malloc(*count * sizeof *dense);
    assert_non_null(dense);
    expand_tower(&core, s, 1, dense);
    return dense;
}

static void assert_close(double a, double b, double scale, const char *line) {
    if (!(fabs(a - b) <= 1e-11 * scale)) fail_msg("%.17g is not %.17g: %.60s", a, b, line);
}

static void see(void *context, size_t l, bool activated, const rk_tower *tower) {
    watch *w = context;
    char layer[8];
    snprintf(layer, sizeof layer, "%s%d", activated ? "act" : "pre", (int)(l % 10));
    for (size_t i = 0; i < w->n_lines; i++) {
        record r = w->parse(w->lines[i]);
        if (strcmp(r.layer, layer) != 0) continue;
        if (r.radial >= 0)
            assert_int_equal(tower->degree[r.degree].radial, r.radial);
        else
            assert_int_equal(tower->factors.J, r.J);
        size_t count;
        double *core = dense_core(tower, r.degree, &count), sum = 0, squares = 0;
        for (size_t e = 0; e < count; e++) {
            sum += core[e];
            squares += core[e] * core[e];
        }
        char *cursor = (char *)r.values;
        double scale = sqrt(squares) + 1e-3;
        if (r.summed) {
            cursor += strcspn(cursor, "-0123456789");
            assert_close(sum, strtod(cursor, &cursor), scale * sqrt((double)count), w->lines[i]);
            cursor += strcspn(cursor, "-0123456789");
            assert_close(squares, strtod(cursor, NULL), scale * scale, w->lines[i]);
        } else {
            for (size_t e = 0; e < count; e++)
                assert_close(core[e], strtod(cursor, &cursor), scale, w->lines[i]);
        }
        w->n_compared++;
        free(core);
    }
}

static void run(const fixture *f, const rk_reference_spec *spec, watch *w) {
    rk_network *net;
    rk_work plan, work;
    double mean[MAX_N], variance[MAX_N];
    rk_input input = {.mean = NULL};
    rk_outputs outputs = {.mean = mean, .variance = variance};
    rk_reference_observer observer = {see, w};
    assert_int_equal(rk_network_create(&net, f->layer, f->n_layers, NULL), RK_OK);
    rk_work_init_dry(&plan);
    rk_propagate_reference(&plan, net, &input, spec, &outputs, &observer, NULL);
    assert_int_equal(rk_work_init_wet(&work, &plan, NULL, NULL), RK_OK);
    rk_propagate_reference(&work, net, &input, spec, &outputs, &observer, NULL);
    assert_int_equal(w->n_compared, w->n_lines);
    rk_work_finish(&work);
    free(plan.steps);
    rk_network_destroy(net);
}

/* All lines of a file that are not comments. */
static char **read_lines(const char *path, size_t *n_lines) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    static char line[MAX_LINE];
    char **lines = calloc(1024, sizeof *lines);
    assert_non_null(lines);
    for (*n_lines = 0; fgets(line, sizeof line, file);) {
        if (line[0] == '#') continue;
        assert_true(*n_lines < 1024 && strchr(line, '\n'));
        lines[(*n_lines)++] = strdup(line);
    }
    fclose(file);
    return lines;
}

static void free_lines(char **lines, size_t n_lines) {
    for (size_t i = 0; i < n_lines; i++)
        free(lines[i]);
    free(lines);
}

/* "relu/simple/K3/avg0/fac1 act1 3 fac32 SUM 2.4 SUMSQ 0.8" */
static record parse_detnet(char *line) {
    record r = {.radial = -1};
    char radial[16];
    int used = 0;
    assert_int_equal(sscanf(line, "%*s %7s %d %15s %n", r.layer, &r.degree, radial, &used), 3);
    if (sscanf(radial, "fac%zu", &r.J) != 1) r.radial = atoi(radial);
    r.values = line + used;
    r.summed = strncmp(r.values, "SUM", 3) == 0;
    return r;
}

static bool starts(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static rk_activation_kind detnet_activation(const char *tag, size_t l) {
    if (starts(tag, "gelu")) return RK_GELU;
    if (starts(tag, "tanh")) return RK_TANH;
    if (starts(tag, "sigmoid")) return RK_SIGMOID;
    if (starts(tag, "square")) return RK_SQUARE;
    return starts(tag, "lpe") && l == 2 ? RK_HEAVISIDE : RK_RELU;
}

static double detnet_variance(const char *tag, size_t l) {
    if (l == 0 || starts(tag, "gelu") || starts(tag, "tanh") || starts(tag, "sigmoid")) return 1;
    return starts(tag, "square") ? 0.3 : 2;
}

static void fill_detnet(fixture *f, const char *tag) {
    *f = (fixture){.n = 8, .n_layers = 4};
    bool biased = starts(tag, "relu_bias") || starts(tag, "tanh");
    for (size_t l = 0; l < 4; l++) {
        double v = detnet_variance(tag, l), L = (double)l;
        for (size_t i = 0; i < 8; i++) {
            double I = (double)i + 1;
            f->bias[l][i] = biased ? 0.1 * sin(I + L) : -2;
            for (size_t j = 0; j < 8; j++) {
                double J = (double)j + 1;
                f->weight[l][i * 8 + j] =
                    sqrt(2 * v / 8) *
                    cos(0.7 + 1.3 * I * J + 0.37 * (L + 1) * I + 0.11 * J * J * (L + 2));
            }
        }
        bool threshold = starts(tag, "lpe") && l == 2;
        f->layer[l] = (rk_layer){.rows = 8,
                                 .cols = 8,
                                 .weight = f->weight[l],
                                 .bias = biased || threshold ? f->bias[l] : NULL,
                                 .weight_scale = v};
        if (l < 3) f->layer[l].activation.kind = detnet_activation(tag, l);
    }
}

static rk_reference_kind kind_named(const char *name) {
    return starts(name, "simple")    ? RK_REFERENCE_SIMPLE
           : starts(name, "augment") ? RK_REFERENCE_AUGMENT
                                     : RK_REFERENCE_BASE;
}

static void test_deterministic_network(void **state) {
    (void)state;
    size_t n_lines, n_configs = 0;
    char **lines = read_lines(ORACLES "detnet_n8.txt", &n_lines);
    for (size_t first = 0, next; first < n_lines; first = next) {
        size_t length = strcspn(lines[first], " ");
        for (next = first; next < n_lines && strncmp(lines[next], lines[first], length + 1) == 0;)
            next++;
        char kind[8];
        int average, factored, powers = 1;
        rk_reference_spec spec = {.hundred_nodes = true};
        assert_true(sscanf(lines[first], "%*[^/]/%7[a-z]/K%d/avg%d/fac%d/pK%d", kind, &spec.K,
                           &average, &factored, &powers) >= 4);
        spec.kind = kind_named(kind);
        spec.factored = factored;
        spec.metric = average ? RK_METRIC_AVERAGE : RK_METRIC_EXACT;
        spec.no_power_cumulants = !powers;
        static fixture f;
        fill_detnet(&f, lines[first]);
        watch w = {lines + first, next - first, 0, parse_detnet};
        run(&f, &spec, &w);
        n_configs++;
    }
    assert_int_equal(n_configs, 65);
    free_lines(lines, n_lines);
}

/* "V augment 3 act0 4 1 256 ..." or "S simple 2 pre0 2 0 19.4 2.1" */
static record parse_golden(char *line) {
    record r = {.summed = line[0] == 'S'};
    int used = 0;
    assert_int_equal(sscanf(line, "%*s %*s %*d %7s %d %d %n", r.layer, &r.degree, &r.radial, &used),
                     3);
    if (!r.summed) {
        int length = 0;
        sscanf(line + used, "%*d %n", &length);
        used += length;
    }
    r.values = line + used;
    return r;
}

static void test_golden_setting(void **state) {
    (void)state;
    size_t n_lines, n_configs = 0, first = 0;
    char **lines = read_lines(ORACLES "golden_n16_d3.txt", &n_lines);
    static fixture f;
    f = (fixture){.n = 16, .n_layers = 3};
    for (; lines[first][0] == 'W'; first++) {
        char *cursor = lines[first] + 1;
        unsigned long l = strtoul(cursor, &cursor, 10);
        assert_true(l < 3);
        for (size_t e = 0; e < 256; e++)
            f.weight[l][e] = strtod(cursor, &cursor);
        f.layer[l] = (rk_layer){.rows = 16, .cols = 16, .weight = f.weight[l], .weight_scale = 2};
        if (l < 2) f.layer[l].activation.kind = RK_RELU;
        if (l == 0) f.layer[l].weight_scale = 1;
    }
    for (size_t next; first < n_lines; first = next) {
        char kind[8], other[8];
        rk_reference_spec spec = {.metric = RK_METRIC_AVERAGE, .hundred_nodes = true};
        assert_int_equal(sscanf(lines[first], "%*s %7s %d", kind, &spec.K), 2);
        spec.kind = kind_named(kind);
        int K = spec.K;
        for (next = first; next < n_lines && K == spec.K; next++) {
            assert_int_equal(sscanf(lines[next], "%*s %7s %d", other, &K), 2);
            if (K != spec.K || strcmp(other, kind) != 0) break;
        }
        watch w = {lines + first, next - first, 0, parse_golden};
        run(&f, &spec, &w);
        n_configs++;
    }
    assert_int_equal(n_configs, 8);
    free_lines(lines, n_lines);
}

int main(void) {
    rk_blas_make_serial();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deterministic_network),
        cmocka_unit_test(test_golden_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
