/* K = 2: the mean and the full covariance of every layer. */
#ifndef RK_PROPAGATE_COVARIANCE_H
#define RK_PROPAGATE_COVARIANCE_H

#include "propagate/chain.h"
#include "propagate/pairs.h"

typedef struct rk_covariance_spec {
    /** Propagate the law for inputs on the sphere of radius sqrt(n_in) and put the radius back at
     *  the end: exact for homogeneous networks with x ~ N(0, I), and one common fluctuation less
     *  for the closure (docs/MATH.md#angular). */
    bool angular;
    /** What becomes of the covariances of activations. EXACT takes no activation but those that
     *  have a kink (rk_pairs_kink). */
    rk_pairs_spec pairs;
} rk_covariance_spec;

/**
 * Covariance propagation (arXiv:2605.05179, Algorithm 2): variances exact for Gaussian
 * pre-activations, covariances by one of the closures of pairs, to first order as published. About
 * 3 n^3 FLOPs a layer; of the last hidden layer only variances are formed (2 n^3) unless the output
 * covariance is wanted. Memory 3 n^2.
 *
 * `tape` not NULL: keeps the run for rk_tape_back, which takes 5 n^3 a layer. Memory n^2 a layer
 * and 3 n^2 more.
 */
void rk_propagate_covariance(rk_work *work, const rk_network *net, const rk_input *input,
                             const rk_covariance_spec *spec, rk_outputs *outputs, rk_tape *tape);

/** Of a run that was recorded: mean and variance of the pre-activations of layer l, which is
 *  activated (`var` as the law cleared it); memory of the tape. */
typedef struct rk_marginals {
    double *mu, *var;
} rk_marginals;
rk_marginals rk_covariance_marginals(const rk_tape *tape, size_t l);

/** Mean and covariance of what layer l of a recorded run read, l > 0, made anew from the layer
 *  below: n^2 FLOPs. Memory of the tape, until it is asked again or goes back. */
typedef struct rk_moments {
    const double *m, *C;
} rk_moments;
rk_moments rk_covariance_read(rk_tape *tape, size_t l);

#endif
