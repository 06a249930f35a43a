/* The closures of pairs of activations on the networks of a distillation, teacher and student in
 * one network, against an independent implementation's losses. */
#include "reckon/reckon.h"

#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 8, LAYERS = 4, MOST = 2 * N };

/* W_l[i, j] = sqrt(2 v / cols) cos(p0 + p1 i j + p2 (l + 1) i + p3 j^2 (l + 2)), i, j from 1 on. */
typedef struct part {
    size_t width; /* of the hidden layers */
    double p[4], sign;
} part;

static const part teacher = {8, {0.7, 1.3, 0.37, 0.11}, 1},
                  student = {4, {0.4, 1.1, 0.29, 0.13}, -1};

static double weight(const part *w, size_t l, size_t i, size_t j) {
    const double *p = w->p, x = (double)(i + 1), y = (double)(j + 1), at = (double)l;
    const double cols = (double)(l ? w->width : N), v = l ? 2 : 1;
    return (l == LAYERS - 1 ? w->sign : 1) * sqrt(2 * v / cols) *
           cos(p[0] + p[1] * x * y + p[2] * (at + 1) * x + p[3] * y * y * (at + 2));
}

/* E |sum of the parts|^2, both reading one standard normal input. */
static double second_moment(const char *method, size_t n_parts, const part *const parts[]) {
    static double W[LAYERS][MOST * MOST];
    rk_layer layers[LAYERS] = {0};
    for (size_t l = 0; l < LAYERS; l++) {
        size_t row = 0, col = 0, rows = 0, cols = 0;
        for (size_t k = 0; k < n_parts; k++) {
            rows += parts[k]->width;
            cols += parts[k]->width;
        }
        if (l == LAYERS - 1) rows = N;
        if (l == 0) cols = N;
        for (size_t i = 0; i < rows * cols; i++)
            W[l][i] = 0;
        for (size_t k = 0; k < n_parts; k++) {
            size_t own_rows = l == LAYERS - 1 ? N : parts[k]->width;
            size_t own_cols = l == 0 ? N : parts[k]->width;
            for (size_t i = 0; i < own_rows; i++)
                for (size_t j = 0; j < own_cols; j++)
                    W[l][(row + i) * cols + col + j] = weight(parts[k], l, i, j);
            row += l == LAYERS - 1 ? 0 : own_rows;
            col += l == 0 ? 0 : own_cols;
        }
        layers[l] = (rk_layer){.rows = rows, .cols = cols, .weight = W[l]};
        layers[l].activation.kind = l == LAYERS - 1 ? RK_IDENTITY : RK_RELU;
    }
    rk_network *net;
    rk_answer *answer;
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.covariance = true;
    assert_int_equal(rk_network_create(&net, layers, LAYERS, NULL), RK_OK);
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
    const rk_answer_data *a = rk_answer_view(answer);
    double sum = 0;
    for (size_t i = 0; i < N; i++)
        sum += a->mean[i] * a->mean[i] + a->covariance[i * (N + 1)];
    rk_answer_destroy(answer);
    rk_network_destroy(net);
    return sum;
}

static void test_losses(void **state) {
    (void)state;
    static const struct {
        const char *method;
        double teacher, loss, self;
    } cases[] = {
        {"covariance", 14.865725097703, 27.330405386972, 4.360},
        {"covariance:pairs=exact", 15.591123235939, 28.012100281491, 0},
        {"covariance:gauge=angular,pairs=exact", 15.575865867158, 28.130187394389, 0},
        {"covariance:gauge=angular,pairs=completed,order=1", 15.583290173542, 28.140877459057, 0},
        {"covariance:gauge=angular,pairs=completed", 15.438295503672, 28.004154558218, 0},
        {"covariance:gauge=angular,pairs=completed,order=4", 15.545491820781, 28.108482608460, 0},
    };
    part other = teacher;
    other.sign = -1;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double E = second_moment(cases[c].method, 1, (const part *const[]){&teacher});
        double loss = second_moment(cases[c].method, 2, (const part *const[]){&student, &teacher});
        double self = second_moment(cases[c].method, 2, (const part *const[]){&other, &teacher});
        if (!(fabs(E - cases[c].teacher) <= 1e-9) || !(fabs(loss - cases[c].loss) <= 1e-9))
            fail_msg("%s: %.12f, loss %.12f", cases[c].method, E, loss);
        if (!(fabs(self - cases[c].self) <= (cases[c].self > 0 ? 1e-3 : 1e-12)))
            fail_msg("%s: a network against itself has loss %g", cases[c].method, self);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_losses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
