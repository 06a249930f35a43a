/* What the law of the third order keeps on its way (law.c), for the two that move it through W:
 * the third cumulant's sources (sources.c) and the fourth cumulant (carried.c). */
#ifndef RK_THIRD_STATE_H
#define RK_THIRD_STATE_H

#include "third/compress.h"
#include "third/fourth.h"
#include "third/roles.h"
#include "third/third.h"

#include <string.h>

/** m, C and the core belong to h before the linear map of a layer; C to z after it and to h again
 *  after its activation. */
typedef struct rk_third {
    rk_work *work;
    const rk_network *net;
    const rk_outputs *outputs;
    const rk_third_spec *spec;
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
} rk_third;

/* The fourth cumulant that activations make. */
static inline bool rk_third_follows(const rk_third *c) {
    return c->spec->fourth == RK_FOURTH_LEAN || c->spec->fourth == RK_FOURTH_FULL;
}

/* For how many layers the legs of a source are kept. */
static inline size_t rk_third_copies(const rk_third *c) {
    return rk_third_follows(c) ? c->spec->reach : 1;
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

/* ---------------------------------------------------------- the third cumulant: sources.c */

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

/** The fourth cumulant of z. */
void rk_third_move_fourth(rk_third *c, size_t l, const rk_layer *layer, bool pairs);

/** Where the fourth cumulant born at layer l goes. */
rk_pair_cumulants *rk_third_fourth_born(rk_third *c, size_t l);

/** And what the next layers need of it. */
void rk_third_keep_fourth(rk_third *c, size_t l, size_t n, size_t bent);

#endif
