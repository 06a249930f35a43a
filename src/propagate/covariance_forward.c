#include "propagate/covariance_state.h"
#include "propagate/forward.h"

/* s->bar holds changes here. */

static void begin(void *context, const rk_tangent *x) {
    rk_covariance_state *s = context;
    const size_t n = rk_network_n_in(&s->chain->net);
    rk_kept_clear(&s->kept);
    rk_set(s->work, n, x->input_mean, s->bar.mean);
    s->bar.any = s->bar.pairs = x->input_covariance != NULL;
    if (s->bar.any) rk_set(s->work, n * n, x->input_covariance, s->bar.second);
}

static void keep(void *context, size_t value) {
    rk_covariance_state *s = context;
    const size_t n = rk_network_value_size(&s->chain->net, value);
    double *C_dot = s->bar.second;
    if (!s->bar.any) { /* the input's, for which there may be no room */
        C_dot = rk_work_doubles(s->work, n, n);
        rk_set(s->work, n * n, NULL, C_dot);
    }
    rk_kept_add(&s->kept, value, n, s->bar.mean, C_dot);
}

static void affine(void *context, const rk_stage *stage, const rk_tangent *x) {
    rk_covariance_state *s = context;
    rk_bars *dot = &s->bar;
    const rk_layer *layer = stage->layer;
    const size_t l = stage->l;
    const bool full = stage->need != RK_NEED_MEAN;
    const double *dW = x->weight ? x->weight[l] : NULL, *db = x->bias ? x->bias[l] : NULL;
    const double *C = rk_covariance_remember(s, stage->read);
    if (l == 1 && s->radius != 1)
        rk_rescale_forward(s->work, layer->cols, 1 / s->radius, s->m, dot->mean,
                           dot->any ? dot->second : NULL, dot->pairs);
    const double *m_dot = dot->mean, *C_dot = dot->any ? dot->second : NULL;
    if (stage->is_kept) {
        const rk_kept_value *read = rk_kept_find(&s->kept, stage->read);
        m_dot = read->m;
        C_dot = read->C;
    }
    rk_affine_mean_forward(s->work, layer, stage->read > 0 || s->chain->input->mean ? s->m : NULL,
                           m_dot, dW, db, dot->mean_next);
    if (full)
        rk_affine_covariance_forward(s->work, layer, C, C_dot, dW, dot->product, dot->second_next);
    else if (stage->activated)
        rk_variances_forward(s->work, layer, C, C_dot, dW, dot->product, dot->second_next);
    rk_kept_affine_forward(&s->kept, stage, C, dW);
    rk_bars_step(dot);
    dot->any = full || stage->activated;
    dot->pairs = full;
}

static void add(void *context, const rk_stage *stage) {
    rk_covariance_state *s = context;
    rk_kept_sum(&s->kept, stage, s->bar.mean, s->bar.second, s->var_z);
}

static void activate_pairs(rk_covariance_state *s, const rk_stage *stage, const double *Z) {
    const size_t n = stage->layer->rows;
    const rk_pairs_spec *pairs = &s->pairs;
    rk_bars *dot = &s->bar;
    rk_diagonal(s->work, n, dot->second, s->var_z);
    const rk_pairs_tangent side = {
        .mu = dot->mean, .var = s->var_z, .g = s->side_bar.g, .var_h = s->side_bar.var_h};
    rk_pairs_side_forward(s->work, pairs, &s->side, &side, dot->mean_next);
    rk_pairs_activate_forward(s->work, pairs, &s->side, &side, Z, dot->second);
    rk_kept_activate_forward(&s->kept, stage, side.g);
}

static void activate(void *context, const rk_stage *stage) {
    rk_covariance_state *s = context;
    rk_bars *dot = &s->bar;
    const size_t n = stage->layer->rows;
    const rk_covariance_record r = rk_covariance_record_of(s, stage->l);
    rk_covariance_look(s, stage->layer, r.mu, r.var, dot->pairs);
    rk_covariance_hold_negative(s->work, n, r.raw, dot->second, dot->pairs ? n + 1 : 1);
    if (dot->pairs) {
        activate_pairs(s, stage, r.Z);
    } else {
        rk_wick_moments_forward(s->work, n, 2, s->w, dot->mean, dot->second, dot->mean_next,
                                dot->second_next);
        rk_swap(&dot->second, &dot->second_next);
    }
    rk_swap(&dot->mean, &dot->mean_next);
}

static rk_view view(void *context, const rk_stage *stage) {
    rk_covariance_state *s = context;
    const rk_bars *dot = &s->bar;
    rk_view v = {.mean = dot->mean, .scale = stage->l == 0 ? 1 : s->radius};
    if (!dot->any) return v;
    v.var = dot->second;
    if (!dot->pairs) return v;
    v.C = dot->second;
    v.var = s->var_h;
    rk_diagonal(s->work, stage->layer->rows, v.C, v.var);
    return v;
}

static void restore(void *context, const rk_stage *stage, rk_outputs *out) {
    rk_covariance_state *s = context;
    rk_bars *dot = &s->bar;
    (void)out;
    if (stage->l > 0 && s->radius != 1)
        rk_rescale_forward(s->work, stage->layer->rows, s->radius, s->chain->outputs->mean,
                           dot->mean, dot->any ? dot->second : NULL, dot->pairs);
}

const rk_law_forward rk_covariance_forward = {.begin = begin,
                                              .keep = keep,
                                              .affine = affine,
                                              .add = add,
                                              .activate = activate,
                                              .restore = restore,
                                              .view = view};
