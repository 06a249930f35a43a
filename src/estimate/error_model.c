#include "estimate/error_model.h"

#include <math.h>

/* Variance-normalised MSE of the means = factor * expansion^power, fitted by bench/accuracy. */
typedef struct law {
    double factor, power;
} law;

static const law law_of_mean = {0.1, 1}, law_of_covariance = {0.3, 2}, law_of_third = {0.02, 3};

static void apply(const law *law_of_method, rk_report *report, size_t n_out) {
    double relative = law_of_method->factor * pow(report->outputs.expansion, law_of_method->power);
    for (size_t i = 0; i < n_out; i++)
        report->error_per_output[i] = sqrt(relative * report->outputs.variance[i]);
}

void rk_error_of_mean(const rk_problem *problem, rk_report *report) {
    apply(&law_of_mean, report, rk_network_n_out(problem->net));
}

void rk_error_of_covariance(const rk_problem *problem, rk_report *report) {
    apply(&law_of_covariance, report, rk_network_n_out(problem->net));
}

void rk_error_of_third(const rk_problem *problem, rk_report *report) {
    apply(&law_of_third, report, rk_network_n_out(problem->net));
}
