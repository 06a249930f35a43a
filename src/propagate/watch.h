/* How far the expansion can be trusted on this network: what the driver watches on the way, beside
 * the law itself (expansion.h, branch.h). */
#ifndef RK_PROPAGATE_WATCH_H
#define RK_PROPAGATE_WATCH_H

#include "propagate/branch.h"
#include "propagate/law.h"

typedef struct rk_watch {
    rk_work *work;
    const rk_network *net;
    const rk_law *law;
    rk_regime *regime; /**< NULL: nobody watches, and nothing here does anything */
    bool covariance;   /**< of the output is wanted */
    rk_expansion expansion;
    rk_branch_mark marks[RK_MOST_KEPT]; /**< of what is kept, as far as anybody needs it */
    size_t n_marks;
} rk_watch;

/** At the input. `net` as far as the outputs ask. */
rk_watch rk_watch_start(rk_work *work, const rk_network *net, const rk_law *law,
                        const rk_input *input, const rk_outputs *outputs);

/** Before the layer: what it reads. */
void rk_watch_read(rk_watch *watch, const rk_stage *stage);
/** Behind W. */
void rk_watch_affine(rk_watch *watch, const rk_stage *stage, const rk_view *view);
/** Behind the addition: the average variance of what was there was `branch`. */
void rk_watch_add(rk_watch *watch, const rk_stage *stage, double branch, const rk_view *view);
/** Before the activation, and behind it. */
void rk_watch_unmixed(rk_watch *watch, const rk_stage *stage);
void rk_watch_activate(rk_watch *watch, const rk_stage *stage, const rk_view *view);
/** The present value, number `value`, is kept. */
void rk_watch_keep(rk_watch *watch, size_t value);
/** At the output. */
void rk_watch_end(rk_watch *watch, const rk_stage *stage);

#endif
