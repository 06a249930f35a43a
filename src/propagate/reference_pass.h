/* One pass of the reference closure: what its steps share. */
#ifndef RK_PROPAGATE_REFERENCE_PASS_H
#define RK_PROPAGATE_REFERENCE_PASS_H

#include "propagate/expansion.h"
#include "propagate/reference_table.h"

typedef struct rk_pass rk_pass;

/** How the top cumulant is carried when it is a sum of products. */
typedef struct rk_factored_ops {
    /** Takes the memory of all layers. */
    void (*take)(rk_pass *p);
    /** act.factors -> pre.factors through the weights. */
    void (*transform)(rk_pass *p, const rk_layer *layer);
    /** Fills the slices of the top degree with coinciding indices, from pre.factors; for depth 1
     *  only the one with all indices equal. */
    void (*read_slices)(rk_pass *p, int depth, rk_slice *sources);
    /** pre.factors, the slices read and the Wick coefficients behind them, and the slices of the
     *  activations -> act.factors, and what they add to the next degree's core. */
    void (*activate)(rk_pass *p, const rk_slice *sources, const rk_slice *family);
} rk_factored_ops;

struct rk_pass {
    rk_work *work;
    const rk_network *net;
    const rk_reference_spec *spec;
    const rk_factored_ops *factored; /* NULL: the top cumulant is a tensor like the others */
    rk_reference_table table;
    int depth;         /* largest degree wanted of the output */
    size_t full_steps; /* activation steps that compute the top degree */
    rk_tower act, pre;
    double *act_core[RK_MAX_DEGREE + 1], *pre_core[RK_MAX_DEGREE + 1]; /* where cores may live */
    double *metric_diagonal, *metric_pairs;
    double *centre;       /* phi at the mean, where the Wick coefficients are about */
    double *act_variance; /* of every neuron, also where no second cumulant is tracked */
    rk_expansion expansion;
};

/** E[d^k phi], n entries, among the sources of the activation step. */
static inline const double *rk_pass_wick(const rk_pass *p, const rk_slice *sources, int k,
                                         int power) {
    return sources[RK_SOURCE_WICK + (power - 1) * (p->table.k_max + 1) + k].data;
}

#endif
