#include "estimate/receipt.h"

#include "base/size.h"
#include "base/stream.h"
#include "sample/sample.h"

#include <math.h>
#include <stdlib.h>

enum { GROUPS = RK_RECEIPT_GROUPS };

/* The U-statistic of g_rs = d_r . d_s / n over pairs of groups, and its standard error.
 *
 * Its variance is 4/R Var(E[g_rs | r]) + 2/R^2 Var g_rs, to leading order. The spread of the row
 * means of g holds the first term and twice the second: one is taken off again. Where the estimate
 * is all but exact only the second remains, and the jackknife, which keeps both, would be 40 % too
 * large. */
static void average_pairs(const double *d, size_t n, double *mse, double *standard_error) {
    double row[GROUPS] = {0}, sum = 0, squares = 0;
    for (size_t r = 0; r < GROUPS; r++)
        for (size_t s = 0; s < r; s++) {
            double g = 0;
            for (size_t i = 0; i < n; i++)
                g += d[r * n + i] * d[s * n + i] / (double)n;
            row[r] += g / (GROUPS - 1);
            row[s] += g / (GROUPS - 1);
            sum += g;
            squares += g * g;
        }
    double pairs = GROUPS * (GROUPS - 1) / 2.0, mean = sum / pairs, row_spread = 0;
    double pair_spread = (squares - pairs * mean * mean) / (pairs - 1);
    for (size_t r = 0; r < GROUPS; r++)
        row_spread += (row[r] - mean) * (row[r] - mean) / (GROUPS - 1);
    double degenerate = pair_spread / pairs;
    *mse = mean;
    row_spread *= (GROUPS - 1.0) / (GROUPS - 2) * (GROUPS - 1.0) / (GROUPS - 2); /* rows overlap */
    *standard_error = sqrt(fmax(4 * row_spread / GROUPS - degenerate, degenerate));
}

/* Group r: its own part of the receipt's stream. */
static rk_sample_spec group_spec(const rk_problem *problem, size_t r) {
    uint64_t share = problem->options.receipt_samples / GROUPS;
    return (rk_sample_spec){.n_samples = share,
                            .seed = problem->options.seed,
                            .stream = RK_STREAM_RECEIPT,
                            .first_item = r * share,
                            .lanes = (size_t)problem->options.threads};
}

static rk_status plan_group(const rk_problem *problem, rk_work *dry, rk_error *error) {
    const rk_sample_spec spec = group_spec(problem, 0);
    double wanted;
    rk_sample_result result = {.mean = &wanted, .standard_error = &wanted, .variance = &wanted};
    rk_work_init_dry(dry);
    return rk_sample(dry, problem->net, &problem->input, &spec, &result, error);
}

/* The progress of one group among all. */
typedef struct part {
    const rk_options *options;
    size_t group;
} part;

static bool report_part(void *context, double fraction) {
    const part *p = context;
    return p->options->progress(p->options->progress_context,
                                ((double)p->group + fraction) / GROUPS);
}

/* Its means; `scratch` has 2 n_out entries. */
static rk_status sample_group(const rk_problem *problem, size_t r, const rk_work *dry,
                              rk_pool *pool, double *mean, double *scratch, rk_error *error) {
    const rk_sample_spec spec = group_spec(problem, r);
    size_t n = rk_network_n_out(problem->net);
    rk_sample_result result = {.mean = mean, .standard_error = scratch, .variance = scratch + n};
    part p = {&problem->options, r};
    rk_work wet;
    rk_status status = rk_work_init_wet(&wet, dry, pool, error);
    if (status == RK_OK) {
        wet.progress = p.options->progress ? report_part : NULL;
        wet.progress_context = &p;
        status = rk_sample(&wet, problem->net, &problem->input, &spec, &result, error);
    }
    if (status == RK_OK && wet.interrupted)
        status = rk_fail(error, RK_ERROR_INTERRUPTED, "the receipt was interrupted");
    rk_work_finish(&wet);
    return status;
}

enum { SCRATCH = 2 }; /* vectors beside the groups' means */

rk_status rk_receipt(const rk_problem *problem, const double *estimate, rk_pool *pool, double *mse,
                     double *standard_error, rk_error *error) {
    size_t n = rk_network_n_out(problem->net);
    double *d = rk_alloc(n, GROUPS + SCRATCH, sizeof *d);
    if (!d) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the receipt");
    rk_work dry;
    rk_status status = plan_group(problem, &dry, error);
    for (size_t r = 0; status == RK_OK && r < GROUPS; r++)
        status = sample_group(problem, r, &dry, pool, d + r * n, d + GROUPS * n, error);
    if (status == RK_OK) {
        for (size_t i = 0; i < GROUPS * n; i++)
            d[i] -= estimate[i % n];
        average_pairs(d, n, mse, standard_error);
    }
    free(dry.steps);
    free(d);
    return status;
}

rk_status rk_receipt_bytes(const rk_problem *problem, size_t *bytes, rk_error *error) {
    *bytes = 0;
    if (problem->options.receipt_samples == 0) return RK_OK;
    rk_work dry;
    rk_status status = plan_group(problem, &dry, error);
    size_t vectors = (GROUPS + SCRATCH) * rk_network_n_out(problem->net) * sizeof(double);
    if (status == RK_OK && (dry.overflow || !rk_size_add(dry.peak, vectors, bytes)))
        *bytes = SIZE_MAX;
    free(dry.steps);
    return status;
}
