#include "propagate/third.h"

#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"
#include "propagate/expansion.h"
#include "propagate/followed_fourth.h"
#include "propagate/relabelling.h"
#include "propagate/third_fold.h"
#include "propagate/third_residual.h"

#include <string.h>

/* What the law of a layer's output is needed for. */
typedef enum purpose { FOR_MEAN, FOR_COVARIANCE, FOR_THIRD } purpose;

static purpose purpose_of(const rk_network *net, const rk_outputs *outputs, size_t l) {
    bool more = l + 2 == net->n_layers && outputs->third_diagonal;
    if (l + 1 < net->n_layers && (more || rk_network_is_activated(net, l + 1))) return FOR_THIRD;
    return outputs->covariance ? FOR_COVARIANCE : FOR_MEAN;
}

/* The whole chain. m, C and the core belong to h before the linear map of a layer; C to z after it
 * and to h again after its activation. */
typedef struct chain {
    rk_work *work;
    const rk_network *net;
    const rk_third_spec *spec;
    rk_diagrams diagrams;
    size_t width, n_sources, slot;
    double *mu, *var, *C, *C_next, *scratch;
    const double *m, *C_in; /* of h before the linear map; C_in NULL is the identity */
    rk_relabelling labels;  /* if there are roles */
    double *y, *y_z;        /* all that the gauge feeds the third cumulant: of h, of z */
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
} chain;

/* The fourth cumulant that activations make. */
static bool follows(const chain *c) {
    return c->spec->gauge == RK_GAUGE_LEAN || c->spec->gauge == RK_GAUGE_FULL;
}

/* For how many layers the legs of a source are kept. */
static size_t copies(const chain *c) {
    return follows(c) ? c->spec->reach : 1;
}

static bool fitted(const chain *c) {
    return c->spec->gauge == RK_GAUGE_FITTED;
}

static bool gauged(const chain *c) {
    return c->spec->gauge != RK_GAUGE_NONE;
}

static rk_role role_of(const chain *c, size_t l) {
    size_t n = c->net->layers[l].rows;
    return c->spec->roles ? c->spec->roles[l] : (rk_role){n, n, n};
}

/* Of which neurons the slices are asked. kappa_iij of linear i says little, and its traces cancel
 * those of what the gauge feeds, so it is left out with them. A fitted law rests on such traces: it
 * is asked all that its constants were fitted with. */
static rk_role slices_of(const chain *c, size_t l) {
    rk_role role = role_of(c, l);
    return fitted(c) ? (rk_role){role.heard, role.heard, c->net->layers[l].rows} : role;
}

static size_t rank_of(const chain *c, size_t width) {
    size_t rank = c->spec->rank;
    return rank > 0 && rank < width ? rank : width;
}

static void zero(rk_work *work, size_t n, double *x) {
    if (rk_work_charge(work, 0)) memset(x, 0, n * sizeof *x);
}

static void copy(rk_work *work, size_t n, const double *from, double *to) {
    if (rk_work_charge(work, 0)) memcpy(to, from, n * sizeof *to);
}

static void ones(rk_work *work, size_t n, double *x) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        x[i] = 1;
}

/* In how many directions source s is held when it comes to layer l: 0 before it was folded, which
 * is not worth it too close to the end. It stays whole as long as a fourth cumulant is followed,
 * and one layer more, where it is the first to say H of the oldest (slice_below). */
static size_t span_at(const chain *c, size_t s, size_t l) {
    size_t width = role_of(c, s).bent, followed = copies(c) + 1;
    size_t last_whole = s + (followed > RK_FOLD_AGE ? followed : RK_FOLD_AGE);
    bool whole = l <= last_whole || last_whole + 2 > c->n_sources;
    if (whole || !c->spec->fold || rank_of(c, width) == width) return 0;
    return rk_fold_span(width, c->net->layers[last_whole].rows);
}

static chain start(rk_work *work, const rk_network *net, const rk_third_spec *spec,
                   const rk_outputs *outputs) {
    chain c = {.work = work, .net = net, .spec = spec};
    size_t scratch = 0, width = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (layer->rows > width) width = layer->rows;
        if (layer->rows * layer->cols > scratch) scratch = layer->rows * layer->cols;
        c.n_sources += purpose_of(net, outputs, l) == FOR_THIRD;
    }
    c.width = width;
    if (width * width > scratch) scratch = width * width;
    c.diagrams = follows(&c)  ? RK_DIAGRAMS_FOURTH
                 : fitted(&c) ? RK_DIAGRAMS_REGENERATED
                 : gauged(&c) ? RK_DIAGRAMS_AUGMENTED
                              : RK_DIAGRAMS_SIMPLE;
    c.mu = rk_work_doubles(work, width, 1);
    c.var = rk_work_doubles(work, width, 1);
    c.C = rk_work_doubles(work, width, width);
    c.C_next = rk_work_doubles(work, width, width);
    c.scratch = rk_work_doubles(work, scratch, 1);
    c.neurons = rk_neurons_take(work, width, follows(&c));
    c.tilt = rk_tilt_take(work, width, spec->gauge);
    c.z.core = rk_work_doubles(work, width, 1);
    c.z.metric = rk_work_doubles(work, width, 1);
    c.z.d3 = rk_work_doubles(work, width, 1);
    c.z.core_scale = c.tilt.core;
    c.z.coherence = rk_work_doubles(work, 1, 1);
    zero(work, width, c.z.core); /* a Gaussian has none of these */
    ones(work, width, c.z.metric);
    zero(work, width, c.z.d3);
    zero(work, width, c.tilt.core);
    zero(work, width, c.tilt.a);
    zero(work, 1, c.tilt.gain);
    zero(work, 1, c.z.coherence);
    c.y = rk_work_doubles(work, width, 1);
    c.y_z = rk_work_doubles(work, width, 1);
    zero(work, width, c.y_z);
    c.z.y = c.y_z;
    if (spec->roles) c.labels = rk_relabelling_take(work, net);
    if (c.n_sources == 0) return c;
    bool in_double = spec->double_legs;
    size_t rank = rank_of(&c, width), cols = 2 * width + rank + 1, bent = 0;
    for (size_t s = 0; s < c.n_sources; s++)
        if (role_of(&c, s).bent > bent) bent = role_of(&c, s).bent;
    c.slot = width * (2 * bent + rank + 1);
    c.M = rk_work_doubles(work, width, width);
    c.z.D = rk_legs_take(work, in_double, width, width);
    if (follows(&c)) {
        c.followed = rk_followed_fourth_take(work, width, bent, in_double, spec->reach,
                                             spec->gauge == RK_GAUGE_FULL);
        c.z.K31 = rk_legs_take(work, in_double, width, width);
        c.z.k4 = rk_work_doubles(work, width, 1);
        zero(work, width, c.z.k4);
    }
    c.T = rk_legs_take(work, in_double, width, width);
    c.T_slope = rk_legs_take(work, in_double, width, width);
    c.born = rk_legs_take(work, in_double, copies(&c) * width, bent + rank + 1);
    c.slicing.left = rk_legs_take(work, in_double, width, cols);
    c.slicing.square = rk_legs_take(work, in_double, width, rank < width ? width : 0);
    for (size_t s = 0; s < c.n_sources; s++)
        for (size_t l = s + 1; l <= c.n_sources; l++)
            if (span_at(&c, s, l) > c.span) c.span = span_at(&c, s, l);
    c.unfolded = rk_legs_take(work, in_double, c.span ? width : 0, cols);
    c.K = rk_legs_take(work, in_double, c.n_sources * c.span, 2 * width);
    c.legs = rk_legs_take(work, in_double, copies(&c) * c.n_sources + 1, c.slot);
    c.L = rk_legs_take(work, in_double, c.n_sources * rank, rank < width ? width : 0);
    c.statics = rk_work_doubles(work, 4 * c.n_sources, width);
    return c;
}

/* Source s (born at layer s) as it comes to layer l, if it is there. All sources move on by one
 * slot a layer, so that one spare slot is enough for products that cannot be done in place. */
static rk_source source_at(const chain *c, size_t s, size_t l, size_t span) {
    size_t width = role_of(c, s).bent, rank = rank_of(c, width);
    double *statics = c->statics + s * 4 * c->width;
    rk_source source = {
        .width = width,
        .rank = rank,
        .fed = gauged(c),
        .span = span,
        .K = rk_legs_view(c->K, s * c->span * 2 * c->width, 2 * width),
        .L = rk_legs_view(c->L, rank < width ? s * rank * c->width : 0, width),
        .w2 = statics,
        .s = statics + width,
        .e = statics + 2 * width,
        .c = statics + 3 * width,
    };
    size_t slot = (copies(c) * s + l) % (copies(c) * c->n_sources + 1);
    source.legs = rk_legs_view(c->legs, slot * c->slot, rk_source_columns(&source));
    return source;
}

/* [a | z | y] of source s where it was born; kept for `copies` layers. */
static rk_legs born_legs(const chain *c, size_t s) {
    size_t width = role_of(c, s).bent, cols = width + rank_of(c, width) + (gauged(c) ? 1 : 0);
    return rk_legs_view(c->born, s % copies(c) * c->width * c->born.stride, cols);
}

/* A pass over rows of what a layer brings, a stretch of columns at a time. */
enum { CHUNK = 256 };
typedef struct rows {
    chain *c;
    const rk_layer *layer;
    rk_role role;
    size_t n; /* columns that are asked for */
    bool older;
} rows;

static void transport_rows(void *context, size_t first, size_t last) {
    const rows *x = context;
    const chain *c = x->c;
    const double *a = c->tilt.a, *w1 = c->neurons.w.k1;
    double row[CHUNK];
    for (size_t i = first; i < last; i++)
        for (size_t from = 0; from < x->n; from += CHUNK) {
            const double *W = x->layer->weight + i * x->layer->cols + from;
            size_t count = rk_legs_within(x->n, from, CHUNK);
            for (size_t j = 0; j < count; j++) /* mu = W m: no biases where there is a gauge */
                row[j] = gauged(c) ? W[j] - c->mu[i] * a[from + j] : W[j];
            rk_legs_write(&c->T, i, from, count, row);
            if (!x->older) continue;
            for (size_t j = 0; j < count; j++)
                row[j] *= w1[from + j];
            rk_legs_write(&c->T_slope, i, from, count, row);
        }
}

/* T and T_slope, from the first k of the layer's inputs to its first n neurons. */
static void prepare_transports(chain *c, const rk_layer *layer, size_t n, size_t k, bool older) {
    c->T = rk_legs_view(c->T, 0, k);
    c->T_slope = rk_legs_view(c->T_slope, 0, k);
    rows x = {.c = c, .layer = layer, .n = k, .older = older};
    if (rk_work_charge(c->work, (uint64_t)((gauged(c) ? 2 : 0) + (older ? 1 : 0)) * n * k))
        rk_sweep(c->work->pool, n, k, transport_rows, &x);
}

/* C_next is free between the linear map of the covariance and that of the next layer. */
static void fold(chain *c, size_t n, const rk_source *whole, rk_source to) {
    rk_fold_scratch scratch = {.wide = rk_legs_view(c->slicing.left, 0, 2 * whole->width),
                               .narrow = rk_legs_view(c->slicing.square, 0, n),
                               .basis = c->scratch,
                               .gram = c->C_next};
    rk_source_fold(c->work, n, whole, &scratch, &to);
}

static void feed_rows(void *context, size_t first, size_t last) {
    const rows *x = context;
    const chain *c = x->c;
    size_t n = x->layer->rows;
    double row[CHUNK], buffer[CHUNK];
    for (size_t i = first; i < last; i++) {
        double y = c->y_z[i], var = c->var[i];
        for (size_t from = 0; from < n; from += CHUNK) {
            size_t count = rk_legs_within(n, from, CHUNK);
            size_t said = i < x->role.bent ? rk_legs_within(x->role.heard, from, count) : 0;
            const double *D = rk_legs_read(&c->z.D, i, from, said, buffer);
            const double *C = c->C + i * n + from, *y_z = c->y_z + from;
            for (size_t j = 0; j < said; j++)
                row[j] = D[j] + 1. / 3 * (var * y_z[j] + 2 * y * C[j]);
            for (size_t j = said; j < count; j++)
                row[j] = 0;
            rk_legs_write(&c->z.D, i, from, count, row);
        }
    }
}

/* y_z = W (1 - m a') y, and what the gauge fed so far: Sym C_ij y_k. */
static void feed_linear(chain *c, const rk_layer *layer, rk_role role, bool pairs) {
    size_t n = layer->rows, k = layer->cols;
    rk_gemv(c->work, n, k, layer->weight, c->y, NULL, c->y_z);
    if (!rk_work_charge(c->work, 2 * k + (pairs ? 5 : 2) * (uint64_t)n * (pairs ? n : 1))) return;
    double along = 0;
    for (size_t j = 0; j < k; j++)
        along += c->tilt.a[j] * c->y[j];
    for (size_t i = 0; i < n; i++) {
        c->y_z[i] -= c->mu[i] * along;
        if (i < role.shifted) c->z.d3[i] += c->var[i] * c->y_z[i];
    }
    rows x = {.c = c, .layer = layer, .role = role};
    if (pairs) rk_sweep(c->work->pool, n, n, feed_rows, &x);
}

/* Before the sources move to layer l. */
static void enter_followed(chain *c, size_t l) {
    rk_followed_fourth *followed = &c->followed;
    for (size_t age = 0; age < followed->reach && age < l; age++) {
        size_t heard = role_of(c, l - 1 - age).heard;
        followed->H[age] = rk_legs_view(followed->H[age], 0, heard);
        followed->G[age] = rk_legs_view(followed->G[age], 0, heard);
        rk_legs_zero(c->work, slices_of(c, l).bent, heard, &followed->H[age]);
    }
    for (size_t age = followed->reach; --age > 0;) {
        rk_legs *above = age > 1 ? &followed->T_below[age - 1] : &c->T, free = *above;
        *above = followed->T_below[age];
        followed->T_below[age] = free;
    }
}

/* What source s says of two legs at a z of layer l and one of a layer below: where it was born, or
 * else the lowest where a fourth cumulant that is followed may ask for it, and where the source was
 * folded as it is now. */
static void pairs_below(chain *c, size_t l, size_t s, size_t span) {
    const rk_followed_fourth *followed = &c->followed;
    size_t bent = slices_of(c, l).bent, age = l - 1 - s, down = followed->reach;
    rk_source source = source_at(c, s, l, span);
    if (age < down) {
        rk_source_pairs_at_birth(c->work, bent, role_of(c, s).heard, &source, born_legs(c, s),
                                 &c->slicing, followed->G[age]);
        return;
    }
    while (span_at(c, s, l + 1 - down) != span)
        down--;
    source = source_at(c, s, l - down, span);
    rk_source_pairs(c->work, bent, role_of(c, l - down).heard, &source, &c->slicing, 1,
                    followed->H[down - 1]);
}

/* H of each layer below, and D, by what was said of the layer below that. */
static void pull_up(chain *c, size_t l, rk_role role, bool pairs) {
    const rk_followed_fourth *followed = &c->followed;
    for (size_t age = followed->reach < l ? followed->reach : l; age-- > 0;) {
        size_t s = l - 1 - age, heard = role_of(c, s).heard;
        if (age == 0 && !pairs) break;
        if (s > 0)
            rk_followed_fourth_join(c->work, role.bent, heard, &followed->H[age],
                                    followed->born[s % followed->reach].w1, &followed->G[age]);
        rk_legs_product(c->work, RK_TRANS, role.bent, role_of(c, l - age).heard, heard,
                        followed->G[age], age ? followed->T_below[age] : c->T, age ? 1 : 0,
                        age ? followed->H[age - 1] : c->z.D);
    }
}

/* The sources seen from z = W h, and their slices kappa_iii and, with `pairs`, kappa_iij of bent i
 * and heard j. */
static void third_linear(chain *c, size_t l, const rk_layer *layer, bool pairs) {
    rk_role role = slices_of(c, l);
    size_t n = role.shifted, k = role_of(c, l - 1).heard;
    c->z.D = rk_legs_view(c->z.D, 0, layer->rows);
    if (follows(c)) enter_followed(c, l);
    prepare_transports(c, layer, n, k, l > 1);
    zero(c->work, layer->rows, c->z.d3);
    for (size_t s = l; s-- > 0;) {
        size_t span = span_at(c, s, l), next = span_at(c, s, l + 1);
        rk_source to = source_at(c, s, l, span), from = source_at(c, s, l - 1, span);
        bool newborn = s == l - 1, below = follows(c) && (pairs || !newborn);
        if (newborn)
            rk_source_first_transport(c->work, n, k, c->T, born_legs(c, s), &to);
        else
            rk_source_transport(c->work, n, k, c->T_slope, &from, &to);
        rk_source whole = rk_source_unfold(c->work, n, &to, c->unfolded);
        rk_source_slices(c->work, n, role.bent, &whole, pairs || below, &c->slicing, c->z.d3);
        if (below)
            pairs_below(c, l, s, span);
        else if (pairs)
            rk_source_pairs(c->work, role.bent, role.heard, &to, &c->slicing, newborn ? 0 : 1,
                            c->z.D);
        if (pairs && next != span) fold(c, role.heard, &whole, source_at(c, s, l, next));
    }
    if (follows(c)) pull_up(c, l, role, pairs);
    if (gauged(c)) feed_linear(c, layer, role, pairs);
}

static void diagonal_rows(void *context, size_t first, size_t last) {
    const rows *x = context;
    const chain *c = x->c;
    size_t k = x->layer->cols;
    for (size_t i = first; i < last; i++) {
        const double *W = x->layer->weight + i * k;
        double metric = 0, core = 0;
        for (size_t j = 0; j < k; j++) {
            double square = W[j] * W[j];
            metric += square;
            core += square * c->tilt.core[j];
        }
        c->z.metric[i] = metric;
        c->z.core[i] = core;
    }
}

/* Diagonals of the core and of the metric of the fourth cumulant; `average` replaces the squares of
 * the weights, 0: it does not. */
static void fourth_diagonals(chain *c, const rk_layer *layer, double average) {
    size_t n = layer->rows, k = layer->cols;
    bool exact = average == 0;
    if (!rk_work_charge(c->work, exact ? 5 * (uint64_t)n * k : n)) return;
    rows x = {.c = c, .layer = layer};
    if (exact) rk_sweep(c->work->pool, n, k, diagonal_rows, &x);
    for (size_t i = 0; !exact && i < n; i++) {
        c->z.metric[i] = average;
        c->z.core[i] = average * c->tilt.core[0];
    }
}

/* The fourth cumulant born at layer s, seen from layer l. */
static rk_fourth_view view_from(chain *c, size_t l, size_t s) {
    rk_source source = source_at(c, s, l, 0);
    rk_legs legs = source.legs;
    rk_role role = slices_of(c, l);
    size_t m = source.width, age = l - 1 - s;
    return (rk_fourth_view){
        .n = age ? role.bent : role.shifted,
        .role = role,
        .cols = age ? m : role_of(c, s).heard,
        .bent = m,
        .newborn = age == 0,
        .p = age ? legs : c->T,
        .a = rk_legs_view(legs, m, legs.stride),
        .y = rk_legs_view(legs, 2 * m + source.rank, legs.stride),
        .H = s > 0 ? &c->followed.H[age] : NULL,
        .var = c->followed.var,
        .C = c->C,
        .var_before = c->followed.var_before,
    };
}

/* kappa_iiii of linear neurons, which H does not know. */
static void leave_to_core(chain *c, rk_role role) {
    if (!rk_work_charge(c->work, role.heard - role.bent)) return;
    for (size_t i = role.bent; i < role.heard; i++)
        c->z.k4[i] = c->z.core[i] * c->z.metric[i];
}

/* The fourth cumulant of z as far as it is followed. */
static void followed_linear(chain *c, size_t l, size_t n, bool pairs) {
    rk_followed_fourth *followed = &c->followed;
    size_t reach = followed->reach;
    rk_slices *z = &c->z;
    z->has_K31 = pairs;
    z->K31 = rk_legs_view(z->K31, 0, n);
    zero(c->work, n, z->k4);
    copy(c->work, n, c->var, followed->var_before);
    for (size_t age = 0; age < reach && age < l; age++) {
        size_t s = l - 1 - age;
        rk_fourth_view view = view_from(c, l, s);
        rk_source source = source_at(c, s, l, 0);
        copy(c->work, n, followed->var_before, followed->var);
        rk_followed_fourth_age(c->work, view.n, source.width, &view.p, source.c,
                               followed->var_before);
        rk_newborn_fourth_move(c->work, &view, &followed->scratch,
                               pairs && age == 0 ? &z->K31 : NULL, &followed->born[s % reach],
                               z->k4);
        if (age + 1 < reach) copy(c->work, n, z->k4, followed->k4_carried);
    }
    leave_to_core(c, slices_of(c, l));
    z->followed22 = rk_followed_fourth_share(followed, l);
    z->followed31 = reach > 1 ? 1 : 0;
}

/* The fourth cumulant of z. */
static void fourth_linear(chain *c, size_t l, const rk_layer *layer, bool pairs) {
    size_t n = layer->rows, k = layer->cols;
    bool exact = c->spec->metric == RK_METRIC_EXACT || l + 1 == c->net->n_layers;
    fourth_diagonals(c, layer, exact || gauged(c) ? 0 : rk_network_weight_scale(c->net, l));
    c->z.M = pairs && exact && !gauged(c) ? c->M : NULL;
    if (c->z.M) rk_congruence(c->work, n, k, layer->weight, NULL, NULL, c->z.M);
    if (fitted(c))
        rk_regenerate(c->work, c->spec->amplitude, l, layer, c->neurons.var, c->var, &c->z);
    if (follows(c)) followed_linear(c, l, n, pairs);
}

static void swap_covariances(chain *c) {
    double *swap = c->C;
    c->C = c->C_next;
    c->C_next = swap;
}

/* Mean and variance of z, and if `pairs` its covariance. */
static void second_linear(chain *c, const rk_layer *layer, bool var, bool pairs) {
    size_t n = layer->rows, k = layer->cols;
    rk_gemv(c->work, n, k, layer->weight, c->m, layer->bias, c->mu);
    if (pairs) {
        rk_congruence(c->work, n, k, layer->weight, c->C_in, c->scratch, c->C_next);
        rk_diagonal(c->work, n, c->C_next, c->var);
        swap_covariances(c);
    } else if (var) {
        rk_variances(c->work, layer, c->C_in, c->scratch, c->var);
    }
}

/* The layer's neurons in the order of their roles, whose means and variances are known, and with
 * `pairs` covariances. */
static void order_neurons(chain *c, size_t l, bool pairs) {
    rk_relabelling *labels = &c->labels;
    size_t n = labels->layer.rows;
    rk_roles_order(c->work, &labels->layer.activation, n, c->mu, c->var, role_of(c, l),
                   labels->rows);
    rk_relabelling_apply(c->work, labels, c->scratch);
    rk_reorder(c->work, labels->rows, n, c->mu, c->scratch);
    rk_reorder(c->work, labels->rows, n, c->var, c->scratch);
    if (!pairs) return;
    rk_reorder_pairs(c->work, labels->rows, n, c->C, c->C_next);
    swap_covariances(c);
}

/* Without gauge: the core is the identity times the total of the fourth cumulant. */
static void average_core(chain *c, size_t n) {
    if (!rk_work_charge(c->work, 2 * n)) return;
    double total = rk_sum(n, c->neurons.k4) + rk_sum(n, c->neurons.k22);
    for (size_t i = 0; i < n; i++)
        c->tilt.core[i] = 3 * total / ((double)n * ((double)n + 2));
}

/* The gauge feeds the third cumulant Sym C_ij b_k, b = -6 C a. All such terms together stay so with
 * the present C, y the sum of the b, but for what C gains at later activations: that is the c of
 * their newborns. */
static void feed(chain *c, size_t n, const rk_source *newborn, const rk_legs *born) {
    if (!rk_work_charge(c->work, 5 * n)) return;
    const double *w1 = c->neurons.w.k1;
    for (size_t i = 0; i < newborn->width; i++)
        newborn->c[i] = c->neurons.var[i] - w1[i] * w1[i] * c->var[i];
    for (size_t i = 0; i < n; i++) {
        double before = w1[i] * c->y_z[i], taken = -before;
        rk_legs_write(born, i, newborn->width + newborn->rank, 1, &taken);
        c->y[i] = before + c->tilt.feed[i];
    }
}

/* Where the fourth cumulant born at layer l goes. */
static rk_pair_cumulants *fourth_born(chain *c, size_t l) {
    rk_pair_cumulants *pairs = &c->followed.born[l % c->followed.reach].pairs;
    rk_role role = role_of(c, l);
    pairs->k22 = rk_legs_view(c->followed.k22, 0, role.bent);
    pairs->k31 = rk_legs_view(pairs->k31, 0, role.heard);
    pairs->edge = rk_legs_view(pairs->edge, 0, role.bent);
    return pairs;
}

static void remember_fourth(chain *c, size_t l, size_t n, size_t bent) {
    rk_followed_fourth *followed = &c->followed;
    bool carries = followed->reach > 1 && l > 0;
    rk_newborn_fourth_set(c->work, n, bent, &c->neurons, &c->z, c->var,
                          carries ? followed->k4_carried : NULL, &c->tilt,
                          &followed->born[l % followed->reach]);
    rk_followed_fourth_keep(c->work, n, l, &c->z, &c->neurons, followed);
}

static void activation(chain *c, size_t l, purpose law) {
    size_t n = c->net->layers[l].rows;
    bool pairs = law != FOR_MEAN;
    rk_neurons_step(c->work, &c->net->layers[l].activation, n, c->mu, c->var, &c->z, pairs,
                    &c->neurons);
    if (law == FOR_COVARIANCE)
        rk_pairs_step(c->work, n, &c->z, c->diagrams, &c->neurons, c->C, 0, NULL, NULL, NULL, NULL);
    if (law != FOR_THIRD) return;
    rk_source newborn = source_at(c, l, l, 0);
    size_t heard = role_of(c, l).heard, bent = newborn.width;
    rk_legs born = born_legs(c, l), z = rk_legs_view(born, bent, born.stride);
    bool exact = newborn.rank == bent;
    rk_legs residual = exact ? z : rk_legs_view(c->slicing.square, 0, bent);
    rk_pair_cumulants *fourth = follows(c) ? fourth_born(c, l) : NULL;
    rk_pairs_step(c->work, n, &c->z, c->diagrams, &c->neurons, c->C, heard, &newborn, &born,
                  &residual, fourth);
    if (fitted(c))
        rk_regenerated_feed(c->work, n, heard, &c->z, &c->neurons, c->C, &newborn, &residual,
                            &c->tilt);
    if (!exact) {
        rk_legs thin = rk_legs_view(c->slicing.left, 0, heard);
        rk_residual_compress(c->work, heard, bent, newborn.rank, residual, thin, c->scratch, z,
                             newborn.L);
    }
    if (gauged(c)) {
        if (!fitted(c)) rk_tilt_step(c->work, n, &c->neurons, c->C, &c->tilt);
        if (follows(c)) remember_fourth(c, l, n, bent);
        feed(c, n, &newborn, &born);
    } else {
        average_core(c, n);
    }
    if (c->spec->gauge == RK_GAUGE_ZERO) zero(c->work, n, c->tilt.core);
}

/* The variance of the output: the common factor that the gauge took out belongs to it. */
static void deliver_variance(chain *c, const rk_layer *layer, bool known, double average,
                             const double *var, const double *m, rk_outputs *outputs) {
    if (known)
        rk_deliver(c->work, layer->rows, var, outputs->variance);
    else
        rk_deliver_variance(c->work, layer, average, outputs);
    if (!gauged(c) || !rk_work_charge(c->work, 3 * layer->rows)) return;
    for (size_t i = 0; i < layer->rows; i++)
        outputs->variance[i] += *c->tilt.gain * m[i] * m[i];
}

static void deliver_diagonals(chain *c, size_t n, rk_outputs *outputs) {
    if (!outputs->third_diagonal || !rk_work_charge(c->work, n)) return;
    for (size_t i = 0; i < n; i++) {
        outputs->third_diagonal[i] = c->z.d3[i];
        outputs->fourth_diagonal[i] = rk_slices_k4(&c->z, i);
    }
}

void rk_propagate_third(rk_work *work, const rk_network *net, const rk_input *input,
                        const rk_third_spec *spec, rk_outputs *outputs) {
    static const char *const name[] = {"mean", "covariance", "third cumulant"};
    chain c = start(work, net, spec, outputs);
    double *m_in = rk_work_doubles(work, rk_network_n_in(net), 1);
    rk_input_mean(work, rk_network_n_in(net), input, m_in);
    c.m = m_in;
    c.C_in = input->covariance;
    rk_expansion e = rk_expansion_start(work, rk_network_n_in(net), input);
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (spec->roles) layer = rk_relabelling_enter(work, layer, &c.labels);
        size_t n = layer->rows;
        bool activated = rk_network_is_activated(net, l);
        purpose law = purpose_of(net, outputs, l);
        bool pairs = law != FOR_MEAN;
        bool diagonals = activated || (l + 1 == net->n_layers && outputs->third_diagonal);
        if (!rk_work_step(work, "layer %zu: %s", l + 1, name[law])) return;
        second_linear(&c, layer, diagonals, pairs);
        if (l > 0) rk_expansion_close(work, l - 1, layer, !activated, &e, c.C_in, c.var, outputs);
        if (spec->roles && l + 1 < net->n_layers) order_neurons(&c, l, pairs);
        if (diagonals && l > 0) {
            third_linear(&c, l, layer, pairs);
            fourth_linear(&c, l, layer, pairs);
        }
        c.z.has_D = l > 0;
        if (activated) activation(&c, l, law);
        if (pairs && activated) {
            rk_expansion_linear(work, layer, &e, outputs);
            rk_expansion_activate(work, layer, c.neurons.wick, RK_NEURONS_MAX_K, 4,
                                  c.neurons.centre, c.mu, c.var, c.neurons.var, &e, outputs);
        }
        if (activated && !pairs && l + 1 < net->n_layers)
            rk_expansion_look_ahead(work, layer, spec->roles ? c.labels.rows : NULL,
                                    &net->layers[l + 1], c.C_in, c.neurons.w.k1, c.var,
                                    c.neurons.var, &e);
        c.m = activated ? c.neurons.m : c.mu;
        c.C_in = c.C;
        if (l + 1 < net->n_layers) {
            double *out = outputs->hidden_mean ? outputs->hidden_mean[l] : NULL;
            if (out && spec->roles)
                rk_deliver_ordered(work, n, c.labels.rows, c.m, out);
            else
                rk_deliver(work, n, c.m, out);
            continue;
        }
        if (!activated) deliver_diagonals(&c, n, outputs);
        deliver_variance(&c, layer, diagonals || pairs, l ? e.variance : 1,
                         activated ? c.neurons.var : c.var, c.m, outputs);
        rk_deliver(work, n, c.m, outputs->mean);
        rk_deliver(work, n * n, c.C, outputs->covariance);
    }
    rk_work_end(work);
}
