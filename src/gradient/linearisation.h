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
    rk_step *steps; /* of a way back or of changes, whichever has more */
    size_t n_steps;
    /* [n_layers], in the law's terms: memory of `work` or of the caller; the last one is for three
     * lists of a network with a constant neuron, or, going forward, for one of weights */
    double **hidden, **bias, **constant;
    rk_tape tape;
};

/** The way back from f in work, dry or wet, which has been the way there. */
rk_status rk_linearisation_back(rk_linearisation *run, rk_work *work, const rk_cotangents *f,
                                const rk_derivatives *to, rk_error *error);

/** True if the run has changes in a direction. */
bool rk_linearisation_has_forward(const rk_linearisation *run);

/** The changes along `direction` in work, dry or wet, which has been the way there. */
void rk_linearisation_forward(rk_linearisation *run, rk_work *work, const rk_derivatives *direction,
                              const rk_tangents *to);

/** Around either: nobody else has run->work meanwhile, whose plan is of so many FLOPs. */
void rk_linearisation_begin(rk_linearisation *run, uint64_t flops);
rk_status rk_linearisation_end(rk_linearisation *run, rk_status status, rk_error *error);

/** (G + G') / 2, n x n, in memory of `work`. */
const double *rk_symmetric_part(rk_work *work, size_t n, const double *G);

/** Refusals: of what an answer does not have, and of the law of an input that is not looked at. */
rk_status rk_refuse_unasked(const char *what, const char *option, rk_error *error);
rk_status rk_refuse_input_law(const rk_linearisation *run, rk_error *error);

#endif
