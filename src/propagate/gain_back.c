#include "propagate/gain_state.h"

#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"

#include <math.h>

enum { TERMS = RK_GAIN_TERMS, MORE = RK_GAIN_MORE };

/* d E G / d gamma, G chi-distributed: log E G = log Gamma(k + 1/2) - log Gamma(k) - log(k) / 2, k =
 * 1/gamma, whose derivative cancels where k is large and has the series there. */
static double gain_slope(double gamma, double gain) {
    static const double series[] = {1. / 8, -1. / 64, 1. / 128, -17. / 2048, 31. / 2048};
    static const double far = 12;
    if (!(gamma > 1e-12)) return 0;
    double k = 1 / gamma, by_k = 0, tail = 0;
    double shifted = k;
    for (; shifted < far; shifted++)
        by_k += 1 / shifted - 1 / (shifted + 0.5);
    for (size_t t = sizeof series / sizeof *series; t-- > 0;)
        tail = (tail + series[t]) / (shifted * shifted);
    by_k += tail + 0.5 / shifted - 0.5 / k;
    return -k * k * gain * by_k;
}

/* ------------------------------------------------------------------- a common scale, and z = W h
 */

/* x . y; 0 in the dry run. */
static double dot(rk_work *work, size_t n, const double *x, const double *y) {
    return rk_work_charge(work, 2 * (uint64_t)n) ? rk_dot(n, x, y) : 0;
}

/* Of rk_rescale by r of a law of this mean: adjoints of the mean in place; the second moments' are
 * what they were. Returns the adjoint of r. */
static double rescale_back(rk_gain_state *s, size_t n, double r, const double *mean) {
    rk_bars *bar = &s->bar.h;
    double *x = s->bar.x, r_bar = dot(s->work, n, mean, bar->mean);
    if (!bar->any)
        rk_set(s->work, n, NULL, x);
    else if (bar->pairs)
        rk_gemv(s->work, n, n, bar->second, mean, NULL, x);
    if (!rk_work_charge(s->work, 4 * (uint64_t)n)) return 0;
    for (size_t i = 0; i < n; i++) {
        if (bar->any && !bar->pairs) x[i] = bar->second[i] * mean[i];
        bar->mean[i] = r * bar->mean[i] + 2 * (1 - r * r) * x[i];
    }
    return r_bar - 2 * r * rk_dot(n, mean, x);
}

typedef struct couples_back {
    const rk_layer *layer;
    const double *w, *q;
    const rk_gain_coupling *bar;
    double *w_bar, *var_bar, *dW; /* dW may be NULL */
    size_t stride;
} couples_back;

/* Of the coupling: W, w and, through q = var + w^2, var and w. */
static void couple_rows(void *context, size_t first, size_t last) {
    const couples_back *x = context;
    const rk_gain_coupling *bar = x->bar;
    const size_t n = x->layer->cols;
    for (size_t i = first; i < last; i++) {
        const double *row = x->layer->weight + i * n;
        double inverse = x->q[i] > 0 ? 1 / x->q[i] : 0, ratio = x->w[i] * inverse;
        double by_mean = 0, by_q = 0;
        for (size_t j = 0; j < n; j++) {
            double W = row[j], square = W * W * inverse;
            by_mean += bar->t[j] * W;
            by_q += (bar->u[j] + 2 * bar->v[j] * square) * square;
            if (x->dW)
                x->dW[i * n + j] +=
                    2 * W * inverse * (bar->u[j] + 2 * bar->v[j] * square) + bar->t[j] * ratio;
        }
        const double q_bar = -inverse * (by_q + by_mean * ratio);
        x->w_bar[i] += by_mean * inverse + 2 * x->w[i] * q_bar;
        x->var_bar[i * x->stride] += q_bar;
    }
}

/* ------------------------------------------------------------------------------------- the steps
 */

/* What layer l made, anew from its y, with the derivatives of its coefficients. */
static void remember(rk_gain_state *s, size_t l) {
    const rk_stage stage = rk_chain_stage(s->chain, l);
    const rk_gain_record r = rk_gain_record_of(s, l);
    const size_t n = stage.layer->rows;
    const bool full = stage.need != RK_NEED_MEAN;
    if (full) rk_set(s->work, n * n, r.Z, s->layer[0].R);
    rk_set(s->work, n, r.var, s->var);
    rk_gain_activate(s, &stage.layer->activation, n, r.mu, s->var, full, MORE, &s->layer[0]);
}

/* No layer above takes a gain. */
static void clear_series(rk_gain_state *s, size_t n) {
    rk_gain_adjoints *bar = &s->bar;
    double *none[] = {bar->A, bar->B, bar->uB, bar->tA};
    bar->series = 0;
    for (size_t k = 0; k < sizeof none / sizeof *none; k++)
        rk_set(s->work, n * (TERMS + 1), NULL, none[k]);
    rk_set(s->work, n, NULL, bar->k3);
    rk_set(s->work, n, NULL, bar->k4);
}

static double number(rk_work *work, const double *x) {
    return rk_work_charge(work, 0) ? *x : 1;
}

static void begin_back(void *context, const rk_stage *stage, const rk_cotangent *f) {
    rk_gain_state *s = context;
    const size_t n = stage->layer->rows;
    const rk_gain_record r = rk_gain_record_of(s, stage->l);
    s->bar.f = f;
    s->bar.gamma = 0;
    rk_bars_begin(s->work, n, f, &s->bar.h);
    if (stage->activated) remember(s, stage->l);
    clear_series(s, n);
    s->bar.gain =
        rescale_back(s, n, number(s->work, r.gain), stage->activated ? s->layer[0].mean : r.mu);
}

static rk_back_view back_view(void *context, const rk_stage *stage) {
    rk_gain_state *s = context;
    const rk_bars *bar = &s->bar.h;
    return (rk_back_view){.mean = bar->mean,
                          .var = rk_bars_second(bar).x ? bar->second : NULL,
                          .stride = rk_bars_stride(bar, stage->layer->rows),
                          .scale = number(s->work, rk_gain_record_of(s, stage->l).gain)};
}

static void activate_back(void *context, const rk_stage *stage) {
    rk_gain_state *s = context;
    rk_gain_adjoints *bar = &s->bar;
    rk_bars *h_bar = &bar->h;
    const size_t n = stage->layer->rows;
    const rk_gain_record r = rk_gain_record_of(s, stage->l);
    if (!stage->last && bar->f->hidden_mean && bar->f->hidden_mean[stage->l])
        bar->gain += dot(s->work, n, bar->f->hidden_mean[stage->l], s->layer[0].mean);
    if (h_bar->pairs)
        rk_diagonal(s->work, n, h_bar->second, bar->x);
    else
        rk_set(s->work, n, h_bar->any ? h_bar->second : NULL, bar->x);
    if (h_bar->pairs)
        rk_gain_pairs_back(s, n);
    else
        rk_set(s->work, n, NULL, h_bar->second);
    rk_gain_neurons_back(s, n, r.var, bar->x, h_bar->mean_next, h_bar->second,
                         rk_bars_stride(h_bar, n));
    h_bar->any = true;
    rk_swap(&h_bar->mean, &h_bar->mean_next);
}

/* The gain this layer takes: adjoints of y become those of z = G y, and what the gain says of the
 * activations below is left in s->bar for them. */
static void gain_back(rk_gain_state *s, const rk_stage *stage, double *dW) {
    rk_gain_adjoints *bar = &s->bar;
    const rk_layer *layer = stage->layer;
    const size_t m = layer->rows, n = layer->cols;
    const rk_gain_record r = rk_gain_record_of(s, stage->l);
    const double gain = number(s->work, r.gain);
    const double before = number(s->work, rk_gain_record_of(s, stage->l - 1).gain);
    rk_set(s->work, m, r.mu, s->mu);
    rk_set(s->work, m, r.var, s->var);
    rk_rescale(s->work, m, gain / before, s->mu, s->var, NULL);
    const double r_bar = rescale_back(s, m, before / gain, s->mu);
    bar->gamma +=
        (bar->gain - r_bar * before / (gain * gain)) * gain_slope(number(s->work, r.gamma), gain);
    bar->gain = r_bar / gain;
    bar->series = bar->gamma / ((double)m * ((double)m - 1));
    rk_gain_couple(s, layer, s->mu, s->var);
    rk_gain_series_back(s);
    couples_back c = {.layer = layer,
                      .w = s->mu,
                      .q = s->q,
                      .bar = &bar->c,
                      .w_bar = bar->h.mean,
                      .var_bar = bar->h.second,
                      .dW = dW,
                      .stride = rk_bars_stride(&bar->h, m)};
    if (rk_work_charge(s->work, 20 * (uint64_t)m * n))
        rk_sweep(s->work->pool, m, n, couple_rows, &c);
}

static void affine_back(void *context, const rk_stage *stage, const rk_adjoint *to) {
    rk_gain_state *s = context;
    rk_bars *bar = &s->bar.h;
    const rk_layer *layer = stage->layer;
    const size_t l = stage->l;
    const rk_input *input = s->chain->input;
    const bool all = l > 0 || to->input_covariance;
    double *dW = to->weight ? to->weight[l] : NULL, *db = to->bias ? to->bias[l] : NULL;
    const double *m = l ? s->layer[0].mean : input->mean ? s->m_in : NULL;
    const double *C = l ? s->layer[0].C : input->covariance;
    if (l > 0) remember(s, l - 1);
    if (rk_gain_takes(stage))
        gain_back(s, stage, dW);
    else
        clear_series(s, l ? layer->cols : 0);
    rk_affine_mean_back(s->work, layer, m, bar->mean, bar->mean_next, dW, l ? NULL : db);
    if (l > 0 && stage->last) rk_add_strided(s->work, layer->rows, 1, s->bar.f->mean, 1, db);
    if (bar->any)
        rk_affine_covariance_back(s->work, layer, C, rk_bars_second(bar), bar->product,
                                  all ? bar->second_next : NULL, dW);
    rk_bars_step(bar);
    bar->pairs = bar->any;
}

static void end_back(void *context, const rk_adjoint *to) {
    const rk_gain_state *s = context;
    rk_bars_end(s->work, rk_network_n_in(&s->chain->net), &s->bar.h, to);
}

const rk_law_back rk_gain_back = {.begin = begin_back,
                                  .activate = activate_back,
                                  .affine = affine_back,
                                  .end = end_back,
                                  .view = back_view};
