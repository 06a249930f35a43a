#include "sample/passes.h"

#include "sample/slots.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* What one thread needs to do a block. */
typedef struct lane {
    float **value;  /* one for each slot: passes of a block x width */
    float *scratch; /* of the source: a slot that the first layer leaves free, or its own */
    double *hidden;
} lane;

typedef struct run {
    const rk_passes *passes;
    const rk_pass_source *source;
    const rk_pass_sink *sink;
    lane *lanes;
    size_t *slot; /* of what each layer makes */
    atomic_uint_fast64_t next_block;
    uint64_t end_block;
    /* blocks are merged in the order of their indices */
    pthread_mutex_t mutex;
    pthread_cond_t merged;
    uint64_t n_merged;
} run;

uint64_t rk_passes_flops_of_two(const rk_network *net, bool has_offset) {
    uint64_t flops = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        const uint64_t m = layer->rows;
        const bool biased = layer->bias || (l == 0 && has_offset);
        const bool activated = rk_network_is_activated(net, l);
        if (l > 0 && layer->weight) flops += 4 * m * layer->cols;
        flops += 2 * m * ((uint64_t)biased + activated + (layer->adds > 0));
    }
    return flops;
}

/* Some 50 ms of a lane, and at least a few blocks, because lanes wait for each other at the end. */
uint64_t rk_passes_at_once(size_t lanes, uint64_t flops_of_two) {
    const double blocks = 4e9 / ((double)flops_of_two / 2 * RK_PASS_BLOCK);
    return lanes * (blocks > 128 ? 128 : blocks < 4 ? 4 : (uint64_t)blocks);
}

static size_t passes_of(const run *r, uint64_t block, uint64_t end) {
    const rk_pass_source *source = r->source;
    return (size_t)(source->passes_before(source->context, end) -
                    source->passes_before(source->context, block));
}

static float *value_of(const run *r, const lane *own, size_t value) {
    return value == 0 ? NULL : own->value[r->slot[value - 1]];
}

/* The outputs of a block. */
static float *pass_through(const run *r, lane *own, uint64_t block, size_t n) {
    const rk_network *net = r->passes->net;
    const size_t n_hidden = r->sink->n_hidden;
    if (n_hidden) memset(own->hidden, 0, n_hidden * sizeof *own->hidden);
    r->source->make(r->source->context, block, n, own->scratch, value_of(r, own, 1));
    size_t offset = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        const float *read = value_of(r, own, rk_network_reads(net, l)), *more = NULL;
        size_t added;
        if (rk_network_adds(net, l, &added)) more = value_of(r, own, added);
        rk_float_layer_pass(&r->passes->layers[l], n, read, more, value_of(r, own, l + 1),
                            offset < n_hidden ? own->hidden + offset : NULL);
        offset += net->layers[l].rows;
    }
    return value_of(r, own, net->n_layers);
}

static void wait_for_turn(run *r, uint64_t block) {
    pthread_mutex_lock(&r->mutex);
    while (r->n_merged != block)
        pthread_cond_wait(&r->merged, &r->mutex);
    pthread_mutex_unlock(&r->mutex);
}

static void pass_turn(run *r) {
    pthread_mutex_lock(&r->mutex);
    r->n_merged++;
    pthread_cond_broadcast(&r->merged);
    pthread_mutex_unlock(&r->mutex);
}

/* Blocks are claimed in order, so the lowest one in work never waits. */
static void do_blocks(void *context, size_t lane_index) {
    run *r = context;
    lane *own = &r->lanes[lane_index];
    const rk_pass_sink *sink = r->sink;
    uint64_t block;
    while ((block = atomic_fetch_add(&r->next_block, 1)) < r->end_block) {
        const size_t n = passes_of(r, block, block + 1);
        const rk_pass_block done = {.index = block,
                                    .n = n,
                                    .scratch = own->scratch,
                                    .y = pass_through(r, own, block, n),
                                    .hidden = own->hidden};
        sink->take(sink->context, lane_index, &done);
        if (!sink->merge) continue;
        wait_for_turn(r, block);
        sink->merge(sink->context, lane_index, &done);
        pass_turn(r);
    }
}

static lane take_lane(rk_work *work, const run *r, size_t n_slots) {
    const size_t most = r->source->most, per_pass = (r->source->scratch + most - 1) / most;
    const bool shared = !r->sink->wants_scratch;
    size_t width = rk_network_max_rows(r->passes->net);
    lane own = {.value = rk_work_take(work, n_slots, sizeof *own.value)};
    for (size_t s = 0; s < n_slots; s++) {
        const bool is_scratch = s == 1 && shared && per_pass > width;
        float *value = rk_work_floats(work, most, is_scratch ? per_pass : width);
        if (rk_work_charge(work, 0)) own.value[s] = value;
    }
    if (!shared) own.scratch = rk_work_floats(work, most, per_pass);
    if (shared && rk_work_charge(work, 0)) own.scratch = own.value[1]; /* 0 is the first layer's */
    if (r->sink->n_hidden) own.hidden = rk_work_doubles(work, r->sink->n_hidden, 1);
    return own;
}

static void take_lanes(rk_work *work, run *r) {
    const rk_network *net = r->passes->net;
    const size_t n_slots = rk_slots(net, NULL);
    r->slot = rk_work_take(work, 2 * net->n_layers, sizeof *r->slot);
    if (rk_work_charge(work, 0)) rk_slots(net, r->slot);
    r->lanes = rk_work_take(work, r->passes->lanes, sizeof *r->lanes);
    for (size_t i = 0; i < r->passes->lanes; i++) {
        const lane own = take_lane(work, r, n_slots);
        if (rk_work_charge(work, 0)) r->lanes[i] = own;
    }
}

/* True if they are to be done now. */
static bool charge(rk_work *work, const run *r, uint64_t block, uint64_t end) {
    const rk_passes *passes = r->passes;
    return rk_work_charge(work, passes->flops_of_two * passes_of(r, block, end) / 2 +
                                    passes->flops_of_block * (end - block));
}

static rk_status do_all(rk_work *work, run *r, rk_error *error) {
    const rk_pass_source *source = r->source;
    const uint64_t at_once = rk_passes_at_once(r->passes->lanes, r->passes->flops_of_two);
    rk_status status = RK_OK;
    for (uint64_t block = 0; block < source->n_blocks && status == RK_OK && rk_work_continue(work);
         block = r->end_block) {
        r->end_block = source->n_blocks - block < at_once ? source->n_blocks : block + at_once;
        charge(work, r, block, r->end_block);
        atomic_store(&r->next_block, block);
        if (source->prepare)
            status = source->prepare(work, source->context, block, r->end_block, error);
        if (status == RK_OK) rk_pool_run(work->pool, r->passes->lanes, do_blocks, r);
    }
    return status;
}

rk_status rk_passes_run(rk_work *work, const rk_passes *passes, const rk_pass_source *source,
                        const rk_pass_sink *sink, rk_error *error) {
    const size_t mark = rk_work_mark(work);
    run r = {.passes = passes, .source = source, .sink = sink};
    rk_status status = RK_OK;
    take_lanes(work, &r);
    if (work->dry) {
        charge(work, &r, 0, source->n_blocks);
    } else {
        pthread_mutex_init(&r.mutex, NULL);
        pthread_cond_init(&r.merged, NULL);
        status = do_all(work, &r, error);
        pthread_cond_destroy(&r.merged);
        pthread_mutex_destroy(&r.mutex);
    }
    rk_work_release(work, mark);
    return status;
}
