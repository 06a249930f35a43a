#include "estimate/verdict.h"

#include <math.h>

/* Deviations of a normal that chance does not explain: of all outputs together; of a single one,
 * whose error comes from few groups and which is the worst of many. Such that what was measured is
 * worth more than what was stated; and such that more passes are worth their cost. */
static const double SURELY = 5, SURELY_ONE = 10, LIKELY = 3, DOUBTFULLY = 1.5;

/* A stated error is the scale of what an answer may err by, from which many directions together
 * stray by less than a factor of two; a single one is within three, and the worst of many in five.
 */
static const double MOST_ONE = 5;

static double limit(const rk_finding *finding, double stated) {
    return (4 + 5 / finding->directions) * stated * stated;
}

/* The mean square that a receipt finds, up to so many deviations, where it is `truly`: without it
 * chi-squared of as many degrees as there are directions (Wilson and Hilferty's cube). */
static double by_chance(const rk_finding *finding, double deviations, double truly) {
    const double d = finding->directions, a = 2 / (9 * d);
    const double quantile = pow(1 - a + deviations * sqrt(a), 3);
    return truly + (quantile - 1) * finding->noise +
           2 * deviations * sqrt(truly * finding->noise / d);
}

static bool is_beyond(const rk_finding *finding, double deviations, double stated) {
    return finding->mse > by_chance(finding, deviations, limit(finding, stated));
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

/* What the receipt measured: the errors stated, scaled to what it finds them all together, and what
 * it sees of each. */
static void measure(rk_answer *answer, const rk_receipt *receipt, const rk_finding *finding,
                    bool is_refuted) {
    rk_answer_data *data = &answer->data;
    const size_t n = data->n_out;
    const double stated = data->error_rms * data->error_rms;
    const double found = fmax(finding->mse, 0) + finding->standard_error;
    const double scale = is_refuted ? fmax(1, found / stated) : found / stated;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double *error = &answer->report.error_per_output[i];
        double d = data->mean[i] - receipt->mean[i];
        double prior = stated > 0 ? *error * *error * scale : found;
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

static void enter(rk_answer_data *data, const rk_receipt *receipt, const rk_finding *finding) {
    data->receipt_samples = receipt->samples;
    data->receipt_flops = receipt->flops;
    data->receipt_mse = finding->mse;
    data->receipt_mse_standard_error = finding->standard_error;
    data->receipt_rms = finding->mse < 0 ? 0 : sqrt(finding->mse); /* NaN stays */
    data->receipt_rms_standard_error =
        sqrt(fmax(finding->mse, 0) + finding->standard_error) - data->receipt_rms;
}

void rk_verdict_give(rk_answer *answer, const rk_receipt *receipt) {
    rk_answer_data *data = &answer->data;
    if (receipt->samples == 0) return;
    const rk_finding finding = rk_receipt_check(receipt, data->n_out, data->mean);
    const double stated = data->error_rms, squared = stated * stated;
    enter(data, receipt, &finding);
    if (isnan(finding.mse)) return;
    if (isnan(stated)) {
        measure(answer, receipt, &finding, true);
        return;
    }
    size_t n_single = 0, worst = 0;
    double most = 0;
    for (size_t i = 0; i < data->n_out; i++) {
        if (!is_refuted_at(data, receipt, i)) continue;
        double excess = fabs(data->mean[i] - receipt->mean[i]) / receipt->error[i];
        if (n_single++ == 0 || excess > most) worst = i, most = excess;
    }
    const bool all = is_beyond(&finding, SURELY, stated);
    const bool refuted = all || n_single > 0;
    data->receipt_verdict = refuted ? RK_REFUTES : RK_AGREES;
    const bool is_larger = finding.mse > by_chance(&finding, LIKELY, squared);
    const bool is_smaller = finding.mse + SURELY * finding.standard_error < squared / 4;
    if (refuted || is_larger || is_smaller) measure(answer, receipt, &finding, refuted);
    if (refuted) warn_of(answer, receipt, all ? 0 : n_single, worst, stated);
}

bool rk_verdict_is_doubtful(const rk_answer *answer) {
    const rk_answer_data *data = &answer->data;
    if (answer->receipt.samples == 0) return false;
    if (data->receipt_verdict == RK_REFUTES) return true;
    const rk_finding finding = rk_receipt_check(&answer->receipt, data->n_out, data->mean);
    return is_beyond(&finding, DOUBTFULLY, data->error_rms);
}

void rk_verdict_confront(rk_answer *answer, const rk_answer_data *sample) {
    rk_answer_data *data = &answer->data;
    const double n = (double)data->n_out, stated = data->error_rms;
    if (answer->receipt.samples == 0 || data->receipt_verdict == RK_REFUTES) return;
    rk_finding finding = rk_receipt_check(&answer->receipt, data->n_out, data->mean);
    finding.mse = finding.noise = 0;
    for (size_t i = 0; i < data->n_out; i++) {
        const double d = data->mean[i] - sample->mean[i], s = sample->error_per_output[i];
        finding.noise += s * s / n;
        finding.mse += (d * d - s * s) / n;
    }
    if (!is_beyond(&finding, SURELY, stated)) return;
    data->receipt_verdict = RK_REFUTES;
    data->error_kind = RK_MEASURED_RMS;
    data->error_rms = sqrt(finding.mse);
    for (size_t i = 0; i < data->n_out; i++)
        answer->report.error_per_output[i] =
            hypot(data->mean[i] - sample->mean[i], sample->error_per_output[i]);
}
