#include "propagate/chain.h"

#include "propagate/back.h"

rk_chain rk_chain_start(rk_work *work, const rk_network *net, const rk_input *input,
                        rk_outputs *outputs) {
    rk_chain c = {.work = work, .net = *net, .input = input, .outputs = outputs};
    if (outputs->depth) c.net.n_layers = outputs->depth;
    return c;
}

rk_chain *rk_tape_start(rk_tape *tape, const rk_law *law, rk_chain chain) {
    tape->chain = chain;
    tape->chain.recorded = true;
    tape->chain.input_covariance = tape->input_covariance;
    tape->law = law;
    return &tape->chain;
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

static void keep(const rk_chain *c, const rk_law *law, void *state, size_t value, rk_watch *watch) {
    if (!rk_network_keeps(&c->net, value)) return;
    rk_watch_keep(watch, value);
    law->keep(state, value);
}

static void deliver_hidden(const rk_chain *c, const rk_stage *s, const rk_view *v) {
    size_t n = s->layer->rows;
    if (!c->outputs->hidden_mean) return;
    double *out = c->outputs->hidden_mean[s->l];
    if (v->order)
        rk_deliver_ordered(c->work, n, v->order, v->mean, out);
    else
        rk_deliver_scaled(c->work, n, v->scale, v->mean, out);
}

static void deliver(const rk_chain *c, const rk_law *law, void *state, const rk_stage *s,
                    rk_view *v, const rk_watch *watch) {
    rk_outputs *out = c->outputs;
    size_t n = s->layer->rows;
    if (v->var)
        rk_deliver(c->work, n, v->var, out->variance);
    else if (out->regime)
        rk_deliver_variance(c->work, s->layer, watch->expansion.variance, out);
    if (law->restore) law->restore(state, s, v, out);
    rk_deliver(c->work, n, v->mean, out->mean);
    if (v->C) rk_deliver(c->work, n * n, v->C, out->covariance);
}

void rk_chain_run(const rk_chain *c, const rk_law *law, void *state) {
    rk_watch watch = rk_watch_start(c->work, &c->net, law, c->input, c->outputs);
    keep(c, law, state, 0, &watch);
    for (size_t l = 0; l < c->net.n_layers; l++) {
        rk_stage s = rk_chain_stage(c, l);
        rk_view v = {.scale = 1};
        if (law->enter) s.layer = law->enter(state, &s);
        if (!rk_work_step(c->work, "layer %zu: %s", l + 1, law->name(state, &s))) return;
        rk_watch_read(&watch, &s);
        law->affine(state, &s, &v);
        rk_watch_affine(&watch, &s, &v);
        if (s.adds) {
            const double branch = watch.regime ? rk_average(c->work, s.layer->rows, v.var_z) : 0;
            law->add(state, &s);
            rk_watch_add(&watch, &s, branch, &v);
        }
        if (law->higher) law->higher(state, &s);
        if (s.activated) {
            rk_watch_unmixed(&watch, &s);
            law->activate(state, &s, &v);
            rk_watch_activate(&watch, &s, &v);
        }
        keep(c, law, state, l + 1, &watch);
        if (s.last)
            deliver(c, law, state, &s, &v, &watch);
        else
            deliver_hidden(c, &s, &v);
        if (s.last) rk_watch_end(&watch, &s);
    }
    rk_work_end(c->work);
}

/* --------------------------------------------------------------------------------- the way back */

/* What f depends on of the layer's activations, and of its pre-activations. */
static void add_hidden(const rk_chain *c, const rk_stage *s, const rk_cotangent *f,
                       rk_back_view v) {
    if (f->hidden_mean && !s->last)
        rk_add_strided(c->work, s->layer->rows, v.scale, f->hidden_mean[s->l], 1, v.mean);
}

static void add_pre_activation(const rk_chain *c, const rk_stage *s, const rk_cotangent *f,
                               rk_back_view v) {
    const size_t n = s->layer->rows;
    if (f->z_mean) rk_add_strided(c->work, n, 1, f->z_mean[s->l], 1, v.mean);
    if (f->z_var) rk_add_strided(c->work, n, 1, f->z_var[s->l], v.stride, v.var);
}

void rk_tape_back(rk_tape *tape, const rk_cotangent *f, const rk_adjoint *to) {
    const rk_chain *c = &tape->chain;
    const rk_law_back *back = tape->law->back;
    void *state = tape->state.bytes;
    for (size_t l = c->net.n_layers; l-- > 0;) {
        rk_stage s = rk_chain_stage(c, l);
        if (!rk_work_step(c->work, "layer %zu: %s, back", l + 1, tape->law->name(state, &s)))
            return;
        if (s.last) back->begin(state, &s, f);
        if (rk_network_keeps(&c->net, l + 1)) back->keep(state, l + 1);
        add_hidden(c, &s, f, back->view(state, &s));
        if (s.activated) back->activate(state, &s);
        add_pre_activation(c, &s, f, back->view(state, &s));
        if (back->higher) back->higher(state, &s);
        if (s.adds) back->add(state, &s);
        back->affine(state, &s, to);
    }
    if (rk_network_keeps(&c->net, 0)) back->keep(state, 0);
    back->end(state, to);
    rk_work_end(c->work);
}

/* ----------------------------------------------------------------------------------- and changes
 */

static void deliver_changes(const rk_chain *c, const rk_stage *s, const rk_view *v,
                            rk_outputs *to) {
    const size_t n = s->layer->rows;
    if (!s->last) {
        if (to->hidden_mean && to->hidden_mean[s->l])
            rk_deliver_scaled(c->work, n, v->scale, v->mean, to->hidden_mean[s->l]);
        return;
    }
    rk_deliver(c->work, n, v->mean, to->mean);
    if (v->var) rk_deliver(c->work, n, v->var, to->variance);
    if (v->C) rk_deliver(c->work, n * n, v->C, to->covariance);
}

void rk_tape_forward(rk_tape *tape, const rk_tangent *x, rk_outputs *to) {
    const rk_chain *c = &tape->chain;
    const rk_law_forward *forward = tape->law->forward;
    void *state = tape->state.bytes;
    forward->begin(state, x);
    if (rk_network_keeps(&c->net, 0)) forward->keep(state, 0);
    for (size_t l = 0; l < c->net.n_layers; l++) {
        rk_stage s = rk_chain_stage(c, l);
        if (!rk_work_step(c->work, "layer %zu: %s, changes", l + 1, tape->law->name(state, &s)))
            return;
        forward->affine(state, &s, x);
        if (s.adds) forward->add(state, &s);
        if (s.activated) forward->activate(state, &s);
        if (rk_network_keeps(&c->net, l + 1)) forward->keep(state, l + 1);
        if (s.last) forward->restore(state, &s, to);
        rk_view v = forward->view(state, &s);
        deliver_changes(c, &s, &v, to);
    }
    rk_work_end(c->work);
}
