/* The driver of all closures: one layer after another, and back. */
#ifndef RK_PROPAGATE_CHAIN_H
#define RK_PROPAGATE_CHAIN_H

#include "propagate/law.h"
#include "propagate/watch.h"

typedef struct rk_chain {
    rk_work *work;
    rk_network net; /**< as far as the outputs ask, seen from where it was built */
    const rk_input *input;
    rk_outputs *outputs;
    bool recorded;         /**< for the way back */
    bool input_covariance; /**< whose derivative will be wanted there */
} rk_chain;

rk_chain rk_chain_start(rk_work *work, const rk_network *net, const rk_input *input,
                        rk_outputs *outputs);

/** What a law may ask before it starts: layer l as it will come to it. */
rk_stage rk_chain_stage(const rk_chain *chain, size_t l);

/** Takes `state`, which stands at the input, through the network, and delivers. One step of the
 *  plan a layer; returns early when interrupted. */
void rk_chain_run(const rk_chain *chain, const rk_law *law, void *state);

/* --------------------------------------------------------------------------------- the way back */

/** Of every law's state that can be recorded. */
enum { RK_TAPE_STATE = 16384 };

/** A run that was recorded: what it keeps is in the memory of its rk_work, which the way back goes
 *  on with. The network, input and outputs it was made with must still be there. */
typedef struct rk_tape {
    bool input_covariance; /**< set by the caller: its derivative will be wanted, n_in^2 doubles */
    bool standard_input;   /**< set by the law: it is for N(0, I), with no derivatives by that */
    rk_chain chain;
    const rk_law *law;
    union {
        max_align_t alignment;
        unsigned char bytes[RK_TAPE_STATE];
    } state;
} rk_tape;

/** For laws: `chain` recorded by `law`, whose state is in tape->state. */
rk_chain *rk_tape_start(rk_tape *tape, const rk_law *law, rk_chain chain);

/** From what f depends on to what that depends on (docs/MATH.md#reverse): adds the derivatives of f
 *  by weights, biases and the input's law to `to`. As often as it is called. One step of the plan a
 *  layer; returns early when interrupted. */
void rk_tape_back(rk_tape *tape, const rk_cotangent *f, const rk_adjoint *to);

/* ----------------------------------------------------------------------------------- and changes
 */

/** From the changes of what the run depends on to those of its mean, variance, covariance and
 *  hidden means, as far as `to` has room for them (docs/MATH.md#forward): the transpose of
 *  rk_tape_back. As often as it is called; the law must have `forward`. One step of the plan a
 *  layer; returns early when interrupted. */
void rk_tape_forward(rk_tape *tape, const rk_tangent *x, rk_outputs *to);

#endif
