#include "propagate/watch.h"

#include <math.h>

rk_watch rk_watch_start(rk_work *work, const rk_network *net, const rk_law *law,
                        const rk_input *input, const rk_outputs *outputs) {
    rk_watch w = {.work = work,
                  .net = net,
                  .law = law,
                  .regime = outputs->regime,
                  .covariance = outputs->covariance != NULL};
    if (w.regime) w.expansion = rk_expansion_start(work, rk_network_n_in(net), input);
    return w;
}

static const rk_branch_mark *mark_of(const rk_watch *w, size_t value) {
    const rk_branch_mark *mark = w->marks;
    while (mark->value != value)
        mark++;
    return mark;
}

void rk_watch_read(rk_watch *w, const rk_stage *s) {
    if (w->regime && s->is_kept) rk_branch_return(mark_of(w, s->read), &w->expansion, w->regime);
}

void rk_watch_affine(rk_watch *w, const rk_stage *s, const rk_view *v) {
    if (!w->regime) return;
    if (s->l > 0 && s->layer->weight && (s->activated || w->covariance))
        rk_expansion_close(w->work, s->l - 1, s->layer, !s->activated, &w->expansion, v->C_in,
                           w->law->knows_pairs ? v->var_z : NULL, w->regime);
    rk_expansion_read(s->layer, &w->expansion);
}

void rk_watch_add(rk_watch *w, const rk_stage *s, double branch, const rk_view *v) {
    if (!w->regime) return;
    const double sum = rk_average(w->work, s->layer->rows, v->var_z);
    if (!rk_work_charge(w->work, 20)) return;
    rk_branch_add(mark_of(w, s->added), sum > 0 ? branch / sum : 1, &w->expansion, w->regime);
}

/* Neurons are nearly Gaussian since weights mix many: one that is another's value, or a sum with
 * one, is what that activation made it. */
void rk_watch_unmixed(rk_watch *w, const rk_stage *s) {
    static const double little = 0.02;
    bool bends = s->layer->activation.kind != RK_IDENTITY;
    if (w->regime && bends && w->expansion.unmixed > little) w->regime->unmixed++;
}

/* What the last layer, without activation, makes of variances where no covariance is formed. */
static void look_ahead(rk_watch *w, const rk_stage *s, const rk_view *v) {
    const rk_layer *last = &w->net->layers[s->l + 1];
    if (v->slope && s->layer->weight && last->weight)
        rk_expansion_look_ahead(w->work, s->layer, v->order, last, v->C_in, v->slope, v->var_z,
                                v->var, &w->expansion);
    else
        w->expansion.variance = rk_average(w->work, s->layer->rows, v->var);
}

/* Where pairs are known, those that nobody needs do not matter. */
void rk_watch_activate(rk_watch *w, const rk_stage *s, const rk_view *v) {
    if (!w->regime) return;
    if (w->law->knows_pairs && s->need == RK_NEED_MEAN) {
        if (!s->last) look_ahead(w, s, v);
        return;
    }
    if (s->layer->weight)
        (w->law->knows_pairs ? rk_expansion_linear : rk_expansion_linear_sampled)(
            w->work, s->layer, &w->expansion, w->regime);
    rk_expansion_activate(w->work, s->layer, v->wick, v->k_max, v->p_max, v->centre, v->mu,
                          v->var_z, v->var, &w->expansion, w->regime);
    if (!w->law->knows_pairs && s->l == 0)
        rk_expansion_input(w->work, s->layer->cols, &w->expansion, w->regime);
}

/* In the place of one that no later layer needs, if there is one: rk_network_measure has counted.
 */
void rk_watch_keep(rk_watch *w, size_t value) {
    size_t i = 0;
    if (!w->regime) return;
    while (i < w->n_marks && rk_network_last_use(w->net, w->marks[i].value) >= value)
        i++;
    if (i == w->n_marks) w->n_marks++;
    w->marks[i] = rk_branch_keep(value, &w->expansion, w->regime);
}

void rk_watch_end(rk_watch *w, const rk_stage *s) {
    if (!w->regime) return;
    w->regime->roughness = w->expansion.total_roughness;
    /* pairs of outputs that no weights have mixed are known to first order only */
    if (!s->activated && w->expansion.unmixed > 0) w->regime->whole_expansion = (double)NAN;
}
