#include "propagate/back.h"
#include "third/state.h"

enum { N_VECTORS = 11, N_MATRICES = 3 };

static size_t size_of(size_t n) {
    return n * (N_VECTORS + N_MATRICES * n) + 1;
}

double *rk_third_records_take(rk_work *work, const rk_network *net) {
    size_t count = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        count += size_of(net->layers[l].rows);
    return rk_work_doubles(work, count, 1);
}

rk_third_record rk_third_record_of(const rk_third *c, size_t l) {
    const size_t n = c->net->layers[l].rows;
    rk_third_record r;
    double **const vectors[N_VECTORS] = {&r.mu, &r.var,   &r.d3, &r.core_z, &r.metric, &r.y_z,
                                         &r.m,  &r.slope, &r.a,  &r.core,   &r.y};
    double **const matrices[N_MATRICES] = {&r.C_z, &r.C_h, &r.D};
    double *next = c->records;
    for (size_t k = 0; k < l; k++)
        next += size_of(c->net->layers[k].rows);
    for (size_t k = 0; k < N_VECTORS; k++, next += n)
        *vectors[k] = next;
    for (size_t k = 0; k < N_MATRICES; k++, next += n * n)
        *matrices[k] = next;
    r.gain = next;
    return r;
}

void rk_third_record_z(rk_third *c, const rk_stage *stage) {
    const rk_third_record r = rk_third_record_of(c, stage->l);
    const size_t n = stage->layer->rows;
    const bool pairs = stage->need != RK_NEED_MEAN;
    rk_set(c->work, n, c->mu, r.mu);
    if (pairs) rk_set(c->work, n * n, c->C, r.C_z);
    if (!rk_third_wants_diagonals(c, stage)) return;
    rk_set(c->work, n, c->var, r.var);
    rk_set(c->work, n, c->z.d3, r.d3);
    rk_set(c->work, n, c->z.core, r.core_z);
    rk_set(c->work, n, c->z.metric, r.metric);
    rk_set(c->work, n, c->y_z, r.y_z);
    if (pairs && c->z.has_D) rk_set(c->work, n * n, c->z.D.d, r.D);
}

void rk_third_record_h(rk_third *c, const rk_stage *stage) {
    const rk_third_record r = rk_third_record_of(c, stage->l);
    const size_t n = stage->layer->rows;
    rk_set(c->work, n, c->neurons.m, r.m);
    rk_set(c->work, 1, c->tilt.gain, r.gain);
    if (stage->need != RK_NEED_MEAN) rk_set(c->work, n * n, c->C, r.C_h);
    if (stage->need != RK_NEED_ALL) return;
    rk_set(c->work, n, c->neurons.w.k1, r.slope);
    rk_set(c->work, n, c->tilt.a, r.a);
    rk_set(c->work, n, c->tilt.core, r.core);
    rk_set(c->work, n, c->y, r.y);
}

void rk_third_recall(rk_third *c, const rk_stage *stage) {
    const size_t l = stage->l, n = stage->layer->rows;
    const rk_third_record r = rk_third_record_of(c, l);
    c->mu = r.mu;
    c->var = r.var;
    c->y_z = r.y_z;
    c->z.y = r.y_z;
    c->z.d3 = r.d3;
    c->z.core = r.core_z;
    c->z.metric = r.metric;
    c->z.core_scale = l > 0 ? rk_third_record_of(c, l - 1).core : r.core_z;
    c->z.has_D = l > 0;
    c->z.D = (rk_legs){.stride = n, .d = r.D};
    c->z.M = NULL;
    if (l > 0 && rk_third_wants_diagonals(c, stage))
        rk_third_move_metric(c, l, stage->layer, stage->need != RK_NEED_MEAN);
}
