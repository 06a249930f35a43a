#include "estimate/prepare.h"

#include "base/size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names those that have. */
static rk_status refuse_derivatives(const rk_problem *problem, rk_error *error) {
    char text[RK_METHOD_TEXT], known[200] = "";
    rk_method_spell(&problem->spec, text, sizeof text);
    for (size_t k = 0, used = 0; k < RK_METHOD_COUNT; k++) {
        const rk_method *method = rk_method_of(&(rk_method_spec){.kind = (rk_method_kind)k});
        if (!method->goes_back) continue;
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", method->info.name);
        used = strlen(known);
    }
    return rk_fail(error, RK_ERROR_UNSUPPORTED, "%s has no derivatives here; methods that have: %s",
                   text, known);
}

rk_status rk_problem_check(const rk_problem *problem, rk_error *error) {
    const rk_method *method = rk_method_of(&problem->spec);
    if (!method->takes_residuals) {
        rk_status status = rk_network_check_plain(problem->net, method->info.name, error);
        if (status != RK_OK) return status;
    }
    if (problem->input.third_cumulant && !method->takes_third_cumulant)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "%s takes Gaussian inputs only",
                       method->info.name);
    if (problem->options.cumulants > method->most_cumulants)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "%s knows no cumulants of degree %d",
                       method->info.name, problem->options.cumulants);
    if (problem->options.marginals && !method->knows_marginals)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "%s knows no marginal cumulants",
                       method->info.name);
    if (problem->goes_back && !method->goes_back) return refuse_derivatives(problem, error);
    return method->check ? method->check(problem, error) : RK_OK;
}

rk_status rk_problem_run(const rk_problem *problem, rk_work *work, rk_report *report,
                         rk_receipt *receipt, rk_error *error) {
    rk_status status = rk_method_of(&problem->spec)->run(work, problem, report, error);
    if (status != RK_OK || work->interrupted || problem->receipt.n_samples == 0) return status;
    rk_work_release(work, 0);
    rk_work_listen(work, false);
    return rk_receipt_run(work, problem, receipt, error);
}

/* The dry run looks at what is wanted, never behind the pointers. */
static rk_status run_dry(const rk_problem *problem, rk_work *dry, rk_error *error) {
    double wanted = 0;
    double **hidden = rk_alloc(problem->net->n_layers, 1, sizeof *hidden);
    if (!hidden) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    const rk_options *options = &problem->options;
    rk_tape tape = {.input_covariance = options->input_covariance};
    rk_report nowhere = {.tape = problem->goes_back ? &tape : NULL,
                         .outputs = {.covariance = options->covariance ? &wanted : NULL,
                                     .third = options->cumulants >= 3 ? &wanted : NULL,
                                     .fourth = options->cumulants >= 4 ? &wanted : NULL,
                                     .third_diagonal = options->marginals ? &wanted : NULL,
                                     .fourth_diagonal = options->marginals ? &wanted : NULL,
                                     .hidden_mean = options->layers ? hidden : NULL,
                                     .regime = &nowhere.regime}};
    rk_receipt none = {0};
    rk_work_init_dry(dry);
    rk_status status = rk_problem_run(problem, dry, &nowhere, &none, error);
    free(hidden);
    const bool is_lost = problem->goes_back && !rk_method_of(&problem->spec)->samples &&
                         !(tape.law && tape.law->back);
    return status == RK_OK && is_lost ? refuse_derivatives(problem, error) : status;
}

rk_status rk_problem_check_memory(const rk_problem *problem, const rk_work *dry, rk_error *error) {
    static const uint64_t everybody_has = 1 << 26;
    uint64_t limit = problem->options.memory_limit;
    size_t bytes;
    char method[RK_METHOD_TEXT];
    rk_method_spell(&problem->spec, method, sizeof method);
    if (dry->overflow || !rk_answer_count(problem, &bytes) ||
        !rk_size_mul(bytes, sizeof(double), &bytes) || !rk_size_add(bytes, dry->peak, &bytes))
        return rk_fail(error, RK_ERROR_TOO_LARGE, "%s needs more memory than any machine has",
                       method);
    if (limit == 0) limit = bytes <= everybody_has ? everybody_has : rk_usable_memory();
    if (bytes > limit)
        return rk_fail(error, RK_ERROR_TOO_LARGE, "%s needs %zu bytes; the limit is %llu", method,
                       bytes, (unsigned long long)limit);
    return RK_OK;
}

rk_status rk_problem_prepare(rk_problem *problem, rk_work *dry, rk_error *error) {
    const rk_method *method = rk_method_of(&problem->spec);
    rk_status status = rk_problem_check(problem, error);
    if (status == RK_OK && method->resolve) status = method->resolve(problem, error);
    if (status == RK_OK) status = run_dry(problem, dry, error);
    return status == RK_OK ? rk_problem_check_memory(problem, dry, error) : status;
}

void rk_problem_clear(rk_problem *problem) {
    rk_network_destroy(problem->homogeneous);
    free(problem->roles);
}
