#include "train/expected_loss.h"

#include "base/size.h"
#include "base/sum.h"
#include "linalg/blas.h"
#include "propagate/back.h"

#include <math.h>
#include <stdlib.h>

static const rk_layer *last_of(const rk_network *net) {
    return &net->layers[net->n_layers - 1];
}

static rk_outputs outputs_take(rk_work *work, const rk_network *net) {
    const size_t n = last_of(net)->cols;
    return (rk_outputs){.depth = net->n_layers - 1,
                        .mean = rk_work_doubles(work, n, 1),
                        .variance = rk_work_doubles(work, n, 1),
                        .covariance = rk_work_doubles(work, n, n)};
}

static void sum_teacher(rk_expected_loss *e, size_t n, const double *WW) {
    const size_t k = last_of(e->teacher)->rows;
    if (!rk_work_charge(e->work, 2 * ((uint64_t)n * n + k))) return;
    e->spread = rk_dot(n * n, WW, e->teachers.covariance);
    e->square = e->spread + rk_dot(k, e->y, e->y);
}

/* Once: the teacher's law, and what its outputs come to. */
static void run_teacher(rk_expected_loss *e) {
    const rk_layer *W = last_of(e->teacher);
    const size_t n = W->cols;
    rk_propagate_covariance(e->work, e->teacher, &e->input, &e->law, &e->teachers, &e->tape[1]);
    rk_affine_mean(e->work, W, e->teachers.mean, e->y);
    const size_t mark = rk_work_mark(e->work);
    double *WW = rk_work_doubles(e->work, n, n);
    rk_gemm_symmetric(e->work, RK_TRANS, RK_NO_TRANS, n, W->rows, 1, W->weight, n, W->weight, n, 0,
                      WW, n);
    sum_teacher(e, n, WW);
    rk_work_release(e->work, mark);
}

/* Room for runs of the student. */
static void make_room(rk_expected_loss *e) {
    rk_work dry;
    rk_work_init_dry(&dry);
    rk_propagate_covariance(&dry, e->student->net, &e->input, &e->law, &e->outputs, &e->tape[0]);
    free(dry.steps);
    e->work->overflow |= dry.overflow;
    e->tape_at = rk_work_mark(e->work);
    e->steps_at = e->work->n_steps_done;
    rk_work_take(e->work, dry.peak, 1);
}

/* Always in the same place, and with the same steps. */
static void run_student(rk_expected_loss *e) {
    rk_work *work = e->work;
    const size_t mark = rk_work_mark(work);
    rk_work_release(work, e->tape_at);
    work->n_steps_done = e->steps_at;
    rk_propagate_covariance(work, e->student->net, &e->input, &e->law, &e->outputs, &e->tape[0]);
    rk_work_release(work, mark);
}

rk_status rk_expected_loss_create(rk_expected_loss *out, rk_work *work, const rk_network *teacher,
                                  rk_parameters *student, const rk_input *input,
                                  const rk_pairs_spec *pairs, rk_error *error) {
    rk_expected_loss *e = out;
    const rk_layer *W = last_of(student->net);
    const size_t n = W->cols, k = W->rows;
    *e = (rk_expected_loss){.work = work,
                            .teacher = teacher,
                            .student = student,
                            .input = *input,
                            .law = {.pairs = *pairs},
                            .depth = teacher->n_layers - 1,
                            .tape = rk_alloc(2, 1, sizeof *e->tape)};
    if (!e->tape) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the loss");
    e->tape[0] = e->tape[1] = (rk_tape){.input_covariance = false};
    e->outputs = outputs_take(work, student->net);
    e->teachers = outputs_take(work, teacher);
    e->y = rk_work_doubles(work, k, 1);
    e->N = rk_work_doubles(work, n, k);
    e->scratch = rk_work_doubles(work, rk_readout_scratch(n, k), 1);
    e->d = rk_work_doubles(work, k, 1);
    e->m_bar = rk_work_doubles(work, n, 1);
    e->C_bar = rk_work_doubles(work, n, n);
    run_teacher(e);
    make_room(e);
    rk_status status = rk_cross_create(&e->cross, work, pairs, student->net, teacher, &e->tape[1],
                                       input, e->depth, error);
    if (status != RK_OK) rk_expected_loss_free(e);
    return status;
}

void rk_expected_loss_free(rk_expected_loss *loss) {
    rk_cross_free(&loss->cross);
    free(loss->tape);
    loss->tape = NULL;
}

static rk_regression regression(const rk_expected_loss *e) {
    const rk_layer *W = last_of(e->student->net);
    return (rk_regression){W->cols, W->rows, e->outputs.mean, e->outputs.covariance, e->y, e->N};
}

double rk_expected_loss_close(rk_expected_loss *e, bool fit) {
    const rk_layer *W = last_of(e->teacher);
    const rk_regression of = regression(e);
    double *S = e->student->theta.weight[e->depth], *b = e->student->theta.bias[e->depth];
    rk_gemm(e->work, RK_NO_TRANS, RK_TRANS, of.n, of.k, W->cols, 1, e->cross.X, W->cols, W->weight,
            W->cols, 0, e->N, of.k);
    double loss = b ? e->spread : e->square;
    if (fit) loss -= rk_readout_fit(e->work, &of, e->scratch, S, b);
    rk_readout_residual(e->work, &of, S, b, e->d);
    if (!fit) loss = e->spread + rk_readout_loss(e->work, &of, S, e->d, e->scratch);
    return e->work->interrupted || e->work->abandoned || !isfinite(loss) ? (double)INFINITY : loss;
}

double rk_expected_loss_value(rk_expected_loss *e, bool fit) {
    run_student(e);
    for (size_t l = 0; l < e->depth; l++)
        rk_cross_step(&e->cross, l, rk_covariance_marginals(&e->tape[0], l));
    return rk_expected_loss_close(e, fit);
}

static void mean_adjoint(rk_expected_loss *e, const rk_regression *of, const double *S) {
    if (!rk_work_charge(e->work, 2 * (uint64_t)of->n * of->k)) return;
    for (size_t i = 0; i < of->n; i++) {
        double sum = 0;
        for (size_t j = 0; j < of->k; j++)
            sum += S[j * of->n + i] * e->d[j];
        e->m_bar[i] = -2 * sum;
    }
}

void rk_expected_loss_gradient(rk_expected_loss *e, bool with_readout) {
    const rk_layer *W = last_of(e->teacher);
    const rk_regression of = regression(e);
    const double *S = e->student->theta.weight[e->depth];
    rk_parameter_vector *bar = &e->student->gradient;
    rk_set(e->work, bar->n, NULL, bar->x);
    if (with_readout)
        rk_readout_back(e->work, &of, S, e->d, bar->weight[e->depth], bar->bias[e->depth]);
    mean_adjoint(e, &of, S);
    rk_gemm_symmetric(e->work, RK_TRANS, RK_NO_TRANS, of.n, of.k, 1, S, of.n, S, of.n, 0, e->C_bar,
                      of.n);
    rk_gemm(e->work, RK_TRANS, RK_NO_TRANS, of.n, W->cols, of.k, -2, S, of.n, W->weight, W->cols, 0,
            e->cross.X_bar, W->cols);
    rk_cross_back(&e->cross, bar->weight);
    const rk_cotangent f = {.mean = e->m_bar,
                            .covariance = e->C_bar,
                            .z_mean = e->cross.z_mean,
                            .z_var = e->cross.z_var};
    rk_tape_back(&e->tape[0], &f, &(rk_adjoint){.weight = bar->weight, .bias = bar->bias});
}
