#include "propagate/covariance_state.h"

static rk_back_view back_view(void *context, const rk_stage *stage) {
    const rk_covariance_state *s = context;
    return (rk_back_view){.mean = s->bar.mean,
                          .var = s->bar.any ? s->bar.second : NULL,
                          .stride = rk_bars_stride(&s->bar, stage->layer->rows),
                          .scale = stage->l == 0 ? 1 : s->radius};
}

static void begin_back(void *context, const rk_stage *stage, const rk_cotangent *f) {
    rk_covariance_state *s = context;
    rk_bars *bar = &s->bar;
    const size_t n = stage->layer->rows;
    rk_kept_clear(&s->kept);
    rk_bars_begin(s->work, n, f, bar);
    if (stage->l > 0 && s->radius != 1)
        rk_rescale_back(s->work, n, s->radius, s->chain->outputs->mean, rk_bars_second(bar),
                        bar->mean);
}

/* Of a covariance: its adjoint becomes that of z's, whose diagonal is what variances take. */
static void pairs_back(rk_covariance_state *s, const rk_stage *stage, const double *Z) {
    const size_t n = stage->layer->rows;
    rk_bars *bar = &s->bar;
    const rk_pairs_spec *pairs = &s->pairs;
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

void rk_covariance_hold_negative(rk_work *work, size_t n, const double *var, double *bar,
                                 size_t stride) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        if (var[i] < 0) bar[i * stride] = 0;
}

static void activate_back(void *context, const rk_stage *stage) {
    rk_covariance_state *s = context;
    rk_bars *bar = &s->bar;
    const size_t n = stage->layer->rows;
    const rk_covariance_record r = rk_covariance_record_of(s, stage->l);
    rk_covariance_look(s, stage->layer, r.mu, r.var, bar->pairs);
    if (bar->pairs) {
        pairs_back(s, stage, r.Z);
    } else {
        rk_wick_moments_back(s->work, n, 2, s->w, bar->mean, bar->any ? bar->second : NULL, 1,
                             bar->mean_next, bar->second_next);
        rk_swap(&bar->second, &bar->second_next);
    }
    rk_swap(&bar->mean, &bar->mean_next);
    rk_covariance_hold_negative(s->work, n, r.raw, bar->second, bar->pairs ? n + 1 : 1);
    bar->any = true;
}

/* What was kept co-varies: the adjoint of all pairs, n of them. */
static void widen(rk_covariance_state *s, size_t n) {
    rk_bars *bar = &s->bar;
    if (bar->any && bar->pairs) return;
    rk_set(s->work, n * n, NULL, bar->second_next);
    if (bar->any) rk_add_strided(s->work, n, 1, bar->second, n + 1, bar->second_next);
    rk_swap(&bar->second, &bar->second_next);
    bar->any = bar->pairs = true;
}

static void add_back(void *context, const rk_stage *stage) {
    rk_covariance_state *s = context;
    widen(s, stage->layer->rows);
    rk_kept_sum_back(&s->kept, stage, s->bar.mean, s->bar.second);
}

static void keep_back(void *context, size_t value) {
    rk_covariance_state *s = context;
    const bool wanted = value > 0 || s->chain->input_covariance;
    if (wanted) widen(s, rk_network_value_size(&s->chain->net, value));
    rk_kept_add_back(&s->kept, value, s->bar.mean, wanted ? s->bar.second : NULL);
}

static void affine_back(void *context, const rk_stage *stage, const rk_adjoint *to) {
    rk_covariance_state *s = context;
    rk_bars *bar = &s->bar;
    const size_t l = stage->l;
    double *dW = to->weight ? to->weight[l] : NULL, *db = to->bias ? to->bias[l] : NULL;
    const bool all = stage->read > 0 || to->input_covariance;
    const double *C = rk_covariance_remember(s, stage->read);
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
    const rk_covariance_state *s = context;
    rk_bars_end(s->work, rk_network_n_in(&s->chain->net), &s->bar, to);
}

const rk_law_back rk_covariance_back = {.begin = begin_back,
                                        .activate = activate_back,
                                        .add = add_back,
                                        .affine = affine_back,
                                        .keep = keep_back,
                                        .end = end_back,
                                        .view = back_view};
