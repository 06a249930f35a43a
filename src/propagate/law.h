/* A closure is a law that takes steps: what it keeps of the present value (and of earlier ones that
 * are still needed) it moves through W, through an addition, through an activation.
 *
 * The driver (chain.h) calls the steps in the network's order, and for derivatives their twins in
 * the opposite one, or once more in this one. It alone knows what a layer is needed for, has
 * watched how far the expansion can be trusted and delivers. A law looks at nothing but its state
 * and the stage; all its arithmetic is in kernels over rk_work (base/work.h). */
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

/** df/dx of numbers x that f depends on, besides through what comes later. NULL: it does not. The
 *  derivative by a covariance is symmetric, df = sum_ij G_ij dC_ij over all i and j. */
typedef struct rk_cotangent {
    const double *mean;       /**< n_out: of the output */
    const double *variance;   /**< n_out: of what rk_outputs has, if the covariance was asked for */
    const double *covariance; /**< n_out x n_out, if it was asked for */
    const double *third_diagonal, *fourth_diagonal; /**< n_out, if they were asked for */
    const double *const *hidden_mean;               /**< [n_layers - 1]; any may be NULL */
    const double *const *z_mean, *const *z_var;     /**< [n_layers] of pre-activations; likewise */
} rk_cotangent;

/** Where derivatives go, which are added. NULL: not wanted. */
typedef struct rk_adjoint {
    double *const *weight, *const *bias;   /**< [n_layers], as the layers; NULL for those without */
    double *input_mean, *input_covariance; /**< n_in; n_in x n_in, symmetric */
} rk_adjoint;

/** Changes of what a law depends on, to first order. NULL: there are none. */
typedef struct rk_tangent {
    const double *const *weight, *const *bias;   /**< [n_layers], as the layers; any may be NULL */
    const double *input_mean, *input_covariance; /**< n_in; n_in x n_in, symmetric */
} rk_tangent;

/** Of the present value, on the way back: memory of the law. The variance of neuron i is var[i *
 *  stride]: the diagonal of a covariance, or a variance. */
typedef struct rk_back_view {
    double *mean, *var; /**< var NULL: f does not depend on them */
    size_t stride;
    double scale; /**< what the law's mean was multiplied with when it was delivered */
} rk_back_view;

/** The twins of a law's steps. Each turns the adjoints of what the step made into those of what it
 *  was made of. What they need of the way there the law has kept, in memory of its own, if its
 *  chain is `recorded`. */
typedef struct rk_law_back {
    /** The adjoints of the output, before `restore`. */
    void (*begin)(void *state, const rk_stage *stage, const rk_cotangent *f);
    /** From h to z. Only where the stage is activated. */
    void (*activate)(void *state, const rk_stage *stage);
    /** NULL: nothing. */
    void (*higher)(void *state, const rk_stage *stage);
    /** NULL, with `keep`: plain networks only. */
    void (*add)(void *state, const rk_stage *stage);
    /** From z to what was read, and to the layer's own weights and biases. */
    void (*affine)(void *state, const rk_stage *stage, const rk_adjoint *to);
    /** The present value, number `value`, was kept: what came back to it meanwhile is added. */
    void (*keep)(void *state, size_t value);
    /** At the input. */
    void (*end)(void *state, const rk_adjoint *to);
    /** Where f's own dependence on means and variances of the present value is added. */
    rk_back_view (*view)(void *state, const rk_stage *stage);
} rk_law_back;

/** The law's steps, differentiated: the changes of what a step was made of become those of what it
 *  made, along a run that was recorded, in memory that the way back uses, too. */
typedef struct rk_law_forward {
    /** At the input. */
    void (*begin)(void *state, const rk_tangent *x);
    /** NULL, with `add`: plain networks only. */
    void (*keep)(void *state, size_t value);
    void (*affine)(void *state, const rk_stage *stage, const rk_tangent *x);
    void (*add)(void *state, const rk_stage *stage);
    /** Only where the stage is activated. */
    void (*activate)(void *state, const rk_stage *stage);
    /** At the output, before it is delivered; `outputs` are to get changes, which the law delivers
     *  itself where no view has them. */
    void (*restore)(void *state, const rk_stage *stage, rk_outputs *outputs);
    /** Changes of mean, var and C; scale as in the view of the way there. */
    rk_view (*view)(void *state, const rk_stage *stage);
} rk_law_forward;

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
    const rk_law_back *back;       /**< NULL: it has no derivatives */
    const rk_law_forward *forward; /**< NULL: none in a direction */
} rk_law;

#endif
