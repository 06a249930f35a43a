/* K = 3: mean, covariance and a factored third cumulant of every layer. */
#ifndef RK_THIRD_THIRD_H
#define RK_THIRD_THIRD_H

#include "propagate/chain.h"
#include "third/fourth.h"
#include "third/roles.h"
#include "third/tilt.h"

typedef struct rk_third_spec {
    rk_metric metric; /**< of the fourth cumulant, which is one scalar times metric^2 */
    bool double_legs; /**< store and multiply the third cumulant's legs in double, not float */
    /** Neither AUTO, and one that goes with the other; all but AVERAGE for homogeneous networks,
     *  without covariance. */
    rk_tilt_kind tilt;
    rk_fourth_kind fourth;
    size_t rank;  /**< of each source's residual; 0: exact */
    size_t reach; /**< LEAN, FULL: for 1 to 8 layers fourth cumulants are followed */
    bool fold;    /**< older sources are kept in fewer directions, if the rank is low */
    /** n_layers entries; NULL: every neuron counts. Not with AVERAGE. */
    const rk_roles *roles;
    const rk_amplitude *amplitude; /**< of FITTED; NULL: the fitted one */
} rk_third_spec;

/**
 * Third-order propagation (arXiv:2605.05179, K = 3 simple, factored) in the lean form of
 * docs/MATH.md#third, if wanted tilted. Each hidden layer but the last adds a source
 * of three n x n legs, or two at low rank. With L hidden layers of n neurons: about 6 n^3 L^2 FLOPs
 * (low rank 4 n^3 L^2, folded a seventh less at L = 16), 12 (L + 1) n^2 bytes for the legs and
 * 80 n^2 for the rest. RK_FOURTH_FULL: about 11 n^3 L FLOPs and 60 n^2 bytes more, and 5 n^3 L and
 * 8 (L + 3) n^2 for each further layer of reach; RK_FOURTH_LEAN: 7 n^3 L FLOPs and 30 n^2 bytes,
 * and nothing but the bytes. `input->third_cumulant` is ignored.
 *
 * `tape` not NULL: keeps the run for rk_tape_back (docs/MATH.md#third-back), with any tilt and
 * fourth but FITTED. The run is made in full then: double legs, no rank, no folding, no roles. 12
 * L^2 n^2 bytes for the legs, as much again for their adjoints where a fourth cumulant is followed,
 * and 24 L n^2 for the rest (followed: 16 (reach + 3) L n^2 more). The way back takes twice the
 * FLOPs of such a run.
 */
void rk_propagate_third(rk_work *work, const rk_network *net, const rk_input *input,
                        const rk_third_spec *spec, rk_outputs *outputs, rk_tape *tape);

#endif
