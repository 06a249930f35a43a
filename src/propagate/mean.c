#include "propagate/mean.h"

#include "base/simd.h"
#include "base/sum.h"
#include "base/sweep.h"
#include "network/input.h"
#include "propagate/back.h"
#include "propagate/kept.h"

#include <string.h>

/* One pass over the weights for both: they are what costs. */
typedef struct pass {
    const rk_layer *layer;
    const double *m;      /* NULL: zero */
    double *mu, *squares; /* W m + b; the rows' W_i . W_i, or NULL */
} pass;

enum { BLOCK_ROWS = 256 };

RK_HOT static void pass_rows(void *context, size_t block) {
    const pass *p = context;
    const rk_layer *layer = p->layer;
    size_t n = layer->cols, first = block * BLOCK_ROWS;
    size_t last = first + BLOCK_ROWS < layer->rows ? first + BLOCK_ROWS : layer->rows;
    for (size_t i = first; i < last; i++) {
        const double *row = layer->weight + i * n;
        p->mu[i] = (p->m ? rk_dot(n, row, p->m) : 0) + (layer->bias ? layer->bias[i] : 0);
        if (p->squares) p->squares[i] = rk_dot(n, row, row);
    }
}

/* Adjoints of means and variances of the present value, and room for those of the one before. */
typedef struct adjoints {
    double *mean, *mean_next, *var, *var_next; /* width */
    double *squares, *factor;                  /* of rows */
} adjoints;

typedef struct state {
    rk_work *work;
    const rk_chain *chain;
    const rk_network *net; /* the chain's */
    rk_mean_spec spec;
    const double *present; /* mean of the present value; NULL: zero */
    double s;              /* its average variance */
    double *m, *mu, *var_z, *var_h, *w, *centre;
    rk_kept kept;
    double *records; /* for the way back: mean and variances of every layer's z */
    adjoints bar;
} state;

_Static_assert(sizeof(state) <= RK_TAPE_STATE, "a tape holds it");

/* Where those of layer l begin: rows means, then rows variances. */
static size_t record_at(const rk_network *net, size_t l) {
    size_t at = 0;
    for (size_t k = 0; k < l; k++)
        at += 2 * net->layers[k].rows;
    return at;
}

static double *record_of(const state *x, size_t l) {
    return x->records + record_at(x->net, l);
}

static bool is_exact(const state *x, const rk_stage *stage) {
    bool shown = stage->last && (stage->activated || stage->need != RK_NEED_MEAN);
    return shown || x->spec.metric == RK_METRIC_EXACT;
}

/* mu = W m + b, var_i = s (W W')_ii if `exact`, or s times its expectation. */
static void linear(state *x, const rk_stage *stage, bool exact, double s, const double *m) {
    const rk_layer *layer = stage->layer;
    size_t n = layer->rows;
    double *var = x->var_z;
    pass p = {layer, m, x->mu, exact ? var : NULL};
    uint64_t products = (uint64_t)(m != NULL) + exact;
    if (rk_work_charge(x->work, 2 * products * n * layer->cols))
        rk_pool_run(x->work->pool, rk_pool_blocks(n, BLOCK_ROWS), pass_rows, &p);
    double average = exact ? 0 : rk_network_weight_scale(x->net, stage->l);
    if (!rk_work_charge(x->work, n)) return;
    for (size_t i = 0; i < n; i++)
        var[i] = x->spec.unit_variance ? 1 : s * (exact ? var[i] : average);
}

static const char *name(void *context, const rk_stage *stage) {
    (void)context, (void)stage;
    return "mean";
}

static void affine(void *context, const rk_stage *stage, rk_view *view) {
    state *x = context;
    const double *m = x->present, *var = x->var_h;
    double s = x->s;
    if (stage->is_kept) {
        const rk_kept_value *read = rk_kept_find(&x->kept, stage->read);
        m = read->m;
        var = read->C;
        s = rk_average(x->work, stage->layer->cols, var);
    }
    if (stage->layer->weight) {
        linear(x, stage, is_exact(x, stage), s, m);
    } else {
        rk_affine_mean(x->work, stage->layer, m, x->mu);
        rk_deliver(x->work, stage->layer->rows, var, x->var_z);
    }
    view->mu = view->mean = x->mu;
    view->var_z = view->var = x->var_z;
    x->present = x->mu;
}

static void add(void *context, const rk_stage *stage) {
    state *x = context;
    rk_kept_sum(&x->kept, stage, x->mu, NULL, x->var_z);
}

static void activate(void *context, const rk_stage *stage, rk_view *view) {
    state *x = context;
    size_t n = stage->layer->rows;
    rk_wick_step(x->work, &stage->layer->activation, n, x->mu, x->var_z, 2, 2, x->centre, x->w);
    if (x->chain->recorded) {
        double *record = record_of(x, stage->l);
        rk_set(x->work, n, x->mu, record);
        rk_set(x->work, n, x->var_z, record + n);
    }
    rk_wick_moments(x->work, n, 2, x->centre, x->w, x->m, x->var_h);
    x->s = rk_average(x->work, n, x->var_h);
    x->present = x->m;
    view->mean = x->m;
    view->var = x->var_h;
    view->wick = x->w;
    view->centre = x->centre;
    view->k_max = view->p_max = 2;
}

static void keep(void *context, size_t value) {
    state *x = context;
    rk_kept_add(&x->kept, value, rk_network_value_size(x->net, value), x->present, x->var_h);
}

/* A covariance that is wanted is diagonal. */
static void restore(void *context, const rk_stage *stage, rk_view *view, rk_outputs *outputs) {
    const state *x = context;
    size_t n = stage->layer->rows;
    double *out = outputs->covariance;
    (void)view;
    if (!out || !rk_work_charge(x->work, 0)) return;
    memset(out, 0, n * n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[i * n + i] = stage->activated ? x->s : x->var_z[i];
}

/* The input's average variance; that of every entry. */
static double input_variance(rk_work *work, const rk_chain *chain, double *var) {
    size_t n = rk_network_n_in(&chain->net);
    const rk_input *input = chain->input;
    if (!rk_work_charge(work, input->covariance ? n : 0)) return 1;
    double s = input->covariance ? rk_input_variance(input, n) : 1;
    for (size_t j = 0; j < n; j++)
        var[j] = s;
    return s;
}

/* --------------------------------------------------------------------------------- the way back */

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
    state *x = context;
    const size_t n = stage->layer->rows;
    rk_set(x->work, n, f->mean, x->bar.mean);
    rk_set(x->work, n, f->variance, x->bar.var);
    add_covariance(x->work, n, stage->activated, f->covariance, x->bar.var);
    rk_kept_begin_back(&x->kept);
}

static rk_back_view back_view(void *context, const rk_stage *stage) {
    const state *x = context;
    (void)stage;
    return (rk_back_view){.mean = x->bar.mean, .var = x->bar.var, .stride = 1, .scale = 1};
}

static void swap_adjoints(adjoints *bar) {
    double *mean = bar->mean, *var = bar->var;
    bar->mean = bar->mean_next;
    bar->var = bar->var_next;
    bar->mean_next = mean;
    bar->var_next = var;
}

static void activate_back(void *context, const rk_stage *stage) {
    state *x = context;
    adjoints *bar = &x->bar;
    const size_t n = stage->layer->rows;
    double *mu = record_of(x, stage->l);
    rk_wick_step(x->work, &stage->layer->activation, n, mu, mu + n, 2, 2, x->centre, x->w);
    rk_wick_moments_back(x->work, n, 2, x->w, bar->mean, bar->var, 1, bar->mean_next,
                         bar->var_next);
    swap_adjoints(bar);
}

static void add_back(void *context, const rk_stage *stage) {
    state *x = context;
    rk_kept_sum_back(&x->kept, stage, x->bar.mean, x->bar.var);
}

/* Means, variances and their average of an earlier value, anew from the z below. */
static void remember(state *x, size_t value) {
    if (value == 0) {
        rk_input_mean(x->work, rk_network_n_in(x->net), x->chain->input, x->m);
        x->s = input_variance(x->work, x->chain, x->var_h);
        return;
    }
    const rk_layer *below = &x->net->layers[value - 1];
    const size_t n = below->rows;
    double *mu = record_of(x, value - 1);
    rk_wick_step(x->work, &below->activation, n, mu, mu + n, 2, 2, x->centre, x->w);
    rk_wick_moments(x->work, n, 2, x->centre, x->w, x->m, x->var_h);
    x->s = rk_average(x->work, n, x->var_h);
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

/* Of `linear`: from the adjoints of variances to that of every one they are the average of. */
static void variances_back(state *x, const rk_stage *stage, double *dW) {
    const rk_layer *layer = stage->layer;
    const size_t m = layer->rows, n = layer->cols;
    const bool exact = is_exact(x, stage), given = !exact && layer->weight_scale > 0;
    const double average = exact ? 0 : rk_network_weight_scale(x->net, stage->l);
    const adjoints *bar = &x->bar;
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
    state *x = context;
    adjoints *bar = &x->bar;
    const size_t l = stage->l;
    double *dW = to->weight ? to->weight[l] : NULL, *db = to->bias ? to->bias[l] : NULL;
    remember(x, stage->read);
    rk_affine_mean_back(x->work, stage->layer,
                        stage->read > 0 || x->chain->input->mean ? x->m : NULL, bar->mean,
                        bar->mean_next, dW, db);
    if (!stage->layer->weight)
        rk_set(x->work, stage->layer->cols, bar->var, bar->var_next);
    else if (x->spec.unit_variance)
        rk_set(x->work, stage->layer->cols, NULL, bar->var_next);
    else
        variances_back(x, stage, dW);
    swap_adjoints(bar);
    rk_kept_affine_back(&x->kept, stage, NULL, bar->mean, bar->var, NULL);
    if (stage->is_kept) rk_set(x->work, rk_network_value_size(x->net, l), NULL, bar->var);
}

static void keep_back(void *context, size_t value) {
    state *x = context;
    rk_kept_add_back(&x->kept, value, x->bar.mean, x->bar.var);
}

static void end_back(void *context, const rk_adjoint *to) {
    state *x = context;
    const size_t n = rk_network_n_in(x->net);
    double *C = to->input_covariance, sum = 0;
    rk_add_strided(x->work, n, 1, x->bar.mean, 1, to->input_mean);
    if (!C || !rk_work_charge(x->work, 2 * (uint64_t)n)) return;
    for (size_t j = 0; j < n; j++)
        sum += x->bar.var[j];
    for (size_t j = 0; j < n; j++)
        C[j * (n + 1)] += sum / (double)n;
}

static const rk_law_back back = {.begin = begin_back,
                                 .activate = activate_back,
                                 .add = add_back,
                                 .affine = affine_back,
                                 .keep = keep_back,
                                 .end = end_back,
                                 .view = back_view};

static const rk_law law = {.name = name,
                           .affine = affine,
                           .add = add,
                           .activate = activate,
                           .keep = keep,
                           .restore = restore,
                           .back = &back};

static adjoints adjoints_take(rk_work *work, size_t width) {
    return (adjoints){.mean = rk_work_doubles(work, width, 1),
                      .mean_next = rk_work_doubles(work, width, 1),
                      .var = rk_work_doubles(work, width, 1),
                      .var_next = rk_work_doubles(work, width, 1),
                      .squares = rk_work_doubles(work, width, 1),
                      .factor = rk_work_doubles(work, width, 1)};
}

static void start(rk_work *work, const rk_chain *chain, const rk_mean_spec *spec, state *x) {
    const rk_network *net = &chain->net;
    const size_t width = rk_network_max_width(net);
    *x = (state){.work = work,
                 .chain = chain,
                 .net = net,
                 .spec = *spec,
                 .m = rk_work_doubles(work, width, 1),
                 .mu = rk_work_doubles(work, width, 1),
                 .var_z = rk_work_doubles(work, width, 1),
                 .var_h = rk_work_doubles(work, width, 1),
                 .w = rk_work_doubles(work, width, 6),
                 .centre = rk_work_doubles(work, width, 1),
                 .kept = rk_kept_take(chain, false)};
    if (chain->recorded) {
        x->records = rk_work_doubles(work, record_at(net, net->n_layers), 1);
        x->bar = adjoints_take(work, width);
    }
    x->s = input_variance(work, chain, x->var_h);
    rk_input_mean(work, rk_network_n_in(net), chain->input, x->m);
    x->present = chain->input->mean ? x->m : NULL;
}

void rk_propagate_mean(rk_work *work, const rk_network *net, const rk_input *input,
                       const rk_mean_spec *spec, rk_outputs *outputs, rk_tape *tape) {
    rk_chain plain = rk_chain_start(work, net, input, outputs);
    rk_chain *chain = tape ? rk_tape_start(tape, &law, plain) : &plain;
    state here, *x = tape ? (state *)tape->state.bytes : &here;
    start(work, chain, spec, x);
    rk_chain_run(chain, &law, x);
}
