#include "gradient/pathwise.h"

#include "gradient/rows.h"
#include "linalg/blas.h"
#include "sample/root.h"

#include <string.h>

typedef struct run {
    rk_work *work;
    const rk_network *net;
    const rk_cotangent *f;
    const rk_adjoint *to;
    uint64_t n; /* samples */
    size_t block;
    rk_inputs inputs;
    rk_batch batch;
    double *mean;       /* of the outputs */
    double *deviations; /* of a block's from it */
    double *root;       /* adjoint of the input's, or NULL */
} run;

typedef void each_block(run *r);

static rk_status for_each_block(run *r, each_block *function, rk_error *error) {
    for (uint64_t done = 0; done < r->n;) {
        const size_t rows = r->n - done < r->block ? (size_t)(r->n - done) : r->block;
        rk_status status = rk_inputs_draw(r->work, &r->inputs, done, rows, error);
        if (status != RK_OK) return status;
        rk_batch_forward(r->work, &r->batch, rows, r->inputs.x);
        function(r);
        done += rows;
    }
    return RK_OK;
}

static void clear(rk_work *work, size_t count, double *x) {
    if (rk_work_charge(work, 0)) memset(x, 0, count * sizeof *x);
}

static void sum_outputs(run *r) {
    rk_rows_sum(r->work, r->batch.rows, rk_network_n_out(r->net), rk_batch_output(&r->batch),
                r->mean);
}

static void divide(rk_work *work, size_t count, double n, double *x) {
    if (!rk_work_charge(work, count)) return;
    for (size_t i = 0; i < count; i++)
        x[i] /= n;
}

/* Every row += x / n. */
static void spread_over_rows(rk_work *work, size_t rows, size_t cols, const double *x, double n,
                             double *out) {
    if (!rk_work_charge(work, (uint64_t)rows * cols)) return;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < cols; i++)
            out[r * cols + i] += x[i] / n;
}

static void deviate(run *r) {
    const size_t rows = r->batch.rows, cols = rk_network_n_out(r->net);
    const double *y = rk_batch_output(&r->batch);
    if (!rk_work_charge(r->work, (uint64_t)rows * cols)) return;
    for (size_t k = 0; k < rows; k++)
        for (size_t i = 0; i < cols; i++)
            r->deviations[k * cols + i] = y[k * cols + i] - r->mean[i];
}

/* Each row of out += 2 / (n - 1) times the variance's adjoint times the deviations. */
static void weigh_deviations(run *r, double *out) {
    const size_t rows = r->batch.rows, cols = rk_network_n_out(r->net);
    if (!rk_work_charge(r->work, 3 * (uint64_t)rows * cols)) return;
    const double scale = 2 / (double)(r->n - 1);
    for (size_t k = 0; k < rows; k++)
        for (size_t i = 0; i < cols; i++)
            out[k * cols + i] += scale * r->f->variance[i] * r->deviations[k * cols + i];
}

static bool has_second(const rk_cotangent *f) {
    return f->variance || f->covariance;
}

/* ybar = mbar / n + 2 / (n - 1) Cbar (y - mean): that the mean moves, too, adds up to nothing. */
static void seed_outputs(run *r, double *ybar) {
    const rk_cotangent *f = r->f;
    const size_t rows = r->batch.rows, n_out = rk_network_n_out(r->net);
    const double n = (double)r->n;
    if (has_second(f))
        deviate(r);
    else
        sum_outputs(r);
    if (f->covariance)
        rk_gemm(r->work, RK_NO_TRANS, RK_NO_TRANS, rows, n_out, n_out, 2 / (n - 1), r->deviations,
                n_out, f->covariance, n_out, 0, ybar, n_out);
    if (f->variance) weigh_deviations(r, ybar);
    if (f->mean) spread_over_rows(r->work, rows, n_out, f->mean, n, ybar);
}

static void go_back(run *r) {
    const size_t rows = r->batch.rows, last = r->net->n_layers;
    rk_batch_begin_back(r->work, &r->batch);
    seed_outputs(r, rk_batch_adjoint(&r->batch, last));
    for (size_t l = 0; r->f->hidden_mean && l + 1 < last; l++)
        if (r->f->hidden_mean[l])
            spread_over_rows(r->work, rows, r->net->layers[l].rows, r->f->hidden_mean[l],
                             (double)r->n, rk_batch_adjoint(&r->batch, l + 1));
    const bool input = r->to->input_mean || r->root;
    rk_batch_back(r->work, &r->batch, r->to, input);
    if (input)
        rk_inputs_back(r->work, &r->inputs, rk_batch_adjoint(&r->batch, 0), r->to->input_mean,
                       r->root);
}

static rk_status take(run *r, const rk_input *input, const rk_pathwise_spec *spec,
                      rk_error *error) {
    const size_t n_in = rk_network_n_in(r->net), n_out = rk_network_n_out(r->net);
    r->block = rk_inputs_block(spec->points, n_in, spec->block);
    const size_t unit = rk_inputs_block(spec->points, n_in, 1);
    r->n = (spec->n_samples + unit - 1) / unit * unit;
    if (r->n < r->block) r->block = (size_t)r->n;
    if (has_second(r->f) && r->n < 2)
        return rk_fail(error, RK_ERROR_ARGUMENT, "a variance takes at least two samples");
    r->mean = rk_work_doubles(r->work, n_out, 1);
    if (has_second(r->f)) r->deviations = rk_work_doubles(r->work, r->block, n_out);
    if (r->to->input_covariance) r->root = rk_work_doubles(r->work, n_in, n_in);
    r->batch = rk_batch_take(r->work, r->net, r->block, true);
    return rk_inputs_take(r->work, input, n_in, spec->points, spec->stream, r->block, &r->inputs,
                          error);
}

rk_status rk_pathwise(rk_work *work, const rk_network *net, const rk_input *input,
                      const rk_pathwise_spec *spec, const rk_cotangent *f, const rk_adjoint *to,
                      double *mean, rk_error *error) {
    const size_t mark = rk_work_mark(work), n_in = rk_network_n_in(net);
    const size_t n_out = rk_network_n_out(net);
    run r = {.work = work, .net = net, .f = f, .to = to};
    rk_status status = rk_batch_check(net, error);
    if (status == RK_OK) status = take(&r, input, spec, error);
    if (status == RK_OK) clear(work, n_out, r.mean);
    if (status == RK_OK && has_second(f)) {
        status = for_each_block(&r, sum_outputs, error);
        divide(work, n_out, (double)r.n, r.mean);
    }
    if (r.root) clear(work, n_in * n_in, r.root);
    if (status == RK_OK) status = for_each_block(&r, go_back, error);
    if (status == RK_OK && !has_second(f)) divide(work, n_out, (double)r.n, r.mean);
    if (status == RK_OK && mean && rk_work_charge(work, 0))
        memcpy(mean, r.mean, n_out * sizeof *r.mean);
    if (status == RK_OK && r.root)
        status =
            rk_input_root_back(work, n_in, input->covariance, r.root, to->input_covariance, error);
    rk_work_release(work, mark);
    return status;
}
