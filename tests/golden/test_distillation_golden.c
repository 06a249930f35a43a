/* The loss of a student as an expectation, its gradient and its best readout, against an
 * independent implementation in NumPy. (Its completed closures take the input's length out:
 * test_pairs_golden has them, and test_distillation compares with stacked networks.) */
#include "support/distillation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Layer l, i and j from 1: sqrt(2 v / cols) cos(p0 + p1 i j + p2 (l + 1) i + p3 j^2 (l + 2)), v = 1
 * for the first layer, else 2. */
static rk_network *wave(const size_t *widths, const double p[4]) {
    rk_layer layers[4];
    double *W[4];
    for (size_t l = 0; l < 4; l++) {
        const size_t rows = widths[l + 1], cols = widths[l];
        W[l] = malloc(rows * cols * sizeof **W);
        for (size_t i = 1; i <= rows; i++)
            for (size_t j = 1; j <= cols; j++)
                W[l][(i - 1) * cols + j - 1] =
                    sqrt(2. * (l ? 2 : 1) / (double)cols) *
                    cos(p[0] + p[1] * (double)(i * j) + p[2] * (double)((l + 1) * i) +
                        p[3] * (double)(j * j * (l + 2)));
        layers[l] = (rk_layer){.rows = rows,
                               .cols = cols,
                               .weight = W[l],
                               .activation = {.kind = l < 3 ? RK_RELU : RK_IDENTITY}};
    }
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 4, NULL), RK_OK);
    for (size_t l = 0; l < 4; l++)
        free(W[l]);
    return net;
}

/* x ~ N(0, I), a teacher of widths 8-8-8-8-8 and a student of 8-4-4-4-8; digits as they came. */
static const struct golden {
    const char *name;
    rk_pairs_spec pairs;
    double square, loss, norms[4], g1, g3, g4;
    double readout_norm, readout, reduced;
} golden[] = {
    {"first",
     {RK_PAIRS_FIRST, 0},
     14.865725097703,
     27.330405386972,
     {11.739361889686, 17.529322733164, 16.561639313979, 14.317841197410},
     -1.640307966451,
     2.594466105636,
     0.320934222114,
     4.893904104579,
     0.250316257922,
     6.500543369650},
    {"exact",
     {RK_PAIRS_EXACT, 0},
     15.591123235939,
     28.012100281491,
     {11.605551586140, 17.556488183463, 16.667404117357, 14.672362882768},
     -1.449946175532,
     2.554470998227,
     0.335052378543,
     4.789802572314,
     0.099930319018,
     6.550033990442},
};

static void near(const char *name, const char *what, double got, double wanted, double tolerance) {
    if (!(fabs(got - wanted) <= tolerance * fabs(wanted)))
        fail_msg("%s, %s: %.12g, and not %.12g", name, what, got, wanted);
}

static double norm(size_t n, const double *x) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

static void test_golden(void **state) {
    (void)state;
    static const size_t wide[] = {8, 8, 8, 8, 8}, narrow[] = {8, 4, 4, 4, 8};
    rk_network *teacher = wave(wide, (const double[4]){0.7, 1.3, 0.37, 0.11});
    rk_network *student = wave(narrow, (const double[4]){0.4, 1.1, 0.29, 0.13});
    const rk_input normal = {.mean = NULL};
    for (size_t k = 0; k < sizeof golden / sizeof *golden; k++) {
        const struct golden *g = &golden[k];
        rk_parameters p;
        assert_int_equal(rk_parameters_create(&p, student, NULL), RK_OK);
        distillation d = distillation_at(teacher, &p, &normal, &g->pairs, false);
        near(g->name, "E|T|^2", d.square, g->square, 1e-9);
        near(g->name, "loss", d.loss, g->loss, 1e-9);
        for (size_t l = 0; l < 4; l++)
            near(g->name, "gradient",
                 norm(student->layers[l].rows * student->layers[l].cols, p.gradient.weight[l]),
                 g->norms[l], 1e-8);
        near(g->name, "g1[0,0]", p.gradient.weight[0][0], g->g1, 1e-8);
        near(g->name, "g3[1,2]", p.gradient.weight[2][6], g->g3, 1e-8);
        near(g->name, "g4[0,0]", p.gradient.weight[3][0], g->g4, 1e-8);
        d = distillation_at(teacher, &p, &normal, &g->pairs, true);
        near(g->name, "readout", norm(32, p.theta.weight[3]), g->readout_norm, 1e-6);
        near(g->name, "w[0,0]", p.theta.weight[3][0], g->readout, 1e-5);
        near(g->name, "reduced loss", d.loss, g->reduced, 1e-7);
        rk_parameters_free(&p);
    }
    rk_network_destroy(teacher);
    rk_network_destroy(student);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
