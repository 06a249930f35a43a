#include "estimate/receipt.h"

#include "base/stream.h"
#include "estimate/pace.h"
#include "sample/division.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = RK_RECEIPT_GROUPS };

/* ------------------------------------------------------------------------------- its passes */

static rk_sample_spec spec_of(const rk_problem *problem, rk_point_set points, bool control,
                              uint64_t samples) {
    const rk_division of =
        rk_divide_into_groups(points, rk_network_n_in(problem->net), samples, GROUPS);
    const uint64_t threads = (uint64_t)problem->options.threads;
    return (rk_sample_spec){.n_samples = of.n_passes,
                            .seed = problem->options.seed,
                            .stream = RK_STREAM_RECEIPT,
                            .points = points,
                            .n_groups = GROUPS,
                            .control = control,
                            .lanes = (size_t)(threads < of.n_blocks ? threads : of.n_blocks)};
}

static rk_status take(rk_work *work, const rk_problem *problem, const rk_sample_spec *spec,
                      rk_receipt *receipt, rk_error *error) {
    rk_sample_result result = {.mean = receipt->mean,
                               .standard_error = receipt->error,
                               .variance = receipt->variance,
                               .group_mean = receipt->group};
    const size_t first = work->n_steps_done;
    const uint64_t flops_before = work->flops;
    receipt->begun = true;
    rk_status status = rk_sample(work, problem->net, &problem->input, spec, &result, error);
    for (size_t s = first; s < work->n_steps_done; s++) {
        char label[sizeof work->steps->label];
        memcpy(label, work->steps[s].label, sizeof label);
        snprintf(work->steps[s].label, sizeof label, "receipt: %.50s", label);
    }
    receipt->flops = work->flops - flops_before;
    if (status == RK_OK && !work->interrupted) receipt->samples = spec->n_samples;
    return status;
}

/* FLOPs and bytes; infinite where it cannot be. */
static double cost(const rk_problem *problem, const rk_sample_spec *spec, double *bytes) {
    rk_work dry;
    rk_receipt nowhere = {0};
    rk_work_init_dry(&dry);
    bool fails = take(&dry, problem, spec, &nowhere, NULL) != RK_OK || dry.overflow;
    *bytes = (double)dry.peak;
    double flops = fails ? (double)INFINITY : (double)dry.flops;
    free(dry.steps);
    return flops;
}

/* Control variates and rotated bases see more, but have a group's price besides that of its passes;
 * bases come whole, and quadrature knows the mean of what may jump anywhere only roughly. */
rk_sample_spec rk_receipt_spec(const rk_problem *problem, uint64_t samples) {
    static const struct {
        rk_point_set points;
        double worth; /* times the cost of plain passes */
    } better[] = {{RK_POINTS_ORTHOGONAL, 1.4}, {RK_POINTS_IID, 1.2}};
    if (samples == 0) return (rk_sample_spec){.n_samples = 0};
    const rk_sample_spec plain = spec_of(problem, RK_POINTS_IID, false, samples);
    double bytes, of_pass = cost(problem, &plain, &bytes) / (double)plain.n_samples;
    const bool jumps = problem->net->layers[0].activation.kind == RK_CUSTOM;
    for (size_t i = 0; !jumps && i < sizeof better / sizeof *better; i++) {
        const rk_sample_spec spec = spec_of(problem, better[i].points, true, samples);
        if (spec.n_samples <= plain.n_samples + plain.n_samples / 4 &&
            cost(problem, &spec, &bytes) <= better[i].worth * of_pass * (double)spec.n_samples)
            return spec;
    }
    return plain;
}

rk_sample_spec rk_receipt_within(const rk_problem *problem, double flops, double seconds,
                                 double speed) {
    enum { LEAST = 2 * GROUPS, ATTEMPTS = 8 };
    rk_sample_spec spec = spec_of(problem, RK_POINTS_IID, false, LEAST);
    double most = LEAST;
    for (int k = 0; k <= ATTEMPTS && most >= LEAST; k++) {
        double bytes, needed = cost(problem, &spec, &bytes);
        const double share = /* of them that is paid for */
            fmin(flops / needed, seconds / rk_pace_of_passes(problem, &spec, needed, speed));
        if (bytes > (double)problem->options.memory_limit || !isfinite(share)) break;
        if (k > 0 && share >= 1) return spec;
        most = k > 0 ? fmin(most, (double)spec.n_samples) * fmin(0.95, share) : LEAST * share;
        spec = rk_receipt_spec(problem, (uint64_t)fmin(most, 0x1p62));
    }
    return (rk_sample_spec){.n_samples = 0};
}

rk_status rk_receipt_run(rk_work *work, const rk_problem *problem, rk_receipt *receipt,
                         rk_error *error) {
    return take(work, problem, &problem->receipt, receipt, error);
}

/* ------------------------------------------------------------------------------ what it says */

/* The U-statistic of g_rs = d_r . d_s / n over pairs of groups, and its standard error.
 *
 * Its variance is 4/R Var(E[g_rs | r]) + 2/R^2 Var g_rs, to leading order. The spread of the row
 * means of g holds the first term and twice the second: one is taken off again. Where the estimate
 * is all but exact only the second remains, and the jackknife, which keeps both, would be 40 % too
 * large. `noise` is the mean square of a group's own error. */
static rk_finding average_pairs(size_t n, const double *group, const double *estimate,
                                double noise) {
    double row[GROUPS] = {0}, sum = 0, squares = 0;
    for (size_t r = 0; r < GROUPS; r++)
        for (size_t s = 0; s < r; s++) {
            double g = 0;
            for (size_t i = 0; i < n; i++)
                g +=
                    (group[r * n + i] - estimate[i]) * (group[s * n + i] - estimate[i]) / (double)n;
            row[r] += g / (GROUPS - 1);
            row[s] += g / (GROUPS - 1);
            sum += g;
            squares += g * g;
        }
    double pairs = GROUPS * (GROUPS - 1) / 2.0, mean = sum / pairs, row_spread = 0;
    double pair_spread = fmax(0, squares - pairs * mean * mean) / (pairs - 1);
    for (size_t r = 0; r < GROUPS; r++)
        row_spread += (row[r] - mean) * (row[r] - mean) / (GROUPS - 1);
    double degenerate = pair_spread / pairs;
    row_spread *= (GROUPS - 1.0) / (GROUPS - 2) * (GROUPS - 1.0) / (GROUPS - 2); /* rows overlap */
    /* Var g_rs is tr C^2 / n^2 for groups of covariance C, whose trace is n times the noise */
    double directions = pair_spread > 0 ? noise * noise / pair_spread : 1;
    return (rk_finding){.mse = mean,
                        .standard_error =
                            sqrt(fmax(4 * row_spread / GROUPS - degenerate, degenerate)),
                        .directions = fmax(1, fmin(directions, (double)n))};
}

/* Of a group's mean of output i, as the groups differ. */
static double spread(const rk_receipt *receipt, size_t n, size_t i) {
    double sum = 0;
    for (size_t r = 0; r < GROUPS; r++) {
        double d = receipt->group[r * n + i] - receipt->mean[i];
        sum += d * d / (GROUPS - 1);
    }
    return sum;
}

rk_finding rk_receipt_check(const rk_receipt *receipt, size_t n, const double *estimate) {
    double of_group = 0, noise = 0;
    for (size_t i = 0; i < n; i++) {
        of_group += spread(receipt, n, i) / (double)n;
        noise += receipt->error[i] * receipt->error[i] / (double)n;
    }
    rk_finding finding = average_pairs(n, receipt->group, estimate, of_group);
    finding.noise = noise;
    /* what all groups share does not show in their differences */
    const double rounding = fmax(0, noise - of_group / GROUPS);
    double shared = rounding + 2 * sqrt(rounding * fmax(finding.mse, 0));
    finding.standard_error = hypot(finding.standard_error, shared);
    return finding;
}
