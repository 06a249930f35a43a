/* The driver of all closures: one layer after another. */
#ifndef RK_PROPAGATE_CHAIN_H
#define RK_PROPAGATE_CHAIN_H

#include "propagate/branch.h"
#include "propagate/law.h"

typedef struct rk_chain {
    rk_work *work;
    rk_network net; /**< as far as the outputs ask, seen from where it was built */
    const rk_input *input;
    rk_outputs *outputs;
    rk_expansion expansion;
    rk_branch_mark marks[RK_MOST_KEPT]; /**< of what is kept, as far as anybody needs it */
    size_t n_marks;
} rk_chain;

rk_chain rk_chain_start(rk_work *work, const rk_network *net, const rk_input *input,
                        rk_outputs *outputs);

/** What a law may ask before it starts: layer l as it will come to it. */
rk_stage rk_chain_stage(const rk_chain *chain, size_t l);

/** Takes `state`, which stands at the input, through the network, and delivers. One step of the
 *  plan a layer; returns early when interrupted. */
void rk_chain_run(rk_chain *chain, const rk_law *law, void *state);

#endif
