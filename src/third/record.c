#include "propagate/back.h"
#include "third/back.h"

/* Where `count` numbers are, the next ones behind them. */
static double *room(double **next, size_t count) {
    double *here = *next;
    *next += count;
    return here;
}

static rk_legs square(double **next, bool there, size_t n) {
    return (rk_legs){.stride = n, .d = room(next, there ? n * n : 0)};
}

/* Of the neurons and pairs of h, without what only the next step reads. */
static rk_newborn_fourth lay_out_newborn(bool each, size_t n, double **next) {
    rk_newborn_fourth born = {.pairs = {.k22_sum = room(next, n), .each = each}};
    double **const vectors[] = {&born.k4, &born.centre, &born.ends, &born.own,   &born.y,
                                &born.w1, &born.w2,     &born.w3,   &born.share, &born.excess};
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        *vectors[k] = room(next, n);
    born.along_C = room(next, 1);
    born.pairs.k22 = square(next, each, n);
    born.pairs.k31 = square(next, each, n);
    born.pairs.edge = square(next, each, n);
    return born;
}

static rk_third_record lay_out(const rk_third *c, size_t l, double **next) {
    const size_t n = c->net->layers[l].rows;
    rk_third_record r = {0};
    double **const vectors[] = {&r.mu, &r.var,   &r.d3, &r.core_z, &r.metric, &r.y_z,
                                &r.m,  &r.slope, &r.a,  &r.core,   &r.y};
    double **const matrices[] = {&r.C_z, &r.C_h, &r.D};
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        *vectors[k] = room(next, n);
    for (size_t k = 0; k < sizeof matrices / sizeof *matrices; k++)
        *matrices[k] = room(next, n * n);
    r.gain = room(next, 1);
    if (!rk_third_follows(c)) return r;
    r.k4 = room(next, n);
    r.carried = room(next, n);
    r.followed22 = room(next, 1);
    r.kept = room(next, 1);
    r.K31 = room(next, n * n);
    r.born = lay_out_newborn(c->spec->fourth == RK_FOURTH_FULL, n, next);
    for (size_t age = 0; age < c->spec->reach && age < l; age++) {
        size_t heard = c->net->layers[l - 1 - age].rows;
        r.H[age] = room(next, n * heard);
        r.G[age] = room(next, n * heard);
    }
    return r;
}

double *rk_third_records_take(const rk_third *c) {
    double *first = rk_work_doubles(c->work, 0, 1), *next = first;
    for (size_t l = 0; l < c->net->n_layers; l++)
        lay_out(c, l, &next);
    return rk_work_doubles(c->work, (size_t)(next - first), 1);
}

rk_third_record rk_third_record_of(const rk_third *c, size_t l) {
    double *next = c->records;
    for (size_t k = 0; k < l; k++)
        lay_out(c, k, &next);
    return lay_out(c, l, &next);
}

/* ---------------------------------------------------------------------------------------- there */

static void set_number(rk_work *work, double x, double *to) {
    if (rk_work_charge(work, 0)) *to = x;
}

static void record_followed_z(rk_third *c, size_t l, size_t n, bool pairs,
                              const rk_third_record *r) {
    const rk_followed_fourth *followed = &c->followed;
    rk_set(c->work, n, c->z.k4, r->k4);
    set_number(c->work, c->z.followed22, r->followed22);
    if (l == 0) return;
    rk_set(c->work, n, followed->k4_carried, r->carried);
    if (pairs) rk_set(c->work, n * n, c->z.K31.d, r->K31);
    for (size_t age = 0; age < followed->reach && age < l; age++) {
        const size_t heard = c->net->layers[l - 1 - age].rows;
        rk_set(c->work, n * heard, followed->H[age].d, r->H[age]);
        if (age > 0 || pairs) rk_set(c->work, n * heard, followed->G[age].d, r->G[age]);
    }
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
    if (rk_third_follows(c)) record_followed_z(c, stage->l, n, pairs, &r);
}

static void record_newborn(rk_third *c, size_t l, size_t n, const rk_newborn_fourth *to) {
    const rk_newborn_fourth *from = &c->followed.born[l % c->followed.reach];
    const double *const vectors[] = {from->k4,    from->centre, from->ends,         from->own,
                                     from->y,     from->w1,     from->w2,           from->w3,
                                     from->share, from->excess, from->pairs.k22_sum};
    double *const places[] = {to->k4,    to->centre, to->ends,         to->own,
                              to->y,     to->w1,     to->w2,           to->w3,
                              to->share, to->excess, to->pairs.k22_sum};
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        rk_set(c->work, n, vectors[k], places[k]);
    rk_set(c->work, 1, from->along_C, to->along_C);
    if (!to->pairs.each) return;
    rk_set(c->work, n * n, from->pairs.k22.d, to->pairs.k22.d);
    rk_set(c->work, n * n, from->pairs.k31.d, to->pairs.k31.d);
    rk_set(c->work, n * n, from->pairs.edge.d, to->pairs.edge.d);
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
    if (!rk_third_follows(c)) return;
    record_newborn(c, stage->l, n, &r.born);
    set_number(c->work, c->followed.kept[stage->l % c->followed.reach], r.kept);
}

/* ---------------------------------------------------------------------------------------- again */

static void recall_fourth(rk_third *c, const rk_stage *stage, const rk_third_record *r) {
    c->z.k4 = r->k4;
    c->z.has_K31 = stage->l > 0 && stage->need != RK_NEED_MEAN;
    c->z.K31 = (rk_legs){.stride = stage->layer->rows, .d = r->K31};
    c->z.followed31 = stage->l > 0 && c->spec->reach > 1;
    if (rk_work_charge(c->work, 0)) c->z.followed22 = *r->followed22;
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
    if (rk_third_follows(c)) recall_fourth(c, stage, &r);
}
