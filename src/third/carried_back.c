#include "third/back.h"

#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"
#include "propagate/back.h"

/* ------------------------------------------------------------------------------- followed */

void rk_third_recall_below(rk_third *c, size_t l) {
    rk_third_back *back = &c->back;
    const size_t reach = c->spec->reach;
    double *free = back->W;
    if (reach > 1) back->W = back->T_below[1];
    for (size_t age = 1; age + 1 < reach; age++)
        back->T_below[age] = back->T_below[age + 1];
    if (reach > 1) back->T_below[reach - 1] = free;
    rk_set(c->work, back->weights, NULL, free);
    for (size_t age = 1; age < reach && age < l; age++) {
        const rk_layer *layer = &c->net->layers[l - age];
        const rk_third_record below = rk_third_record_of(c, l - age - 1);
        const rk_legs free_T = c->followed.T_below[age];
        rk_third_transports(c, layer, layer->rows, layer->cols, rk_third_record_of(c, l - age).mu,
                            below.a, below.slope, false);
        c->followed.T_below[age] = c->T;
        c->T = free_T;
    }
}

/* The same as `view_from` on the way there. */
static rk_fourth_view view_from(rk_third *c, size_t l, size_t s, const rk_third_record *r,
                                const double *vars, const rk_legs *H) {
    const rk_source source = rk_third_source(c, s, l, 0);
    const rk_legs legs = source.legs;
    const size_t n = c->net->layers[l].rows, m = source.width, age = l - 1 - s;
    return (rk_fourth_view){
        .n = n,
        .role = {n, n, n},
        .cols = m,
        .bent = m,
        .newborn = age == 0,
        .p = age ? legs : c->T,
        .a = rk_legs_view(legs, m, legs.stride),
        .y = rk_legs_view(legs, 3 * m, legs.stride),
        .H = s > 0 ? H : NULL,
        .var = vars + age * n,
        .C = r->C_z,
        .var_before = vars + (age + 1) * n,
    };
}

static rk_fourth_view_bar view_bar_from(rk_third *c, size_t l, size_t s) {
    const rk_third_back *back = &c->back;
    const rk_source bar = rk_third_source_bar(c, s, l);
    const size_t m = bar.width, age = l - 1 - s, stride = bar.legs.stride;
    const rk_legs T_bar = {.stride = m, .d = back->W};
    return (rk_fourth_view_bar){
        .p = age ? bar.legs : T_bar,
        .a = rk_legs_view(bar.legs, m, stride),
        .y = rk_legs_view(bar.legs, 3 * m, stride),
        .H = back->H[age],
        .var = back->vars_bar,
        .var_before = back->vars_bar + c->width,
        .C = back->second,
    };
}

/* kappa_iiii and kappa_iiij of z, and the variances of each age. */
static void followed_back(rk_third *c, size_t l, size_t n, bool pairs) {
    rk_third_back *back = &c->back;
    const rk_third_record r = rk_third_record_of(c, l);
    const size_t reach = c->spec->reach, ages = reach < l ? reach : l;
    double *vars = back->vars, *age_bar = back->vars_bar, *vars_bar = age_bar + c->width;
    rk_set(c->work, n, r.var, vars);
    for (size_t age = 0; age < ages; age++) {
        const rk_source source = rk_third_source(c, l - 1 - age, l, 0);
        const rk_legs p = age ? source.legs : c->T;
        rk_set(c->work, n, vars + age * n, vars + (age + 1) * n);
        rk_followed_fourth_age(c->work, n, source.width, &p, source.c, vars + (age + 1) * n);
    }
    rk_set(c->work, n, NULL, vars_bar);
    for (size_t age = ages; age-- > 0;) {
        const size_t s = l - 1 - age;
        const rk_legs H = {.stride = c->net->layers[s].rows, .d = r.H[age]};
        const rk_fourth_view view = view_from(c, l, s, &r, vars, &H);
        const rk_fourth_view_bar view_bar = view_bar_from(c, l, s);
        const rk_newborn_fourth born = rk_third_record_of(c, s).born;
        if (age + 2 == reach || (age + 1 == ages && ages < reach)) /* from here on it is carried */
            rk_add_strided(c->work, n, 1, back->carried, 1, back->z.k4);
        rk_set(c->work, n, NULL, age_bar);
        rk_newborn_fourth_move_back(c->work, &view, &c->followed.scratch, &born, back->z.k4,
                                    pairs && age == 0 ? &back->z.K31 : NULL,
                                    &back->fourth[s % reach], &view_bar);
        rk_followed_fourth_age_back(c->work, n, view.bent, &view.p, rk_third_source(c, s, l, 0).c,
                                    vars_bar, &view_bar.p, rk_third_source_bar(c, s, l).c);
        rk_add_strided(c->work, n, 1, age_bar, 1, vars_bar);
    }
    rk_add_strided(c->work, n, 1, vars_bar, back->pairs ? n + 1 : 1, back->second);
}

static void product(rk_third *c, rk_trans trans_a, size_t m, size_t n, size_t k, rk_legs a,
                    rk_legs b, double beta, rk_legs to) {
    rk_gemm(c->work, trans_a, RK_NO_TRANS, m, n, k, 1, a.d, a.stride, b.d, b.stride, beta, to.d,
            to.stride);
}

/* rk_third_pull_up backwards, from the youngest on. */
static void pull_up_back(rk_third *c, size_t l, size_t n, bool pairs) {
    rk_third_back *back = &c->back;
    const rk_third_record r = rk_third_record_of(c, l);
    const size_t reach = c->spec->reach;
    for (size_t age = pairs ? 0 : 1; age < reach && age < l; age++) {
        const size_t s = l - 1 - age, heard = c->net->layers[s].rows;
        const size_t above = c->net->layers[l - age].rows;
        const rk_legs T = age ? c->followed.T_below[age] : c->T;
        const rk_legs T_bar = {.stride = heard, .d = age ? back->T_below[age] : back->W};
        const rk_legs to_bar = age ? back->H[age - 1] : back->z.D;
        const rk_legs G = {.stride = heard, .d = r.G[age]};
        product(c, RK_NO_TRANS, n, heard, above, to_bar, T, 0, back->G[age]);
        product(c, RK_TRANS, above, heard, n, to_bar, G, 1, T_bar);
        if (s > 0)
            rk_followed_fourth_join_back(c->work, n, heard, r.H[age],
                                         rk_third_record_of(c, s).born.w1, back->G[age].d,
                                         back->H[age].d, back->fourth[s % reach].w1);
    }
}

void rk_third_follow_back(rk_third *c, size_t l, bool pairs) {
    rk_third_back *back = &c->back;
    const size_t n = c->net->layers[l].rows;
    for (size_t age = 0; age < c->spec->reach && age < l; age++) {
        const size_t heard = c->net->layers[l - 1 - age].rows;
        back->H[age] = rk_legs_view(back->H[age], 0, heard);
        back->G[age] = rk_legs_view(back->G[age], 0, heard);
    }
    followed_back(c, l, n, pairs);
    pull_up_back(c, l, n, pairs);
}

void rk_third_share_back(rk_third *c, size_t l) {
    const rk_third_back *back = &c->back;
    if (!rk_work_charge(c->work, c->spec->reach * c->spec->reach)) return;
    const size_t reach = c->spec->reach;
    for (size_t age = 1; age < reach && age <= l; age++) {
        double others = 1;
        for (size_t k = 1; k < reach && k <= l; k++)
            if (k != age) others *= *rk_third_record_of(c, l - k).kept;
        back->kept[l - age] -= *back->z.followed22 * others;
    }
}

/* ------------------------------------------------------------------------- core and metric */

typedef struct diagonals {
    const rk_third_back *back;
    const rk_layer *layer;
    const double *core; /* of h */
} diagonals;

/* Column j of W to core_j, and itself. */
static void diagonal_columns(void *context, size_t first, size_t last) {
    const diagonals *x = context;
    const rk_third_back *back = x->back;
    const size_t k = x->layer->cols;
    for (size_t j = first; j < last; j++)
        back->tilt.core[j] = 0;
    for (size_t i = 0; i < x->layer->rows; i++) {
        const double *W = x->layer->weight + i * k;
        const double core_bar = back->z.core[i], metric_bar = back->z.metric[i];
        for (size_t j = first; j < last; j++) {
            back->tilt.core[j] += W[j] * W[j] * core_bar;
            back->W[i * k + j] += 2 * W[j] * (core_bar * x->core[j] + metric_bar);
        }
    }
}

/* The same if one number stands for all squares, which may be that of the weights themselves. */
static void average_back(const diagonals *x, double average) {
    const rk_third_back *back = x->back;
    const size_t n = x->layer->rows, k = x->layer->cols;
    const double core_bar = rk_sum(n, back->z.core);
    const double average_bar = rk_sum(n, back->z.metric) + core_bar * x->core[0];
    for (size_t j = 0; j < k; j++)
        back->tilt.core[j] = j == 0 ? average * core_bar : 0;
    if (x->layer->weight_scale > 0) return;
    for (size_t r = 0; r < n * k; r++)
        back->W[r] += 2 * average_bar / (double)n * x->layer->weight[r];
}

void rk_third_move_fourth_back(rk_third *c, size_t l, const rk_layer *layer, bool pairs) {
    rk_third_back *back = &c->back;
    const size_t n = layer->rows, k = layer->cols;
    const double average = rk_third_metric_average(c, l);
    diagonals x = {back, layer, rk_third_record_of(c, l - 1).core};
    if (rk_work_charge(c->work, 8 * (uint64_t)n * k)) {
        if (average == 0)
            rk_sweep(c->work->pool, k, n, diagonal_columns, &x);
        else
            average_back(&x, average);
        back->tilt.core[0] += *back->z.core_scale;
    }
    if (pairs && c->z.M)
        rk_gemm(c->work, RK_NO_TRANS, RK_NO_TRANS, n, k, n, 2, back->z.M, n, layer->weight, k, 1,
                back->W, k);
}
