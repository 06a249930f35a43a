#include "estimate/methods.h"

#include "estimate/flops.h"

#include <math.h>

static const rk_word reference_words[] = {RK_WORD("1", order, 1),
                                          RK_WORD("2", order, 2),
                                          RK_WORD("3", order, 3),
                                          RK_WORD("4", order, 4),
                                          RK_WORD("simple", terms, RK_REFERENCE_SIMPLE),
                                          RK_WORD("augment", terms, RK_REFERENCE_AUGMENT),
                                          RK_WORD("base", terms, RK_REFERENCE_BASE),
                                          RK_WORD("factored", dense, 0),
                                          RK_WORD("dense", dense, 1),
                                          RK_WORD("metric=exact", metric, RK_METRIC_EXACT),
                                          RK_WORD("metric=avg", metric, RK_METRIC_AVERAGE),
                                          {NULL, 0, 0, 0, 0}};

rk_status rk_run_reference(rk_work *work, const rk_problem *problem, const rk_reference_spec *spec,
                           rk_report *report, rk_error *error) {
    return rk_propagate_reference(work, problem->net, &problem->input, spec, &report->outputs, NULL,
                                  error);
}

rk_reference_spec rk_reference_spec_of(const rk_method_spec *spec) {
    return (rk_reference_spec){
        .K = spec->order, .kind = spec->terms, .factored = !spec->dense, .metric = spec->metric};
}

#define RK_OF_ORDER(k, kind_of_terms)                                                              \
    .spec = {.kind = RK_REFERENCE, .order = k, .terms = kind_of_terms}, .for_comparison = true
static const rk_variant reference_variants[] = {
    {.spec = {.kind = RK_REFERENCE, .order = 1, .metric = RK_METRIC_AVERAGE},
     .for_comparison = true},
    {RK_OF_ORDER(1, RK_REFERENCE_SIMPLE)},
    {RK_OF_ORDER(1, RK_REFERENCE_AUGMENT)},
    {RK_OF_ORDER(2, RK_REFERENCE_SIMPLE)},
    {RK_OF_ORDER(3, RK_REFERENCE_SIMPLE)},
    {RK_OF_ORDER(4, RK_REFERENCE_SIMPLE)},
    {RK_OF_ORDER(2, RK_REFERENCE_AUGMENT),
     .laws = {.means = {0.593, 1.83, 0.20, 0.76, 0.2, 6},
              .covariances = {1.94, 1.90, -0.32, 1.49, INFINITY, 6},
              .assumes = {.average = true}}},
    {RK_OF_ORDER(3, RK_REFERENCE_AUGMENT),
     .laws = {.means = {0.71, 1.75, 1.17, 0.52, 0.12, 6},
              .covariances = {1.41, 1.50, 0.72, 0.49, INFINITY, 6},
              .assumes = {.average = true}}},
};

static bool reference_covers(const rk_method_spec *variant, const rk_method_spec *spec) {
    return variant->order == spec->order && variant->terms == spec->terms;
}

/* Those of `simple` terms; for K = 1 the others are the same but for what base takes as 1. */
static bool find_native(const rk_method_spec *spec, rk_method_spec *native) {
    static const rk_method_spec of_order[] = {
        [1] = {.kind = RK_MEAN},
        [2] = {.kind = RK_COVARIANCE},
        [3] = {.kind = RK_THIRD, .tilt = RK_TILT_OFF},
        [4] = {.kind = RK_FOURTH},
    };
    *native = of_order[spec->order];
    if (spec->order > 1) return spec->terms == RK_REFERENCE_SIMPLE;
    native->metric = spec->metric;
    if (spec->terms == RK_REFERENCE_BASE) native->terms = spec->terms;
    return true;
}

static rk_status check_reference(const rk_problem *problem, rk_error *error) {
    rk_reference_spec spec = rk_reference_spec_of(&problem->spec);
    if (spec.K == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "reference needs an order: reference:1 .. 4");
    if (problem->options.cumulants > spec.K)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "reference:%d knows no cumulants of degree %d",
                       spec.K, problem->options.cumulants);
    return rk_reference_check(&spec, &problem->input, problem->options.covariance, error);
}

static double flops_of_reference(const rk_problem *problem) {
    rk_reference_spec spec = rk_reference_spec_of(&problem->spec);
    return rk_flops_of_reference(problem->net, &spec);
}

static rk_status run_reference(rk_work *work, const rk_problem *problem, rk_report *report,
                               rk_error *error) {
    rk_reference_spec spec = rk_reference_spec_of(&problem->spec);
    return rk_run_reference(work, problem, &spec, report, error);
}

const rk_method rk_method_reference = {
    .info = {"reference", "the published family, number for number",
             "1|2|3|4, simple|augment|base, factored|dense, metric=exact|avg"},
    .words = reference_words,
    .takes_third_cumulant = true,
    .most_cumulants = 4,
    RK_VARIANTS(reference_variants),
    .covers = reference_covers,
    .find_native = find_native,
    .check = check_reference,
    .run = run_reference,
    .flops_convention = flops_of_reference,
};

static const rk_variant fourth_variants[] = {
    {.spec = {.kind = RK_FOURTH},
     .laws = {.means = {1.61, 1.39, 2.07, -0.15, 0.22, 8.9},
              .covariances = {1.43, 1.78, -0.09, -0.96, INFINITY, 6}}},
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
    RK_VARIANTS(fourth_variants),
    .pace = {0.2, 40},
    .run = run_fourth,
    .flops_convention = flops_of_fourth,
};
