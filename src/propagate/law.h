/* A closure is a law that takes steps: what it keeps of the present value (and of earlier ones that
 * are still needed) it moves through W, through an addition, through an activation.
 *
 * The driver (chain.h) calls the steps in the network's order. It alone knows what a layer is
 * needed for, watches how far the expansion can be trusted and delivers. A law looks at nothing but
 * its state and the stage; all its arithmetic is in kernels over rk_work (base/work.h). */
#ifndef RK_PROPAGATE_LAW_H
#define RK_PROPAGATE_LAW_H

#include "propagate/propagate.h"

/** What the law of a layer's output is needed for, by what follows and by whoever asked. */
typedef enum rk_need { RK_NEED_MEAN, RK_NEED_COVARIANCE, RK_NEED_ALL } rk_need;

/** One layer on the way. */
typedef struct rk_stage {
    size_t l;
    const rk_layer *layer;
    size_t read;  /**< the value that W multiplies */
    bool is_kept; /**< which is not the present one, but one that was kept */
    bool adds;
    size_t added; /**< the value that is added, if one is: it was kept */
    bool activated, last;
    rk_need need;
} rk_stage;

/** What the driver sees of a state: memory of the law, valid until its next step. NULL: not known,
 *  or not formed since nobody needs it. */
typedef struct rk_view {
    double *mean, *var, *C; /**< of the present value */
    const size_t *order;    /**< its neuron i is what the network calls order[i]; NULL: i */
    double scale;           /**< what its mean is to be multiplied with */
    const double *C_in;     /**< covariance of the value that was read; NULL: the identity */
    const double *mu, *var_z;
    const double *wick, *centre; /**< of the activation, up to k_max and p_max */
    int k_max, p_max;
    const double *slope; /**< E phi'(z), for rk_expansion_look_ahead; NULL: it has none */
} rk_view;

typedef struct rk_law {
    bool knows_pairs; /**< has a covariance */
    /** What the step does, for people. */
    const char *(*name)(void *state, const rk_stage *stage);
    /** The layer as the law sees it, in place of the network's; NULL: just that. */
    const rk_layer *(*enter)(void *state, const rk_stage *stage);
    /** z = W u + b; all that a view says of z. */
    void (*affine)(void *state, const rk_stage *stage, rk_view *view);
    /** z += v, in place. NULL, like `keep`: the law takes plain networks only. */
    void (*add)(void *state, const rk_stage *stage);
    /** What is left of z's law once its second moments have been looked at; NULL: nothing. */
    void (*higher)(void *state, const rk_stage *stage);
    /** h = phi(z); all that a view says of h. */
    void (*activate)(void *state, const rk_stage *stage, rk_view *view);
    /** The present value, number `value`, will be read or added later than by the next layer. */
    void (*keep)(void *state, size_t value);
    /** At the output: puts back what the law had taken out of mean, variance (in `outputs` already)
     *  and covariance, and delivers what is its own. NULL: nothing. */
    void (*restore)(void *state, const rk_stage *stage, rk_view *view, rk_outputs *outputs);
} rk_law;

#endif
