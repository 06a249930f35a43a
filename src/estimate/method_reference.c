#include "estimate/methods.h"

#include "estimate/flops.h"

static const rk_word reference_words[] = {RK_WORD("1", K, 1),
                                          RK_WORD("2", K, 2),
                                          RK_WORD("3", K, 3),
                                          RK_WORD("4", K, 4),
                                          RK_WORD("simple", kind, RK_REFERENCE_SIMPLE),
                                          RK_WORD("augment", kind, RK_REFERENCE_AUGMENT),
                                          RK_WORD("base", kind, RK_REFERENCE_BASE),
                                          RK_WORD("factored", dense, 0),
                                          RK_WORD("dense", dense, 1),
                                          RK_WORD("metric=exact", metric, RK_METRIC_EXACT),
                                          RK_WORD("metric=avg", metric, RK_METRIC_AVERAGE),
                                          {NULL, 0, 0}};

rk_status rk_run_reference(rk_work *work, const rk_problem *problem, const rk_reference_spec *spec,
                           rk_report *report, rk_error *error) {
    return rk_propagate_reference(work, problem->net, &problem->input, spec, &report->outputs, NULL,
                                  error);
}

rk_reference_spec rk_reference_spec_of(const rk_method_arguments *arguments) {
    return (rk_reference_spec){.K = arguments->K,
                               .kind = (rk_reference_kind)arguments->kind,
                               .factored = !arguments->dense,
                               .metric = (rk_metric)arguments->metric};
}

static rk_status check_reference(const rk_problem *problem, rk_error *error) {
    rk_reference_spec spec = rk_reference_spec_of(&problem->arguments);
    if (spec.K == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "reference needs an order: reference:1 .. 4");
    if (problem->options.cumulants > spec.K)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "reference:%d knows no cumulants of degree %d",
                       spec.K, problem->options.cumulants);
    return rk_reference_check(&spec, &problem->input, problem->options.covariance, error);
}

static double flops_of_reference(const rk_problem *problem) {
    rk_reference_spec spec = rk_reference_spec_of(&problem->arguments);
    return rk_flops_of_reference(problem->net, &spec);
}

static rk_status run_reference(rk_work *work, const rk_problem *problem, rk_report *report,
                               rk_error *error) {
    rk_reference_spec spec = rk_reference_spec_of(&problem->arguments);
    return rk_run_reference(work, problem, &spec, report, error);
}

const rk_method rk_method_reference = {
    .info = {"reference", "the published family, number for number",
             "1|2|3|4, simple|augment|base, factored|dense, metric=exact|avg"},
    .words = reference_words,
    .takes_third_cumulant = true,
    .most_cumulants = 4,
    .check = check_reference,
    .run = run_reference,
    .flops_convention = flops_of_reference,
};

static const rk_reference_spec fourth_spec = {.K = 4, .factored = true};

static double flops_of_fourth(const rk_problem *problem) {
    return rk_flops_of_reference(problem->net, &fourth_spec);
}

static rk_status run_fourth(rk_work *work, const rk_problem *problem, rk_report *report,
                            rk_error *error) {
    return rk_run_reference(work, problem, &fourth_spec, report, error);
}

const rk_method rk_method_fourth = {
    .info = {"fourth", "cumulants up to the fourth, that one factored (K=4)", ""},
    .takes_third_cumulant = true,
    .most_cumulants = 4,
    .run = run_fourth,
    .flops_convention = flops_of_fourth,
};
