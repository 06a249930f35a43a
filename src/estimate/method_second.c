#include "estimate/methods.h"

#include "estimate/flops.h"
#include "network/homogeneous.h"
#include "propagate/covariance.h"
#include "propagate/gain.h"
#include "propagate/mean.h"

#include <math.h>

static const rk_word mean_words[] = {RK_WORD("simple", terms, RK_REFERENCE_SIMPLE),
                                     RK_WORD("base", terms, RK_REFERENCE_BASE),
                                     RK_WORD("metric=exact", metric, RK_METRIC_EXACT),
                                     RK_WORD("metric=avg", metric, RK_METRIC_AVERAGE),
                                     {NULL, 0, 0, 0, 0}};

static const rk_variant mean_variants[] = {
    {.spec = {.kind = RK_MEAN, .metric = RK_METRIC_AVERAGE},
     .laws = {.means = {0.59, 0.91, 0.04, 0.49, INFINITY, 6},
              .covariances = {0.815, -0.17, 0.52, 0.38, INFINITY, 6},
              .assumes = {.one_variance = true,
                          .rows_alike = true,
                          .average = true,
                          .knows_spread = true}}},
    {.spec = {.kind = RK_MEAN},
     .laws = {.means = {0.156, 0.95, 0.01, 0.97, INFINITY, 6},
              .covariances = {0.975, -0.18, 0.55, 0.29, INFINITY, 6},
              .assumes = {.one_variance = true, .average = true, .knows_spread = true}}},
};

static bool is_base(const rk_method_spec *spec) {
    return spec->terms == RK_REFERENCE_BASE;
}

static bool mean_covers(const rk_method_spec *variant, const rk_method_spec *spec) {
    return variant->metric == spec->metric && (spec->metric == RK_METRIC_AVERAGE || !is_base(spec));
}

static rk_status check_mean(const rk_problem *problem, rk_error *error) {
    if (is_base(&problem->spec) && problem->options.covariance)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "mean:base knows no covariance");
    return RK_OK;
}

static double flops_of_mean(const rk_problem *problem) {
    rk_reference_spec spec = {.K = 1, .kind = problem->spec.terms, .metric = problem->spec.metric};
    return rk_flops_of_reference(problem->net, &spec);
}

static rk_status run_mean(rk_work *work, const rk_problem *problem, rk_report *report,
                          rk_error *error) {
    (void)error;
    rk_mean_spec spec = {problem->spec.metric, is_base(&problem->spec)};
    rk_propagate_mean(work, problem->net, &problem->input, &spec, &report->outputs, report->tape);
    return RK_OK;
}

const rk_method rk_method_mean = {
    .info = {"mean", "one mean a neuron, one variance a layer (K=1)",
             "simple|base, metric=exact|avg"},
    .words = mean_words,
    .goes_back = true,
    .knows_no_covariance = true,
    .takes_residuals = true,
    RK_VARIANTS(mean_variants),
    .covers = mean_covers,
    .pace = {0.05, 10},
    .check = check_mean,
    .run = run_mean,
    .flops_convention = flops_of_mean,
};

static const rk_word covariance_words[] = {RK_WORD("gauge=none", angular, 0),
                                           RK_WORD("gauge=angular", angular, 1),
                                           RK_WORD("pairs=first", pairs, RK_PAIRS_FIRST),
                                           RK_WORD("pairs=completed", pairs, RK_PAIRS_COMPLETED),
                                           RK_WORD("pairs=exact", pairs, RK_PAIRS_EXACT),
                                           RK_NUMBER("order=", order, 1, RK_PAIRS_MAX_ORDER),
                                           {NULL, 0, 0, 0, 0}};

/* Order 4 and exact pairs err as much (docs/METHODS.md#pairs). */
enum { USUAL_ORDER = 2 };

static const rk_variant covariance_variants[] = {
    {.spec = {.kind = RK_COVARIANCE, .angular = true},
     .laws = {.means = {0.361, 2.06, -0.29, 1.37, INFINITY, 6},
              .covariances = {1.19, 0.09, 1.29, -0.28, INFINITY, 6},
              .assumes = {.knows_spread = true}}},
    {.spec = {.kind = RK_COVARIANCE},
     .laws = {.means = {0.836, 2.10, -0.29, 1.14, INFINITY, 6},
              .covariances = {2.37, 2.03, -0.58, 2.16, INFINITY, 6},
              .assumes = {.knows_spread = true}}},
    {.spec = {.kind = RK_COVARIANCE, .pairs = RK_PAIRS_COMPLETED, .order = USUAL_ORDER},
     .laws = {.means = {0.67, 2.09, -0.31, 1.19, INFINITY, 6},
              .covariances = {1.16, 2.03, -0.65, 2.45, INFINITY, 6},
              .assumes = {.knows_spread = true}},
     .for_comparison = true},
    {.spec = {.kind = RK_COVARIANCE, .pairs = RK_PAIRS_EXACT},
     .laws = {.means = {0.767, 1.96, -0.15, 1.00, INFINITY, 6},
              .covariances = {1.87, 1.58, -0.21, 1.50, INFINITY, 6},
              .assumes = {.knows_spread = true}},
     .for_comparison = true},
    {.spec = {.kind = RK_COVARIANCE,
              .angular = true,
              .pairs = RK_PAIRS_COMPLETED,
              .order = USUAL_ORDER},
     .laws = {.means = {0.293, 2.00, -0.25, 1.35, INFINITY, 6},
              .covariances = {0.532, 1.42, -0.23, 1.65, INFINITY, 6},
              .assumes = {.knows_spread = true}},
     .for_comparison = true},
    {.spec = {.kind = RK_COVARIANCE, .angular = true, .pairs = RK_PAIRS_EXACT},
     .laws = {.means = {0.296, 2.00, -0.25, 1.35, INFINITY, 6},
              .covariances = {0.581, 1.46, -0.24, 1.68, INFINITY, 6},
              .assumes = {.knows_spread = true}},
     .for_comparison = true},
};

static bool covariance_covers(const rk_method_spec *variant, const rk_method_spec *spec) {
    const bool usual = spec->pairs == RK_PAIRS_COMPLETED && spec->order == 0;
    return variant->angular == spec->angular && variant->pairs == spec->pairs &&
           variant->order == (usual ? USUAL_ORDER : spec->order);
}

static rk_status resolve_covariance(rk_problem *problem, rk_error *error) {
    (void)error;
    rk_method_spec *spec = &problem->spec;
    if (spec->pairs == RK_PAIRS_COMPLETED && spec->order == 0) spec->order = USUAL_ORDER;
    return RK_OK;
}

static rk_status check_pairs(const rk_problem *problem, rk_error *error) {
    const rk_network *net = problem->net;
    if (problem->spec.order && problem->spec.pairs != RK_PAIRS_COMPLETED)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "covariance:order=%d is of completed pairs: say pairs=completed,order=%d",
                       problem->spec.order, problem->spec.order);
    if (problem->spec.pairs != RK_PAIRS_EXACT) return RK_OK;
    for (size_t l = 0; l < net->n_layers; l++)
        if (isnan(rk_pairs_kink(&net->layers[l].activation)))
            return rk_fail(error, RK_ERROR_UNSUPPORTED,
                           "covariance:pairs=exact knows activations that are linear on both sides "
                           "of zero; layer %zu is %s: take pairs=completed,order=%d",
                           l + 1, rk_activation_name(net->layers[l].activation.kind),
                           RK_PAIRS_MAX_ORDER);
    return RK_OK;
}

static rk_status check_covariance(const rk_problem *problem, rk_error *error) {
    rk_status known = check_pairs(problem, error);
    if (known != RK_OK || !problem->spec.angular) return known;
    if (problem->input.covariance)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "covariance:gauge=angular takes standard normal inputs only");
    rk_status status = rk_network_check_plain(problem->net, "covariance:gauge=angular", error);
    return status == RK_OK ? rk_network_check_scales(problem->net, error) : status;
}

static double flops_of_covariance(const rk_problem *problem) {
    rk_reference_spec spec = {.K = 2};
    return rk_flops_of_reference(problem->net, &spec);
}

static rk_status run_covariance(rk_work *work, const rk_problem *problem, rk_report *report,
                                rk_error *error) {
    (void)error;
    rk_covariance_spec spec = {problem->spec.angular, {problem->spec.pairs, problem->spec.order}};
    rk_propagate_covariance(work, problem->net, &problem->input, &spec, &report->outputs,
                            report->tape);
    return RK_OK;
}

const rk_method rk_method_covariance = {
    .info = {"covariance", "means and the full covariance (K=2)",
             "gauge=none|angular, pairs=first|completed|exact, order=1..4"},
    .words = covariance_words,
    .takes_residuals = true,
    .goes_back = true,
    RK_VARIANTS(covariance_variants),
    .covers = covariance_covers,
    .pace = {0.8, 80},
    .check = check_covariance,
    .resolve = resolve_covariance,
    .run = run_covariance,
    .flops_convention = flops_of_covariance,
};

static const rk_variant gain_variants[] = {
    {.spec = {.kind = RK_GAIN},
     .laws = {.means = {0.223, 1.84, -0.04, 1.04, 0.51, 6},
              .covariances = {2.4, 0.14, 1.44, -0.99, INFINITY, 6}}},
};

static rk_status check_gain(const rk_problem *problem, rk_error *error) {
    return rk_network_check_homogeneous(problem->net, error);
}

static rk_status run_gain(rk_work *work, const rk_problem *problem, rk_report *report,
                          rk_error *error) {
    (void)error;
    rk_propagate_gain(work, problem->net, &problem->input, &report->outputs, report->tape);
    return RK_OK;
}

const rk_method rk_method_gain = {
    .info = {"gain", "covariance and the network's common random gain (homogeneous networks)", ""},
    .goes_back = true,
    RK_VARIANTS(gain_variants),
    .pace = {0.75, 60},
    .check = check_gain,
    .run = run_gain,
};
