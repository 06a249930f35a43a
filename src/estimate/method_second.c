#include "estimate/methods.h"

#include "estimate/flops.h"
#include "network/homogeneous.h"
#include "propagate/covariance.h"
#include "propagate/gain.h"
#include "propagate/mean.h"

static const rk_word mean_words[] = {RK_WORD("simple", unit_variance, 0),
                                     RK_WORD("base", unit_variance, 1),
                                     RK_WORD("metric=exact", metric, RK_METRIC_EXACT),
                                     RK_WORD("metric=avg", metric, RK_METRIC_AVERAGE),
                                     {NULL, 0, 0}};

static rk_status check_mean(const rk_problem *problem, rk_error *error) {
    if (problem->arguments.unit_variance && problem->options.covariance)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "mean:base knows no covariance");
    return RK_OK;
}

static double flops_of_mean(const rk_problem *problem) {
    const rk_method_arguments *arguments = &problem->arguments;
    rk_reference_spec spec = {.K = 1,
                              .kind = arguments->unit_variance ? RK_REFERENCE_BASE
                                                               : RK_REFERENCE_SIMPLE,
                              .metric = (rk_metric)arguments->metric};
    return rk_flops_of_reference(problem->net, &spec);
}

static rk_status run_mean(rk_work *work, const rk_problem *problem, rk_report *report,
                          rk_error *error) {
    (void)error;
    rk_mean_spec spec = {(rk_metric)problem->arguments.metric,
                         problem->arguments.unit_variance != 0};
    rk_propagate_mean(work, problem->net, &problem->input, &spec, &report->outputs);
    return RK_OK;
}

const rk_method rk_method_mean = {
    .info = {"mean", "one mean a neuron, one variance a layer (K=1)",
             "simple|base, metric=exact|avg"},
    .words = mean_words,
    .knows_no_covariance = true,
    .takes_residuals = true,
    .check = check_mean,
    .run = run_mean,
    .flops_convention = flops_of_mean,
};

static const rk_word covariance_words[] = {
    RK_WORD("gauge=none", angular, 0), RK_WORD("gauge=angular", angular, 1), {NULL, 0, 0}};

static rk_status check_covariance(const rk_problem *problem, rk_error *error) {
    if (!problem->arguments.angular) return RK_OK;
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
    rk_covariance_spec spec = {problem->arguments.angular != 0};
    rk_propagate_covariance(work, problem->net, &problem->input, &spec, &report->outputs);
    return RK_OK;
}

const rk_method rk_method_covariance = {
    .info = {"covariance", "means and the full covariance (K=2)", "gauge=none|angular"},
    .words = covariance_words,
    .takes_residuals = true,
    .check = check_covariance,
    .run = run_covariance,
    .flops_convention = flops_of_covariance,
};

static rk_status check_gain(const rk_problem *problem, rk_error *error) {
    return rk_network_check_homogeneous(problem->net, error);
}

static rk_status run_gain(rk_work *work, const rk_problem *problem, rk_report *report,
                          rk_error *error) {
    (void)error;
    rk_propagate_gain(work, problem->net, &problem->input, &report->outputs);
    return RK_OK;
}

const rk_method rk_method_gain = {
    .info = {"gain", "covariance and the network's common random gain (homogeneous networks)", ""},
    .check = check_gain,
    .run = run_gain,
};
