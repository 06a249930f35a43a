#include "propagate/mean.h"

#include "base/simd.h"
#include "base/sum.h"
#include "network/input.h"
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

typedef struct state {
    rk_work *work;
    const rk_network *net;
    const rk_mean_spec *spec;
    const double *present; /* mean of the present value; NULL: zero */
    double s;              /* its average variance */
    double *m, *mu, *var_z, *var_h, *w, *centre;
    rk_kept kept;
} state;

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
        var[i] = x->spec->unit_variance ? 1 : s * (exact ? var[i] : average);
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
    bool shown = stage->last && (stage->activated || stage->need != RK_NEED_MEAN);
    if (stage->layer->weight) {
        linear(x, stage, shown || x->spec->metric == RK_METRIC_EXACT, s, m);
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

static const rk_law law = {.name = name,
                           .affine = affine,
                           .add = add,
                           .activate = activate,
                           .keep = keep,
                           .restore = restore};

/* The input's average variance, for every entry where somebody may ask. */
static double input_variance(rk_work *work, const rk_chain *chain, double *var) {
    size_t n = rk_network_n_in(&chain->net);
    const rk_input *input = chain->input;
    if (!rk_work_charge(work, input->covariance ? n : 0)) return 1;
    double s = input->covariance ? rk_input_variance(input, n) : 1;
    for (size_t j = 0; rk_network_keeps(&chain->net, 0) && j < n; j++)
        var[j] = s;
    return s;
}

void rk_propagate_mean(rk_work *work, const rk_network *net, const rk_input *input,
                       const rk_mean_spec *spec, rk_outputs *outputs) {
    rk_chain chain = rk_chain_start(work, net, input, outputs);
    size_t width = rk_network_max_width(&chain.net);
    state x = {.work = work,
               .net = &chain.net,
               .spec = spec,
               .m = rk_work_doubles(work, width, 1),
               .mu = rk_work_doubles(work, width, 1),
               .var_z = rk_work_doubles(work, width, 1),
               .var_h = rk_work_doubles(work, width, 1),
               .w = rk_work_doubles(work, width, 6),
               .centre = rk_work_doubles(work, width, 1),
               .kept = rk_kept_take(&chain, false)};
    x.s = input_variance(work, &chain, x.var_h);
    rk_input_mean(work, rk_network_n_in(net), input, x.m);
    x.present = input->mean ? x.m : NULL;
    rk_chain_run(&chain, &law, &x);
}
