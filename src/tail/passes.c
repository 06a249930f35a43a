#include "tail/passes.h"

#include "linalg/blas.h"
#include "sample/passes.h"

#include <math.h>
#include <stdatomic.h>

enum { BLOCK = 256 };

typedef struct run {
    const rk_scored_spec *spec;
    const rk_float_layer *first, *last;
    atomic_uint_fast64_t overflowed;
} run;

static uint64_t passes_before(const void *context, uint64_t block) {
    const run *r = context;
    return block * BLOCK < r->spec->n ? block * BLOCK : r->spec->n;
}

static void make(const void *context, uint64_t block, size_t n, float *y, float *z) {
    const run *r = context;
    const rk_float_layer *layer = r->first;
    for (size_t i = 0; i < n; i++)
        r->spec->draw(r->spec->context, block * BLOCK + i, y + i * layer->cols);
    rk_block_sgemm(n, layer->rows, layer->cols, y, layer->transposed, z);
}

/* Out of their units. */
static void restore(const rk_float_layer *last, size_t n, float *z) {
    const rk_frame *frame = last->frame;
    const size_t n_out = last->rows;
    for (size_t r = 0; frame && r < n; r++)
        for (size_t i = 0; i < n_out; i++)
            z[r * n_out + i] =
                (float)(frame->centre[i] + frame->unit[i] * (double)z[r * n_out + i]);
}

static uint64_t overflows(size_t n, size_t n_out, const float *z) {
    uint64_t count = 0;
    for (size_t r = 0; r < n; r++) {
        bool is_finite = true;
        for (size_t i = 0; i < n_out; i++)
            is_finite &= isfinite(z[r * n_out + i]) != 0;
        count += !is_finite;
    }
    return count;
}

static void take(void *context, size_t lane, const rk_pass_block *block) {
    (void)lane;
    run *r = context;
    restore(r->last, block->n, block->y);
    atomic_fetch_add(&r->overflowed, overflows(block->n, r->last->rows, block->y));
    const rk_scored_block done = {block->index * BLOCK, block->n, block->scratch, block->y};
    r->spec->score(r->spec->context, &done);
}

/* The first layer's matrix for y: W axes'. */
static const double *first_matrix(rk_work *work, const rk_layer *layer, const double *axes) {
    const size_t m = layer->rows, n = layer->cols;
    if (!axes) return layer->weight;
    double *turned = rk_work_doubles(work, m, n);
    rk_gemm(work, RK_NO_TRANS, RK_TRANS, m, n, n, 1, layer->weight, n, axes, n, 0, turned, n);
    return turned;
}

/* A plain network comes in moderate units (network/normal_form.h); values of a residual one are
 * added in units of their own. */
static rk_float_layer *take_layers(rk_work *work, const rk_network *net,
                                   const rk_scored_spec *spec) {
    rk_float_layer *layers = rk_work_take(work, net->n_layers, sizeof *layers);
    const double *first = first_matrix(work, &net->layers[0], spec->axes);
    const bool framed = spec->centred || !rk_network_is_plain(net);
    if (framed) rk_float_layers_take_standard(work, net, first, spec->centred, layers);
    for (size_t l = 0; !framed && l < net->n_layers; l++) {
        rk_layer layer = net->layers[l];
        if (l == 0) layer.weight = first;
        const rk_float_layer out = rk_float_layer_take(work, &layer);
        if (rk_work_charge(work, 0)) layers[l] = out;
    }
    return layers;
}

bool rk_score_passes(rk_work *work, const rk_network *net, const rk_scored_spec *spec) {
    const size_t mark = rk_work_mark(work), n_in = rk_network_n_in(net);
    const rk_float_layer *layers = take_layers(work, net, spec);
    const rk_passes passes = {.net = net,
                              .layers = layers,
                              .lanes = spec->lanes,
                              .flops_of_two = 4 * (uint64_t)net->layers[0].rows * n_in +
                                              rk_passes_flops_of_two(net, false)};
    run r = {.spec = spec, .first = layers, .last = layers + net->n_layers - 1};
    atomic_init(&r.overflowed, 0);
    const rk_pass_source source = {.context = &r,
                                   .n_blocks = spec->n / BLOCK + (spec->n % BLOCK != 0),
                                   .most = BLOCK,
                                   .scratch = BLOCK * n_in,
                                   .passes_before = passes_before,
                                   .make = make};
    const rk_pass_sink sink = {.context = &r, .wants_scratch = true, .take = take};
    rk_passes_run(work, &passes, &source, &sink, NULL); /* fails only to prepare */
    work->overflowed += atomic_load(&r.overflowed);
    rk_work_release(work, mark);
    return !work->interrupted;
}
