/* Which member of the family, and who looks on. */
#ifndef RK_REFERENCE_SPEC_H
#define RK_REFERENCE_SPEC_H

#include "cumulant/tower.h"
#include "propagate/propagate.h"

typedef struct rk_reference_spec {
    int K; /**< 1 .. 4 */
    rk_reference_kind kind;
    bool factored;    /**< degree K as a sum of products: cost n^K L^2; ignored for K <= 2 */
    rk_metric metric; /**< of the radial parts */
    /** Ablation, base kind only: the diagram sum for phi itself at all indices, not for its powers
     *  at distinct ones. */
    bool no_power_cumulants;
    /** Smooth activations by 100 Gauss-Hermite nodes at any variance, as published; otherwise exact
     *  where that rule is not. */
    bool hundred_nodes;
} rk_reference_spec;

/** Called in the wet run with every law on the way: that of the pre-activations of layer l and,
 *  where there is an activation, that of what comes out. */
typedef struct rk_reference_observer {
    void (*see)(void *context, size_t l, bool activated, const rk_tower *tower);
    void *context;
} rk_reference_observer;

/** RK_ERROR_UNSUPPORTED if the closure cannot do what is asked, and why. */
rk_status rk_reference_check(const rk_reference_spec *spec, const rk_input *input, bool covariance,
                             rk_error *error);

#endif
