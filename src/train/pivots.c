#include "train/pivots.h"

#include "base/normal.h"
#include "base/size.h"
#include "linalg/blas.h"
#include "propagate/back.h"
#include "train/choice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct pivots {
    rk_expected_loss *loss;
    rk_work *work;
    const rk_network *teacher;
    rk_parameters *student;
    rk_stream stream;
    size_t **picks;             /* [depth], of layers with weights */
    double *W, *b, *y, *N;      /* what a layer aims at: s x t_below, s, s, s_below x s */
    double *scratch, *mean, *C; /* of what the student's layer reads */
    double *next_mean, *next_C;
    rk_tape *tape;
} pivots;

static bool is_fitted(const pivots *p, size_t l) {
    return p->student->net->layers[l].weight != NULL;
}

/* ---------------------------------------------------------------------------------- from above */

/* M = C + m m', or C where a bias above takes the mean. */
static void second_moments(rk_work *work, size_t n, rk_moments h, bool centred, double *M) {
    if (!rk_work_charge(work, 2 * (uint64_t)n * n)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            M[i * n + j] = h.C[i * n + j] + (centred ? 0 : h.m[i] * h.m[j]);
}

static void choose(pivots *p) {
    rk_expected_loss *e = p->loss;
    const size_t mark = rk_work_mark(p->work), depth = e->depth;
    const size_t n = rk_network_max_width(p->teacher);
    rk_curvature c = rk_curvature_take(p->work, p->teacher);
    double *M = rk_work_doubles(p->work, n, n);
    for (size_t l = depth; l-- > 0;) {
        const size_t width = p->teacher->layers[l].rows;
        rk_moments h = {e->teachers.mean, e->teachers.covariance};
        rk_curvature_descend(p->work, &c, p->teacher, &e->tape[1], l, l + 1 == depth);
        if (!is_fitted(p, l)) continue;
        if (l + 1 < depth) h = rk_covariance_read(&e->tape[1], l + 1);
        second_moments(p->work, width, h, p->teacher->layers[l + 1].bias, M);
        rk_choose_pivots(p->work, width, M, c.N, p->student->net->layers[l].rows, p->picks[l]);
    }
    rk_work_release(p->work, mark);
}

/* ---------------------------------------------------------------------------------- from below */

/* A row of W and b: that of the pick, or a mixture of all rows that is as large as they are. */
static void aim_at(const pivots *p, size_t l, size_t k, size_t pick) {
    const rk_layer *T = &p->teacher->layers[l];
    double *row = p->W + k * T->cols;
    memset(row, 0, T->cols * sizeof *row);
    p->b[k] = 0;
    for (size_t i = 0; i < T->rows; i++) {
        double g[2] = {i == pick, 0};
        if (pick == SIZE_MAX) {
            rk_normal_doubles(p->stream, (l * T->rows + i) << 20 | k, 2, g);
            g[0] /= sqrt((double)T->rows);
        }
        if (g[0] == 0) continue;
        for (size_t j = 0; j < T->cols; j++)
            row[j] += g[0] * (T->weight ? T->weight[i * T->cols + j] : i == j);
        if (T->bias) p->b[k] += g[0] * T->bias[i];
    }
}

static void aim(const pivots *p, size_t l) {
    if (!rk_work_charge(p->work, 0)) return;
    for (size_t k = 0; k < p->student->net->layers[l].rows; k++)
        aim_at(p, l, k, p->picks[l][k]);
}

/* The student's layer l: of the input the aim itself, else its regression on what is below. */
static void fit(pivots *p, size_t l) {
    const rk_layer *S = &p->student->net->layers[l], *T = &p->teacher->layers[l];
    double *W = p->student->theta.weight[l], *b = p->student->theta.bias[l];
    aim(p, l);
    if (l == 0) {
        rk_set(p->work, S->rows * S->cols, p->W, W);
        if (b) rk_set(p->work, S->rows, p->b, b);
        return;
    }
    const rk_layer aimed = {.rows = S->rows, .cols = T->cols, .weight = p->W, .bias = p->b};
    const rk_moments h = rk_covariance_read(&p->loss->tape[1], l);
    const rk_regression of = {S->cols, S->rows, p->mean, p->C, p->y, p->N};
    rk_affine_mean(p->work, &aimed, h.m, p->y);
    rk_gemm(p->work, RK_NO_TRANS, RK_TRANS, S->cols, S->rows, T->cols, 1, p->loss->cross.X, T->cols,
            p->W, T->cols, 0, p->N, S->rows);
    rk_readout_fit(p->work, &of, p->scratch, W, b);
}

/* What layer l makes of mean and C: the law of a network that is this layer alone. */
static void step(pivots *p, size_t l) {
    const rk_network *net = p->student->net;
    const rk_network alone = {
        .n_layers = 1, .layers = net->layers + l, .row_square = net->row_square + l};
    const bool first = l == 0;
    const rk_input input = {.mean = first ? p->loss->input.mean : p->mean,
                            .covariance = first ? p->loss->input.covariance : p->C};
    rk_outputs outputs = {.mean = p->next_mean, .variance = p->y, .covariance = p->next_C};
    const size_t mark = rk_work_mark(p->work);
    p->work->n_steps_done = p->loss->steps_at;
    *p->tape = (rk_tape){.input_covariance = false};
    rk_propagate_covariance(p->work, &alone, &input, &p->loss->law, &outputs, p->tape);
    rk_cross_step(&p->loss->cross, l, rk_covariance_marginals(p->tape, 0));
    rk_work_release(p->work, mark);
    double *mean = p->mean, *C = p->C;
    p->mean = p->next_mean, p->C = p->next_C;
    p->next_mean = mean, p->next_C = C;
}

static void build(pivots *p) {
    const size_t mark = rk_work_mark(p->work);
    const size_t s = rk_network_max_width(p->student->net), t = rk_network_max_width(p->teacher);
    p->W = rk_work_doubles(p->work, s, t);
    p->b = rk_work_doubles(p->work, s, 1);
    p->y = rk_work_doubles(p->work, s, 1);
    p->N = rk_work_doubles(p->work, s, s);
    p->scratch = rk_work_doubles(p->work, rk_readout_scratch(s, s), 1);
    p->mean = rk_work_doubles(p->work, s, 1);
    p->next_mean = rk_work_doubles(p->work, s, 1);
    p->C = rk_work_doubles(p->work, s, s);
    p->next_C = rk_work_doubles(p->work, s, s);
    for (size_t l = 0; l < p->loss->depth; l++) {
        if (is_fitted(p, l)) fit(p, l);
        step(p, l);
    }
    const size_t n = p->student->net->layers[p->loss->depth].cols;
    rk_set(p->work, n, p->mean, p->loss->outputs.mean);
    rk_set(p->work, n * n, p->C, p->loss->outputs.covariance);
    rk_work_release(p->work, mark);
}

rk_status rk_pivots_start(rk_expected_loss *loss, uint64_t seed, double *value, rk_error *error) {
    const size_t depth = loss->depth, mark = rk_work_mark(loss->work);
    pivots p = {.loss = loss,
                .work = loss->work,
                .teacher = loss->teacher,
                .student = loss->student,
                .stream = {seed, RK_STREAM_WEIGHTS},
                .picks = rk_alloc(depth, 1, sizeof *p.picks),
                .tape = rk_alloc(1, 1, sizeof *p.tape)};
    const bool fits = p.picks && p.tape;
    if (fits) {
        for (size_t l = 0; l < depth; l++)
            p.picks[l] = rk_work_take(p.work, p.student->net->layers[l].rows, sizeof *p.picks[l]);
        choose(&p);
        build(&p);
        *value = rk_expected_loss_close(loss, true);
    }
    rk_work_release(p.work, mark);
    free(p.picks);
    free(p.tape);
    return fits ? RK_OK : rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu layers", depth);
}
