#include "sample/float_layer.h"

#include "activation/activation.h"
#include "linalg/blas.h"
#include "linalg/lapack.h"

#include <math.h>
#include <string.h>

rk_status rk_input_root(rk_work *work, size_t n, const double *covariance, double *root,
                        rk_error *error) {
    double *vectors = rk_work_doubles(work, n, n), *values = rk_work_doubles(work, n, 1);
    if (rk_work_charge(work, 0)) memcpy(vectors, covariance, n * n * sizeof *vectors);
    if (!rk_eigen_symmetric(work, n, vectors, values))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "the input covariance of %zu inputs is too large for its eigenvalues", n);
    if (rk_work_charge(work, (uint64_t)n * n)) {
        for (size_t k = 0; k < n; k++) { /* below zero: rounding, or network/input.c had refused */
            double scale = values[k] > 0 ? sqrt(sqrt(values[k])) : 0;
            for (size_t j = 0; j < n; j++)
                vectors[k * n + j] *= scale;
        }
    }
    rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, n, n, 1, vectors, n, vectors, n, 0, root, n);
    return RK_OK;
}

static void to_float(rk_work *work, size_t count, const double *x, float *out) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < count; i++)
        out[i] = (float)x[i];
}

/* Tile by tile, to stay in the cache on both sides. */
static void transpose(rk_work *work, size_t m, size_t n, const double *x, float *out) {
    enum { TILE = 32 };
    if (!rk_work_charge(work, 0)) return;
    for (size_t first_i = 0; first_i < m; first_i += TILE)
        for (size_t first_j = 0; first_j < n; first_j += TILE)
            for (size_t i = first_i; i < m && i < first_i + TILE; i++)
                for (size_t j = first_j; j < n && j < first_j + TILE; j++)
                    out[j * m + i] = (float)x[i * n + j];
}

rk_status rk_float_layer_take(rk_work *work, const rk_network *net, size_t l, const rk_input *input,
                              rk_float_layer *out, rk_error *error) {
    const rk_layer *layer = &net->layers[l];
    const double *covariance = l == 0 ? input->covariance : NULL;
    const double *mean = l == 0 ? input->mean : NULL;
    const size_t m = layer->rows, n = layer->cols;
    const double *W = layer->weight, *b = layer->bias;
    *out = (rk_float_layer){.rows = m,
                            .cols = n,
                            .transposed = rk_work_floats(work, n, m),
                            .bias = b || mean ? rk_work_floats(work, m, 1) : NULL,
                            .activation = layer->activation};
    size_t mark = rk_work_mark(work);
    if (covariance) {
        double *WS = rk_work_doubles(work, m, n), *S = rk_work_doubles(work, n, n);
        rk_status status = rk_input_root(work, n, covariance, S, error);
        if (status != RK_OK) return status;
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 1, W, n, S, n, 0, WS, n);
        W = WS;
    }
    if (mean) {
        double *shifted = rk_work_doubles(work, m, 1);
        rk_gemv(work, m, n, layer->weight, mean, layer->bias, shifted);
        b = shifted;
    }
    transpose(work, m, n, W, out->transposed);
    if (b) to_float(work, m, b, out->bias);
    rk_work_release(work, mark);
    return RK_OK;
}

void rk_float_layer_finish(const rk_float_layer *layer, size_t n, float *z, double *sum) {
    const rk_activation *activation = &layer->activation;
    const rk_activation_ops *ops = rk_activation_get(activation->kind);
    const size_t m = layer->rows;
    for (size_t r = 0; r < n; r++, z += m) {
        for (size_t i = 0; layer->bias && i < m; i++)
            z[i] += layer->bias[i];
        if (activation->kind != RK_IDENTITY) ops->value_float(activation, m, z, z);
        for (size_t i = 0; sum && i < m; i++)
            sum[i] += (double)z[i];
    }
}
