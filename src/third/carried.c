#include "third/state.h"

#include "base/sweep.h"
#include "linalg/blas.h"

void rk_third_enter_fourth(rk_third *c, size_t l) {
    rk_followed_fourth *followed = &c->followed;
    for (size_t age = 0; age < followed->reach && age < l; age++) {
        size_t heard = rk_third_role(c, l - 1 - age).heard;
        followed->H[age] = rk_legs_view(followed->H[age], 0, heard);
        followed->G[age] = rk_legs_view(followed->G[age], 0, heard);
        rk_legs_zero(c->work, rk_third_asked(c, l).bent, heard, &followed->H[age]);
    }
    for (size_t age = followed->reach; --age > 0;) {
        rk_legs *above = age > 1 ? &followed->T_below[age - 1] : &c->T, free = *above;
        *above = followed->T_below[age];
        followed->T_below[age] = free;
    }
}

void rk_third_pairs_below(rk_third *c, size_t l, size_t s, size_t span) {
    const rk_followed_fourth *followed = &c->followed;
    size_t bent = rk_third_asked(c, l).bent, age = l - 1 - s, down = followed->reach;
    rk_source source = rk_third_source(c, s, l, span);
    if (age < down) {
        rk_source_pairs_at_birth(c->work, bent, rk_third_role(c, s).heard, &source,
                                 rk_third_born(c, s), &c->slicing, followed->G[age]);
        return;
    }
    while (rk_third_span(c, s, l + 1 - down) != span)
        down--;
    source = rk_third_source(c, s, l - down, span);
    rk_source_pairs(c->work, bent, rk_third_role(c, l - down).heard, &source, &c->slicing, 1,
                    followed->H[down - 1]);
}

void rk_third_pull_up(rk_third *c, size_t l, rk_roles role, bool pairs) {
    const rk_followed_fourth *followed = &c->followed;
    for (size_t age = followed->reach < l ? followed->reach : l; age-- > 0;) {
        size_t s = l - 1 - age, heard = rk_third_role(c, s).heard;
        if (age == 0 && !pairs) break;
        if (s > 0)
            rk_followed_fourth_join(c->work, role.bent, heard, &followed->H[age],
                                    followed->born[s % followed->reach].w1, &followed->G[age]);
        rk_legs_product(c->work, RK_TRANS, role.bent, rk_third_role(c, l - age).heard, heard,
                        followed->G[age], age ? followed->T_below[age] : c->T, age ? 1 : 0,
                        age ? followed->H[age - 1] : c->z.D);
    }
}

typedef struct diagonals {
    const rk_third *c;
    const rk_layer *layer;
} diagonals;

static void diagonal_rows(void *context, size_t first, size_t last) {
    const diagonals *x = context;
    const rk_third *c = x->c;
    size_t k = x->layer->cols;
    for (size_t i = first; i < last; i++) {
        const double *W = x->layer->weight + i * k;
        double metric = 0, core = 0;
        for (size_t j = 0; j < k; j++) {
            double square = W[j] * W[j];
            metric += square;
            core += square * c->tilt.core[j];
        }
        c->z.metric[i] = metric;
        c->z.core[i] = core;
    }
}

/* Diagonals of the core and of the metric of the fourth cumulant; `average` replaces the squares of
 * the weights, 0: it does not. */
static void fourth_diagonals(rk_third *c, const rk_layer *layer, double average) {
    size_t n = layer->rows, k = layer->cols;
    bool exact = average == 0;
    if (!rk_work_charge(c->work, exact ? 5 * (uint64_t)n * k : n)) return;
    diagonals x = {c, layer};
    if (exact) rk_sweep(c->work->pool, n, k, diagonal_rows, &x);
    for (size_t i = 0; !exact && i < n; i++) {
        c->z.metric[i] = average;
        c->z.core[i] = average * c->tilt.core[0];
    }
}

/* The fourth cumulant born at layer s, seen from layer l. */
static rk_fourth_view view_from(rk_third *c, size_t l, size_t s) {
    rk_source source = rk_third_source(c, s, l, 0);
    rk_legs legs = source.legs;
    rk_roles role = rk_third_asked(c, l);
    size_t m = source.width, age = l - 1 - s;
    return (rk_fourth_view){
        .n = age ? role.bent : role.shifted,
        .role = role,
        .cols = age ? m : rk_third_role(c, s).heard,
        .bent = m,
        .newborn = age == 0,
        .p = age ? legs : c->T,
        .a = rk_legs_view(legs, m, legs.stride),
        .y = rk_legs_view(legs, 2 * m + source.rank, legs.stride),
        .H = s > 0 ? &c->followed.H[age] : NULL,
        .var = c->followed.var,
        .C = c->C,
        .var_before = c->followed.var_before,
    };
}

/* kappa_iiii of linear neurons, which H does not know. */
static void leave_to_core(rk_third *c, rk_roles role) {
    if (!rk_work_charge(c->work, role.heard - role.bent)) return;
    for (size_t i = role.bent; i < role.heard; i++)
        c->z.k4[i] = c->z.core[i] * c->z.metric[i];
}

/* The fourth cumulant of z as far as it is followed. */
static void followed_linear(rk_third *c, size_t l, size_t n, bool pairs) {
    rk_followed_fourth *followed = &c->followed;
    size_t reach = followed->reach;
    rk_slices *z = &c->z;
    z->has_K31 = pairs;
    z->K31 = rk_legs_view(z->K31, 0, n);
    rk_third_zero(c->work, n, z->k4);
    rk_deliver(c->work, n, c->var, followed->var_before);
    for (size_t age = 0; age < reach && age < l; age++) {
        size_t s = l - 1 - age;
        rk_fourth_view view = view_from(c, l, s);
        rk_source source = rk_third_source(c, s, l, 0);
        rk_deliver(c->work, n, followed->var_before, followed->var);
        rk_followed_fourth_age(c->work, view.n, source.width, &view.p, source.c,
                               followed->var_before);
        rk_newborn_fourth_move(c->work, &view, &followed->scratch,
                               pairs && age == 0 ? &z->K31 : NULL, &followed->born[s % reach],
                               z->k4);
        if (age + 1 < reach) rk_deliver(c->work, n, z->k4, followed->k4_carried);
    }
    leave_to_core(c, rk_third_asked(c, l));
    z->followed22 = rk_followed_fourth_share(followed, l);
    z->followed31 = reach > 1 ? 1 : 0;
}

void rk_third_move_metric(rk_third *c, size_t l, const rk_layer *layer, bool pairs) {
    c->z.M = pairs && rk_third_metric_average(c, l) == 0 && !rk_third_carries(c) ? c->M : NULL;
    if (c->z.M) rk_congruence(c->work, layer->rows, layer->cols, layer->weight, NULL, NULL, c->z.M);
}

void rk_third_move_fourth(rk_third *c, size_t l, const rk_layer *layer, bool pairs) {
    size_t n = layer->rows;
    fourth_diagonals(c, layer, rk_third_metric_average(c, l));
    rk_third_move_metric(c, l, layer, pairs);
    if (rk_third_fitted(c))
        rk_regenerate(c->work, c->spec->amplitude, l, layer, c->neurons.var, c->var, &c->z);
    if (rk_third_follows(c)) followed_linear(c, l, n, pairs);
}

rk_pair_cumulants *rk_third_fourth_born(rk_third *c, size_t l) {
    rk_pair_cumulants *pairs = &c->followed.born[l % c->followed.reach].pairs;
    rk_roles role = rk_third_role(c, l);
    pairs->k22 = rk_legs_view(c->followed.k22, 0, role.bent);
    pairs->k31 = rk_legs_view(pairs->k31, 0, role.heard);
    pairs->edge = rk_legs_view(pairs->edge, 0, role.bent);
    return pairs;
}

void rk_third_keep_fourth(rk_third *c, size_t l, size_t n, size_t bent) {
    rk_followed_fourth *followed = &c->followed;
    bool carries = followed->reach > 1 && l > 0;
    rk_newborn_fourth_set(c->work, n, bent, &c->neurons, &c->z, c->var,
                          carries ? followed->k4_carried : NULL, &c->tilt,
                          &followed->born[l % followed->reach]);
    rk_followed_fourth_keep(c->work, n, l, &c->z, &c->neurons, followed);
}
