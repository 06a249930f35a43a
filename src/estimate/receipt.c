#include "estimate/receipt.h"

#include "base/size.h"
#include "base/stream.h"
#include "sample/sample.h"

#include <math.h>
#include <stdlib.h>

enum { GROUPS = RK_RECEIPT_GROUPS };

/* Average over pairs r != s of groups of d_r . d_s / n, group `without` left out (GROUPS: none). */
static double pair_average(const double *d, size_t n, size_t without) {
    double total = 0, groups = without < GROUPS ? GROUPS - 1 : GROUPS;
    for (size_t i = 0; i < n; i++) {
        double sum = 0, squares = 0;
        for (size_t r = 0; r < GROUPS; r++) {
            if (r == without) continue;
            sum += d[r * n + i];
            squares += d[r * n + i] * d[r * n + i];
        }
        total += sum * sum - squares;
    }
    return total / ((double)n * groups * (groups - 1));
}

/* The means of group r: its own part of the receipt's stream. */
static rk_status sample_group(const rk_problem *problem, size_t r, rk_pool *pool, double *mean,
                              double *errors, rk_error *error) {
    size_t n = rk_network_n_out(problem->net);
    uint64_t share = problem->options.receipt_samples / GROUPS;
    rk_sample_spec spec = {.n_samples = share,
                           .seed = problem->options.seed,
                           .stream = RK_STREAM_RECEIPT,
                           .first_item = r * share,
                           .lanes = (size_t)rk_pool_threads(pool)};
    rk_sample_result result = {.mean = mean, .standard_error = errors, .variance = errors + n};
    rk_work dry, wet = {.dry = false};
    rk_work_init_dry(&dry);
    rk_status status = rk_sample(&dry, problem->net, &problem->input, &spec, &result, error);
    if (status == RK_OK) status = rk_work_init_wet(&wet, &dry, pool, error);
    if (status == RK_OK)
        status = rk_sample(&wet, problem->net, &problem->input, &spec, &result, error);
    rk_work_finish(&wet);
    free(dry.steps);
    return status;
}

rk_status rk_receipt(const rk_problem *problem, const double *estimate, rk_pool *pool, double *mse,
                     double *standard_error, rk_error *error) {
    size_t n = rk_network_n_out(problem->net);
    double *d = rk_alloc(n, GROUPS + 2, sizeof *d); /* group means, then scratch */
    if (!d) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the receipt");
    rk_status status = RK_OK;
    for (size_t r = 0; status == RK_OK && r < GROUPS; r++)
        status = sample_group(problem, r, pool, d + r * n, d + GROUPS * n, error);
    if (status == RK_OK) {
        for (size_t i = 0; i < GROUPS * n; i++)
            d[i] -= estimate[i % n];
        *mse = pair_average(d, n, GROUPS);
        double jackknife[GROUPS], mean = 0, spread = 0;
        for (size_t r = 0; r < GROUPS; r++)
            mean += (jackknife[r] = pair_average(d, n, r)) / GROUPS;
        for (size_t r = 0; r < GROUPS; r++)
            spread += (jackknife[r] - mean) * (jackknife[r] - mean);
        *standard_error = sqrt(spread * (GROUPS - 1) / GROUPS);
    }
    free(d);
    return status;
}
