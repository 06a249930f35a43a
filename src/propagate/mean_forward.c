#include "base/sum.h"
#include "base/sweep.h"
#include "propagate/forward.h"
#include "propagate/mean_state.h"

#include <string.h>

/* x->bar holds changes here, x->s_dot that of the average variance. */

static void begin(void *context, const rk_tangent *t) {
    rk_mean_state *x = context;
    const size_t n = rk_network_n_in(x->net);
    const double *S = t->input_covariance;
    rk_kept_clear(&x->kept);
    rk_set(x->work, n, t->input_mean, x->bar.mean);
    x->s_dot = 0;
    if (!rk_work_charge(x->work, S ? n : 0)) return;
    for (size_t j = 0; S && j < n; j++)
        x->s_dot += S[j * (n + 1)] / (double)n;
    for (size_t j = 0; j < n; j++)
        x->bar.var[j] = x->s_dot;
}

static void keep(void *context, size_t value) {
    rk_mean_state *x = context;
    rk_kept_add(&x->kept, value, rk_network_value_size(x->net, value), x->bar.mean, x->bar.var);
}

typedef struct rows {
    size_t n;
    const double *W, *dW;       /* dW NULL: zero */
    double *squares, *products; /* W_i . W_i (NULL: not wanted) and W_i . dW_i */
} rows;

static void dot_rows(void *context, size_t first, size_t last) {
    const rows *r = context;
    for (size_t i = first; i < last; i++) {
        const double *W = r->W + i * r->n;
        if (r->squares) r->squares[i] = rk_dot(r->n, W, W);
        r->products[i] = r->dW ? rk_dot(r->n, W, r->dW + i * r->n) : 0;
    }
}

/* Of var_i = s W_i . W_i, or s times the average of that, which may be given. */
static void variances_forward(rk_mean_state *x, const rk_stage *stage, double s_dot,
                              const double *dW, double *var_dot) {
    const rk_layer *layer = stage->layer;
    const size_t m = layer->rows, n = layer->cols;
    const bool exact = rk_mean_is_exact(x, stage), given = !exact && layer->weight_scale > 0;
    const double average = exact ? 0 : rk_network_weight_scale(x->net, stage->l);
    rows r = {.n = n,
              .W = layer->weight,
              .dW = given ? NULL : dW,
              .squares = exact ? x->bar.squares : NULL,
              .products = x->bar.factor};
    if (rk_work_charge(x->work, 2 * ((uint64_t)exact + (r.dW != NULL)) * m * n))
        rk_sweep(x->work->pool, m, n, dot_rows, &r);
    const double change = exact ? 0 : rk_average(x->work, m, r.products);
    if (!rk_work_charge(x->work, 4 * (uint64_t)m)) return;
    for (size_t i = 0; i < m; i++)
        var_dot[i] =
            s_dot * (exact ? r.squares[i] : average) + 2 * x->s * (exact ? r.products[i] : change);
}

static void affine(void *context, const rk_stage *stage, const rk_tangent *t) {
    rk_mean_state *x = context;
    rk_mean_adjoints *dot = &x->bar;
    const rk_layer *layer = stage->layer;
    const double *dW = t->weight ? t->weight[stage->l] : NULL;
    const double *m_dot = dot->mean, *var_dot = dot->var;
    double s_dot = x->s_dot;
    rk_mean_remember(x, stage->read);
    if (stage->is_kept) {
        const rk_kept_value *read = rk_kept_find(&x->kept, stage->read);
        m_dot = read->m;
        var_dot = read->C;
        s_dot = rk_average(x->work, layer->cols, var_dot);
    }
    rk_affine_mean_forward(x->work, layer, stage->read > 0 || x->chain->input->mean ? x->m : NULL,
                           m_dot, dW, t->bias ? t->bias[stage->l] : NULL, dot->mean_next);
    if (!layer->weight)
        rk_set(x->work, layer->cols, var_dot, dot->var_next);
    else if (x->unit_variance)
        rk_set(x->work, layer->rows, NULL, dot->var_next);
    else
        variances_forward(x, stage, s_dot, dW, dot->var_next);
    rk_mean_adjoints_swap(dot);
}

static void add(void *context, const rk_stage *stage) {
    rk_mean_state *x = context;
    rk_kept_sum(&x->kept, stage, x->bar.mean, NULL, x->bar.var);
}

static void activate(void *context, const rk_stage *stage) {
    rk_mean_state *x = context;
    rk_mean_adjoints *dot = &x->bar;
    const size_t n = stage->layer->rows;
    double *mu = rk_mean_record_of(x, stage->l);
    rk_wick_step(x->work, &stage->layer->activation, n, mu, mu + n, 2, 2, x->centre, x->w);
    rk_wick_moments_forward(x->work, n, 2, x->w, dot->mean, dot->var, dot->mean_next,
                            dot->var_next);
    rk_mean_adjoints_swap(dot);
    x->s_dot = rk_average(x->work, n, dot->var);
}

static rk_view view(void *context, const rk_stage *stage) {
    const rk_mean_state *x = context;
    (void)stage;
    return (rk_view){.mean = x->bar.mean, .var = x->bar.var, .scale = 1};
}

/* The covariance is diagonal. */
static void restore(void *context, const rk_stage *stage, rk_outputs *out) {
    const rk_mean_state *x = context;
    const size_t n = stage->layer->rows;
    if (!out->covariance || !rk_work_charge(x->work, 0)) return;
    memset(out->covariance, 0, n * n * sizeof *out->covariance);
    for (size_t i = 0; i < n; i++)
        out->covariance[i * (n + 1)] = stage->activated ? x->s_dot : x->bar.var[i];
}

const rk_law_forward rk_mean_forward = {.begin = begin,
                                        .keep = keep,
                                        .affine = affine,
                                        .add = add,
                                        .activate = activate,
                                        .restore = restore,
                                        .view = view};
