/* The state of the law: the towers of the present value before and behind an activation, and what
 * its steps share. */
#ifndef RK_REFERENCE_STATE_H
#define RK_REFERENCE_STATE_H

#include "propagate/chain.h"
#include "reference/table.h"

typedef struct rk_reference_state rk_reference_state;

/** How the top cumulant is carried when it is a sum of products. */
typedef struct rk_factored_ops {
    /** Takes the memory of all layers. */
    void (*take)(rk_reference_state *s);
    /** act.factors -> pre.factors through the weights. */
    void (*transform)(rk_reference_state *s, const rk_layer *layer);
    /** Fills the slices of the top degree with coinciding indices, from pre.factors; for depth 1
     *  only the one with all indices equal. */
    void (*read_slices)(rk_reference_state *s, int depth, rk_slice *sources);
    /** pre.factors, the slices read and the Wick coefficients behind them, and the slices of the
     *  activations -> act.factors, and what they add to the next degree's core. */
    void (*activate)(rk_reference_state *s, const rk_slice *sources, const rk_slice *family);
} rk_factored_ops;

struct rk_reference_state {
    rk_work *work;
    const rk_network *net;
    const rk_input *input;
    const rk_reference_spec *spec;
    const rk_reference_observer *observer; /* may be NULL */
    const rk_factored_ops *factored;       /* NULL: the top cumulant is a tensor like the others */
    rk_reference_table table;
    int output_depth;  /* largest degree wanted of the output */
    size_t full_steps; /* activation steps that compute the top degree */
    rk_tower act, pre; /* of what an activation makes, or the input; of what it is given */
    double *act_core[RK_MAX_DEGREE + 1], *pre_core[RK_MAX_DEGREE + 1]; /* where cores may live */
    double *metric_diagonal, *metric_pairs;
    double *pre_variance, *act_variance; /* of every neuron, also where no covariance is tracked */
    double *centre; /* phi at the mean, which the Wick coefficients are about */
    size_t shown;   /* what a view shows beyond this lives behind this mark until the next step */
    double *wick;   /* so do the coefficients of the activation, up to the table's degrees */
};

/** Takes the memory of all layers, spec and table being set, and stands at the input. */
void rk_reference_start(rk_reference_state *s);

/** The degree up to which what an activation makes of this layer is wanted. */
static inline int rk_reference_depth(const rk_reference_state *s, const rk_stage *stage) {
    return stage->need == RK_NEED_ALL ? RK_MAX_DEGREE : s->output_depth;
}

/** pre = W act + b: every degree if an activation reads it, else those wanted of the output. */
void rk_reference_linear(rk_reference_state *s, const rk_stage *stage);

/** act = phi(pre), with `centre`, `wick` and the variances on both sides. */
void rk_reference_activate(rk_reference_state *s, const rk_stage *stage);

/** x_i = value, n entries. */
static inline void rk_reference_fill(rk_work *work, size_t n, double value, double *x) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        x[i] = value;
}

/** E[d^k phi^power], n entries, among the sources of the activation step. */
static inline const double *rk_reference_wick(const rk_reference_state *s, const rk_slice *sources,
                                              int k, int power) {
    return sources[RK_SOURCE_WICK + (power - 1) * (s->table.k_max + 1) + k].data;
}

#endif
