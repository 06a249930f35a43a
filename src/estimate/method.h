/* The methods behind one table. */
#ifndef RK_ESTIMATE_METHOD_H
#define RK_ESTIMATE_METHOD_H

#include "estimate/anchor.h"
#include "network/network.h"
#include "propagate/propagate.h"
#include "propagate/roles.h"
#include "sample/sample.h"

/** What the control variate of `sample` knows: nothing, the first layer, the best one. */
enum { RK_CONTROL_NONE, RK_CONTROL_FIRST, RK_CONTROL_ANCHOR };

/** A method's arguments, parsed; each method reads the fields its own words may set. All are ints,
 *  and 0 is the default. */
typedef struct rk_method_arguments {
    int K, kind, dense; /**< of rk_reference_spec; K = 0: not said */
    int metric;         /**< rk_metric */
    int unit_variance;
    int angular;
    int double_legs;
    int gauge;       /**< rk_gauge */
    int rank, reach; /**< 0: by what is wanted; -1: all there is, none */
    int old;         /**< OLD_... of method_third.c */
    int all_neurons;
    int points;  /**< rk_point_set */
    int control; /**< RK_CONTROL_... */
} rk_method_arguments;

/** Everything a method is asked. */
typedef struct rk_problem {
    const rk_network *net; /**< in normal form */
    rk_input input;        /**< without a mean */
    bool is_extreme;       /**< see rk_normal_form */
    rk_options options;
    rk_method_arguments arguments;
    rk_network *homogeneous; /**< the network without biases, if `third` asks for it, or NULL */
    rk_role *roles;          /**< n_layers, or NULL if the method does not ask for them */
    rk_anchor anchor;        /**< `sample`: what its control variate knows */
    const rk_role
        *known_roles;       /**< those of all of `net`, if somebody has guessed them; borrowed */
    rk_sample_spec receipt; /**< of the check; n_samples 0: none */
} rk_problem;

/** Everything a method answers; memory of the caller. */
typedef struct rk_report {
    rk_outputs outputs;
    double *error_per_output; /**< n_out */
    uint64_t samples;         /**< forward passes done */
    rk_outputs anchor;        /**< what the closure below an anchor found on its way; no pointers */
} rk_report;

/** A word of a method's arguments sets one field of rk_method_arguments. */
typedef struct rk_word {
    const char *text;
    size_t field;
    int value;
} rk_word;

typedef struct rk_method {
    rk_method_info info;
    const rk_word *words; /**< up to one without text; NULL: no arguments */
    bool samples; /**< answers with a standard error, and with part of the work done if stopped */
    bool takes_third_cumulant; /**< of the input */
    bool takes_residuals;      /**< networks that are not plain */
    bool knows_no_covariance;  /**< of input or output, beyond the variances */
    int most_cumulants;        /**< degree of the output's cumulants it knows beyond 2, or 0 */
    /** Refuses what the method does not cover; NULL: it covers everything. */
    rk_status (*check)(const rk_problem *problem, rk_error *error);
    /** Replaces arguments that depend on the network and on what is wanted, and adds what the plan
     *  needs to know of the network; may be NULL. */
    rk_status (*resolve)(rk_problem *problem, rk_error *error);
    /** Dry or wet, see base/work.h. NULL: `auto`, whose plan is that of the method it chooses. */
    rk_status (*run)(rk_work *work, const rk_problem *problem, rk_report *report, rk_error *error);
    /** FLOPs by the paper's convention (docs/METHODS.md#flops), or NaN; NULL: never defined. */
    double (*flops_convention)(const rk_problem *problem);
} rk_method;

/** Finds "name[:argument,...]" and fills `arguments`; `canonical` (of `size` bytes) receives the
 *  method with all its arguments spelled out. Unknown names and words are answered with the list
 *  of known ones. */
rk_status rk_method_parse(const char *text, const rk_method **method,
                          rk_method_arguments *arguments, char *canonical, size_t size,
                          rk_error *error);

/** The method with all its arguments spelled out, at most `size` bytes. */
void rk_method_spell(const rk_method *method, const rk_method_arguments *arguments, char *canonical,
                     size_t size);

#endif
