/* Passes of a batch of samples in double, forward and back: products over all samples at once.
 *
 * A sample is a row. z_l = u W_l' + b_l + v and h_l = phi(z_l), u and v being earlier values
 * (network.h), are kept for the way back:
 *
 *     zbar = hbar o phi'(z),   Wbar += zbar' u,   bbar += sum over rows of zbar,
 *     ubar += zbar W,          vbar += zbar.
 *
 * Single passes of the sampler, which nobody takes back, are in sample/passes.h. */
#ifndef RK_GRADIENT_BATCH_H
#define RK_GRADIENT_BATCH_H

#include "base/work.h"
#include "propagate/law.h"

typedef struct rk_batch {
    const rk_network *net; /**< its weights may change from pass to pass */
    size_t most, rows;     /**< samples there is room for; of the last pass */
    const double *x;       /**< rows x n_in, borrowed */
    double *z;             /**< what goes into the activations, layer by layer; NULL: not kept */
    double *h;             /**< what comes out of them */
    double *adjoints;      /**< of all values, the input first; NULL: there is no way back */
} rk_batch;

/** RK_ERROR_UNSUPPORTED, naming the layer, if an activation jumps: what it makes of samples does
 * not show in derivatives of theirs. */
rk_status rk_batch_check(const rk_network *net, rk_error *error);

/** Room for `most` samples: a double a neuron and sample, and if it is to go back two more and the
 *  input's. */
rk_batch rk_batch_take(rk_work *work, const rk_network *net, size_t most, bool back);

/** All values at `rows` <= most inputs `x`, which stay where they are until the way back. Charges 2
 *  a weight and sample and 1 a bias, a value added and an activation. */
void rk_batch_forward(rk_work *work, rk_batch *batch, size_t rows, const double *x);

/** rows x (its size), row-major: value 0 is the input, n_layers the output (network.h). */
const double *rk_batch_value(const rk_batch *batch, size_t value);
const double *rk_batch_output(const rk_batch *batch);

/** The same of adjoints. Before the way back: where those of hidden values may be put. */
double *rk_batch_adjoint(const rk_batch *batch, size_t value);

/** All adjoints become zero, to be filled (rk_batch_adjoint) where f sees values: at the output,
 *  maybe in between. */
void rk_batch_begin_back(rk_work *work, rk_batch *batch);

/** From df / d values as they have been put in: adds to the weights and biases that `to` wants and,
 *  if `input`, makes rk_batch_adjoint(batch, 0). Charges 2 a weight and sample for each of the two
 *  products that somebody needs, 2 an activation and 1 a bias and a value added. */
void rk_batch_back(rk_work *work, rk_batch *batch, const rk_adjoint *to, bool input);

#endif
