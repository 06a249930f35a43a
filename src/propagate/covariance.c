#include "propagate/covariance.h"

#include "base/gamma.h"
#include "propagate/covariance_state.h"

#include <math.h>

_Static_assert(sizeof(rk_covariance_state) <= RK_TAPE_STATE, "a tape holds it");

rk_covariance_record rk_covariance_record_of(const rk_covariance_state *s, size_t l) {
    const rk_layer *layers = s->chain->net.layers;
    double *next = s->records;
    for (size_t k = 0; k < l; k++)
        next += layers[k].rows * (layers[k].rows + 3);
    const size_t n = layers[l].rows;
    return (rk_covariance_record){next, next + n, next + 2 * n, next + 3 * n};
}

static double *records_take(rk_work *work, const rk_network *net) {
    size_t count = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        count += net->layers[l].rows * (net->layers[l].rows + 3);
    return rk_work_doubles(work, count, 1);
}

static void keep_variances(const rk_covariance_state *s, const rk_stage *stage) {
    rk_set(s->work, stage->layer->rows, s->var_z, rk_covariance_record_of(s, stage->l).raw);
}

static void keep_record(const rk_covariance_state *s, const rk_stage *stage, const double *Z) {
    const size_t n = stage->layer->rows;
    const rk_covariance_record r = rk_covariance_record_of(s, stage->l);
    rk_set(s->work, n, s->mu, r.mu);
    rk_set(s->work, n, s->var_z, r.var);
    if (Z) rk_set(s->work, n * n, Z, r.Z);
}

void rk_covariance_look(rk_covariance_state *s, const rk_layer *layer, const double *mu,
                        double *var_z, bool pairs) {
    const size_t n = layer->rows;
    rk_wick_step(s->work, &layer->activation, n, mu, var_z, 2, 2, s->centre, s->w);
    rk_wick_moments(s->work, n, 2, s->centre, s->w, s->m, s->var_h);
    if (!pairs) return;
    rk_pairs_side_prepare(s->work, &s->pairs, &layer->activation, n, mu, var_z,
                          s->w + rk_wick_at(n, 2, 1, 1), s->var_h, &s->side);
}

static const char *name(void *context, const rk_stage *stage) {
    (void)context;
    if (stage->need != RK_NEED_MEAN) return "covariance";
    return stage->activated ? "variances" : "mean";
}

static void affine(void *context, const rk_stage *stage, rk_view *view) {
    rk_covariance_state *s = context;
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
    rk_covariance_state *s = context;
    rk_kept_sum(&s->kept, stage, s->mu, s->C, s->var_z);
}

static void activate(void *context, const rk_stage *stage, rk_view *view) {
    rk_covariance_state *s = context;
    size_t n = stage->layer->rows;
    const double *slope = s->w + rk_wick_at(n, 2, 1, 1);
    if (s->chain->recorded) keep_variances(s, stage);
    rk_covariance_look(s, stage->layer, s->mu, s->var_z, view->C != NULL);
    if (s->chain->recorded) keep_record(s, stage, view->C);
    if (view->C) rk_pairs_activate(s->work, &s->pairs, &s->side, &s->side, view->C);
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
    rk_covariance_state *s = context;
    size_t n = rk_network_value_size(&s->kept.chain->net, value);
    rk_kept_add(&s->kept, value, n, s->m, s->C_in);
}

static void restore(void *context, const rk_stage *stage, rk_view *view, rk_outputs *outputs) {
    const rk_covariance_state *s = context;
    if (stage->l > 0 && s->radius != 1)
        rk_rescale(s->work, stage->layer->rows, s->radius, view->mean, outputs->variance, view->C);
}

const double *rk_covariance_remember(rk_covariance_state *s, size_t value) {
    if (value == 0) {
        rk_input_mean(s->work, rk_network_n_in(&s->chain->net), s->chain->input, s->m);
        return s->chain->input->covariance;
    }
    const rk_stage below = rk_chain_stage(s->chain, value - 1);
    const rk_covariance_record r = rk_covariance_record_of(s, value - 1);
    const size_t n = below.layer->rows;
    const bool full = below.need != RK_NEED_MEAN;
    rk_covariance_look(s, below.layer, r.mu, r.var, full);
    if (full) {
        rk_set(s->work, n * n, r.Z, s->C);
        rk_pairs_activate(s->work, &s->pairs, &s->side, &s->side, s->C);
    }
    if (value == 1 && s->radius != 1)
        rk_rescale(s->work, n, 1 / s->radius, s->m, s->var_h, full ? s->C : NULL);
    return s->C;
}

static const rk_law law = {.knows_pairs = true,
                           .name = name,
                           .affine = affine,
                           .add = add,
                           .activate = activate,
                           .keep = keep,
                           .restore = restore,
                           .back = &rk_covariance_back,
                           .forward = &rk_covariance_forward};

/* E |x| / sqrt(n) for x ~ N(0, I_n). */
static double mean_radius(size_t n) {
    double half = (double)n / 2;
    return exp(rk_log_gamma(half + 0.5) - rk_log_gamma(half)) / sqrt(half);
}

static void start(rk_work *work, const rk_chain *chain, const rk_covariance_spec *spec,
                  rk_covariance_state *s) {
    const rk_network *net = &chain->net;
    size_t width = rk_network_max_rows(net);
    *s = (rk_covariance_state){.work = work,
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
                               .pairs = spec->pairs,
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
    rk_covariance_state here, *s = tape ? (rk_covariance_state *)tape->state.bytes : &here;
    start(work, chain, spec, s);
    rk_chain_run(chain, &law, s);
}

rk_marginals rk_covariance_marginals(const rk_tape *tape, size_t l) {
    const rk_covariance_record r =
        rk_covariance_record_of((const rk_covariance_state *)tape->state.bytes, l);
    return (rk_marginals){r.mu, r.var};
}

rk_moments rk_covariance_read(rk_tape *tape, size_t l) {
    rk_covariance_state *s = (rk_covariance_state *)tape->state.bytes;
    const double *C = rk_covariance_remember(s, l);
    return (rk_moments){s->m, C};
}
