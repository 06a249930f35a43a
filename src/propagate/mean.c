#include "propagate/mean.h"

#include "base/simd.h"
#include "base/sum.h"
#include "network/input.h"
#include "propagate/mean_state.h"

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

_Static_assert(sizeof(rk_mean_state) <= RK_TAPE_STATE, "a tape holds it");

/* Where those of layer l begin: rows means, then rows variances. */
static size_t record_at(const rk_network *net, size_t l) {
    size_t at = 0;
    for (size_t k = 0; k < l; k++)
        at += 2 * net->layers[k].rows;
    return at;
}

double *rk_mean_record_of(const rk_mean_state *x, size_t l) {
    return x->records + record_at(x->net, l);
}

bool rk_mean_is_exact(const rk_mean_state *x, const rk_stage *stage) {
    bool shown = stage->last && (stage->activated || stage->need != RK_NEED_MEAN);
    return shown || x->metric == RK_METRIC_EXACT;
}

/* mu = W m + b, var_i = s (W W')_ii if `exact`, or s times its expectation. */
static void linear(rk_mean_state *x, const rk_stage *stage, bool exact, double s, const double *m) {
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
        var[i] = x->unit_variance ? 1 : s * (exact ? var[i] : average);
}

static const char *name(void *context, const rk_stage *stage) {
    (void)context, (void)stage;
    return "mean";
}

static void affine(void *context, const rk_stage *stage, rk_view *view) {
    rk_mean_state *x = context;
    const double *m = x->present, *var = x->var_h;
    double s = x->s;
    if (stage->is_kept) {
        const rk_kept_value *read = rk_kept_find(&x->kept, stage->read);
        m = read->m;
        var = read->C;
        s = rk_average(x->work, stage->layer->cols, var);
    }
    if (stage->layer->weight) {
        linear(x, stage, rk_mean_is_exact(x, stage), s, m);
    } else {
        rk_affine_mean(x->work, stage->layer, m, x->mu);
        rk_deliver(x->work, stage->layer->rows, var, x->var_z);
    }
    view->mu = view->mean = x->mu;
    view->var_z = view->var = x->var_z;
    x->present = x->mu;
}

static void add(void *context, const rk_stage *stage) {
    rk_mean_state *x = context;
    rk_kept_sum(&x->kept, stage, x->mu, NULL, x->var_z);
}

static void activate(void *context, const rk_stage *stage, rk_view *view) {
    rk_mean_state *x = context;
    size_t n = stage->layer->rows;
    rk_wick_step(x->work, &stage->layer->activation, n, x->mu, x->var_z, 2, 2, x->centre, x->w);
    if (x->chain->recorded) {
        double *record = rk_mean_record_of(x, stage->l);
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
    rk_mean_state *x = context;
    rk_kept_add(&x->kept, value, rk_network_value_size(x->net, value), x->present, x->var_h);
}

/* A covariance that is wanted is diagonal. */
static void restore(void *context, const rk_stage *stage, rk_view *view, rk_outputs *outputs) {
    const rk_mean_state *x = context;
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

void rk_mean_remember(rk_mean_state *x, size_t value) {
    if (value == 0) {
        rk_input_mean(x->work, rk_network_n_in(x->net), x->chain->input, x->m);
        x->s = input_variance(x->work, x->chain, x->var_h);
        return;
    }
    const rk_layer *below = &x->net->layers[value - 1];
    const size_t n = below->rows;
    double *mu = rk_mean_record_of(x, value - 1);
    rk_wick_step(x->work, &below->activation, n, mu, mu + n, 2, 2, x->centre, x->w);
    rk_wick_moments(x->work, n, 2, x->centre, x->w, x->m, x->var_h);
    x->s = rk_average(x->work, n, x->var_h);
}

void rk_mean_adjoints_swap(rk_mean_adjoints *bar) {
    rk_swap(&bar->mean, &bar->mean_next);
    rk_swap(&bar->var, &bar->var_next);
}

static const rk_law law = {.name = name,
                           .affine = affine,
                           .add = add,
                           .activate = activate,
                           .keep = keep,
                           .restore = restore,
                           .back = &rk_mean_back,
                           .forward = &rk_mean_forward};

static rk_mean_adjoints adjoints_take(rk_work *work, size_t width) {
    return (rk_mean_adjoints){.mean = rk_work_doubles(work, width, 1),
                              .mean_next = rk_work_doubles(work, width, 1),
                              .var = rk_work_doubles(work, width, 1),
                              .var_next = rk_work_doubles(work, width, 1),
                              .squares = rk_work_doubles(work, width, 1),
                              .factor = rk_work_doubles(work, width, 1)};
}

static void start(rk_work *work, const rk_chain *chain, const rk_mean_spec *spec,
                  rk_mean_state *x) {
    const rk_network *net = &chain->net;
    const size_t width = rk_network_max_width(net);
    *x = (rk_mean_state){.work = work,
                         .chain = chain,
                         .net = net,
                         .metric = spec->metric,
                         .unit_variance = spec->unit_variance,
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
    rk_mean_state here, *x = tape ? (rk_mean_state *)tape->state.bytes : &here;
    start(work, chain, spec, x);
    rk_chain_run(chain, &law, x);
}
