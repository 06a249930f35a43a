#include "propagate/chain.h"

#include <math.h>

rk_chain rk_chain_start(rk_work *work, const rk_network *net, const rk_input *input,
                        rk_outputs *outputs) {
    rk_chain c = {.work = work, .net = *net, .input = input, .outputs = outputs};
    if (outputs->depth) c.net.n_layers = outputs->depth;
    return c;
}

static bool is_activated(const rk_chain *c, size_t l) {
    return rk_network_is_activated(&c->net, l) && (l + 1 < c->net.n_layers || !c->outputs->bare);
}

static bool is_simple(const rk_network *net, size_t l) {
    return !net->layers[l].adds && rk_network_reads(net, l) == l;
}

/* Sums need the covariance of their terms, and so does an output that reads what was kept: of the
 * present value less may be formed. */
static rk_need need_of(const rk_chain *c, size_t l) {
    const size_t last = c->net.n_layers - 1;
    bool cumulants = l + 1 == last && c->outputs->third_diagonal;
    if (l < last && (cumulants || is_activated(c, l + 1))) return RK_NEED_ALL;
    bool sums = !is_simple(&c->net, last) || !is_simple(&c->net, l);
    return c->outputs->covariance || sums ? RK_NEED_COVARIANCE : RK_NEED_MEAN;
}

rk_stage rk_chain_stage(const rk_chain *c, size_t l) {
    rk_stage s = {.l = l,
                  .layer = &c->net.layers[l],
                  .read = rk_network_reads(&c->net, l),
                  .activated = is_activated(c, l),
                  .last = l + 1 == c->net.n_layers,
                  .need = need_of(c, l)};
    s.is_kept = s.read != l;
    s.adds = rk_network_adds(&c->net, l, &s.added);
    return s;
}

/* What the last layer, without activation, makes of variances where no covariance is formed. */
static void look_ahead(rk_chain *c, const rk_stage *s, const rk_view *v) {
    const rk_layer *last = &c->net.layers[s->l + 1];
    if (v->slope && s->layer->weight && last->weight)
        rk_expansion_look_ahead(c->work, s->layer, v->order, last, v->C_in, v->slope, v->var_z,
                                v->var, &c->expansion);
    else
        c->expansion.variance = rk_average(c->work, s->layer->rows, v->var);
}

/* How far the expansion can be trusted. Where pairs are known, those that nobody needs do not
 * matter. */
static void watch(rk_chain *c, const rk_law *law, const rk_stage *s, const rk_view *v) {
    if (law->knows_pairs && s->need == RK_NEED_MEAN) {
        if (!s->last) look_ahead(c, s, v);
        return;
    }
    if (s->layer->weight)
        (law->knows_pairs ? rk_expansion_linear : rk_expansion_linear_sampled)(
            c->work, s->layer, &c->expansion, c->outputs);
    rk_expansion_activate(c->work, s->layer, v->wick, v->k_max, v->p_max, v->centre, v->mu,
                          v->var_z, v->var, &c->expansion, c->outputs);
    if (!law->knows_pairs && s->l == 0)
        rk_expansion_input(c->work, s->layer->cols, &c->expansion, c->outputs);
}

/* Neurons are nearly Gaussian since weights mix many: one that is another's value, or a sum with
 * one, is what that activation made it. */
static void notice_unmixed(rk_chain *c, const rk_stage *s) {
    static const double little = 0.02;
    bool bends = s->layer->activation.kind != RK_IDENTITY;
    if (bends && c->expansion.unmixed > little) c->outputs->unmixed++;
}

static const rk_branch_mark *mark_of(const rk_chain *c, size_t value) {
    const rk_branch_mark *mark = c->marks;
    while (mark->value != value)
        mark++;
    return mark;
}

/* In the place of one that no later layer needs, if there is one: rk_network_measure has counted.
 */
static void keep(rk_chain *c, const rk_law *law, void *state, size_t value) {
    if (!rk_network_keeps(&c->net, value)) return;
    size_t i = 0;
    while (i < c->n_marks && rk_network_last_use(&c->net, c->marks[i].value) >= value)
        i++;
    if (i == c->n_marks) c->n_marks++;
    c->marks[i] = rk_branch_keep(value, &c->expansion, c->outputs);
    law->keep(state, value);
}

/* z += v; what the present value is of the sum is seen in its variance. */
static void add(rk_chain *c, const rk_law *law, void *state, const rk_stage *s, const rk_view *v) {
    const size_t n = s->layer->rows;
    const double branch = rk_average(c->work, n, v->var_z);
    law->add(state, s);
    const double sum = rk_average(c->work, n, v->var_z);
    if (!rk_work_charge(c->work, 20)) return;
    rk_branch_add(mark_of(c, s->added), sum > 0 ? branch / sum : 1, &c->expansion, c->outputs);
}

static void deliver_hidden(rk_chain *c, const rk_stage *s, const rk_view *v) {
    size_t n = s->layer->rows;
    if (!c->outputs->hidden_mean) return;
    double *out = c->outputs->hidden_mean[s->l];
    if (v->order)
        rk_deliver_ordered(c->work, n, v->order, v->mean, out);
    else if (v->scale != 1)
        rk_deliver_scaled(c->work, n, v->scale, v->mean, out);
    else
        rk_deliver(c->work, n, v->mean, out);
}

static void deliver(rk_chain *c, const rk_law *law, void *state, const rk_stage *s, rk_view *v) {
    rk_outputs *out = c->outputs;
    size_t n = s->layer->rows;
    if (v->var)
        rk_deliver(c->work, n, v->var, out->variance);
    else
        rk_deliver_variance(c->work, s->layer, c->expansion.variance, out);
    if (law->restore) law->restore(state, s, v, out);
    rk_deliver(c->work, n, v->mean, out->mean);
    if (v->C) rk_deliver(c->work, n * n, v->C, out->covariance);
    out->roughness = c->expansion.total_roughness;
    /* pairs of outputs that no weights have mixed are known to first order only */
    if (!s->activated && c->expansion.unmixed > 0) out->whole_expansion = (double)NAN;
}

void rk_chain_run(rk_chain *c, const rk_law *law, void *state) {
    const size_t n_layers = c->net.n_layers;
    c->expansion = rk_expansion_start(c->work, rk_network_n_in(&c->net), c->input);
    keep(c, law, state, 0);
    for (size_t l = 0; l < n_layers; l++) {
        rk_stage s = rk_chain_stage(c, l);
        rk_view v = {.scale = 1};
        if (law->enter) s.layer = law->enter(state, &s);
        if (!rk_work_step(c->work, "layer %zu: %s", l + 1, law->name(state, &s))) return;
        if (s.is_kept) rk_branch_return(mark_of(c, s.read), &c->expansion, c->outputs);
        law->affine(state, &s, &v);
        if (l > 0 && s.layer->weight)
            rk_expansion_close(c->work, l - 1, s.layer, !s.activated, &c->expansion, v.C_in,
                               law->knows_pairs ? v.var_z : NULL, c->outputs);
        rk_expansion_read(s.layer, &c->expansion);
        if (s.adds) add(c, law, state, &s, &v);
        if (law->higher) law->higher(state, &s);
        if (s.activated) {
            notice_unmixed(c, &s);
            law->activate(state, &s, &v);
            watch(c, law, &s, &v);
        }
        keep(c, law, state, l + 1);
        if (s.last)
            deliver(c, law, state, &s, &v);
        else
            deliver_hidden(c, &s, &v);
    }
    rk_work_end(c->work);
}
