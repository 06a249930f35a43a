#include "propagate/mean_state.h"

#include "base/sum.h"
#include "base/sweep.h"

/* A covariance of the output is diagonal, and behind an activation all variances are the average.
 */
static void add_covariance(rk_work *work, size_t n, bool average, const double *G, double *var) {
    if (!G || !rk_work_charge(work, 2 * (uint64_t)n)) return;
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += G[i * (n + 1)];
    for (size_t i = 0; i < n; i++)
        var[i] += average ? trace / (double)n : G[i * (n + 1)];
}

static void begin_back(void *context, const rk_stage *stage, const rk_cotangent *f) {
    rk_mean_state *x = context;
    const size_t n = stage->layer->rows;
    rk_set(x->work, n, f->mean, x->bar.mean);
    rk_set(x->work, n, f->variance, x->bar.var);
    add_covariance(x->work, n, stage->activated, f->covariance, x->bar.var);
    rk_kept_clear(&x->kept);
}

static rk_back_view back_view(void *context, const rk_stage *stage) {
    const rk_mean_state *x = context;
    (void)stage;
    return (rk_back_view){.mean = x->bar.mean, .var = x->bar.var, .stride = 1, .scale = 1};
}

static void activate_back(void *context, const rk_stage *stage) {
    rk_mean_state *x = context;
    rk_mean_adjoints *bar = &x->bar;
    const size_t n = stage->layer->rows;
    double *mu = rk_mean_record_of(x, stage->l);
    rk_wick_step(x->work, &stage->layer->activation, n, mu, mu + n, 2, 2, x->centre, x->w);
    rk_wick_moments_back(x->work, n, 2, x->w, bar->mean, bar->var, 1, bar->mean_next,
                         bar->var_next);
    rk_mean_adjoints_swap(bar);
}

static void add_back(void *context, const rk_stage *stage) {
    rk_mean_state *x = context;
    rk_kept_sum_back(&x->kept, stage, x->bar.mean, x->bar.var);
}

typedef struct rows {
    size_t n;
    const double *W, *factor;
    double *squares, *dW; /* either may be NULL */
} rows;

/* |W_i|^2, and dW_i += factor_i W_i. */
static void back_rows(void *context, size_t first, size_t last) {
    const rows *r = context;
    for (size_t i = first; i < last; i++) {
        const double *W = r->W + i * r->n;
        if (r->squares) r->squares[i] = rk_dot(r->n, W, W);
        for (size_t j = 0; r->dW && j < r->n; j++)
            r->dW[i * r->n + j] += r->factor[i] * W[j];
    }
}

/* Of `linear`: from the rk_mean_adjoints of variances to that of every one they are the average of.
 */
static void variances_back(rk_mean_state *x, const rk_stage *stage, double *dW) {
    const rk_layer *layer = stage->layer;
    const size_t m = layer->rows, n = layer->cols;
    const bool exact = rk_mean_is_exact(x, stage), given = !exact && layer->weight_scale > 0;
    const double average = exact ? 0 : rk_network_weight_scale(x->net, stage->l);
    const rk_mean_adjoints *bar = &x->bar;
    double total = 0, sum = 0;
    rows r = {n, layer->weight, bar->factor, exact ? bar->squares : NULL, given ? NULL : dW};
    if (rk_work_charge(x->work, 4 * (uint64_t)m))
        for (size_t i = 0; i < m; i++)
            total += bar->var[i];
    if (rk_work_charge(x->work, 0))
        for (size_t i = 0; i < m; i++)
            bar->factor[i] = 2 * x->s * (exact ? bar->var[i] : total / (double)m);
    if (rk_work_charge(x->work, 2 * ((uint64_t)exact + (r.dW != NULL)) * m * n))
        rk_sweep(x->work->pool, m, n, back_rows, &r);
    if (!rk_work_charge(x->work, n)) return;
    for (size_t i = 0; i < m; i++)
        sum += bar->var[i] * (exact ? bar->squares[i] : average);
    for (size_t j = 0; j < n; j++)
        bar->var_next[j] = sum / (double)n;
}

static void affine_back(void *context, const rk_stage *stage, const rk_adjoint *to) {
    rk_mean_state *x = context;
    rk_mean_adjoints *bar = &x->bar;
    const size_t l = stage->l;
    double *dW = to->weight ? to->weight[l] : NULL, *db = to->bias ? to->bias[l] : NULL;
    rk_mean_remember(x, stage->read);
    rk_affine_mean_back(x->work, stage->layer,
                        stage->read > 0 || x->chain->input->mean ? x->m : NULL, bar->mean,
                        bar->mean_next, dW, db);
    if (!stage->layer->weight)
        rk_set(x->work, stage->layer->cols, bar->var, bar->var_next);
    else if (x->unit_variance)
        rk_set(x->work, stage->layer->cols, NULL, bar->var_next);
    else
        variances_back(x, stage, dW);
    rk_mean_adjoints_swap(bar);
    rk_kept_affine_back(&x->kept, stage, NULL, bar->mean, bar->var, NULL);
    if (stage->is_kept) rk_set(x->work, rk_network_value_size(x->net, l), NULL, bar->var);
}

static void keep_back(void *context, size_t value) {
    rk_mean_state *x = context;
    rk_kept_add_back(&x->kept, value, x->bar.mean, x->bar.var);
}

static void end_back(void *context, const rk_adjoint *to) {
    rk_mean_state *x = context;
    const size_t n = rk_network_n_in(x->net);
    double *C = to->input_covariance, sum = 0;
    rk_add_strided(x->work, n, 1, x->bar.mean, 1, to->input_mean);
    if (!C || !rk_work_charge(x->work, 2 * (uint64_t)n)) return;
    for (size_t j = 0; j < n; j++)
        sum += x->bar.var[j];
    for (size_t j = 0; j < n; j++)
        C[j * (n + 1)] += sum / (double)n;
}

const rk_law_back rk_mean_back = {.begin = begin_back,
                                  .activate = activate_back,
                                  .add = add_back,
                                  .affine = affine_back,
                                  .keep = keep_back,
                                  .end = end_back,
                                  .view = back_view};
