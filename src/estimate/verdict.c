#include "estimate/verdict.h"

#include <math.h>

/* Standard errors of the receipt that chance does not explain: of the mean square, and of a single
 * output, whose error comes from so few groups and which is the worst of many. */
static const double SURELY = 4, SURELY_ONE = 10;

/* A stated error is the scale of what an answer may err by, from which many directions together
 * stray by less than a factor of two; a single one is within three, and the worst of many in five.
 */
static const double MOST_ONE = 5;

static double most_squared(const rk_finding *finding) {
    return 4 + 5 / finding->directions;
}

static bool is_refuted(const rk_finding *finding, double stated) {
    double least = finding->mse - SURELY * finding->standard_error;
    return least > most_squared(finding) * stated * stated;
}

static bool is_refuted_at(const rk_answer_data *data, const rk_receipt *receipt, size_t i) {
    return fabs(data->mean[i] - receipt->mean[i]) >
           MOST_ONE * data->error_per_output[i] + SURELY_ONE * receipt->error[i];
}

/* The root mean square error to expect of an output after the receipt: without it D ~ N(0, prior),
 * and the receipt saw D = d with its own error s. */
static double after(double prior, double d, double s) {
    double weight = prior > 0 ? prior / (prior + s * s) : 0;
    return sqrt(weight * weight * d * d + weight * s * s);
}

/* What the receipt measured: the errors stated, as much larger as it finds them all together, and
 * what it sees of each. */
static void measure(rk_answer *answer, const rk_receipt *receipt, const rk_finding *finding) {
    rk_answer_data *data = &answer->data;
    const size_t n = data->n_out;
    const double stated = data->error_rms * data->error_rms, mse = fmax(finding->mse, 0);
    const double least = mse + finding->standard_error; /* where nothing is stated */
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double *error = &answer->report.error_per_output[i];
        double d = data->mean[i] - receipt->mean[i];
        double prior = stated > 0 ? *error * *error * fmax(1, mse / stated) : least;
        if (is_refuted_at(data, receipt, i)) prior = d * d;
        *error = after(prior, d, receipt->error[i]);
        sum += *error * *error;
    }
    data->error_rms = sqrt(sum / (double)n);
    data->error_kind = RK_MEASURED_RMS;
}

static void warn_of(rk_answer *answer, const rk_receipt *receipt, size_t n_single, size_t worst,
                    double stated) {
    const rk_answer_data *data = &answer->data;
    const double rms = data->receipt_rms, se = data->receipt_rms_standard_error;
    if (n_single == 0)
        rk_answer_warn(
            answer,
            "the receipt refutes the stated error: %.2g +- %.1g, not %.2g (%.2g times as "
            "large); the error given is what it measured",
            rms, se, stated, rms / stated);
    else
        rk_answer_warn(answer,
                       "the receipt refutes the stated error of %zu of %zu outputs: y[%zu] is off "
                       "by %.2g +- %.1g; the errors given are what it measured",
                       n_single, data->n_out, worst, data->mean[worst] - receipt->mean[worst],
                       receipt->error[worst]);
}

void rk_verdict_give(rk_answer *answer, const rk_receipt *receipt) {
    rk_answer_data *data = &answer->data;
    if (receipt->samples == 0) return;
    const rk_finding finding = rk_receipt_check(receipt, data->n_out, data->mean);
    const double stated = data->error_rms;
    data->receipt_samples = receipt->samples;
    data->receipt_flops = receipt->flops;
    data->receipt_mse = finding.mse;
    data->receipt_mse_standard_error = finding.standard_error;
    data->receipt_rms = finding.mse > 0 ? sqrt(finding.mse) : finding.mse * 0; /* NaN stays */
    data->receipt_rms_standard_error =
        sqrt(fmax(finding.mse, 0) + finding.standard_error) - data->receipt_rms;
    if (isnan(finding.mse)) return;
    if (isnan(stated)) {
        measure(answer, receipt, &finding);
        return;
    }
    size_t n_single = 0, worst = 0;
    double most = 0;
    for (size_t i = 0; i < data->n_out; i++) {
        if (!is_refuted_at(data, receipt, i)) continue;
        double excess = fabs(data->mean[i] - receipt->mean[i]) / receipt->error[i];
        if (n_single++ == 0 || excess > most) worst = i, most = excess;
    }
    const bool all = is_refuted(&finding, stated);
    data->receipt_verdict = all || n_single ? RK_REFUTES : RK_AGREES;
    if (data->receipt_verdict == RK_AGREES) return;
    measure(answer, receipt, &finding);
    warn_of(answer, receipt, all ? 0 : n_single, worst, stated);
}
