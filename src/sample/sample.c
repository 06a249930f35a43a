#include "sample/sample.h"

#include "linalg/blas.h"
#include "network/homogeneous.h"
#include "sample/bases.h"
#include "sample/control.h"
#include "sample/division.h"
#include "sample/summary.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { BLOCK = RK_SAMPLE_BLOCK };

/* Blocks per lane between two reports of progress: some 50 ms, and at least a few, because lanes
 * wait for each other at the end. */
static uint64_t blocks_per_report(double flops_per_block) {
    double blocks = 4e9 / flops_per_block;
    return blocks > 128 ? 128 : blocks < 4 ? 4 : (uint64_t)blocks;
}

/* What one thread needs to do a block. */
typedef struct lane {
    float *a, *b; /* activations going in and coming out: BLOCK x width; `a` holds points, too */
    double *deviations;
    double *hidden;   /* sums over the block of all hidden activations, or NULL */
    double *estimate; /* of the output's mean by this block alone; NULL: not needed */
    double *carry[2]; /* of the control variate */
    rk_summary summary;
} lane;

typedef struct sampler {
    const rk_network *net;
    const rk_sample_spec *spec;
    rk_float_layer *layers;
    rk_points points;
    rk_control control;
    rk_division division;
    size_t n_hidden_values;
    lane *lanes;
    rk_summary total;
    rk_summary group_means; /* a pass of it is a group's estimate of the mean */
    rk_summary open_group;  /* the one in work */
    double *group_mean;     /* where the caller wants these, or NULL */
    double *hidden;         /* sums over all passes, or NULL */
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

/* The outputs of the n passes of a block; of pairs, the mirrored halves come second. */
static const float *do_passes(const sampler *run, lane *own, uint64_t block, size_t n) {
    const bool mirrored = rk_points_are_mirrored(run->spec->points);
    const size_t n_items = mirrored ? n / 2 : n, m_1 = run->layers[0].rows;
    const size_t items = mirrored ? BLOCK / 2 : BLOCK;
    const size_t first = (size_t)(block % run->division.blocks_per_replicate) * items;
    float *in = own->a, *out = own->b;
    rk_points_products(&run->points, block / run->division.blocks_per_replicate, first, n_items, in,
                       out);
    if (mirrored) negate(n_items * m_1, out, out + n_items * m_1);
    size_t offset = 0;
    for (size_t l = 0; l < run->net->n_layers; l++) {
        const rk_float_layer *layer = &run->layers[l];
        if (l > 0) rk_block_sgemm(n, layer->rows, layer->cols, in, layer->transposed, out);
        rk_float_layer_finish(layer, n, out,
                              offset < run->n_hidden_values ? own->hidden + offset : NULL);
        offset += layer->rows;
        float *swap = in;
        in = out;
        out = swap;
    }
    return in;
}

/* Of all layers below l together. */
static size_t rows_below(const rk_network *net, size_t l) {
    size_t rows = 0;
    while (l-- > 0)
        rows += net->layers[l].rows;
    return rows;
}

/* What the block says of the mean: its average, less what the control variate knows to be wrong. */
static void estimate_mean(const sampler *run, lane *own, size_t n) {
    const size_t n_layers = run->net->n_layers, n_out = rk_network_n_out(run->net);
    memcpy(own->estimate, own->summary.mean, n_out * sizeof *own->estimate);
    if (!run->spec->control) return;
    const size_t anchor = run->control.anchor;
    const double *sum = own->hidden + rows_below(run->net, anchor);
    for (size_t i = 0; i < run->layers[anchor].rows; i++)
        own->carry[anchor % 2][i] = sum[i] / (double)n - run->control.mean[i];
    for (size_t l = anchor + 1; l < n_layers; l++)
        rk_control_carry(&run->control, l, own->carry[(l - 1) % 2], own->carry[l % 2]);
    for (size_t i = 0; i < n_out; i++)
        own->estimate[i] -= own->carry[(n_layers - 1) % 2][i];
}

/* Blocks of a group come one after another. */
static void add_to_group(sampler *run, uint64_t block, size_t n, const double *estimate) {
    const size_t n_out = rk_network_n_out(run->net);
    double *mean = run->open_group.mean;
    const double weight = (double)n / (double)run->division.passes_per_group;
    for (size_t i = 0; i < n_out; i++)
        mean[i] += weight * estimate[i];
    if ((block + 1) % run->division.blocks_per_group != 0) return;
    run->open_group.n = 1;
    if (run->group_mean)
        memcpy(run->group_mean + run->group_means.n * n_out, mean, n_out * sizeof *mean);
    rk_summary_merge(&run->group_means, &run->open_group);
    memset(mean, 0, n_out * sizeof *mean);
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
        const size_t n = (size_t)(rk_passes_before(&run->division, block + 1) -
                                  rk_passes_before(&run->division, block));
        if (own->hidden) memset(own->hidden, 0, run->n_hidden_values * sizeof *own->hidden);
        const float *y = do_passes(run, own, block, n);
        rk_summary_of_block(&own->summary, n, y, own->deviations);
        if (own->estimate) estimate_mean(run, own, n);
        wait_for_turn(run, block);
        rk_summary_merge(&run->total, &own->summary);
        for (size_t i = 0; run->hidden && i < run->n_hidden_values; i++)
            run->hidden[i] += own->hidden[i];
        if (own->estimate) add_to_group(run, block, n, own->estimate);
        pass_turn(run);
    }
}

typedef struct cost {
    uint64_t two_passes; /* be they a pair or not */
    uint64_t block;      /* besides its passes */
} cost;

static uint64_t flops_of_two(const sampler *run, const rk_input *input, bool covariance) {
    const rk_point_set points = run->spec->points;
    const rk_layer *first = &run->net->layers[0];
    uint64_t flops = rk_points_flops(points, first->rows, first->cols);
    if (!rk_points_are_mirrored(points)) flops *= 2;
    for (size_t l = 0; l < run->net->n_layers; l++) {
        const rk_layer *layer = &run->net->layers[l];
        const bool biased = layer->bias || (l == 0 && input->mean);
        const uint64_t m = layer->rows;
        if (l > 0) flops += 4 * m * layer->cols;
        flops += 2 * m * ((uint64_t)biased + rk_network_is_activated(run->net, l));
    }
    const uint64_t n_out = rk_network_n_out(run->net);
    return covariance ? flops + 2 * n_out * (n_out + 1) : flops;
}

static double *take_zeros(rk_work *work, size_t count) {
    double *zeros = rk_work_doubles(work, count, 1);
    if (rk_work_charge(work, 0)) memset(zeros, 0, count * sizeof *zeros);
    return zeros;
}

static size_t most_rows(const rk_network *net) {
    size_t rows = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        if (net->layers[l].rows > rows) rows = net->layers[l].rows;
    return rows;
}

static lane take_lane(rk_work *work, const sampler *run, bool covariance) {
    const size_t width = most_rows(run->net), n_out = rk_network_n_out(run->net);
    const bool pairs = run->spec->points == RK_POINTS_ANTITHETIC;
    const size_t points = rk_points_scratch(run->spec->points, rk_network_n_in(run->net));
    const size_t per_pass = (points + BLOCK - 1) / BLOCK;
    lane own = {.a = rk_work_floats(work, BLOCK, width > per_pass ? width : per_pass),
                .b = rk_work_floats(work, BLOCK, width)};
    if (covariance) own.deviations = rk_work_doubles(work, BLOCK, n_out);
    if (run->n_hidden_values > 0) own.hidden = rk_work_doubles(work, run->n_hidden_values, 1);
    if (run->division.by_group) own.estimate = rk_work_doubles(work, n_out, 1);
    for (size_t i = 0; run->spec->control && i < 2; i++)
        own.carry[i] = rk_work_doubles(work, width, 1);
    own.summary = rk_summary_take(work, n_out, pairs, covariance);
    return own;
}

static void take_lanes(rk_work *work, sampler *run, const rk_sample_result *result) {
    const size_t n_out = rk_network_n_out(run->net), n_layers = run->net->n_layers;
    const bool pairs = run->spec->points == RK_POINTS_ANTITHETIC;
    run->total = rk_summary_take(work, n_out, pairs, result->covariance);
    if (run->division.by_group) {
        run->group_means = rk_summary_take(work, n_out, false, false);
        run->open_group = rk_summary_take(work, n_out, false, false);
    }
    if (result->hidden_mean) run->n_hidden_values = rows_below(run->net, n_layers - 1);
    if (result->hidden_mean) run->hidden = take_zeros(work, run->n_hidden_values);
    if (run->spec->control && !result->hidden_mean)
        run->n_hidden_values = rows_below(run->net, run->spec->anchor + 1);
    run->lanes = rk_work_take(work, run->spec->lanes, sizeof *run->lanes);
    for (size_t i = 0; i < run->spec->lanes; i++) {
        const lane own = take_lane(work, run, result->covariance);
        if (rk_work_charge(work, 0)) run->lanes[i] = own;
    }
}

/* A positive factor on the standard normals comes through to the output. */
static bool is_homogeneous(const rk_network *net, const rk_input *input) {
    for (size_t i = 0; input->mean && i < rk_network_n_in(net); i++)
        if (input->mean[i] != 0) return false;
    return rk_network_scales(net);
}

/* Of carrying a block's correction through the network. */
static uint64_t flops_of_control(const sampler *run) {
    uint64_t flops = 0;
    for (size_t l = run->spec->anchor + 1; run->spec->control && l < run->net->n_layers; l++)
        flops += 2 * (uint64_t)run->net->layers[l].rows * run->net->layers[l].cols;
    return flops;
}

static void take_points(rk_work *work, sampler *run, const rk_input *input, uint64_t wave) {
    const rk_layer *first = &run->net->layers[0];
    const rk_stream stream = {run->spec->seed, run->spec->stream};
    /* a wave may begin and end within replicates */
    uint64_t n_slots = wave / run->division.blocks_per_replicate + 2;
    if (n_slots > run->division.n_replicates) n_slots = run->division.n_replicates;
    run->points =
        rk_points_take(work, run->spec->points, stream, run->spec->first_item, first->rows,
                       first->cols, run->layers, is_homogeneous(run->net, input), (size_t)n_slots);
    if (run->spec->control)
        run->control =
            rk_control_take(work, run->net, run->layers, run->spec->anchor, run->spec->anchor_mean);
}

/* Rotations of the replicates that begin in these blocks. */
static rk_status rotate(rk_work *work, sampler *run, uint64_t block, uint64_t end_block,
                        rk_error *error) {
    const uint64_t per = run->division.blocks_per_replicate;
    rk_status status = RK_OK;
    for (uint64_t r = (block + per - 1) / per; r * per < end_block && status == RK_OK; r++)
        status = rk_points_rotate(work, &run->points, r, error);
    return status;
}

static rk_status too_many(uint64_t n_samples, rk_error *error) {
    return rk_fail(error, RK_ERROR_TOO_LARGE, "%llu samples are more than anyone can wait for",
                   (unsigned long long)n_samples);
}

static void charge_passes(rk_work *work, const sampler *run, const cost *each, uint64_t block,
                          uint64_t end_block) {
    const uint64_t n =
        rk_passes_before(&run->division, end_block) - rk_passes_before(&run->division, block);
    rk_work_charge(work, each->two_passes * n / 2 + each->block * (end_block - block));
}

/* Everything at once, whatever the number of blocks. */
static rk_status plan_all(rk_work *work, sampler *run, const cost *each, rk_error *error) {
    const uint64_t n_replicates = run->division.n_replicates;
    uint64_t rotation = 0;
    if (rk_points_are_rotated(run->spec->points)) {
        const uint64_t before = work->flops;
        rk_points_rotate(work, &run->points, 0, NULL);
        rotation = work->flops - before;
    }
    if ((double)n_replicates * (double)rotation +
            (double)run->division.n_passes * (double)each->two_passes +
            (double)run->division.n_blocks * (double)each->block >=
        (double)UINT64_MAX)
        return too_many(run->spec->n_samples, error);
    rk_work_charge(work, (n_replicates - 1) * rotation);
    charge_passes(work, run, each, 0, run->division.n_blocks);
    return RK_OK;
}

static rk_status do_all(rk_work *work, sampler *run, const cost *each, uint64_t wave,
                        rk_error *error) {
    rk_status status = RK_OK;
    for (uint64_t block = 0;
         block < run->division.n_blocks && status == RK_OK && rk_work_continue(work);
         block = run->end_block) {
        run->end_block =
            run->division.n_blocks - block < wave ? run->division.n_blocks : block + wave;
        charge_passes(work, run, each, block, run->end_block);
        atomic_store(&run->next_block, block);
        if (rk_points_are_rotated(run->spec->points))
            status = rotate(work, run, block, run->end_block, error);
        if (status == RK_OK) rk_pool_run(work->pool, run->spec->lanes, do_blocks, run);
    }
    return status;
}

/* Second moments of points of one length are too small by a factor. */
static double longer(double factor, double moment, double mean, double other_mean) {
    return factor * moment + (factor - 1) * mean * other_mean;
}

/* Everything so far is in units of the last layer and about its centre. */
static void report_outputs(const sampler *run, const rk_summary *means, rk_sample_result *result) {
    const rk_frame *frame = run->layers[run->net->n_layers - 1].frame;
    const size_t n_out = means->n_out;
    const double factor = rk_points_second_moment(&run->points), *u = means->mean;
    rk_summary_standard_error(means, result->standard_error);
    rk_summary_variance(&run->total, result->variance);
    if (result->covariance) rk_summary_covariance(&run->total, result->covariance);
    for (size_t i = 0; i < n_out; i++) {
        const double unit = frame->unit[i];
        for (size_t j = 0; result->covariance && j < n_out; j++) {
            double *entry = &result->covariance[i * n_out + j];
            *entry = longer(factor, *entry, u[i], u[j]) * unit * frame->unit[j];
        }
        result->variance[i] = longer(factor, result->variance[i], u[i], u[i]) * unit * unit;
        result->standard_error[i] *= unit;
        result->mean[i] = frame->centre[i] + unit * u[i];
        if (means->n == 0 || !isfinite(result->mean[i])) /* beyond single precision or double */
            result->mean[i] = result->standard_error[i] = (double)NAN;
    }
}

static void report_groups(const sampler *run) {
    const rk_frame *frame = run->layers[run->net->n_layers - 1].frame;
    const size_t n_out = run->group_means.n_out;
    for (size_t k = 0; run->group_mean && k < run->group_means.n * n_out; k++)
        run->group_mean[k] = frame->centre[k % n_out] + frame->unit[k % n_out] * run->group_mean[k];
}

/* That weights and activations are rounded does not average out. If the outputs are larger than
 * foreseen, so is the rounding. */
static void add_rounding(const sampler *run, const rk_summary *means, rk_sample_result *result) {
    const rk_frame *frame = run->layers[run->net->n_layers - 1].frame;
    for (size_t i = 0; i < means->n_out; i++) {
        const double size = hypot(frame->unit[i] * means->mean[i], sqrt(result->variance[i]));
        double rounding = frame->rounding[i];
        if (size > frame->size[i])
            rounding = frame->size[i] > 0 ? rounding * (size / frame->size[i])
                                          : rounding + RK_SINGLE_ROUNDING * size;
        result->standard_error[i] = hypot(result->standard_error[i], rounding);
    }
}

/* Outputs that did not move in these passes, but may: rarely, then, and by as much as is foreseen.
 */
static void add_unseen(const sampler *run, rk_sample_result *result) {
    const rk_frame *frame = run->layers[run->net->n_layers - 1].frame;
    const double n = (double)result->n_samples;
    for (size_t i = 0; i < run->total.n_out; i++)
        if (result->variance[i] == 0)
            result->standard_error[i] =
                hypot(result->standard_error[i], frame->deviation[i] / sqrt(n));
}

static void report_hidden(const sampler *run, rk_sample_result *result) {
    const double *sum = run->hidden, n = (double)run->total.n;
    double *const *carry = run->lanes[0].carry;
    for (size_t l = 0; sum && l + 1 < run->net->n_layers; l++) {
        const size_t rows = run->layers[l].rows;
        const rk_frame *frame = run->layers[l].frame;
        double *mean = result->hidden_mean[l], *wrong = carry[l % 2];
        for (size_t i = 0; i < rows; i++)
            mean[i] = *sum++ / n;
        const bool known = run->spec->control && l >= run->control.anchor;
        for (size_t i = 0; known && l == run->control.anchor && i < rows; i++)
            wrong[i] = mean[i] - run->control.mean[i];
        if (known && l > run->control.anchor)
            rk_control_carry(&run->control, l, carry[(l - 1) % 2], wrong);
        for (size_t i = 0; i < rows; i++)
            mean[i] = frame->centre[i] + frame->unit[i] * (known ? mean[i] - wrong[i] : mean[i]);
    }
}

static void report(rk_work *work, const sampler *run, rk_sample_result *result) {
    if (!rk_work_charge(work, 0)) return;
    const rk_summary *means = run->division.by_group ? &run->group_means : &run->total;
    result->n_samples =
        run->division.by_group ? means->n * run->division.passes_per_group : means->n;
    report_outputs(run, means, result);
    report_groups(run);
    add_rounding(run, means, result);
    add_unseen(run, result);
    report_hidden(run, result);
}

rk_status rk_sample_check(const rk_network *net, rk_point_set points, bool control,
                          rk_error *error) {
    if (control && net->n_layers < 2)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "a control variate needs a hidden layer");
    if (rk_points_are_rotated(points) && rk_network_n_in(net) > RK_BASES_MAX)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "orthogonal points and designs are for at most %d inputs", RK_BASES_MAX);
    return RK_OK;
}

rk_status rk_sample(rk_work *work, const rk_network *net, const rk_input *input,
                    const rk_sample_spec *spec, rk_sample_result *result, rk_error *error) {
    if (spec->n_samples == 0 || spec->lanes == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "nothing to do: no samples");
    rk_status status = rk_sample_check(net, spec->points, spec->control, error);
    if (status != RK_OK) return status;
    sampler run = {.net = net, .spec = spec};
    const cost each = {flops_of_two(&run, input, result->covariance), flops_of_control(&run)};
    if (spec->n_samples >= UINT64_MAX / each.two_passes) return too_many(spec->n_samples, error);
    const size_t n_in = rk_network_n_in(net);
    run.division = spec->n_groups
                       ? rk_divide_into_groups(spec->points, n_in, spec->n_samples, spec->n_groups)
                       : rk_divide(spec->points, spec->control, n_in, spec->n_samples);
    run.group_mean = result->group_mean;
    const uint64_t wave = spec->lanes * blocks_per_report((double)each.two_passes / 2 * BLOCK);

    rk_work_step(work, "layers in single precision");
    run.layers = rk_work_take(work, net->n_layers, sizeof *run.layers);
    status = rk_float_layers_take(work, net, input, run.layers, error);
    if (status != RK_OK) return status;
    rk_work_step(work, "%llu passes", (unsigned long long)run.division.n_passes);
    take_points(work, &run, input, wave);
    take_lanes(work, &run, result);
    if (work->dry) return plan_all(work, &run, &each, error);
    pthread_mutex_init(&run.mutex, NULL);
    pthread_cond_init(&run.merged, NULL);
    status = do_all(work, &run, &each, wave, error);
    pthread_cond_destroy(&run.merged);
    pthread_mutex_destroy(&run.mutex);
    report(work, &run, result);
    rk_work_end(work);
    return status;
}
