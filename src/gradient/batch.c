#include "gradient/batch.h"

#include "activation/activation.h"
#include "base/sweep.h"
#include "gradient/rows.h"
#include "linalg/blas.h"

#include <string.h>

rk_status rk_batch_check(const rk_network *net, rk_error *error) {
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_activation_kind kind = net->layers[l].activation.kind;
        if (rk_activation_get(kind)->degree == 0)
            return rk_fail(error, RK_ERROR_UNSUPPORTED,
                           "layer %zu: %s jumps, so derivatives of samples miss what it does; "
                           "propagated moments do not",
                           l + 1, rk_activation_name(kind));
    }
    return RK_OK;
}

/* Entries of all values before this one, without the input. */
static size_t entries_before(const rk_network *net, size_t value) {
    size_t entries = 0;
    for (size_t l = 0; l + 1 < value; l++)
        entries += net->layers[l].rows;
    return entries;
}

rk_batch rk_batch_take(rk_work *work, const rk_network *net, size_t most, bool back) {
    const size_t n = entries_before(net, net->n_layers + 1), n_in = rk_network_n_in(net);
    return (rk_batch){.net = net,
                      .most = most,
                      .h = rk_work_doubles(work, most, n),
                      .z = back ? rk_work_doubles(work, most, n) : NULL,
                      .adjoints = back ? rk_work_doubles(work, most, n_in + n) : NULL};
}

static double *value_at(const rk_batch *batch, size_t value) {
    return batch->h + batch->rows * entries_before(batch->net, value);
}

const double *rk_batch_value(const rk_batch *batch, size_t value) {
    return value == 0 ? batch->x : value_at(batch, value);
}

const double *rk_batch_output(const rk_batch *batch) {
    return rk_batch_value(batch, batch->net->n_layers);
}

double *rk_batch_adjoint(const rk_batch *batch, size_t value) {
    const size_t n_in = value == 0 ? 0 : rk_network_n_in(batch->net);
    return batch->adjoints + batch->rows * (n_in + entries_before(batch->net, value));
}

/* ------------------------------------------------------------------------------------- forward */

typedef struct stage {
    const rk_layer *layer;
    size_t rows;          /* samples */
    const double *read;   /* by an identity, else NULL */
    const double *added;  /* NULL: nothing */
    double *z, *h, *zbar; /* h may be z */
} stage;

/* What of z needs no product. */
static void start_rows(void *context, size_t first, size_t last) {
    const stage *s = context;
    const size_t n = s->layer->rows;
    const double *b = s->layer->bias;
    for (size_t r = first; r < last; r++)
        for (size_t i = 0, at = r * n; i < n; i++, at++)
            s->z[at] = (b ? b[i] : 0) + (s->added ? s->added[at] : 0) + (s->read ? s->read[at] : 0);
}

static void activate_rows(void *context, size_t first, size_t last) {
    const stage *s = context;
    const size_t n = s->layer->rows, at = first * n;
    const rk_activation *phi = &s->layer->activation;
    rk_activation_get(phi->kind)->value(phi, (last - first) * n, s->z + at, s->h + at);
}

void rk_batch_forward(rk_work *work, rk_batch *batch, size_t rows, const double *x) {
    batch->rows = rows;
    batch->x = x;
    for (size_t l = 0; l < batch->net->n_layers; l++) {
        const rk_layer *layer = &batch->net->layers[l];
        const size_t m = layer->rows, n = layer->cols;
        const double *read = rk_batch_value(batch, rk_network_reads(batch->net, l));
        size_t value;
        const bool adds = rk_network_adds(batch->net, l, &value);
        stage s = {.layer = layer, .rows = rows, .h = value_at(batch, l + 1)};
        s.z = batch->z ? batch->z + (s.h - batch->h) : s.h;
        s.read = layer->weight ? NULL : read;
        s.added = adds ? rk_batch_value(batch, value) : NULL;
        const bool starts = layer->bias || s.added || s.read;
        const uint64_t terms = (uint64_t)(layer->bias != NULL) + adds;
        if (starts && rk_work_charge(work, terms * rows * m))
            rk_sweep(work->pool, rows, m, start_rows, &s);
        if (layer->weight)
            rk_gemm(work, RK_NO_TRANS, RK_TRANS, rows, m, n, 1, read, n, layer->weight, n, starts,
                    s.z, m);
        if (rk_work_charge(work, (uint64_t)rows * m))
            rk_sweep(work->pool, rows, m, activate_rows, &s);
    }
}

/* ---------------------------------------------------------------------------------------- back */

static void deactivate_rows(void *context, size_t first, size_t last) {
    enum { SOME = 256 };
    const stage *s = context;
    const size_t n = s->layer->rows, end = last * n;
    const rk_activation *phi = &s->layer->activation;
    double slope[SOME];
    for (size_t at = first * n; at < end; at += SOME) {
        const size_t count = end - at < SOME ? end - at : SOME;
        rk_activation_get(phi->kind)->slope(phi, count, s->z + at, slope);
        for (size_t i = 0; i < count; i++)
            s->zbar[at + i] *= slope[i];
    }
}

void rk_batch_begin_back(rk_work *work, rk_batch *batch) {
    const size_t n =
        rk_network_n_in(batch->net) + entries_before(batch->net, batch->net->n_layers + 1);
    if (rk_work_charge(work, 0)) memset(batch->adjoints, 0, batch->rows * n * sizeof(double));
}

static double *wanted(double *const *arrays, size_t l) {
    return arrays ? arrays[l] : NULL;
}

/* The first value whose adjoint somebody needs: no layer before it has anything to give. */
static size_t lowest_needed(const rk_network *net, const rk_adjoint *to, bool input) {
    size_t l = 0;
    while (!input && l < net->n_layers && !wanted(to->weight, l) && !wanted(to->bias, l))
        l++;
    return input ? 0 : l + 1;
}

static void adjoints_of_parameters(rk_work *work, const rk_batch *batch, size_t l,
                                   const double *zbar, double *weight, double *bias) {
    const rk_layer *layer = &batch->net->layers[l];
    const size_t m = layer->rows, n = layer->cols, rows = batch->rows;
    const double *read = rk_batch_value(batch, rk_network_reads(batch->net, l));
    if (layer->weight && weight)
        rk_gemm(work, RK_TRANS, RK_NO_TRANS, m, n, rows, 1, zbar, m, read, n, 1, weight, n);
    if (layer->bias && bias) rk_rows_sum(work, rows, m, zbar, bias);
}

void rk_batch_back(rk_work *work, rk_batch *batch, const rk_adjoint *to, bool input) {
    const rk_network *net = batch->net;
    const size_t rows = batch->rows, lowest = lowest_needed(net, to, input);
    for (size_t l = net->n_layers; l-- > 0 && l + 1 >= lowest;) {
        const rk_layer *layer = &net->layers[l];
        const size_t m = layer->rows, n = layer->cols, read = rk_network_reads(net, l);
        const size_t at = rows * entries_before(net, l + 1);
        stage s = {.layer = layer, .z = batch->z + at, .zbar = rk_batch_adjoint(batch, l + 1)};
        if (rk_work_charge(work, 2 * (uint64_t)rows * m))
            rk_sweep(work->pool, rows, m, deactivate_rows, &s);
        adjoints_of_parameters(work, batch, l, s.zbar, wanted(to->weight, l), wanted(to->bias, l));
        if (read >= lowest && layer->weight)
            rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, rows, n, m, 1, s.zbar, m, layer->weight, n, 1,
                    rk_batch_adjoint(batch, read), n);
        else if (read >= lowest)
            rk_rows_add(work, rows, m, s.zbar, rk_batch_adjoint(batch, read));
        size_t value;
        if (rk_network_adds(net, l, &value) && value >= lowest)
            rk_rows_add(work, rows, m, s.zbar, rk_batch_adjoint(batch, value));
    }
}
