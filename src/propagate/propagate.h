/* What closures share: where they deliver, and the kernels of second moments.
 *
 * A closure is one function over rk_work (run dry for the plan, then wet) that starts a state in
 * memory of `work` and hands it to the driver (chain.h) with the law of its steps (law.h). */
#ifndef RK_PROPAGATE_PROPAGATE_H
#define RK_PROPAGATE_PROPAGATE_H

#include "activation/activation.h"
#include "base/work.h"
#include "network/network.h"

/** What a closure found on its way: how far it can be trusted (propagate/expansion.h). Filled by
 * the wet run. */
typedef struct rk_regime {
    double expansion;     /**< the scale of the closure's relative error */
    double roughness;     /**< of all activations together, by `mean` only: what sampling meets */
    size_t closed_layers; /**< and the number of layers it sums over */
    double slenderness;   /**< sum of 1 / width over them: how deep for its width the network is */
    double independent;   /**< the same if weights were random */
    /** `expansion`, `slenderness` and `independent` with the last hidden layer, by which
     * covariances err as well; set where a covariance is wanted. */
    double whole_expansion, whole_slenderness, whole_independent;
    /** What closures that take the neurons of a layer as alike err by besides: the input's parts of
     *  both sums and, where they take the rows of W as alike, the first layer's. */
    double input_expansion, input_slenderness, first_expansion, first_slenderness;
    double log_growth; /**< log of how much a small error of scale in the first layer grows */
    /** How unlike the neurons of a layer are, in their variances and in the weights that read them,
     *  where it is largest: above 1 beyond what random weights make of it. */
    double unevenness;
    size_t alike; /**< by closures without a covariance: layers whose rows are too alike for that */
    size_t unmixed;  /**< activations of what others made, and no weights have mixed since */
    size_t parallel; /**< by the others: layers whose rows are all but parallel */
    /** Largest concentration met: so much narrower than random weights would make it is layer
     *  `narrow_layer`, whose neurons have this effective width. */
    double concentration, effective_width;
    size_t narrow_layer;
    size_t diverged; /**< layers whose variances came out negative or not finite */
} rk_regime;

/** Where a closure delivers; owned by the caller, filled by the wet run. */
typedef struct rk_outputs {
    /** Asked of the driver (chain.h): to stop behind so many layers, the last of which then is the
     *  output, 0: at the end; `bare`: before the activation there. */
    size_t depth;
    bool bare;
    double *mean;       /**< n_out */
    double *covariance; /**< n_out x n_out, or NULL if not wanted */
    double *third;      /**< n_out^3 third cumulants, or NULL if not wanted */
    double *fourth;     /**< n_out^4 fourth cumulants, or NULL if not wanted */
    /** n_out each, kappa_iii and kappa_iiii, or NULL if not wanted: `third` gives them, without a
     *  gauge, for a last layer without activation. */
    double *third_diagonal, *fourth_diagonal;
    double **hidden_mean; /**< [n_layers - 1][rows of layer l], or NULL if not wanted */
    /** n_out: the output's variance, roughly; the scale of its error. Without a regime only where
     *  the law has it: filled if the last layer is activated or `covariance` is wanted. */
    double *variance;
    rk_regime *regime; /**< what the closure found on its way; NULL: nobody watches */
} rk_outputs;

/** Wick coefficients of a layer, as rk_wick: centre (n) and w[p-1][k][i] for k <= k_max, p <=
 * p_max. Charges the ledger. Neurons whose variance (`var`, in and out) is nothing beside the
 * layer's have none; those where it is negative beyond rounding are counted in work->clamped. */
void rk_wick_step(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                  double *var, int k_max, int p_max, double *centre, double *w);

/** m_i = E phi(z_i) and var_i = Var phi(z_i), n each, of Gaussian z from its coefficients up to
 *  (k_max, 2 or more). 2n FLOPs. */
void rk_wick_moments(rk_work *work, size_t n, int k_max, const double *centre, const double *w,
                     double *m, double *var);

/** m = the input's mean (zero by default), `n` entries. */
void rk_input_mean(rk_work *work, size_t n, const rk_input *input, double *m);

/** mu = W m + b. 2 FLOPs a weight. */
void rk_affine_mean(rk_work *work, const rk_layer *layer, const double *m, double *mu);

/** Z (m x m) = W C W' for C n x n, NULL the identity; scratch m x n. 2mn^2 + m^2 n FLOPs. */
void rk_affine_covariance(rk_work *work, const rk_layer *layer, const double *C, double *scratch,
                          double *Z);

/** Scratch for rk_affine_covariance and rk_variances of every layer: the covariance of an input
 * that has one, and of all hidden layers. */
double *rk_congruence_scratch(rk_work *work, const rk_network *net, const rk_input *input);

/** var_i = (W C W')_ii without the other entries, 2mn^2 FLOPs for W m x n; C NULL is the identity
 *  (2mn), otherwise `scratch` is m x n. */
void rk_variances(rk_work *work, const rk_layer *layer, const double *C, double *scratch,
                  double *var);

/** diagonal_i = C_ii, C n x n; NULL the identity. */
void rk_diagonal(rk_work *work, size_t n, const double *C, double *diagonal);

/** 1 / (effective width) = |C|^2 / (tr C)^2, C n x n: 1/n for independent neurons, 1 for a single
 *  direction. 0 in the dry run. */
double rk_inverse_width(rk_work *work, size_t n, const double *C);

/** The average of n numbers; 0 in the dry run. */
double rk_average(rk_work *work, size_t n, const double *x);

/** Copies a result to where the caller wants it; nothing if `out` is NULL. */
void rk_deliver(rk_work *work, size_t count, const double *result, double *out);

/** The same of neurons in another order: out[order[i]] = x_i. */
void rk_deliver_ordered(rk_work *work, size_t n, const size_t *order, const double *x, double *out);

/** The same times `scale`: out_i = scale x_i. */
void rk_deliver_scaled(rk_work *work, size_t n, double scale, const double *x, double *out);

/** A common random scale enters or leaves a law whose second moments stay: the mean becomes `r`
 *  times as long, and what it loses goes to the variances and, unless NULL, the covariance. */
void rk_rescale(rk_work *work, size_t n, double r, double *mean, double *var, double *C);

/** Fills outputs->variance for a last layer without activation from the average variance of what it
 *  reads: exact for uncorrelated inputs of equal variance. 2 rows cols FLOPs. */
void rk_deliver_variance(rk_work *work, const rk_layer *layer, double average, rk_outputs *outputs);

#endif
