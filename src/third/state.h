/* What the law of the third order keeps on its way (law.c), for the two that move it through W:
 * the third cumulant's sources (sources.c) and the fourth cumulant (carried.c); and for its way
 * back (back.h). */
#ifndef RK_THIRD_STATE_H
#define RK_THIRD_STATE_H

#include "propagate/chain.h"
#include "third/compress.h"
#include "third/fourth.h"
#include "third/newborn_fourth_back.h"
#include "third/roles.h"
#include "third/third.h"

#include <string.h>

/** What the way back needs of a layer of n neurons: n numbers each, one, or n x n. */
typedef struct rk_third_record {
    double *mu, *var, *d3, *core_z, *metric, *y_z; /* of z */
    double *m, *slope, *a, *core, *y, *gain;       /* of h; gain is one number */
    double *C_z, *C_h, *D;
    /* where a fourth cumulant is followed: of z, of whose H and G the index is the age, and of h */
    double *k4, *carried, *followed22, *K31, *H[RK_MAX_REACH], *G[RK_MAX_REACH];
    rk_newborn_fourth born;
    double *kept;
} rk_third_record;

/** Adjoints on the way back, of what rk_third keeps under the same names. */
typedef struct rk_third_back {
    double *mean, *mean_next; /* of the present value, and room for the one before */
    double *second, *second_next;
    bool any, pairs; /* whether f depends on second moments, and on more than variances */
    size_t weights;  /* of the largest W */
    double *product; /* as large as that */
    rk_neurons neurons;
    rk_slices_bar z;
    rk_tilt tilt;
    double *var_again; /* no adjoint: what the activation makes of it */
    double *var;       /* of z, by its neurons, and what they add to the covariance */
    double *y, *slope; /* of h; slope: the w1 that T_slope has */
    double *W, *older; /* what weights get but through mean and covariance; of T_slope */
    rk_legs left;
    rk_legs born;    /* of as many layers as a fourth cumulant is followed for, or one */
    rk_legs legs;    /* rk_third_slots_back of them */
    double *statics; /* n_sources times w2, s, e, c */
    /* where a fourth cumulant is followed */
    rk_newborn_fourth fourth[RK_MAX_REACH]; /* by layer modulo reach */
    rk_legs H[RK_MAX_REACH], G[RK_MAX_REACH];
    double *T_below[RK_MAX_REACH]; /* from age 1 on, of the T below */
    double *vars, *vars_bar;       /* of the covariance of each age, and adjoints: reach + 1, 2 */
    double *carried, *kept;        /* n; n_layers */
} rk_third_back;

/** m, C and the core belong to h before the linear map of a layer; C to z after it and to h again
 *  after its activation. */
typedef struct rk_third {
    rk_work *work;
    const rk_network *net;
    const rk_input *input;
    const rk_outputs *outputs;
    const rk_third_spec *spec; /* its own */
    bool recorded; /* for the way back: nothing is left out, and the legs of all layers are kept */
    rk_pair_terms terms;
    size_t width, n_sources, slot;
    double *mu, *var, *C, *C_next, *scratch;
    const double *m, *C_in; /* of h before the linear map; C_in NULL is the identity */
    rk_relabelling labels;  /* if there are roles */
    double *y, *y_z;        /* all that the tilt feeds the third cumulant: of h, of z */
    rk_slices z;
    double *M; /* where z keeps its own */
    rk_neurons neurons;
    rk_tilt tilt;
    rk_followed_fourth followed; /* if there is any */
    rk_legs T, T_slope; /* T = W (1 - m a') and T diag(w1): move the newborn and older sources */
    rk_legs born;       /* legs but p where they were born: copies times width rows */
    rk_slice_scratch slicing;
    rk_legs unfolded; /* legs of a folded source in full */
    rk_legs legs;     /* copies n_sources + 1 slots of `slot` entries */
    rk_legs K;        /* n_sources times span x 2 width */
    size_t span;      /* the largest */
    rk_legs L;        /* n_sources times rank x width */
    double *statics;  /* n_sources times w2, s, e, c */
    double *records;  /* if recorded */
    rk_third_back back;
    rk_third_spec own;
} rk_third;

_Static_assert(sizeof(rk_third) <= RK_TAPE_STATE, "a tape holds it");

/* The fourth cumulant that activations make. */
static inline bool rk_third_follows(const rk_third *c) {
    const rk_fourth_kind fourth = c->spec->fourth;
    return c->n_sources > 0 && (fourth == RK_FOURTH_LEAN || fourth == RK_FOURTH_FULL);
}

/* For how many layers the legs of a source are kept. */
static inline size_t rk_third_copies(const rk_third *c) {
    if (c->recorded) return c->n_sources;
    return rk_third_follows(c) ? c->spec->reach : 1;
}

/** Room for the legs of all sources. */
static inline size_t rk_third_slots(const rk_third *c) {
    size_t n = c->n_sources;
    return c->recorded ? n * (n + 1) / 2 : rk_third_copies(c) * n + 1;
}

static inline bool rk_third_fitted(const rk_third *c) {
    return c->spec->fourth == RK_FOURTH_FITTED;
}

/* Of the fourth cumulant more than a scalar, and what it feeds the third. */
static inline bool rk_third_carries(const rk_third *c) {
    return c->spec->fourth != RK_FOURTH_AVERAGE;
}

static inline rk_roles rk_third_role(const rk_third *c, size_t l) {
    size_t n = c->net->layers[l].rows;
    bool last = l + 1 == c->net->n_layers;
    return c->spec->roles && !last ? c->spec->roles[l] : (rk_roles){n, n, n};
}

/* Of which neurons the slices are asked. kappa_iij of linear i says little, and its traces cancel
 * those of what the tilt feeds, so it is left out with them. A fitted law rests on such traces: it
 * is asked all that its constants were fitted with. */
static inline rk_roles rk_third_asked(const rk_third *c, size_t l) {
    rk_roles role = rk_third_role(c, l);
    return rk_third_fitted(c) ? (rk_roles){role.heard, role.heard, c->net->layers[l].rows} : role;
}

static inline size_t rk_third_rank(const rk_third *c, size_t width) {
    size_t rank = c->spec->rank;
    return rank > 0 && rank < width ? rank : width;
}

static inline void rk_third_zero(rk_work *work, size_t n, double *x) {
    if (rk_work_charge(work, 0)) memset(x, 0, n * sizeof *x);
}

/** Whether diagonals of the higher cumulants of z are asked for. */
static inline bool rk_third_wants_diagonals(const rk_third *c, const rk_stage *stage) {
    return stage->activated || (stage->last && c->outputs->third_diagonal);
}

/* ---------------------------------------------------------- the third cumulant: sources.c */

/** T, and if there are older sources T_slope, from the first k of the layer's inputs to its first n
 *  neurons. mu: of z; a, w1: of the layer below. */
void rk_third_transports(rk_third *c, const rk_layer *layer, size_t n, size_t k, const double *mu,
                         const double *a, const double *w1, bool older);

/** Source s (born at layer s) as it comes to layer l, if it is there. All sources move on by one
 * slot a layer, so that one spare slot is enough for products that cannot be done in place. */
rk_source rk_third_source(const rk_third *c, size_t s, size_t l, size_t span);

/** [a | z | y] of source s where it was born; kept for `copies` layers. */
rk_legs rk_third_born(const rk_third *c, size_t s);

/** In how many directions source s is held when it comes to layer l: 0 before it was folded, which
 * is not worth it too close to the end. It stays whole as long as a fourth cumulant is followed,
 * and one layer more, where it is the first to say H of the oldest (pairs_below). */
size_t rk_third_span(const rk_third *c, size_t s, size_t l);

/** The sources seen from z = W h, and their slices kappa_iii and, with `pairs`, kappa_iij of bent i
 * and heard j. */
void rk_third_move(rk_third *c, size_t l, const rk_layer *layer, bool pairs);

/* --------------------------------------------------------- the fourth cumulant: carried.c */

/** Before the sources move to layer l. */
void rk_third_enter_fourth(rk_third *c, size_t l);

/** What source s says of two legs at a z of layer l and one of a layer below: where it was born, or
 * else the lowest where a fourth cumulant that is followed may ask for it, and where the source was
 * folded as it is now. */
void rk_third_pairs_below(rk_third *c, size_t l, size_t s, size_t span);

/** H of each layer below, and D, by what was said of the layer below that. */
void rk_third_pull_up(rk_third *c, size_t l, rk_roles role, bool pairs);

/** What stands for the diagonal of the metric, and the squares of the weights; 0: they themselves.
 */
static inline double rk_third_metric_average(const rk_third *c, size_t l) {
    bool exact = c->spec->metric == RK_METRIC_EXACT || l + 1 == c->net->n_layers;
    return exact || rk_third_carries(c) ? 0 : rk_network_weight_scale(c->net, l);
}

/** Where the metric's entries off the diagonal are read: its own, or none. */
void rk_third_move_metric(rk_third *c, size_t l, const rk_layer *layer, bool pairs);

/** The fourth cumulant of z. */
void rk_third_move_fourth(rk_third *c, size_t l, const rk_layer *layer, bool pairs);

/** Where the fourth cumulant born at layer l goes. */
rk_pair_cumulants *rk_third_fourth_born(rk_third *c, size_t l);

/** And what the next layers need of it. */
void rk_third_keep_fourth(rk_third *c, size_t l, size_t n, size_t bent);

#endif
