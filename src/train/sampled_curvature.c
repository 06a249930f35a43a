#include "train/sampled_curvature.h"

#include "base/stream.h"
#include "gradient/rows.h"
#include "linalg/blas.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 512, BITS = 64 };

/* The curvature of |y|^2 is 2, and factors leave that out: so do adjoints. */
#define HALF_CURVED 0.70710678118654752440

/* ------------------------------------------------------------------------- adjoints at the output
 */

/* Of sample `item`: n numbers of given y, by the words of its own. */
typedef void draw_row(rk_stream stream, uint64_t item, size_t n, const double *y, double *ybar);

static void draw_signs(rk_stream stream, uint64_t item, size_t n, const double *y, double *ybar) {
    uint64_t words[RK_STREAM_BLOCK];
    (void)y;
    for (size_t i = 0; i < n; i++) {
        const size_t word = i / BITS % RK_STREAM_BLOCK;
        if (i % (BITS * RK_STREAM_BLOCK) == 0)
            rk_stream_words(stream, item, i / BITS, RK_STREAM_BLOCK, words);
        ybar[i] = words[word] >> i % BITS & 1 ? 1 : -1;
    }
}

static void draw_indicator(rk_stream stream, uint64_t item, size_t n, const double *y,
                           double *ybar) {
    uint64_t words[RK_STREAM_BLOCK];
    double largest = y[0], sum = 0, below = 0;
    size_t label = 0;
    rk_stream_words(stream, item, 0, RK_STREAM_BLOCK, words);
    for (size_t i = 1; i < n; i++)
        largest = fmax(largest, y[i]);
    for (size_t i = 0; i < n; i++)
        sum += ybar[i] = exp(y[i] - largest);
    const double drawn = (double)(words[0] >> 11) * 0x1p-53 * sum;
    while (label + 1 < n && (below += ybar[label]) <= drawn)
        label++;
    for (size_t i = 0; i < n; i++)
        ybar[i] = HALF_CURVED * (ybar[i] / sum - (i == label));
}

static draw_row *const draws[] = {
    [RK_RESIDUAL_SQUARED] = draw_signs,
    [RK_RESIDUAL_CROSS_ENTROPY] = draw_indicator,
};

static void draw_block(rk_work *work, const rk_examples *data, rk_stream stream, uint64_t first,
                       rk_batch *batch) {
    const size_t n = rk_network_n_out(batch->net);
    if (!rk_work_charge(work, 3 * (uint64_t)batch->rows * n)) return;
    const double *y = rk_batch_output(batch);
    double *ybar = rk_batch_adjoint(batch, batch->net->n_layers);
    for (size_t r = 0; r < batch->rows; r++)
        draws[data->residual](stream, first + r, n, y + r * n, ybar + r * n);
}

/* ------------------------------------------------------------------------------------- factors */

static void clear(rk_work *work, rk_kfac *kfac) {
    for (size_t l = 0; l < kfac->n_layers; l++) {
        const size_t n = rk_kfac_inputs(kfac, l), m = kfac->net->layers[l].rows;
        if (n == 0 || !rk_work_charge(work, 0)) continue;
        memset(rk_kfac_A(kfac, l), 0, n * n * sizeof(double));
        memset(rk_kfac_G(kfac, l), 0, m * m * sizeof(double));
    }
}

/* A += (u, 1)'(u, 1) weight over the rows, the last row but not the last column of the bias. */
static void add_inputs(rk_work *work, const rk_kfac *kfac, size_t l, size_t rows, double weight,
                       const double *u) {
    const rk_layer *layer = &kfac->net->layers[l];
    const size_t n = rk_kfac_inputs(kfac, l), cols = layer->weight ? layer->cols : 0;
    double *A = rk_kfac_A(kfac, l);
    if (cols > 0)
        rk_gemm_symmetric(work, RK_TRANS, RK_NO_TRANS, cols, rows, weight, u, cols, u, cols, 1, A,
                          n);
    if (layer->bias && cols > 0) rk_rows_sum(work, rows, cols, u, A + cols * n);
    if (layer->bias && rk_work_charge(work, 1)) A[n * n - 1] += (double)rows;
}

/* The row of the bias is a sum still. */
static void close_inputs(rk_work *work, const rk_kfac *kfac, size_t l, double weight) {
    const rk_layer *layer = &kfac->net->layers[l];
    const size_t n = rk_kfac_inputs(kfac, l);
    if (!layer->bias || !rk_work_charge(work, n)) return;
    double *A = rk_kfac_A(kfac, l);
    for (size_t j = 0; j < n; j++) {
        A[(n - 1) * n + j] *= weight;
        A[j * n + n - 1] = A[(n - 1) * n + j];
    }
}

static void add_block(rk_work *work, rk_kfac *kfac, const rk_batch *batch, double weight) {
    for (size_t l = 0; l < kfac->n_layers; l++) {
        const size_t m = kfac->net->layers[l].rows;
        if (rk_kfac_inputs(kfac, l) == 0) continue;
        const double *zbar = rk_batch_adjoint(batch, l + 1);
        add_inputs(work, kfac, l, batch->rows, weight,
                   rk_batch_value(batch, rk_network_reads(batch->net, l)));
        rk_gemm_symmetric(work, RK_TRANS, RK_NO_TRANS, m, batch->rows, weight, zbar, m, zbar, m, 1,
                          rk_kfac_G(kfac, l), m);
    }
}

void rk_sampled_curvature_fill(rk_work *work, const rk_examples *data, const rk_network *net,
                               uint64_t seed, rk_kfac *kfac) {
    const size_t block = data->n < BLOCK ? data->n : BLOCK, n_in = rk_network_n_in(net);
    const double weight = 1 / (double)data->n;
    rk_batch batch = rk_batch_take(work, net, block, true);
    clear(work, kfac);
    for (size_t done = 0; done < data->n; done += block) {
        const size_t rows = data->n - done < block ? data->n - done : block;
        rk_batch_forward(work, &batch, rows, data->x + done * n_in);
        rk_batch_begin_back(work, &batch);
        draw_block(work, data, (rk_stream){seed, RK_STREAM_PROBES}, done, &batch);
        rk_batch_back(work, &batch, &(rk_adjoint){.weight = NULL}, true);
        add_block(work, kfac, &batch, weight);
        if (!rk_work_continue(work)) break;
    }
    for (size_t l = 0; l < kfac->n_layers; l++)
        close_inputs(work, kfac, l, weight);
}
