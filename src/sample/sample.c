#include "sample/sample.h"

#include "activation/activation.h"
#include "base/normal.h"
#include "linalg/blas.h"
#include "sample/float_layer.h"
#include "sample/summary.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Passes per block: enough for sgemm to run at nearly its full speed, few enough for the
 * activations of a usual layer to stay in the cache of a core. The same everywhere, or the bits
 * would differ. */
enum { BLOCK = 512 };

/* Blocks per lane between two reports of progress: some 50 ms, and at least a few, because lanes
 * wait for each other at the end. */
static uint64_t blocks_per_report(double flops_per_block) {
    double blocks = 4e9 / flops_per_block;
    return blocks > 128 ? 128 : blocks < 4 ? 4 : (uint64_t)blocks;
}

/* What one thread needs to do a block. */
typedef struct lane {
    float *a, *b; /* activations going in and coming out: BLOCK x width */
    double *deviations;
    double *hidden; /* sums over the block of all hidden activations, or NULL */
    rk_summary summary;
} lane;

typedef struct sampler {
    const rk_network *net;
    const rk_sample_spec *spec;
    rk_float_layer *layers;
    size_t n_hidden_values;
    uint64_t n_samples;
    lane *lanes;
    rk_summary total;
    double *hidden; /* sums over all passes, or NULL */
    atomic_uint_fast64_t next_block;
    uint64_t end_block;
    /* blocks enter the total in the order of their indices */
    pthread_mutex_t mutex;
    pthread_cond_t merged;
    uint64_t n_merged;
} sampler;

static void negate(size_t count, const float *x, float *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = -x[i];
}

/* h = phi(z + b), row by row while the row is at hand; adds to `sum` if it is not NULL. */
static void finish_rows(const rk_float_layer *layer, size_t n, float *z, double *sum) {
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

/* The outputs of passes first .. first + n - 1; of pairs, the mirrored halves come second. */
static const float *do_passes(const sampler *run, lane *own, uint64_t first, size_t n) {
    const rk_sample_spec *spec = run->spec;
    const size_t n_in = run->layers[0].cols, n_items = spec->antithetic ? n / 2 : n;
    const rk_stream stream = {spec->seed, spec->stream};
    const uint64_t item = spec->first_item + (spec->antithetic ? first / 2 : first);
    float *in = own->a, *out = own->b;
    for (size_t i = 0; i < n_items; i++)
        rk_normal_floats(stream, item + i, n_in, in + i * n_in);
    double *sum = own->hidden;
    for (size_t l = 0; l < run->net->n_layers; l++) {
        const rk_float_layer *layer = &run->layers[l];
        const size_t n_products = l == 0 ? n_items : n, m = layer->rows;
        rk_block_sgemm(n_products, m, layer->cols, in, layer->transposed, out);
        if (n_products < n) negate(n_items * m, out, out + n_items * m);
        finish_rows(layer, n, out, l + 1 < run->net->n_layers ? sum : NULL);
        if (sum) sum += m;
        float *swap = in;
        in = out;
        out = swap;
    }
    return in;
}

static void wait_for_turn(sampler *run, uint64_t block) {
    pthread_mutex_lock(&run->mutex);
    while (run->n_merged != block)
        pthread_cond_wait(&run->merged, &run->mutex);
    pthread_mutex_unlock(&run->mutex);
}

static void pass_turn(sampler *run) {
    pthread_mutex_lock(&run->mutex);
    run->n_merged++;
    pthread_cond_broadcast(&run->merged);
    pthread_mutex_unlock(&run->mutex);
}

/* Blocks are claimed in order, so the lowest one in work never waits. */
static void do_blocks(void *context, size_t lane_index) {
    sampler *run = context;
    lane *own = &run->lanes[lane_index];
    uint64_t block;
    while ((block = atomic_fetch_add(&run->next_block, 1)) < run->end_block) {
        const uint64_t first = block * BLOCK, left = run->n_samples - first;
        const size_t n = left < BLOCK ? (size_t)left : BLOCK;
        if (own->hidden) memset(own->hidden, 0, run->n_hidden_values * sizeof *own->hidden);
        const float *y = do_passes(run, own, first, n);
        rk_summary_of_block(&own->summary, n, y, own->deviations);
        wait_for_turn(run, block);
        rk_summary_merge(&run->total, &own->summary);
        for (size_t i = 0; run->hidden && i < run->n_hidden_values; i++)
            run->hidden[i] += own->hidden[i];
        pass_turn(run);
    }
}

/* FLOPs of two passes, be they a pair or not. */
static uint64_t flops_of_two(const sampler *run, const rk_input *input, bool covariance) {
    uint64_t flops = 0;
    for (size_t l = 0; l < run->net->n_layers; l++) {
        const rk_layer *layer = &run->net->layers[l];
        const bool biased = layer->bias || (l == 0 && input->mean);
        const uint64_t m = layer->rows, n_products = l == 0 && run->spec->antithetic ? 1 : 2;
        flops += n_products * 2 * m * layer->cols;
        flops += 2 * m * ((uint64_t)biased + rk_network_is_activated(run->net, l));
    }
    const uint64_t n_out = rk_network_n_out(run->net);
    return covariance ? flops + 2 * n_out * (n_out + 1) : flops;
}

static void take_lanes(rk_work *work, sampler *run, const rk_sample_result *result) {
    const size_t width = rk_network_max_width(run->net), n_out = rk_network_n_out(run->net);
    const bool pairs = run->spec->antithetic;
    run->total = rk_summary_take(work, n_out, pairs, result->covariance);
    if (result->hidden_mean) {
        for (size_t l = 0; l + 1 < run->net->n_layers; l++)
            run->n_hidden_values += run->net->layers[l].rows;
        run->hidden = rk_work_doubles(work, run->n_hidden_values, 1);
        if (rk_work_charge(work, 0))
            memset(run->hidden, 0, run->n_hidden_values * sizeof *run->hidden);
    }
    run->lanes = rk_work_take(work, run->spec->lanes, sizeof *run->lanes);
    for (size_t i = 0; i < run->spec->lanes; i++) {
        lane own = {.a = rk_work_floats(work, BLOCK, width),
                    .b = rk_work_floats(work, BLOCK, width)};
        if (result->covariance) own.deviations = rk_work_doubles(work, BLOCK, n_out);
        if (run->hidden) own.hidden = rk_work_doubles(work, run->n_hidden_values, 1);
        own.summary = rk_summary_take(work, n_out, pairs, result->covariance);
        if (rk_work_charge(work, 0)) run->lanes[i] = own;
    }
}

static rk_status take_layers(rk_work *work, sampler *run, const rk_input *input, rk_error *error) {
    run->layers = rk_work_take(work, run->net->n_layers, sizeof *run->layers);
    for (size_t l = 0; l < run->net->n_layers; l++) {
        rk_float_layer layer;
        rk_status status = rk_float_layer_take(work, run->net, l, input, &layer, error);
        if (status != RK_OK) return status;
        if (rk_work_charge(work, 0)) run->layers[l] = layer;
    }
    return RK_OK;
}

static void do_all(rk_work *work, sampler *run, uint64_t per_two) {
    const uint64_t blocks = blocks_per_report((double)per_two / 2 * (double)BLOCK);
    const uint64_t wave = work->dry ? run->n_samples : blocks * BLOCK * run->spec->lanes;
    for (uint64_t done = 0; done < run->n_samples && rk_work_continue(work); done += wave) {
        const uint64_t left = run->n_samples - done, n = left < wave ? left : wave;
        if (!rk_work_charge(work, per_two * n / 2)) continue;
        atomic_store(&run->next_block, done / BLOCK);
        run->end_block = (done + n + BLOCK - 1) / BLOCK;
        rk_pool_run(work->pool, run->spec->lanes, do_blocks, run);
    }
}

static void report(rk_work *work, const sampler *run, rk_sample_result *result) {
    if (!rk_work_charge(work, 0)) return;
    const rk_summary *total = &run->total;
    const bool none = total->n == 0;
    result->n_samples = total->n;
    for (size_t i = 0; i < total->n_out; i++)
        result->mean[i] = none ? (double)NAN : total->mean[i];
    rk_summary_errors(total, result->variance, result->standard_error);
    if (result->covariance) rk_summary_covariance(total, result->covariance);
    const double *sum = run->hidden;
    for (size_t l = 0; sum && l + 1 < run->net->n_layers; l++)
        for (size_t i = 0; i < run->layers[l].rows; i++)
            result->hidden_mean[l][i] = *sum++ / (double)total->n;
}

rk_status rk_sample(rk_work *work, const rk_network *net, const rk_input *input,
                    const rk_sample_spec *spec, rk_sample_result *result, rk_error *error) {
    if (spec->n_samples == 0 || spec->lanes == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "nothing to do: no samples");
    sampler run = {.net = net,
                   .spec = spec,
                   .n_samples = spec->n_samples + (spec->antithetic && spec->n_samples % 2)};
    const uint64_t per_two = flops_of_two(&run, input, result->covariance);
    if (spec->n_samples >= UINT64_MAX / per_two)
        return rk_fail(error, RK_ERROR_TOO_LARGE, "%llu samples are more than anyone can wait for",
                       (unsigned long long)spec->n_samples);
    rk_work_step(work, "layers in single precision");
    rk_status status = take_layers(work, &run, input, error);
    if (status != RK_OK) return status;
    rk_work_step(work, "%llu passes", (unsigned long long)run.n_samples);
    take_lanes(work, &run, result);
    pthread_mutex_init(&run.mutex, NULL);
    pthread_cond_init(&run.merged, NULL);
    do_all(work, &run, per_two);
    pthread_cond_destroy(&run.merged);
    pthread_mutex_destroy(&run.mutex);
    report(work, &run, result);
    rk_work_end(work);
    return RK_OK;
}
