/* What mean propagation (mean.h) keeps, for the files that hold its way there, its way back and its
 * changes. */
#ifndef RK_PROPAGATE_MEAN_STATE_H
#define RK_PROPAGATE_MEAN_STATE_H

#include "propagate/back.h"
#include "propagate/kept.h"

/** Adjoints, or changes, of means and variances of the present value, and room for those of the one
 *  next to it. */
typedef struct rk_mean_adjoints {
    double *mean, *mean_next, *var, *var_next; /* width */
    double *squares, *factor;                  /* of rows */
} rk_mean_adjoints;

typedef struct rk_mean_state {
    rk_work *work;
    const rk_chain *chain;
    const rk_network *net; /* the chain's */
    rk_metric metric;
    bool unit_variance;
    const double *present; /* mean of the present value; NULL: zero */
    double s;              /* its average variance */
    double *m, *mu, *var_z, *var_h, *w, *centre;
    rk_kept kept;
    double *records; /* once the chain is recorded: mean and variances of every layer's z */
    rk_mean_adjoints bar;
    double s_dot; /* the change of s */
} rk_mean_state;

/** Of layer l: rows means, then rows variances. */
double *rk_mean_record_of(const rk_mean_state *x, size_t l);

/** True if a layer's variances are s (W W')_ii, not s times its expectation. */
bool rk_mean_is_exact(const rk_mean_state *x, const rk_stage *stage);

/** Means (x->m), variances (x->var_h) and their average (x->s) of an earlier value, anew from the z
 *  below. */
void rk_mean_remember(rk_mean_state *x, size_t value);

/** The next value becomes the present one. */
void rk_mean_adjoints_swap(rk_mean_adjoints *bar);

extern const rk_law_back rk_mean_back;
extern const rk_law_forward rk_mean_forward;

#endif
