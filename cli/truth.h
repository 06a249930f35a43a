/* Monte Carlo ground truth in two halves, and what plain sampling costs. */
#ifndef CLI_TRUTH_H
#define CLI_TRUTH_H

#include "model.h"

enum { HALVES = 2 };

/** What a run costs. */
typedef enum resource { FLOPS, SECONDS, N_RESOURCES } resource;

typedef struct truth {
    rk_answer *half[HALVES];
    const rk_answer_data *data[HALVES];
    double *mean;        /* of both halves, n_out */
    double *covariance;  /* of the error of one half, n_out x n_out */
    double trace_square; /* of that covariance */
    double variance;     /* of one pass, averaged over the outputs: sampling's MSE is variance/N */
    double pass_cost[N_RESOURCES]; /* of one pass, without the covariance */
} truth;

/** Samples the halves, `samples` passes each (0: as many as a fixed number of FLOPs pays for), and
 *  watches plain sampling. Returns 0, or an exit code after explaining. Free in either case. */
int truth_find(truth *out, const model *m, const rk_options *run, uint64_t samples);
void truth_free(truth *t);

/** Unbiased estimate of the mean square error of the means `p`, and its standard error. */
void truth_measure(const truth *t, const double *p, double *mse, double *standard_error);

/** Seeds for runs that must be independent of the truth: 0, 1, ... */
uint64_t truth_other_seed(uint64_t seed, size_t index);

/** The least seconds of some runs where a run is short: the first one warms caches. `seconds`: what
 *  one took. */
double least_seconds(const model *m, const rk_options *run, double seconds);

#endif
