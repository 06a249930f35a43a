/* Forward passes of points that somebody draws, for somebody who scores them.
 *
 * What is drawn and scored for pass i depends on i alone: same bits for any number of threads. */
#ifndef RK_TAIL_PASSES_H
#define RK_TAIL_PASSES_H

#include "base/work.h"
#include "network/network.h"

/** A block of passes, as a scorer sees it. */
typedef struct rk_scored_block {
    uint64_t first; /* index of the first pass */
    size_t n;       /* passes */
    const float *y; /* n x n_in: what was drawn */
    const float *z; /* n x n_out of the network */
} rk_scored_block;

/** The two callbacks are called from several threads at once. */
typedef struct rk_scored_spec {
    uint64_t n;
    size_t lanes;       /* blocks in work at once: costs memory, no effect on the results */
    const double *axes; /* n_in x n_in: the input is axes' y; NULL: it is y */
    bool centred;       /* changes from a reference go from layer to layer (sample/frame.h) */
    void (*draw)(void *context, uint64_t pass, float *y);
    void (*score)(void *context, const rk_scored_block *block);
    void *context;
} rk_scored_spec;

/** Passes of `net`, which sees its input once (network/entrance.h). False if interrupted. Counts
 *  passes with an output that is not finite (rk_work). Charges as sample/passes.h says. */
bool rk_score_passes(rk_work *work, const rk_network *net, const rk_scored_spec *spec);

#endif
