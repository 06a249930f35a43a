#include "reference/state.h"

static void add_bias(rk_work *work, const rk_layer *layer, double *mean) {
    if (!layer->bias || !rk_work_charge(work, layer->rows)) return;
    for (size_t i = 0; i < layer->rows; i++)
        mean[i] += layer->bias[i];
}

static void copy_scalar(rk_work *work, const double *from, double *to) {
    if (rk_work_charge(work, 0)) *to = *from;
}

static void row_norms(rk_work *work, const rk_layer *layer, double *out) {
    size_t m = layer->rows, n = layer->cols;
    if (!rk_work_charge(work, 2 * (uint64_t)m * n)) return;
    for (size_t i = 0; i < m; i++) {
        out[i] = 0;
        for (size_t j = 0; j < n; j++)
            out[i] += layer->weight[i * n + j] * layer->weight[i * n + j];
    }
}

/* What the identity behind the radial parts becomes. */
static void transform_metric(rk_reference_state *s, const rk_stage *stage) {
    const rk_layer *layer = stage->layer;
    size_t m = layer->rows;
    bool average = s->spec->metric == RK_METRIC_AVERAGE && !stage->last;
    s->pre.metric_diagonal = s->metric_diagonal;
    s->pre.metric_pairs = average ? NULL : s->metric_pairs; /* K = 1 has none */
    if (average) {
        double scale = rk_network_weight_scale(s->net, stage->l);
        rk_reference_fill(s->work, m, scale, s->metric_diagonal);
    } else if (s->metric_pairs) {
        rk_symmetric_gram(s->work, m, layer->cols, layer->weight, s->metric_pairs);
        rk_symmetric_diagonal(s->work, m, s->metric_pairs, s->metric_diagonal);
    } else {
        row_norms(s->work, layer, s->metric_diagonal);
    }
}

void rk_reference_linear(rk_reference_state *s, const rk_stage *stage) {
    const rk_layer *layer = stage->layer;
    int depth = stage->activated ? RK_MAX_DEGREE : s->output_depth;
    bool radial = false, white = stage->l == 0 && !s->input->covariance; /* not written out */
    s->pre.n = layer->rows;
    for (int d = 1; d <= RK_MAX_DEGREE; d++) {
        const rk_cumulant *from = &s->act.degree[d];
        rk_cumulant *to = &s->pre.degree[d];
        to->core = from->core && d <= depth ? s->pre_core[d] : NULL;
        if (!to->core) continue;
        radial |= from->radial > 0;
        if (rk_tower_order(&s->act, d) == 0)
            copy_scalar(s->work, from->core, to->core);
        else if (white && d == 2 && from->radial == 0)
            rk_symmetric_gram(s->work, layer->rows, layer->cols, layer->weight, to->core);
        else
            rk_symmetric_transform(s->work, rk_tower_order(&s->act, d), layer->rows, layer->cols,
                                   layer->weight, from->core, to->core);
    }
    add_bias(s->work, layer, s->pre.degree[1].core);
    s->pre.factors.J = 0;
    if (s->act.factors.J > 0 && depth >= s->spec->K) s->factored->transform(s, layer);
    s->pre.metric_diagonal = s->pre.metric_pairs = NULL;
    if (radial) transform_metric(s, stage);
}
