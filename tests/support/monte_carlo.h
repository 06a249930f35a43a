/* rk_sample with its dry run, its pool and its memory in one call. */
#ifndef TEST_MONTE_CARLO_H
#define TEST_MONTE_CARLO_H

#include "sample/sample.h"

typedef struct monte_carlo {
    rk_sample_result result; /* everything is wanted, nothing NULL */
    uint64_t flops_planned, flops_executed;
    double *storage;
    size_t n_values; /* in `storage`: all results one after another */
} monte_carlo;

/** Runs on `threads` threads, as many lanes, and a progress callback that may be NULL. `input`
 *  NULL: the standard normal. Trouble fails the running test. */
monte_carlo monte_carlo_run(const rk_network *net, const rk_input *input, rk_sample_spec spec,
                            int threads, rk_progress progress, void *progress_context);
void monte_carlo_free(monte_carlo *mc);

/** A progress callback: goes on for as many calls as the int behind `calls_left` says. */
bool stop_after(void *calls_left, double fraction);

/** A run of spec.n_samples is its first half and a run as long from item `second` on, together. */
void assert_made_of_halves(const rk_network *net, rk_sample_spec spec, uint64_t second);

#endif
