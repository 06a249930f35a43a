/* What the covariance closure (covariance.h) keeps, for the files that hold its way there, its way
 * back and its changes. */
#ifndef RK_PROPAGATE_COVARIANCE_STATE_H
#define RK_PROPAGATE_COVARIANCE_STATE_H

#include "propagate/back.h"
#include "propagate/kept.h"
#include "propagate/pairs.h"

typedef struct rk_covariance_state {
    rk_work *work;
    const rk_chain *chain;
    const double *C_in; /* of the present value; NULL: the identity */
    double *m, *mu, *var_z, *var_h, *w, *centre, *scratch;
    double *C, *Z; /* take turns */
    double radius; /* E |x| / sqrt(n) of an input whose length is left out, or 1 */
    rk_kept kept;
    rk_pairs_spec pairs;
    rk_pairs_side side; /* of the present layer */
    double *records;    /* of every layer its z, once the chain is recorded; and for that: */
    rk_bars bar;        /* adjoints, or changes */
    rk_pairs_adjoint side_bar;
} rk_covariance_state;

/** z of an activated layer: n each, and n x n where h has a covariance. */
typedef struct rk_covariance_record {
    double *mu, *var, *raw, *Z; /* raw: variances before what is negative counts as none */
} rk_covariance_record;
rk_covariance_record rk_covariance_record_of(const rk_covariance_state *s, size_t l);

/** Mean and variance of h = phi(z) from those of z, and if `pairs` what its covariance takes. */
void rk_covariance_look(rk_covariance_state *s, const rk_layer *layer, const double *mu,
                        double *var_z, bool pairs);

/** Mean (s->m) and covariance (returned) of an earlier value, anew from the z below. */
const double *rk_covariance_remember(rk_covariance_state *s, size_t value);

/** Sets to 0 what moves variances, bar[i * stride], or what they move: of those that count as none,
 *  since they are negative (`var`, n). */
void rk_covariance_hold_negative(rk_work *work, size_t n, const double *var, double *bar,
                                 size_t stride);

extern const rk_law_back rk_covariance_back;
extern const rk_law_forward rk_covariance_forward;

#endif
