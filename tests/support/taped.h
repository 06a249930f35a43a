/* Derivatives of a closure's answer, for tests: by the way back and by differences. */
#ifndef TEST_TAPED_H
#define TEST_TAPED_H

#include "propagate/chain.h"

/** A law of propagate/ with its spec: fills `outputs`, and keeps the run in `tape` if not NULL. */
typedef void taped_law(rk_work *work, const rk_network *net, const rk_input *input,
                       rk_outputs *outputs, rk_tape *tape);

/** What f, a sum of answers with fixed random coefficients, contains. */
typedef struct taped_case {
    const char *name;
    taped_law *law;
    bool covariance;  /**< and the variances */
    bool hidden;      /**< means of hidden layers */
    bool cumulants;   /**< third and fourth diagonals */
    bool fixed_input; /**< the input stays N(0, I) */
} taped_case;

/** Fails unless the derivatives of f by every layer's weights and biases, and by the input's mean
 *  and covariance, along random directions, are those by central differences, to `tolerance` of
 *  the largest of all. `mean` and `covariance` NULL: N(0, I). */
void taped_check(const taped_case *c, const rk_network *net, const double *mean,
                 const double *covariance, double tolerance);

#endif
