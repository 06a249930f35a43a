#include "sample/sample.h"

#include "network/entrance.h"
#include "network/homogeneous.h"
#include "sample/bases.h"
#include "sample/control.h"
#include "sample/division.h"
#include "sample/passes.h"
#include "sample/summary.h"

#include <math.h>
#include <string.h>

enum { BLOCK = RK_PASS_BLOCK };

/* What one thread needs to do a block. */
typedef struct lane {
    double *deviations;
    double *estimate; /* of the output's mean by this block alone; NULL: not needed */
    double *carry;    /* of the control variate */
    rk_summary summary;
} lane;

typedef struct sampler {
    const rk_network *net; /* sees its input once (network/entrance.h) */
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
} sampler;

/* ------------------------------------------------------------------------- points, as a source */

static void negate(size_t count, const float *x, float *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = -x[i];
}

static uint64_t passes_before(const void *context, uint64_t block) {
    const sampler *run = context;
    return rk_passes_before(&run->division, block);
}

/* Of pairs, the mirrored halves come second. */
static void make_products(const void *context, uint64_t block, size_t n, float *scratch, float *z) {
    const sampler *run = context;
    const bool mirrored = rk_points_are_mirrored(run->spec->points);
    const size_t n_items = mirrored ? n / 2 : n, m = run->layers[0].rows;
    const size_t items = mirrored ? BLOCK / 2 : BLOCK;
    const size_t first = (size_t)(block % run->division.blocks_per_replicate) * items;
    rk_points_products(&run->points, block / run->division.blocks_per_replicate, first, n_items,
                       scratch, z);
    if (mirrored) negate(n_items * m, z, z + n_items * m);
}

/* Rotations of the replicates that begin in these blocks. */
static rk_status rotate(rk_work *work, void *context, uint64_t block, uint64_t end_block,
                        rk_error *error) {
    sampler *run = context;
    const uint64_t per = run->division.blocks_per_replicate;
    rk_status status = RK_OK;
    for (uint64_t r = (block + per - 1) / per; r * per < end_block && status == RK_OK; r++)
        status = rk_points_rotate(work, &run->points, r, error);
    return status;
}

/* ---------------------------------------------------------------------------- sums, as a sink */

/* Of all layers below l together. */
static size_t rows_below(const rk_network *net, size_t l) {
    size_t rows = 0;
    while (l-- > 0)
        rows += net->layers[l].rows;
    return rows;
}

/* What the block says of the mean: its average, less what the control variate knows to be wrong. */
static void estimate_mean(const sampler *run, lane *own, const rk_pass_block *block) {
    const size_t n_out = rk_network_n_out(run->net), anchor = run->control.anchor;
    memcpy(own->estimate, own->summary.mean, n_out * sizeof *own->estimate);
    if (!run->spec->control) return;
    const double *wrong = rk_control_start(
        &run->control, block->hidden + rows_below(run->net, anchor), (double)block->n, own->carry);
    for (size_t l = anchor + 1; l < run->net->n_layers; l++)
        wrong = rk_control_carry(&run->control, l, own->carry);
    for (size_t i = 0; i < n_out; i++)
        own->estimate[i] -= wrong[i];
}

static void take_block(void *context, size_t lane_index, const rk_pass_block *block) {
    sampler *run = context;
    lane *own = &run->lanes[lane_index];
    rk_summary_of_block(&own->summary, block->n, block->y, own->deviations);
    if (own->estimate) estimate_mean(run, own, block);
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

static void merge_block(void *context, size_t lane_index, const rk_pass_block *block) {
    sampler *run = context;
    const lane *own = &run->lanes[lane_index];
    rk_summary_merge(&run->total, &own->summary);
    for (size_t i = 0; run->hidden && i < run->n_hidden_values; i++)
        run->hidden[i] += block->hidden[i];
    if (own->estimate) add_to_group(run, block->index, block->n, own->estimate);
}

/* ----------------------------------------------------------------------------------- the plan */

static uint64_t flops_of_two(const sampler *run, const rk_input *input, bool covariance) {
    const rk_point_set points = run->spec->points;
    const rk_layer *first = &run->net->layers[0];
    const uint64_t n_out = rk_network_n_out(run->net);
    uint64_t flops = rk_points_flops(points, first->rows, first->cols);
    if (!rk_points_are_mirrored(points)) flops *= 2;
    flops += rk_passes_flops_of_two(run->net, input->mean != NULL);
    return covariance ? flops + 2 * n_out * (n_out + 1) : flops;
}

static double *take_zeros(rk_work *work, size_t count) {
    double *zeros = rk_work_doubles(work, count, 1);
    if (rk_work_charge(work, 0)) memset(zeros, 0, count * sizeof *zeros);
    return zeros;
}

static lane take_lane(rk_work *work, const sampler *run, bool covariance) {
    const size_t n_out = rk_network_n_out(run->net);
    const bool pairs = run->spec->points == RK_POINTS_ANTITHETIC;
    lane own = {.deviations = NULL};
    if (covariance) own.deviations = rk_work_doubles(work, BLOCK, n_out);
    if (run->division.by_group) own.estimate = rk_work_doubles(work, n_out, 1);
    if (run->spec->control) own.carry = rk_work_doubles(work, run->control.room, 1);
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
        run->n_hidden_values = rows_below(run->net, run->control.anchor + 1);
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
static uint64_t flops_of_control(const sampler *run, size_t anchor) {
    uint64_t flops = 0;
    for (size_t l = anchor + 1; run->spec->control && l < run->net->n_layers; l++)
        if (run->net->layers[l].weight)
            flops += 2 * (uint64_t)run->net->layers[l].rows * run->net->layers[l].cols;
    return flops;
}

static void take_points(rk_work *work, sampler *run, const rk_input *input, uint64_t at_once) {
    const rk_layer *first = &run->net->layers[0];
    const rk_stream stream = {run->spec->seed, run->spec->stream};
    /* blocks may begin and end within replicates */
    uint64_t n_slots = at_once / run->division.blocks_per_replicate + 2;
    if (n_slots > run->division.n_replicates) n_slots = run->division.n_replicates;
    run->points =
        rk_points_take(work, run->spec->points, stream, run->spec->first_item, first->rows,
                       first->cols, run->layers, is_homogeneous(run->net, input), (size_t)n_slots);
}

static rk_status too_many(uint64_t n_samples, rk_error *error) {
    return rk_fail(error, RK_ERROR_TOO_LARGE, "%llu samples are more than anyone can wait for",
                   (unsigned long long)n_samples);
}

/* Of all replicates, which the passes draw when they come to them. */
static rk_status plan_rotations(rk_work *work, sampler *run, const rk_passes *passes,
                                rk_error *error) {
    const rk_division *of = &run->division;
    uint64_t rotation = 0;
    if (rk_points_are_rotated(run->spec->points)) {
        const uint64_t before = work->flops;
        rk_points_rotate(work, &run->points, 0, NULL);
        rotation = work->flops - before;
    }
    if ((double)of->n_replicates * (double)rotation +
            (double)of->n_passes * (double)passes->flops_of_two +
            (double)of->n_blocks * (double)passes->flops_of_block >=
        (double)UINT64_MAX)
        return too_many(run->spec->n_samples, error);
    rk_work_charge(work, (of->n_replicates - 1) * rotation);
    return RK_OK;
}

/* -------------------------------------------------------------------------------- the result */

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

/* `hidden_mean` is of the layers from `first` on. */
static void report_hidden(const sampler *run, size_t first, double **hidden_mean) {
    const double *sum = run->hidden, n = (double)run->total.n;
    for (size_t l = 0; sum && l + 1 < run->net->n_layers; l++) {
        const size_t rows = run->layers[l].rows;
        const rk_frame *frame = run->layers[l].frame;
        const double *wrong = NULL;
        if (run->spec->control && l == run->control.anchor)
            wrong = rk_control_start(&run->control, sum, n, run->lanes[0].carry);
        else if (run->spec->control && l > run->control.anchor)
            wrong = rk_control_carry(&run->control, l, run->lanes[0].carry);
        for (size_t i = 0; l >= first && i < rows; i++) {
            const double mean = sum[i] / n;
            hidden_mean[l - first][i] =
                frame->centre[i] + frame->unit[i] * (wrong ? mean - wrong[i] : mean);
        }
        sum += rows;
    }
}

static void report(rk_work *work, const sampler *run, size_t first, rk_sample_result *result) {
    if (!rk_work_charge(work, 0)) return;
    const rk_summary *means = run->division.by_group ? &run->group_means : &run->total;
    result->n_samples =
        run->division.by_group ? means->n * run->division.passes_per_group : means->n;
    report_outputs(run, means, result);
    report_groups(run);
    add_rounding(run, means, result);
    add_unseen(run, result);
    report_hidden(run, first, result->hidden_mean);
}

/* --------------------------------------------------------------------------------- the whole */

rk_status rk_sample_check(const rk_network *net, rk_point_set points, bool control,
                          rk_error *error) {
    if (control && net->n_layers < 2)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "a control variate needs a hidden layer");
    if (rk_points_are_rotated(points) && rk_network_n_in(net) > RK_BASES_MAX)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "orthogonal points and designs are for at most %d inputs", RK_BASES_MAX);
    return RK_OK;
}

/* `first`: of the layers of run->net, the one that the caller takes for the first. */
static rk_status sample(rk_work *work, sampler *run, size_t first, const rk_input *input,
                        rk_sample_result *result, rk_error *error) {
    const rk_sample_spec *spec = run->spec;
    const size_t n_in = rk_network_n_in(run->net);
    const size_t anchor = spec->anchor_mean ? spec->anchor + first : 0;
    rk_passes passes = {.net = run->net,
                        .lanes = spec->lanes,
                        .flops_of_two = flops_of_two(run, input, result->covariance),
                        .flops_of_block = flops_of_control(run, anchor)};
    if (spec->n_samples >= UINT64_MAX / passes.flops_of_two)
        return too_many(spec->n_samples, error);
    run->division = spec->n_groups
                        ? rk_divide_into_groups(spec->points, n_in, spec->n_samples, spec->n_groups)
                        : rk_divide(spec->points, spec->control, n_in, spec->n_samples);

    rk_work_step(work, "layers in single precision");
    passes.layers = run->layers = rk_work_take(work, run->net->n_layers, sizeof *run->layers);
    rk_status status = rk_float_layers_take(work, run->net, input, run->layers, error);
    if (status != RK_OK) return status;
    rk_work_step(work, "%llu passes", (unsigned long long)run->division.n_passes);
    take_points(work, run, input, rk_passes_at_once(spec->lanes, passes.flops_of_two));
    if (spec->control)
        run->control = rk_control_take(work, run->net, run->layers, anchor, spec->anchor_mean);
    take_lanes(work, run, result);
    if (work->dry) status = plan_rotations(work, run, &passes, error);
    const rk_pass_source source = {.context = run,
                                   .n_blocks = run->division.n_blocks,
                                   .most = BLOCK,
                                   .scratch = rk_points_scratch(spec->points, n_in),
                                   .passes_before = passes_before,
                                   .prepare = rk_points_are_rotated(spec->points) ? rotate : NULL,
                                   .make = make_products};
    const rk_pass_sink sink = {
        .context = run, .n_hidden = run->n_hidden_values, .take = take_block, .merge = merge_block};
    if (status == RK_OK) status = rk_passes_run(work, &passes, &source, &sink, error);
    report(work, run, first, result);
    rk_work_end(work);
    return status;
}

rk_status rk_sample(rk_work *work, const rk_network *net, const rk_input *input,
                    const rk_sample_spec *spec, rk_sample_result *result, rk_error *error) {
    if (spec->n_samples == 0 || spec->lanes == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "nothing to do: no samples");
    rk_status status = rk_sample_check(net, spec->points, spec->control, error);
    rk_network *entered = NULL;
    if (status == RK_OK && !rk_network_enters_once(net))
        status = rk_network_enter_once(&entered, net, error);
    sampler run = {.net = entered ? entered : net, .spec = spec, .group_mean = result->group_mean};
    if (status == RK_OK) status = sample(work, &run, entered != NULL, input, result, error);
    rk_network_destroy(entered);
    return status;
}
