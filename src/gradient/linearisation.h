/* An estimate that has kept its run: one arena for the way there and for all ways back.
 *
 * What the network and its input are to users is not what the law has seen: the way back begins
 * with f in the law's terms, and ends with derivatives by the user's weights (vjp.c). */
#ifndef RK_GRADIENT_LINEARISATION_H
#define RK_GRADIENT_LINEARISATION_H

#include "estimate/plan.h"

#include <pthread.h>

struct rk_linearisation {
    rk_linearisation_data data;
    rk_plan *plan;
    rk_answer *answer;
    const double *input_mean; /* as it was given, borrowed; NULL: zero */
    rk_pool *pool;
    pthread_mutex_t mutex; /* of `work` and what it has taken */
    rk_work work;
    rk_step *steps; /* of a way back */
    size_t n_steps;
    /* [n_layers], in the law's terms: memory of `work` or of the caller; the last one is for three
     * lists of a network with a constant neuron */
    double **hidden, **bias, **constant;
    rk_tape tape;
};

/** The way back from f in work, dry or wet, which has been the way there. */
rk_status rk_linearisation_back(rk_linearisation *run, rk_work *work, const rk_cotangents *f,
                                const rk_derivatives *to, rk_error *error);

#endif
