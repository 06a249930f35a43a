#include "propagate/covariance.h"

#include "base/gamma.h"
#include "base/sweep.h"
#include "linalg/blas.h"
#include "propagate/kept.h"

#include <math.h>

typedef struct state {
    rk_work *work;
    const double *C_in; /* of the present value; NULL: the identity */
    double *m, *mu, *var_z, *var_h, *w, *centre, *scratch;
    double *C, *Z; /* take turns */
    double radius; /* E |x| / sqrt(n) of an input whose length is left out, or 1 */
    rk_kept kept;
} state;

typedef struct pairs {
    size_t n;
    const double *slope, *var; /* E phi', Var phi */
    double *C;
} pairs;

static void activate_rows(void *context, size_t first, size_t last) {
    const pairs *p = context;
    for (size_t i = first; i < last; i++) {
        double *C = p->C + i * p->n;
        for (size_t j = 0; j < p->n; j++)
            C[j] *= p->slope[i] * p->slope[j];
        C[i] = p->var[i];
    }
}

/* C_ii = var_i = Var phi, C_ij = E phi'_i E phi'_j C_ij. */
static void activate_pairs(rk_work *work, size_t n, const double *slope, const double *var,
                           double *C) {
    if (!rk_work_charge(work, 2 * (uint64_t)n * n)) return;
    pairs p = {n, slope, var, C};
    rk_sweep(work->pool, n, n, activate_rows, &p);
}

static const char *name(void *context, const rk_stage *stage) {
    (void)context;
    if (stage->need != RK_NEED_MEAN) return "covariance";
    return stage->activated ? "variances" : "mean";
}

static void affine(void *context, const rk_stage *stage, rk_view *view) {
    state *s = context;
    const rk_layer *layer = stage->layer;
    bool full = stage->need != RK_NEED_MEAN;
    if (stage->l == 1 && s->radius != 1) /* the input's length enters h as a factor: out with it */
        rk_rescale(s->work, layer->cols, 1 / s->radius, s->m, s->var_h, s->C);
    const double *m = s->m, *C = s->C_in;
    if (stage->is_kept) {
        const rk_kept_value *read = rk_kept_find(&s->kept, stage->read);
        m = read->m;
        C = read->C;
    }
    rk_affine_mean(s->work, layer, m, s->mu);
    if (full) {
        rk_affine_covariance(s->work, layer, C, s->scratch, s->Z);
        rk_diagonal(s->work, layer->rows, s->Z, s->var_z);
    } else if (stage->activated) {
        rk_variances(s->work, layer, C, s->scratch, s->var_z);
    }
    rk_kept_affine(&s->kept, stage);
    view->C_in = C;
    view->mu = view->mean = s->mu;
    view->var = full ? s->var_z : NULL;
    view->var_z = s->var_z;
    view->C = full ? s->Z : NULL;
    if (!full) return;
    double *swap = s->C;
    s->C = s->Z;
    s->Z = swap;
    s->C_in = s->C;
}

static void add(void *context, const rk_stage *stage) {
    state *s = context;
    rk_kept_sum(&s->kept, stage, s->mu, s->C, s->var_z);
}

static void activate(void *context, const rk_stage *stage, rk_view *view) {
    state *s = context;
    size_t n = stage->layer->rows;
    const double *slope = s->w + rk_wick_at(n, 2, 1, 1);
    rk_wick_step(s->work, &stage->layer->activation, n, s->mu, s->var_z, 2, 2, s->centre, s->w);
    rk_wick_moments(s->work, n, 2, s->centre, s->w, s->m, s->var_h);
    if (view->C) activate_pairs(s->work, n, slope, s->var_h, view->C);
    rk_kept_activate(&s->kept, n, slope);
    *view = (rk_view){.mean = s->m,
                      .var = s->var_h,
                      .C = view->C,
                      .scale = stage->l == 0 ? 1 : s->radius,
                      .C_in = view->C_in,
                      .mu = s->mu,
                      .var_z = s->var_z,
                      .wick = s->w,
                      .centre = s->centre,
                      .k_max = 2,
                      .p_max = 2,
                      .slope = slope};
}

static void keep(void *context, size_t value) {
    state *s = context;
    size_t n = rk_network_value_size(&s->kept.chain->net, value);
    rk_kept_add(&s->kept, value, n, s->m, s->C_in);
}

static void restore(void *context, const rk_stage *stage, rk_view *view, rk_outputs *outputs) {
    const state *s = context;
    if (stage->l > 0 && s->radius != 1)
        rk_rescale(s->work, stage->layer->rows, s->radius, view->mean, outputs->variance, view->C);
}

static const rk_law law = {.knows_pairs = true,
                           .name = name,
                           .affine = affine,
                           .add = add,
                           .activate = activate,
                           .keep = keep,
                           .restore = restore};

/* E |x| / sqrt(n) for x ~ N(0, I_n). */
static double mean_radius(size_t n) {
    double half = (double)n / 2;
    return exp(rk_log_gamma(half + 0.5) - rk_log_gamma(half)) / sqrt(half);
}

void rk_propagate_covariance(rk_work *work, const rk_network *net, const rk_input *input,
                             const rk_covariance_spec *spec, rk_outputs *outputs) {
    rk_chain chain = rk_chain_start(work, net, input, outputs);
    size_t width = rk_network_max_rows(&chain.net);
    state s = {.work = work,
               .C_in = input->covariance,
               .m = rk_work_doubles(work, rk_network_max_width(&chain.net), 1),
               .mu = rk_work_doubles(work, width, 1),
               .var_z = rk_work_doubles(work, width, 1),
               .var_h = rk_work_doubles(work, width, 1),
               .w = rk_work_doubles(work, width, 6),
               .centre = rk_work_doubles(work, width, 1),
               .scratch = rk_congruence_scratch(work, &chain.net, input),
               .C = rk_work_doubles(work, width, width),
               .Z = rk_work_doubles(work, width, width),
               .radius = spec->angular ? mean_radius(rk_network_n_in(net)) : 1,
               .kept = rk_kept_take(&chain, true)};
    rk_input_mean(work, rk_network_n_in(net), input, s.m);
    rk_chain_run(&chain, &law, &s);
}
