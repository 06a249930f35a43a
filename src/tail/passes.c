#include "tail/passes.h"

#include "linalg/blas.h"
#include "sample/float_layer.h"

#include <math.h>
#include <stdatomic.h>

enum { BLOCK = 256 };

/* Blocks of a lane between two reports: a fraction of a second. */
static uint64_t blocks_per_report(double flops_per_block) {
    double blocks = 4e9 / flops_per_block;
    return blocks > 64 ? 64 : blocks < 1 ? 1 : (uint64_t)blocks;
}

typedef struct lane {
    float *y, *a, *b; /* BLOCK x n_in, BLOCK x width */
} lane;

typedef struct run {
    const rk_network *net;
    const rk_passes_spec *spec;
    rk_float_layer *layers;
    lane *lanes;
    atomic_uint_fast64_t next_block, overflowed;
    uint64_t end_block;
} run;

/* Out of their units. */
static void restore(const rk_frame *frame, size_t n, size_t n_out, float *z) {
    for (size_t r = 0; r < n; r++)
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

static void do_block(run *r, lane *own, uint64_t block) {
    uint64_t first = block * BLOCK, left = r->spec->n - first;
    size_t n = left < BLOCK ? (size_t)left : BLOCK, n_in = rk_network_n_in(r->net);
    for (size_t i = 0; i < n; i++)
        r->spec->draw(r->spec->context, first + i, own->y + i * n_in);
    const float *in = own->y;
    float *out = own->a;
    const size_t n_layers = r->net->n_layers;
    for (size_t l = 0; l < n_layers; l++) {
        const rk_float_layer *layer = &r->layers[l];
        rk_block_sgemm(n, layer->rows, layer->cols, in, layer->transposed, out);
        rk_float_layer_finish(layer, n, out, NULL);
        if (layer->frame && l + 1 == n_layers) restore(layer->frame, n, layer->rows, out);
        in = out;
        out = in == own->a ? own->b : own->a;
    }
    atomic_fetch_add(&r->overflowed, overflows(n, rk_network_n_out(r->net), in));
    rk_pass_block done = {first, n, own->y, in};
    r->spec->score(r->spec->context, &done);
}

static void do_blocks(void *context, size_t lane_index) {
    run *r = context;
    uint64_t block;
    while ((block = atomic_fetch_add(&r->next_block, 1)) < r->end_block)
        do_block(r, &r->lanes[lane_index], block);
}

/* The first layer's matrix for y: W axes'. */
static const double *first_matrix(rk_work *work, const rk_layer *layer, const double *axes) {
    const size_t m = layer->rows, n = layer->cols;
    if (!axes) return layer->weight;
    double *turned = rk_work_doubles(work, m, n);
    rk_gemm(work, RK_NO_TRANS, RK_TRANS, m, n, n, 1, layer->weight, n, axes, n, 0, turned, n);
    return turned;
}

static void take_layers(rk_work *work, run *r) {
    r->layers = rk_work_take(work, r->net->n_layers, sizeof *r->layers);
    const double *first = first_matrix(work, &r->net->layers[0], r->spec->axes);
    if (r->spec->centred) {
        rk_float_layers_take_centred(work, r->net, first, r->layers);
        return;
    }
    for (size_t l = 0; l < r->net->n_layers; l++) {
        rk_layer layer = r->net->layers[l];
        if (l == 0) layer.weight = first;
        const rk_float_layer out = rk_float_layer_take(work, &layer);
        if (rk_work_charge(work, 0)) r->layers[l] = out;
    }
}

static void take_lanes(rk_work *work, run *r) {
    size_t width = rk_network_max_width(r->net);
    r->lanes = rk_work_take(work, r->spec->lanes, sizeof *r->lanes);
    for (size_t i = 0; i < r->spec->lanes; i++) {
        lane own = {.y = rk_work_floats(work, BLOCK, rk_network_n_in(r->net)),
                    .a = rk_work_floats(work, BLOCK, width),
                    .b = rk_work_floats(work, BLOCK, width)};
        if (rk_work_charge(work, 0)) r->lanes[i] = own;
    }
}

bool rk_passes(rk_work *work, const rk_network *net, const rk_passes_spec *spec) {
    size_t mark = rk_work_mark(work);
    run r = {.net = net, .spec = spec};
    atomic_init(&r.overflowed, 0);
    uint64_t flops = 0; /* of a pass */
    for (size_t l = 0; l < net->n_layers; l++)
        flops += net->layers[l].rows * (2 * net->layers[l].cols + (net->layers[l].bias != NULL) +
                                        (net->layers[l].activation.kind != RK_IDENTITY));
    take_layers(work, &r);
    take_lanes(work, &r);
    uint64_t wave =
        work->dry ? spec->n : spec->lanes * blocks_per_report((double)flops * BLOCK) * BLOCK;
    bool go_on = true;
    for (uint64_t done = 0; go_on && done < spec->n; done += wave) {
        uint64_t left = spec->n - done, n = left < wave ? left : wave;
        if (rk_work_charge(work, flops * n)) {
            atomic_store(&r.next_block, done / BLOCK);
            r.end_block = (done + n + BLOCK - 1) / BLOCK;
            rk_pool_run(work->pool, spec->lanes, do_blocks, &r);
            go_on = rk_work_continue(work);
        }
    }
    work->overflowed += atomic_load(&r.overflowed);
    rk_work_release(work, mark);
    return go_on;
}
