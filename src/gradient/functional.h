/* The law of one number that a network computes, a linear functional of its output or of a layer's
 * pre-activations, by propagated covariances; and how its mean and variance move with everything
 * they depend on. */
#ifndef RK_GRADIENT_FUNCTIONAL_H
#define RK_GRADIENT_FUNCTIONAL_H

#include "propagate/covariance.h"

typedef struct rk_functional {
    size_t depth; /**< of the value, as rk_outputs has it; 0: the output */
    bool bare;
    const double *row; /**< a coefficient for each of its entries */
} rk_functional;

/** A run, kept for the way back. It does not move from its place. */
typedef struct rk_functional_run {
    rk_tape tape;
    rk_outputs outputs;
    size_t n;
    const double *row;
    double *seed, *seed_pairs;
    double mean, variance; /**< filled by the wet run; variance 0 if it was not wanted */
} rk_functional_run;

/** The law at the input N(mean, covariance) of `input`, in memory of `work` that the way back needs
 *  as well. `variance`: that too is wanted. `of_input`: derivatives by its covariance will be. Cost
 *  and memory are those of rk_propagate_covariance with a tape. */
void rk_functional_run_start(rk_work *work, const rk_network *net, const rk_input *input,
                             const rk_covariance_spec *spec, const rk_functional *functional,
                             bool variance, bool of_input, rk_functional_run *run);

/** Adds the derivatives of f to `to`, by_mean and by_variance (NULL: f depends on the mean alone)
 *  being those by the functional's law. */
void rk_functional_run_back(rk_work *work, rk_functional_run *run, double by_mean,
                            const double *by_variance, const rk_adjoint *to);

#endif
