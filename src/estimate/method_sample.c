#include "estimate/methods.h"

#include "base/stream.h"
#include "estimate/flops.h"
#include "network/homogeneous.h"
#include "sample/division.h"
#include "sample/sample.h"

#include <math.h>

static const rk_word sample_words[] = {RK_WORD("iid", points, RK_POINTS_IID),
                                       RK_WORD("antithetic", points, RK_POINTS_ANTITHETIC),
                                       RK_WORD("orthogonal", points, RK_POINTS_ORTHOGONAL),
                                       RK_WORD("design", points, RK_POINTS_DESIGN),
                                       RK_WORD("control", control, RK_CONTROL_FIRST),
                                       RK_WORD("anchor", control, RK_CONTROL_ANCHOR),
                                       {NULL, 0, 0, 0, 0}};

/* Of one pass. An anchored one begins where one that knows the first layer does: anchor.h. */
static const rk_variant sample_variants[] = {
    {.spec = {.kind = RK_SAMPLE, .points = RK_POINTS_DESIGN, .control = RK_CONTROL_FIRST},
     .laws.means = {0.0325, 0.91, 0.00, 0.53, INFINITY, 1}},
    {.spec = {.kind = RK_SAMPLE, .points = RK_POINTS_DESIGN, .control = RK_CONTROL_ANCHOR}},
    {.spec = {.kind = RK_SAMPLE, .points = RK_POINTS_DESIGN},
     .laws.means = {0.0587, 0.87, 0.00, 0.33, INFINITY, 1}},
    {.spec = {.kind = RK_SAMPLE, .points = RK_POINTS_ORTHOGONAL, .control = RK_CONTROL_FIRST},
     .laws.means = {0.0752, 0.81, 0.00, 0.43, INFINITY, 1}},
    {.spec = {.kind = RK_SAMPLE, .points = RK_POINTS_ORTHOGONAL, .control = RK_CONTROL_ANCHOR}},
    {.spec = {.kind = RK_SAMPLE, .points = RK_POINTS_ORTHOGONAL},
     .laws.means = {0.137, 0.78, 0.00, 0.23, INFINITY, 1}},
    {.spec = {.kind = RK_SAMPLE, .points = RK_POINTS_ANTITHETIC, .control = RK_CONTROL_FIRST},
     .laws.means = {0.292, 0.64, 0.00, 0.22, INFINITY, 1}},
    {.spec = {.kind = RK_SAMPLE, .points = RK_POINTS_ANTITHETIC, .control = RK_CONTROL_ANCHOR}},
    {.spec = {.kind = RK_SAMPLE, .points = RK_POINTS_ANTITHETIC},
     .laws.means = {0.991, 0.84, 0.00, -0.16, INFINITY, 1}},
    {.spec = {.kind = RK_SAMPLE, .control = RK_CONTROL_FIRST},
     .laws.means = {0.261, 0.66, 0.00, 0.23, INFINITY, 1}},
    {.spec = {.kind = RK_SAMPLE, .control = RK_CONTROL_ANCHOR}},
    {.spec = {.kind = RK_SAMPLE}, .laws.means = {1, 0.00, 0.00, 0.00, INFINITY, 1}},
};

static bool sample_covers(const rk_method_spec *variant, const rk_method_spec *spec) {
    return variant->points == spec->points &&
           (variant->control != RK_CONTROL_NONE) == (spec->control != RK_CONTROL_NONE);
}

static double flops_of_sample(const rk_problem *problem) {
    const rk_method_spec *spec = &problem->spec;
    const rk_division division = rk_divide(spec->points, spec->control != RK_CONTROL_NONE,
                                           rk_network_n_in(problem->net), problem->options.samples);
    return rk_flops_of_sample(problem->net, division.n_passes);
}

static rk_status check_sample(const rk_problem *problem, rk_error *error) {
    const rk_control_kind control = problem->spec.control;
    if (problem->goes_back && control != RK_CONTROL_NONE)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "what control and anchor take off has no derivatives: sample without");
    rk_status status =
        rk_sample_check(problem->net, problem->spec.points, control != RK_CONTROL_NONE, error);
    if (status != RK_OK || control != RK_CONTROL_ANCHOR) return status;
    status = rk_network_check_plain(problem->net, "an anchor", error);
    return status == RK_OK ? rk_network_check_scales(problem->net, error) : status;
}

/* Of passes whose control variate knows the first layer, over the variance: roughly what the gains
 * in docs/METHODS.md#sample are, since where to anchor hardly depends on it. */
static double noise_of_sample(const rk_problem *problem) {
    static const struct {
        double deep, shallow;
    } gain[] = {[RK_POINTS_IID] = {1.2, 16},
                [RK_POINTS_ANTITHETIC] = {1.2, 16},
                [RK_POINTS_ORTHOGONAL] = {1.6, 70},
                [RK_POINTS_DESIGN] = {2, 170}};
    size_t n_in = rk_network_n_in(problem->net);
    rk_point_set points = problem->spec.points;
    bool has_all_bases =
        points == RK_POINTS_ORTHOGONAL &&
        rk_points_per_replicate(points, n_in) == rk_points_per_replicate(RK_POINTS_DESIGN, n_in);
    if (has_all_bases) points = RK_POINTS_DESIGN;
    double hidden = (double)problem->net->n_layers - 1;
    double passes = (double)problem->options.samples;
    return 1 / ((gain[points].deep + gain[points].shallow / (hidden * hidden)) * passes);
}

static rk_status resolve_sample(rk_problem *problem, rk_error *error) {
    if (problem->spec.control != RK_CONTROL_ANCHOR) return RK_OK;
    problem->anchor = rk_anchor_choose(problem->net, noise_of_sample(problem));
    if (problem->anchor.layer == 0) return RK_OK; /* whose mean is known exactly */
    return rk_guess_roles(problem, problem->net, error);
}

/* What the third order makes of the layers up to the anchor. */
static const double *propagate_to_anchor(rk_work *work, const rk_problem *problem,
                                         rk_regime *regime) {
    const size_t depth = problem->anchor.layer + 1;
    size_t n = rk_network_value_size(problem->net, depth);
    rk_outputs outputs = {.depth = depth,
                          .mean = rk_work_doubles(work, n, 1),
                          .variance = rk_work_doubles(work, n, 1),
                          .regime = regime};
    size_t mark = rk_work_mark(work);
    rk_third_spec spec = rk_third_spec_of(&rk_anchor_closure, problem->roles);
    rk_work_listen(work, true); /* without an anchor there are no samples to keep */
    rk_propagate_third(work, problem->net, &problem->input, &spec, &outputs, NULL);
    rk_work_listen(work, false);
    rk_work_release(work, mark);
    return outputs.mean;
}

static rk_status run_sample(rk_work *work, const rk_problem *problem, rk_report *report,
                            rk_error *error) {
    const bool is_anchored = problem->anchor.layer > 0;
    rk_regime anchor = {0};
    const double *mean = is_anchored ? propagate_to_anchor(work, problem, &anchor) : NULL;
    rk_sample_spec spec = {.n_samples = problem->options.samples,
                           .seed = problem->options.seed,
                           .stream = RK_STREAM_SAMPLES,
                           .points = problem->spec.points,
                           .control = problem->spec.control != RK_CONTROL_NONE,
                           .anchor = problem->anchor.layer,
                           .anchor_mean = mean,
                           .lanes = (size_t)problem->options.threads};
    rk_outputs *outputs = &report->outputs;
    rk_sample_result result = {.mean = outputs->mean,
                               .standard_error = report->error_per_output,
                               .variance = outputs->variance,
                               .covariance = outputs->covariance,
                               .hidden_mean = outputs->hidden_mean};
    rk_status status = rk_sample(work, problem->net, &problem->input, &spec, &result, error);
    report->samples = result.n_samples;
    if (!is_anchored || !rk_work_charge(work, 0)) return status;
    report->anchor = anchor;
    double bias = rk_expected_relative(rk_error_laws_of(&rk_anchor_closure), &anchor);
    for (size_t i = 0; i < rk_network_n_out(problem->net); i++)
        report->error_per_output[i] =
            hypot(report->error_per_output[i], sqrt(bias * outputs->variance[i]));
    return status;
}

const rk_method rk_method_sample = {
    .info = {"sample", "Monte Carlo: the mean of forward passes",
             "iid|antithetic|orthogonal|design, control|anchor"},
    .words = sample_words,
    .samples = true,
    RK_VARIANTS(sample_variants),
    .covers = sample_covers,
    .takes_residuals = true,
    .goes_back = true,
    .check = check_sample,
    .resolve = resolve_sample,
    .run = run_sample,
    .flops_convention = flops_of_sample,
};
