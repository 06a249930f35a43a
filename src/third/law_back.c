#include "third/back.h"

#include "linalg/blas.h"
#include "propagate/back.h"
#include "third/tilt_back.h"

static void clear_z(rk_third *c, size_t n) {
    rk_slices_bar *z = &c->back.z;
    z->D = rk_legs_view(z->D, 0, n);
    rk_set(c->work, n, NULL, z->d3);
    rk_set(c->work, n, NULL, z->core);
    rk_set(c->work, n, NULL, z->metric);
    rk_set(c->work, n, NULL, z->y);
    rk_set(c->work, 1, NULL, z->core_scale);
    if (!rk_third_follows(c)) return;
    z->K31 = rk_legs_view(z->K31, 0, n);
    rk_set(c->work, n, NULL, z->k4);
    rk_set(c->work, 1, NULL, z->followed22);
}

/* Of layers above nothing has come yet. */
static void clear_sources(rk_third *c) {
    rk_third_back *back = &c->back;
    const size_t n = c->width, reach = c->spec->reach;
    rk_set(c->work, rk_third_slots_back(c) * c->slot, NULL, back->legs.d);
    rk_set(c->work, 4 * c->n_sources * n, NULL, back->statics);
    rk_set(c->work, (rk_third_follows(c) ? reach : 1) * n * back->born.stride, NULL, back->born.d);
    if (!rk_third_follows(c)) return;
    rk_set(c->work, back->weights, NULL, back->W);
    rk_set(c->work, n, NULL, back->carried);
    rk_set(c->work, c->net->n_layers, NULL, back->kept);
    for (size_t age = 0; age < reach; age++) {
        rk_newborn_fourth_clear(c->work, n, &back->fourth[age]);
        if (age > 0) rk_set(c->work, back->weights, NULL, back->T_below[age]);
    }
}

/* ------------------------------------------------------------------------------ from the output */

/* What `restore` delivered. */
static void restored(rk_third *c, const rk_third_record *r, size_t n, const rk_cotangent *f) {
    rk_third_back *back = &c->back;
    if (f->variance && rk_third_carries(c) && rk_work_charge(c->work, 6 * n))
        for (size_t i = 0; i < n; i++) {
            back->mean[i] += 2 * *r->gain * r->m[i] * f->variance[i];
            *back->tilt.gain += f->variance[i] * r->m[i] * r->m[i];
        }
    rk_add_strided(c->work, n, 1, f->third_diagonal, 1, back->z.d3);
    if (!f->fourth_diagonal || !rk_work_charge(c->work, 4 * n)) return;
    for (size_t i = 0; i < n; i++) {
        back->z.core[i] += f->fourth_diagonal[i] * r->metric[i];
        back->z.metric[i] += f->fourth_diagonal[i] * r->core_z[i];
    }
}

static void begin(void *context, const rk_stage *stage, const rk_cotangent *f) {
    rk_third *c = context;
    rk_third_back *back = &c->back;
    const size_t n = stage->layer->rows;
    const bool pairs = f->covariance != NULL;
    back->pairs = pairs;
    back->any = pairs || f->variance;
    rk_set(c->work, n, f->mean, back->mean);
    rk_set(c->work, pairs ? n * n : n, f->covariance, back->second);
    rk_add_strided(c->work, n, 1, f->variance, pairs ? n + 1 : 1, back->second);
    clear_z(c, n);
    rk_set(c->work, 1, NULL, back->tilt.gain);
    double *const vectors[] = {back->tilt.a, back->tilt.core, back->y, back->slope};
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        rk_set(c->work, c->width, NULL, vectors[k]);
    if (c->n_sources > 0) clear_sources(c);
    rk_third_record r = rk_third_record_of(c, stage->l);
    if (!stage->activated) {
        r.m = r.mu;
        if (stage->l > 0) r.gain = rk_third_record_of(c, stage->l - 1).gain;
    }
    restored(c, &r, n, f);
}

static rk_back_view view(void *context, const rk_stage *stage) {
    const rk_third_back *back = &((const rk_third *)context)->back;
    return (rk_back_view){.mean = back->mean,
                          .var = back->any ? back->second : NULL,
                          .stride = back->pairs ? stage->layer->rows + 1 : 1,
                          .scale = 1};
}

static void swap(double **x, double **y) {
    double *kept = *x;
    *x = *y;
    *y = kept;
}

/* A covariance's adjoint from that of variances, or of nothing. */
static void spread(rk_third *c, size_t n) {
    rk_third_back *back = &c->back;
    if (back->pairs) return;
    rk_set(c->work, n * n, NULL, back->second_next);
    if (back->any) rk_add_strided(c->work, n, 1, back->second, n + 1, back->second_next);
    swap(&back->second, &back->second_next);
    back->pairs = back->any = true;
}

/* --------------------------------------------------------------------------- from h to z */

/* Everything that the activation made once more: C_next is what the tilt was given. */
static void activate_again(rk_third *c, const rk_stage *stage) {
    const size_t l = stage->l, n = stage->layer->rows;
    const bool newborn = stage->need == RK_NEED_ALL, pairs = stage->need != RK_NEED_MEAN;
    rk_third_recall(c, stage);
    rk_set(c->work, n, c->var, c->back.var_again); /* which the step changes */
    c->var = c->back.var_again;
    rk_neurons_step(c->work, &stage->layer->activation, n, c->mu, c->var, &c->z, pairs,
                    &c->neurons);
    if (!pairs) return;
    rk_source source = newborn ? rk_third_source(c, l, l, 0) : (rk_source){0};
    rk_legs born = newborn ? rk_third_born(c, l) : (rk_legs){0};
    rk_legs z = newborn ? rk_legs_view(born, n, born.stride) : born;
    rk_set(c->work, n * n, rk_third_record_of(c, l).C_z, c->C_next);
    rk_pair_cumulants *fourth = newborn && rk_third_follows(c) ? rk_third_fourth_born(c, l) : NULL;
    rk_pairs_step(c->work, n, &c->z, c->terms, &c->neurons, c->C_next, n, newborn ? &source : NULL,
                  &born, &z, fourth);
    if (!newborn || c->spec->tilt != RK_TILT_ON) return;
    rk_set(c->work, n * n, c->C_next, c->C);
    rk_set(c->work, 1, l > 0 ? rk_third_record_of(c, l - 1).gain : NULL, c->tilt.gain);
    rk_tilt_step(c->work, n, &c->neurons, c->C, &c->tilt);
}

/* The newborn's c, and y of h with that of z in it. */
static void feed_back(rk_third *c, size_t l, size_t n) {
    rk_third_back *back = &c->back;
    const rk_source bar = rk_third_source_bar(c, l, l);
    const rk_legs born = rk_third_born_bar(c, l);
    if (!rk_work_charge(c->work, 12 * n)) return;
    const double *w1 = c->neurons.w.k1;
    for (size_t i = 0; i < n; i++) {
        double taken = born.d[i * born.stride + 2 * n];
        double before = back->y[i] - taken;
        back->neurons.var[i] += bar.c[i];
        back->neurons.w.k1[i] += before * c->y_z[i] - 2 * w1[i] * c->var[i] * bar.c[i];
        back->z.y[i] += before * w1[i];
        back->tilt.feed[i] = back->y[i];
        back->tilt.excess[i] = 0;
        back->var[i] = -w1[i] * w1[i] * bar.c[i];
    }
    *back->tilt.along_C = 0;
}

/* The core is the identity times a part of the total of the fourth cumulant. */
static void average_core_back(rk_third *c, size_t n) {
    rk_third_back *back = &c->back;
    if (!rk_work_charge(c->work, 3 * n)) return;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += back->tilt.core[i];
    for (size_t i = 0; i < n; i++) {
        back->neurons.k4[i] += 3 * sum / ((double)n * ((double)n + 2));
        back->neurons.k22[i] += 3 * sum / ((double)n * ((double)n + 2));
    }
}

/* What the layers above followed of it. */
static void followed_back(rk_third *c, size_t l, size_t n) {
    rk_third_back *back = &c->back;
    const rk_third_record r = rk_third_record_of(c, l);
    const bool carries = c->spec->reach > 1 && l > 0;
    rk_newborn_fourth_set_back(c->work, n, &c->neurons, &c->z, c->var, carries ? r.carried : NULL,
                               &r.born, &back->fourth[l % c->spec->reach], &back->tilt,
                               &back->neurons, &back->z, back->var, back->carried);
    if (l > 0)
        rk_followed_fourth_keep_back(c->work, n, &c->z, &c->neurons, back->kept + l, &back->neurons,
                                     &back->z);
}

/* give_birth backwards; what is born gave its legs back already. */
static void birth_back(rk_third *c, size_t l, size_t n) {
    rk_third_back *back = &c->back;
    const rk_source bar = rk_third_source_bar(c, l, l);
    const rk_legs a = rk_third_born_bar(c, l), residual = rk_legs_view(a, n, a.stride);
    rk_newborn_fourth *fourth = rk_third_follows(c) ? &back->fourth[l % c->spec->reach] : NULL;
    if (c->spec->fourth == RK_FOURTH_ZERO) rk_set(c->work, n, NULL, back->tilt.core);
    if (rk_third_carries(c)) {
        feed_back(c, l, n);
        if (fourth) followed_back(c, l, n);
        rk_tilt_back(c->work, n, &c->neurons, c->C_next, &c->tilt, &back->tilt, back->second,
                     &back->neurons);
    } else {
        average_core_back(c, n);
    }
    rk_pairs_back(c->work, n, &c->z, c->terms, &c->neurons, rk_third_record_of(c, l).C_z, &bar, &a,
                  &residual, fourth ? &fourth->pairs : NULL, back->second, &back->neurons,
                  &back->z);
    rk_set(c->work, n * a.stride, NULL, a.d); /* an older one's next */
    if (!fourth) return;
    rk_third_share_back(c, l);
    rk_newborn_fourth_clear(c->work, c->width, fourth);
}

static void activate(void *context, const rk_stage *stage) {
    rk_third *c = context;
    rk_third_back *back = &c->back;
    const size_t n = stage->layer->rows;
    const bool pairs = stage->need != RK_NEED_MEAN;
    activate_again(c, stage);
    clear_z(c, n);
    rk_set(c->work, n, NULL, back->var);
    rk_neurons_clear(c->work, n, &back->neurons);
    rk_set(c->work, n, back->mean, back->neurons.m);
    if (pairs)
        spread(c, n);
    else if (back->any)
        rk_set(c->work, n, back->second, back->neurons.var);
    if (stage->need == RK_NEED_ALL) {
        rk_set(c->work, n, back->slope, back->neurons.w.k1);
        birth_back(c, stage->l, n);
    } else if (pairs) {
        rk_pairs_back(c->work, n, &c->z, c->terms, &c->neurons, rk_third_record_of(c, stage->l).C_z,
                      NULL, NULL, NULL, NULL, back->second, &back->neurons, &back->z);
    }
    rk_neurons_back(c->work, &stage->layer->activation, n, c->mu,
                    rk_third_record_of(c, stage->l).var, &c->z, pairs, &c->neurons, &back->neurons,
                    back->mean, back->var, &back->z);
    const size_t stride = pairs ? n + 1 : 1;
    if (!pairs) rk_set(c->work, n, NULL, back->second);
    rk_add_strided(c->work, n, 1, back->var, stride, back->second);
    back->any = true;
}

/* --------------------------------------------------------------------------- from z to h below */

static bool moves(const rk_third *c, const rk_stage *stage) {
    return stage->l > 0 && rk_third_wants_diagonals(c, stage);
}

static void higher(void *context, const rk_stage *stage) {
    rk_third *c = context;
    const bool pairs = stage->activated && stage->need != RK_NEED_MEAN; /* or else none was read */
    if (!moves(c, stage)) return;
    rk_third_recall(c, stage);
    rk_third_move_back(c, stage->l, stage->layer, pairs);
    rk_third_move_fourth_back(c, stage->l, stage->layer, pairs);
}

static void affine(void *context, const rk_stage *stage, const rk_adjoint *to) {
    rk_third *c = context;
    rk_third_back *back = &c->back;
    const size_t l = stage->l;
    const rk_layer *layer = stage->layer;
    double *dW = to->weight ? to->weight[l] : NULL, *db = to->bias ? to->bias[l] : NULL;
    const double *m = c->input->mean, *C = c->input->covariance;
    if (l > 0) {
        const rk_third_record below = rk_third_record_of(c, l - 1);
        m = below.m;
        C = below.C_h;
    }
    if (moves(c, stage)) rk_add_strided(c->work, layer->rows * layer->cols, 1, back->W, 1, dW);
    rk_affine_mean_back(c->work, layer, m, back->mean, back->mean_next, dW, db);
    if (back->any)
        rk_affine_covariance_back(c->work, layer, C, (rk_second){back->second, back->pairs},
                                  back->product,
                                  l > 0 || to->input_covariance ? back->second_next : NULL, dW);
    swap(&back->mean, &back->mean_next);
    swap(&back->second, &back->second_next);
    back->pairs = back->any;
}

static void end(void *context, const rk_adjoint *to) {
    rk_third *c = context;
    const size_t n = rk_network_n_in(c->net);
    rk_add_strided(c->work, n, 1, c->back.mean, 1, to->input_mean);
    if (c->back.any) rk_add_strided(c->work, n * n, 1, c->back.second, 1, to->input_covariance);
}

const rk_law_back rk_third_law_back = {.begin = begin,
                                       .activate = activate,
                                       .higher = higher,
                                       .affine = affine,
                                       .end = end,
                                       .view = view};

static void take_followed(const rk_third *c, rk_third_back *back) {
    rk_work *work = c->work;
    const size_t n = c->width, reach = c->spec->reach;
    const bool each = c->spec->fourth == RK_FOURTH_FULL;
    const rk_legs k22 = rk_legs_take(work, true, each ? n : 0, n);
    back->z.k4 = rk_work_doubles(work, n, 1);
    back->z.K31 = rk_legs_take(work, true, n, n);
    back->z.followed22 = rk_work_doubles(work, 1, 1);
    back->vars = rk_work_doubles(work, reach + 1, n);
    back->vars_bar = rk_work_doubles(work, 2, n);
    back->carried = rk_work_doubles(work, n, 1);
    back->kept = rk_work_doubles(work, c->net->n_layers, 1);
    for (size_t age = 0; age < reach; age++) {
        back->fourth[age] = rk_newborn_fourth_bar_take(work, n, each, k22);
        back->H[age] = rk_legs_take(work, true, n, n);
        back->G[age] = rk_legs_take(work, true, n, n);
        if (age > 0) back->T_below[age] = rk_work_doubles(work, back->weights, 1);
    }
}

rk_third_back rk_third_back_take(const rk_third *c, const rk_chain *chain) {
    rk_work *work = c->work;
    const size_t n = c->width, in = rk_network_max_width(c->net), N = c->n_sources;
    const size_t second = chain->input_covariance ? in : n;
    size_t weights = 0;
    for (size_t l = 0; l < c->net->n_layers; l++)
        if (c->net->layers[l].rows * c->net->layers[l].cols > weights)
            weights = c->net->layers[l].rows * c->net->layers[l].cols;
    rk_third_back back = {
        .mean = rk_work_doubles(work, in, 1),
        .mean_next = rk_work_doubles(work, in, 1),
        .second = rk_work_doubles(work, second, second),
        .second_next = rk_work_doubles(work, second, second),
        .weights = weights,
        .product = rk_work_doubles(work, weights, 1),
        .neurons = rk_neurons_take(work, n, rk_third_follows(c)),
        .z = {.d3 = rk_work_doubles(work, n, 1),
              .core = rk_work_doubles(work, n, 1),
              .metric = rk_work_doubles(work, n, 1),
              .y = rk_work_doubles(work, n, 1),
              .core_scale = rk_work_doubles(work, 1, 1)},
        .tilt = rk_tilt_take(work, n, false),
        .var = rk_work_doubles(work, n, 1),
        .var_again = rk_work_doubles(work, n, 1),
        .y = rk_work_doubles(work, n, 1),
        .slope = rk_work_doubles(work, n, 1),
    };
    if (N == 0) return back;
    const size_t cols = 3 * n + 1;
    back.z.M = rk_work_doubles(work, n, n);
    back.z.D = rk_legs_take(work, true, n, n);
    back.W = rk_work_doubles(work, weights, 1);
    back.older = rk_work_doubles(work, weights, 1);
    back.left = rk_legs_take(work, true, n, cols);
    back.born = rk_legs_take(work, true, (rk_third_follows(c) ? c->spec->reach : 1) * n, cols - n);
    back.legs = rk_legs_take(work, true, rk_third_slots_back(c), c->slot);
    back.statics = rk_work_doubles(work, 4 * N, n);
    if (rk_third_follows(c)) take_followed(c, &back);
    return back;
}
