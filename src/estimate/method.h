/* What a method is, and what it is asked and answers. The table of all is in methods.h. */
#ifndef RK_ESTIMATE_METHOD_H
#define RK_ESTIMATE_METHOD_H

#include "estimate/anchor.h"
#include "estimate/error_model.h"
#include "network/network.h"
#include "propagate/chain.h"
#include "sample/sample.h"
#include "third/roles.h"

/** Everything a method is asked. */
typedef struct rk_problem {
    const rk_network *net; /* in normal form */
    rk_input input;        /* without a mean */
    bool is_extreme;       /* see rk_normal_form */
    rk_options options;    /* but for the method, which is this: */
    rk_method_spec spec;
    rk_network *homogeneous;     /* the network without biases, if `third` asks for it, or NULL */
    rk_roles *roles;             /* n_layers, or NULL if the method does not ask for them */
    rk_anchor anchor;            /* `sample`: what its control variate knows */
    const rk_roles *known_roles; /* of all of `net`, if somebody has guessed them; borrowed */
    rk_sample_spec receipt;      /* of the check; n_samples 0: none */
    bool goes_back;              /* derivatives will be wanted */
} rk_problem;

/** Everything a method answers; memory of the caller. */
typedef struct rk_report {
    rk_outputs outputs;
    rk_regime regime;         /**< what a closure met; `outputs` points here */
    double *error_per_output; /**< n_out */
    uint64_t samples;         /**< forward passes done */
    rk_regime anchor;         /**< the same of the closure below an anchor */
    /** Where a closure that goes back keeps its run; NULL: nowhere. Untouched if it cannot. */
    rk_tape *tape;
} rk_report;

/** A word of a method's text: `text` sets a field of rk_method_spec to `least` or, where that is
 *  less than `most`, ends with '=' and takes a number from the one to the other. */
typedef struct rk_word {
    const char *text;
    size_t offset, size; /* of the field */
    int least, most;
} rk_word;

#define RK_FIELD(field) offsetof(rk_method_spec, field), sizeof(((rk_method_spec *)0)->field)
#define RK_WORD(text, field, value)                                                                \
    { text, RK_FIELD(field), value, value }
#define RK_NUMBER(text, field, least, most)                                                        \
    { text, RK_FIELD(field), least, most }

/** A word of an earlier version, and what is said today. */
typedef struct rk_old_word {
    const char *text, *words;
} rk_old_word;

/** A way to call a method that somebody has measured. */
typedef struct rk_variant {
    rk_method_spec spec;
    rk_error_laws laws;  /* of bench/accuracy/calibrate_fit, bench/structures/structures_fit */
    bool for_comparison; /* `auto` leaves it alone */
} rk_variant;

typedef struct rk_method {
    rk_method_info info;
    const rk_word *words;         /* up to one without text; NULL: no arguments */
    const rk_old_word *old_words; /* the same */
    bool samples; /* answers with a standard error, and with part of the work done if stopped */
    bool takes_third_cumulant; /* of the input */
    bool takes_residuals;      /* networks that are not plain */
    bool goes_back;            /* has derivatives: a closure, if it can, on a tape */
    bool knows_marginals;      /* third and fourth cumulants of outputs by themselves */
    bool knows_no_covariance;  /* of input or output, beyond the variances */
    int most_cumulants;        /* degree of the output's cumulants it knows beyond 2, or 0 */
    const rk_variant *variants;
    size_t n_variants;
    /** Whether the laws of this variant are those of `spec`; NULL: they are. */
    bool (*covers)(const rk_method_spec *variant, const rk_method_spec *spec);
    /** The method of the same closure, if there is one, whose laws it has; may be NULL. */
    bool (*find_native)(const rk_method_spec *spec, rk_method_spec *native);
    /** FLOPs a second over those of a large double product, roughly measured: in wide layers, and
     *  the width at which it is half of that. 0: nobody has looked. */
    struct {
        double wide, half_width;
    } pace;
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

#define RK_VARIANTS(table) .variants = table, .n_variants = sizeof table / sizeof *table

#endif
