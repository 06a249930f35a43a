#include "propagate/covariance.h"

#include "base/gamma.h"
#include "linalg/blas.h"
#include "propagate/back.h"
#include "propagate/kept.h"

#include <math.h>

typedef struct state {
    rk_work *work;
    const rk_chain *chain;
    const double *C_in; /* of the present value; NULL: the identity */
    double *m, *mu, *var_z, *var_h, *w, *centre, *scratch;
    double *C, *Z; /* take turns */
    double radius; /* E |x| / sqrt(n) of an input whose length is left out, or 1 */
    rk_kept kept;
    rk_covariance_spec spec;
    rk_pairs_side side; /* of the present layer */
    double *records;    /* for the way back: of every layer its z */
    rk_bars bar;
    rk_pairs_adjoint side_bar;
} state;

_Static_assert(sizeof(state) <= RK_TAPE_STATE, "a tape holds it");

/* z of an activated layer: n each, and n x n where h has a covariance. */
typedef struct record {
    double *mu, *var, *raw, *Z; /* raw: variances before what is negative counts as none */
} record;

static record record_of(const state *s, size_t l) {
    const rk_layer *layers = s->chain->net.layers;
    double *next = s->records;
    for (size_t k = 0; k < l; k++)
        next += layers[k].rows * (layers[k].rows + 3);
    const size_t n = layers[l].rows;
    return (record){next, next + n, next + 2 * n, next + 3 * n};
}

static double *records_take(rk_work *work, const rk_network *net) {
    size_t count = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        count += net->layers[l].rows * (net->layers[l].rows + 3);
    return rk_work_doubles(work, count, 1);
}

static void keep_variances(const state *s, const rk_stage *stage) {
    rk_set(s->work, stage->layer->rows, s->var_z, record_of(s, stage->l).raw);
}

static void keep_record(const state *s, const rk_stage *stage, const double *Z) {
    const size_t n = stage->layer->rows;
    const record r = record_of(s, stage->l);
    rk_set(s->work, n, s->mu, r.mu);
    rk_set(s->work, n, s->var_z, r.var);
    if (Z) rk_set(s->work, n * n, Z, r.Z);
}

/* Mean and variance of h = phi(z) from those of z, and if `pairs` what its covariance takes. */
static void look(state *s, const rk_layer *layer, const double *mu, double *var_z, bool pairs) {
    const size_t n = layer->rows;
    rk_wick_step(s->work, &layer->activation, n, mu, var_z, 2, 2, s->centre, s->w);
    rk_wick_moments(s->work, n, 2, s->centre, s->w, s->m, s->var_h);
    if (!pairs) return;
    rk_pairs_side_prepare(s->work, &s->spec.pairs, &layer->activation, n, mu, var_z,
                          s->w + rk_wick_at(n, 2, 1, 1), s->var_h, &s->side);
}

static const char *name(void *context, const rk_stage *stage) {
    (void)context;
    if (stage->need != RK_NEED_MEAN) return "covariance";
    return stage->activated ? "variances" : "mean";
}

static void affine(void *context, const rk_stage *stage, rk_view *view) {
    state *s = context;
    const rk_layer *layer = stage->layer;
    bool full = stage->need != RK_NEED_MEAN;
    if (stage->l == 1 && s->radius != 1) /* the input's length enters h as a factor: out with it */
        rk_rescale(s->work, layer->cols, 1 / s->radius, s->m, s->var_h, s->C);
    const double *m = s->m, *C = s->C_in;
    if (stage->is_kept) {
        const rk_kept_value *read = rk_kept_find(&s->kept, stage->read);
        m = read->m;
        C = read->C;
    }
    rk_affine_mean(s->work, layer, m, s->mu);
    if (full) {
        rk_affine_covariance(s->work, layer, C, s->scratch, s->Z);
        rk_diagonal(s->work, layer->rows, s->Z, s->var_z);
    } else if (stage->activated) {
        rk_variances(s->work, layer, C, s->scratch, s->var_z);
    }
    rk_kept_affine(&s->kept, stage);
    view->C_in = C;
    view->mu = view->mean = s->mu;
    view->var = full ? s->var_z : NULL;
    view->var_z = s->var_z;
    view->C = full ? s->Z : NULL;
    if (!full) return;
    double *swap = s->C;
    s->C = s->Z;
    s->Z = swap;
    s->C_in = s->C;
}

static void add(void *context, const rk_stage *stage) {
    state *s = context;
    rk_kept_sum(&s->kept, stage, s->mu, s->C, s->var_z);
}

static void activate(void *context, const rk_stage *stage, rk_view *view) {
    state *s = context;
    size_t n = stage->layer->rows;
    const double *slope = s->w + rk_wick_at(n, 2, 1, 1);
    if (s->chain->recorded) keep_variances(s, stage);
    look(s, stage->layer, s->mu, s->var_z, view->C != NULL);
    if (s->chain->recorded) keep_record(s, stage, view->C);
    if (view->C) rk_pairs_activate(s->work, &s->spec.pairs, &s->side, &s->side, view->C);
    rk_kept_activate(&s->kept, stage, slope);
    *view = (rk_view){.mean = s->m,
                      .var = s->var_h,
                      .C = view->C,
                      .scale = stage->l == 0 ? 1 : s->radius,
                      .C_in = view->C_in,
                      .mu = s->mu,
                      .var_z = s->var_z,
                      .wick = s->w,
                      .centre = s->centre,
                      .k_max = 2,
                      .p_max = 2,
                      .slope = slope};
}

static void keep(void *context, size_t value) {
    state *s = context;
    size_t n = rk_network_value_size(&s->kept.chain->net, value);
    rk_kept_add(&s->kept, value, n, s->m, s->C_in);
}

static void restore(void *context, const rk_stage *stage, rk_view *view, rk_outputs *outputs) {
    const state *s = context;
    if (stage->l > 0 && s->radius != 1)
        rk_rescale(s->work, stage->layer->rows, s->radius, view->mean, outputs->variance, view->C);
}

/* --------------------------------------------------------------------------------- the way back */

/* Mean and covariance of an earlier value, anew from the z below. */
static const double *remember(state *s, size_t value) {
    if (value == 0) {
        rk_input_mean(s->work, rk_network_n_in(&s->chain->net), s->chain->input, s->m);
        return s->chain->input->covariance;
    }
    const rk_stage below = rk_chain_stage(s->chain, value - 1);
    const record r = record_of(s, value - 1);
    const size_t n = below.layer->rows;
    const bool full = below.need != RK_NEED_MEAN;
    look(s, below.layer, r.mu, r.var, full);
    if (full) {
        rk_set(s->work, n * n, r.Z, s->C);
        rk_pairs_activate(s->work, &s->spec.pairs, &s->side, &s->side, s->C);
    }
    if (value == 1 && s->radius != 1)
        rk_rescale(s->work, n, 1 / s->radius, s->m, s->var_h, full ? s->C : NULL);
    return s->C;
}

static rk_back_view back_view(void *context, const rk_stage *stage) {
    const state *s = context;
    return (rk_back_view){.mean = s->bar.mean,
                          .var = s->bar.any ? s->bar.second : NULL,
                          .stride = rk_bars_stride(&s->bar, stage->layer->rows),
                          .scale = stage->l == 0 ? 1 : s->radius};
}

static void begin_back(void *context, const rk_stage *stage, const rk_cotangent *f) {
    state *s = context;
    rk_bars *bar = &s->bar;
    const size_t n = stage->layer->rows;
    rk_kept_begin_back(&s->kept);
    rk_bars_begin(s->work, n, f, bar);
    if (stage->l > 0 && s->radius != 1)
        rk_rescale_back(s->work, n, s->radius, s->chain->outputs->mean, rk_bars_second(bar),
                        bar->mean);
}

static void swap(double **x, double **y) {
    double *keep = *x;
    *x = *y;
    *y = keep;
}

/* Of a covariance: its adjoint becomes that of z's, whose diagonal is what variances take. */
static void pairs_back(state *s, const rk_stage *stage, const double *Z) {
    const size_t n = stage->layer->rows;
    rk_bars *bar = &s->bar;
    const rk_pairs_spec *pairs = &s->spec.pairs;
    double *var_bar = s->var_z;
    rk_pairs_adjoint_zero(s->work, pairs, n, &s->side_bar);
    rk_pairs_activate_back(s->work, pairs, &s->side, &s->side, Z, bar->second, &s->side_bar,
                           &s->side_bar);
    rk_kept_activate_back(&s->kept, stage, s->side_bar.g);
    rk_set(s->work, n, NULL, bar->mean_next);
    rk_set(s->work, n, NULL, var_bar);
    rk_pairs_side_back(s->work, pairs, &s->side, &s->side_bar, bar->mean, bar->mean_next, var_bar);
    rk_add_strided(s->work, n, 1, var_bar, n + 1, bar->second);
}

/* What counts as none does not move. */
static void drop_negative(rk_work *work, size_t n, const double *var, double *bar, size_t stride) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        if (var[i] < 0) bar[i * stride] = 0;
}

static void activate_back(void *context, const rk_stage *stage) {
    state *s = context;
    rk_bars *bar = &s->bar;
    const size_t n = stage->layer->rows;
    const record r = record_of(s, stage->l);
    look(s, stage->layer, r.mu, r.var, bar->pairs);
    if (bar->pairs) {
        pairs_back(s, stage, r.Z);
    } else {
        rk_wick_moments_back(s->work, n, 2, s->w, bar->mean, bar->any ? bar->second : NULL, 1,
                             bar->mean_next, bar->second_next);
        swap(&bar->second, &bar->second_next);
    }
    swap(&bar->mean, &bar->mean_next);
    drop_negative(s->work, n, r.raw, bar->second, bar->pairs ? n + 1 : 1);
    bar->any = true;
}

/* What was kept co-varies: the adjoint of all pairs, n of them. */
static void widen(state *s, size_t n) {
    rk_bars *bar = &s->bar;
    if (bar->any && bar->pairs) return;
    rk_set(s->work, n * n, NULL, bar->second_next);
    if (bar->any) rk_add_strided(s->work, n, 1, bar->second, n + 1, bar->second_next);
    swap(&bar->second, &bar->second_next);
    bar->any = bar->pairs = true;
}

static void add_back(void *context, const rk_stage *stage) {
    state *s = context;
    widen(s, stage->layer->rows);
    rk_kept_sum_back(&s->kept, stage, s->bar.mean, s->bar.second);
}

static void keep_back(void *context, size_t value) {
    state *s = context;
    const bool wanted = value > 0 || s->chain->input_covariance;
    if (wanted) widen(s, rk_network_value_size(&s->chain->net, value));
    rk_kept_add_back(&s->kept, value, s->bar.mean, wanted ? s->bar.second : NULL);
}

static void affine_back(void *context, const rk_stage *stage, const rk_adjoint *to) {
    state *s = context;
    rk_bars *bar = &s->bar;
    const size_t l = stage->l;
    double *dW = to->weight ? to->weight[l] : NULL, *db = to->bias ? to->bias[l] : NULL;
    const bool all = stage->read > 0 || to->input_covariance;
    const double *C = remember(s, stage->read);
    rk_affine_mean_back(s->work, stage->layer,
                        stage->read > 0 || s->chain->input->mean ? s->m : NULL, bar->mean,
                        bar->mean_next, dW, db);
    if (bar->any)
        rk_affine_covariance_back(s->work, stage->layer, C, rk_bars_second(bar), bar->product,
                                  all ? bar->second_next : NULL, dW);
    rk_bars_step(bar);
    bar->pairs = bar->any;
    rk_kept_affine_back(&s->kept, stage, C, bar->mean, all && bar->any ? bar->second : NULL, dW);
    if (stage->is_kept) bar->any = bar->pairs = false;
    if (l == 1 && s->radius != 1)
        rk_rescale_back(s->work, stage->layer->cols, 1 / s->radius, s->m, rk_bars_second(bar),
                        bar->mean);
}

static void end_back(void *context, const rk_adjoint *to) {
    const state *s = context;
    rk_bars_end(s->work, rk_network_n_in(&s->chain->net), &s->bar, to);
}

static const rk_law_back back = {.begin = begin_back,
                                 .activate = activate_back,
                                 .add = add_back,
                                 .affine = affine_back,
                                 .keep = keep_back,
                                 .end = end_back,
                                 .view = back_view};

static const rk_law law = {.knows_pairs = true,
                           .name = name,
                           .affine = affine,
                           .add = add,
                           .activate = activate,
                           .keep = keep,
                           .restore = restore,
                           .back = &back};

/* E |x| / sqrt(n) for x ~ N(0, I_n). */
static double mean_radius(size_t n) {
    double half = (double)n / 2;
    return exp(rk_log_gamma(half + 0.5) - rk_log_gamma(half)) / sqrt(half);
}

static void start(rk_work *work, const rk_chain *chain, const rk_covariance_spec *spec, state *s) {
    const rk_network *net = &chain->net;
    size_t width = rk_network_max_rows(net);
    *s = (state){.work = work,
                 .chain = chain,
                 .C_in = chain->input->covariance,
                 .m = rk_work_doubles(work, rk_network_max_width(net), 1),
                 .mu = rk_work_doubles(work, width, 1),
                 .var_z = rk_work_doubles(work, width, 1),
                 .var_h = rk_work_doubles(work, width, 1),
                 .w = rk_work_doubles(work, width, 6),
                 .centre = rk_work_doubles(work, width, 1),
                 .scratch = rk_congruence_scratch(work, net, chain->input),
                 .C = rk_work_doubles(work, width, width),
                 .Z = rk_work_doubles(work, width, width),
                 .radius = spec->angular ? mean_radius(rk_network_n_in(net)) : 1,
                 .kept = rk_kept_take(chain, true),
                 .spec = *spec,
                 .side = rk_pairs_side_take(work, &spec->pairs, width)};
    if (chain->recorded) {
        s->records = records_take(work, net);
        s->bar = rk_bars_take(work, net, chain->input_covariance);
        s->side_bar = rk_pairs_adjoint_take(work, &spec->pairs, width);
    }
    rk_input_mean(work, rk_network_n_in(net), chain->input, s->m);
}

void rk_propagate_covariance(rk_work *work, const rk_network *net, const rk_input *input,
                             const rk_covariance_spec *spec, rk_outputs *outputs, rk_tape *tape) {
    rk_chain plain = rk_chain_start(work, net, input, outputs);
    rk_chain *chain = tape ? rk_tape_start(tape, &law, plain) : &plain;
    if (tape) tape->standard_input = spec->angular;
    state here, *s = tape ? (state *)tape->state.bytes : &here;
    start(work, chain, spec, s);
    rk_chain_run(chain, &law, s);
}

rk_marginals rk_covariance_marginals(const rk_tape *tape, size_t l) {
    const record r = record_of((const state *)tape->state.bytes, l);
    return (rk_marginals){r.mu, r.var};
}

rk_moments rk_covariance_read(rk_tape *tape, size_t l) {
    state *s = (state *)tape->state.bytes;
    const double *C = remember(s, l);
    return (rk_moments){s->m, C};
}
