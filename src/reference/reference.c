#include "reference/reference.h"

#include "cumulant/expand.h"
#include "reference/factored.h"

#include <string.h>

static void show(const rk_reference_state *s, const rk_stage *stage, bool activated) {
    const rk_reference_observer *observer = s->observer;
    if (observer && rk_work_charge(s->work, 0))
        observer->see(observer->context, stage->l, activated, activated ? &s->act : &s->pre);
}

static const char *name(void *context, const rk_stage *stage) {
    static const char *names[] = {"K = 1", "K = 2", "K = 3", "K = 4"};
    const rk_reference_state *s = context;
    (void)stage;
    return names[s->spec->K - 1];
}

/* The covariance written out, n x n, where it is tracked in full. */
static void unpack_covariance(rk_work *work, const rk_tower *tower, double *C) {
    size_t n = tower->n;
    const double *packed = tower->degree[2].core;
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            C[i * n + j] = C[j * n + i] = *packed++;
}

static bool has_covariance(const rk_tower *tower) {
    return tower->degree[2].core && tower->degree[2].radial == 0;
}

/* The stated errors were measured with what a few rows say of how `next` reads a layer: the view
 * has no variances of z before the activation. */
static void affine(void *context, const rk_stage *stage, rk_view *view) {
    rk_reference_state *s = context;
    rk_work_release(s->work, s->shown);
    rk_reference_linear(s, stage);
    view->mu = view->mean = s->pre.degree[1].core;
    if (stage->l == 0) {
        view->C_in = s->input->covariance;
    } else if (has_covariance(&s->act)) {
        double *C = rk_work_doubles(s->work, s->act.n, s->act.n);
        unpack_covariance(s->work, &s->act, C);
        view->C_in = C;
    }
    if (stage->last && !stage->activated && has_covariance(&s->pre)) {
        rk_symmetric_diagonal(s->work, s->pre.n, s->pre.degree[2].core, s->pre_variance);
        view->var = s->pre_variance;
    }
    show(s, stage, false);
}

static void activate(void *context, const rk_stage *stage, rk_view *view) {
    rk_reference_state *s = context;
    rk_work_release(s->work, s->shown);
    view->C_in = NULL;
    rk_reference_activate(s, stage);
    view->mean = s->act.degree[1].core;
    view->var = s->act_variance;
    view->var_z = s->pre_variance;
    view->wick = s->wick;
    view->centre = s->centre;
    view->k_max = s->table.k_max;
    view->p_max = s->table.p_max;
    show(s, stage, true);
}

static void deliver_covariance(rk_work *work, const rk_tower *tower, double *out) {
    size_t n = tower->n;
    if (tower->degree[2].radial == 0) {
        unpack_covariance(work, tower, out);
        return;
    }
    if (!rk_work_charge(work, 0)) return;
    memset(out, 0, n * n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[i * n + i] =
            *tower->degree[2].core * (tower->metric_diagonal ? tower->metric_diagonal[i] : 1);
}

static void restore(void *context, const rk_stage *stage, rk_view *view, rk_outputs *outputs) {
    rk_reference_state *s = context;
    const rk_tower *tower = stage->activated ? &s->act : &s->pre;
    (void)view;
    rk_work_release(s->work, s->shown);
    if (outputs->covariance) deliver_covariance(s->work, tower, outputs->covariance);
    if (!outputs->third || !rk_work_step(s->work, "cumulants of the output")) return;
    rk_tower_expand(s->work, tower, 3, outputs->third);
    if (outputs->fourth) rk_tower_expand(s->work, tower, 4, outputs->fourth);
}

/* Activation steps that compute the top degree. */
static size_t full_steps(const rk_reference_state *s, const rk_chain *chain) {
    size_t n = 0;
    for (size_t l = 0; l < s->net->n_layers; l++) {
        rk_stage stage = rk_chain_stage(chain, l);
        n += stage.activated && rk_reference_depth(s, &stage) >= s->spec->K;
    }
    return n;
}

static void run(rk_reference_state *s, rk_chain *chain) {
    const rk_law law = {.knows_pairs = s->table.radial[2] == 0,
                        .name = name,
                        .affine = affine,
                        .activate = activate,
                        .restore = restore};
    s->full_steps = full_steps(s, chain);
    rk_reference_start(s);
    rk_chain_run(chain, &law, s);
}

rk_status rk_propagate_reference(rk_work *work, const rk_network *net, const rk_input *input,
                                 const rk_reference_spec *spec, rk_outputs *outputs,
                                 const rk_reference_observer *observer, rk_error *error) {
    rk_chain chain = rk_chain_start(work, net, input, outputs);
    rk_reference_state s = {
        .work = work, .net = net, .input = input, .spec = spec, .observer = observer};
    if (spec->factored && spec->K >= 3) s.factored = spec->K == 3 ? &rk_factored3 : &rk_factored4;
    s.output_depth = observer || outputs->third                        ? RK_MAX_DEGREE
                     : outputs->covariance || spec->no_power_cumulants ? 2
                                                                       : 1;
    rk_status status = rk_reference_table_fill(&s.table, spec, error);
    if (status == RK_OK) run(&s, &chain);
    rk_reference_table_clear(&s.table);
    return status;
}
