#include "third/back.h"

#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"
#include "propagate/back.h"
#include "third/source_back.h"

rk_source rk_third_source_bar(const rk_third *c, size_t s, size_t l) {
    const rk_third_back *back = &c->back;
    rk_source bar = rk_third_source(c, s, l, 0);
    const size_t width = bar.width;
    const size_t slot = rk_third_follows(c) ? l * (l - 1) / 2 + s : (s + l) % (c->n_sources + 1);
    double *statics = back->statics + s * 4 * c->width;
    bar.legs = rk_legs_view(back->legs, slot * c->slot, rk_source_columns(&bar));
    bar.w2 = statics;
    bar.s = statics + width;
    bar.e = statics + 2 * width;
    bar.c = statics + 3 * width;
    return bar;
}

rk_legs rk_third_born_bar(const rk_third *c, size_t s) {
    const size_t n = c->net->layers[s].rows, kept = rk_third_follows(c) ? c->spec->reach : 1;
    const rk_legs born = c->back.born;
    return rk_legs_view(born, s % kept * c->width * (2 * c->width + 1),
                        2 * n + (rk_third_carries(c) ? 1 : 0));
}

typedef struct moving {
    const rk_third *c;
    const rk_third_back *back;
    const rk_layer *layer;
    rk_third_record here, below;
    double along_bar; /* of a.y */
} moving;

/* ----------------------------------------------------------------------- W (1 - m a') and w1 */

static void transport_back_rows(void *context, size_t first, size_t last) {
    const moving *x = context;
    const size_t k = x->layer->cols;
    for (size_t i = first; i < last; i++) {
        double *T_bar = x->back->W + i * k;
        const double *older = x->back->older + i * k;
        for (size_t j = 0; j < k; j++)
            T_bar[j] += older[j] * x->below.slope[j];
        x->back->mean[i] -= rk_dot(k, T_bar, x->below.a);
    }
}

static void transport_back_columns(void *context, size_t first, size_t last) {
    const moving *x = context;
    const rk_third_back *back = x->back;
    const size_t k = x->layer->cols;
    for (size_t j = first; j < last; j++)
        back->slope[j] = back->tilt.a[j] = 0;
    for (size_t i = 0; i < x->layer->rows; i++) {
        const double *T = x->c->T.d + i * x->c->T.stride, mu = x->here.mu[i];
        for (size_t j = first; j < last; j++) {
            back->slope[j] += T[j] * back->older[i * k + j];
            back->tilt.a[j] -= mu * back->W[i * k + j];
        }
    }
}

/* Where nothing is tilted a is zero, and what it gets is not read. */
static void transports_back(moving *x) {
    const size_t n = x->layer->rows, k = x->layer->cols;
    rk_work *work = x->c->work;
    if (!rk_work_charge(work, 8 * (uint64_t)n * k)) return;
    rk_sweep(work->pool, n, k, transport_back_rows, x);
    rk_sweep(work->pool, k, n, transport_back_columns, x);
}

/* ---------------------------------------------------------------------------- what a tilt fed */

static void feed_back_rows(void *context, size_t first, size_t last) {
    const moving *x = context;
    const size_t n = x->layer->rows;
    const double *y = x->here.y_z, *var = x->here.var, *D_bar = x->back->z.D.d;
    for (size_t i = first; i < last; i++) {
        const double *C = x->here.C_z + i * n;
        double *C_bar = x->back->second + i * n, var_bar = 0, y_bar = 0;
        for (size_t j = 0; j < n; j++) {
            double own = D_bar[i * n + j], other = D_bar[j * n + i];
            var_bar += own * y[j];
            y_bar += other * var[j] + 2 * own * C[j];
            C_bar[j] += 1. / 3 * (y[i] * own + y[j] * other);
        }
        C_bar[i] += 1. / 3 * var_bar;
        x->back->z.y[i] += 1. / 3 * y_bar;
    }
}

/* kappa_iii has var y, and y of z is W y - mu (a.y). */
static void feed_back_vectors(moving *x) {
    const rk_third_back *back = x->back;
    const size_t n = x->layer->rows, k = x->layer->cols, stride = back->pairs ? n + 1 : 1;
    const double along = rk_dot(k, x->below.a, x->below.y);
    x->along_bar = 0;
    for (size_t i = 0; i < n; i++) {
        back->second[i * stride] += back->z.d3[i] * x->here.y_z[i];
        back->z.y[i] += back->z.d3[i] * x->here.var[i];
        back->mean[i] -= back->z.y[i] * along;
        x->along_bar -= back->z.y[i] * x->here.mu[i];
    }
    for (size_t j = 0; j < k; j++) {
        back->y[j] += x->below.a[j] * x->along_bar;
        back->tilt.a[j] += x->below.y[j] * x->along_bar;
    }
}

static void feed_back(moving *x, bool pairs) {
    rk_work *work = x->c->work;
    const size_t n = x->layer->rows, k = x->layer->cols;
    const bool charged = rk_work_charge(work, 4 * (n + k) + (pairs ? 12 * (uint64_t)n * n : 0));
    if (charged && pairs) rk_sweep(work->pool, n, n, feed_back_rows, x);
    rk_set(work, k, NULL, x->back->y);
    if (charged) feed_back_vectors(x);
    rk_gemm(work, RK_TRANS, RK_NO_TRANS, k, 1, n, 1, x->layer->weight, k, x->back->z.y, 1, 1,
            x->back->y, 1);
    rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, n, k, 1, 1, x->back->z.y, 1, x->below.y, k, 1,
            x->back->W, k);
}

/* ------------------------------------------------------------------------------------ sources */

/* What it says of pairs of z: of z, or if a fourth cumulant is followed of z and a layer below.
 * False if it was not asked. */
static bool source_pairs_back(rk_third *c, size_t l, size_t s, size_t n, bool pairs) {
    const rk_third_back *back = &c->back;
    const rk_source source = rk_third_source(c, s, l, 0);
    const size_t age = l - 1 - s, reach = c->spec->reach;
    const bool follows = rk_third_follows(c);
    if (!pairs && (!follows || age == 0)) return false;
    rk_third_zero(c->work, n, back->var);
    rk_source_slices(c->work, n, n, &source, true, &c->slicing, back->var); /* not read */
    if (!follows) {
        const rk_source bar = rk_third_source_bar(c, s, l);
        rk_source_pairs_back(c->work, n, n, &source, &c->slicing, &back->z.D, back->left, &bar);
    } else if (age < reach) {
        rk_source_pairs_at_birth_back(c->work, n, &source, rk_third_born(c, s), &c->slicing,
                                      &back->G[age], back->left, rk_third_born_bar(c, s));
    } else {
        const rk_source there = rk_third_source(c, s, l - reach, 0);
        const rk_source there_bar = rk_third_source_bar(c, s, l - reach);
        rk_source_pairs_back(c->work, n, c->net->layers[l - reach].rows, &there, &c->slicing,
                             &back->H[reach - 1], back->left, &there_bar);
    }
    return true;
}

/* From the oldest on, so that each goes to where an older one was. */
static void source_back(rk_third *c, size_t l, size_t s, size_t n, size_t k, bool pairs) {
    const rk_third_back *back = &c->back;
    const rk_source source = rk_third_source(c, s, l, 0), bar = rk_third_source_bar(c, s, l);
    const bool asked = source_pairs_back(c, l, s, n, pairs);
    rk_source_slices_back(c->work, n, &source, asked ? &back->left : NULL, back->z.d3, &bar);
    if (s == l - 1) {
        rk_source_first_transport_back(c->work, n, k, c->T.d, rk_third_born(c, s), &bar,
                                       rk_third_born_bar(c, s), back->W);
        return;
    }
    const rk_source from = rk_third_source(c, s, l - 1, 0);
    const rk_source from_bar = rk_third_source_bar(c, s, l - 1);
    rk_source_transport_back(c->work, n, k, c->T_slope.d, &from, &bar, rk_third_follows(c) ? 1 : 0,
                             &from_bar, back->older);
}

void rk_third_move_back(rk_third *c, size_t l, const rk_layer *layer, bool pairs) {
    rk_third_back *back = &c->back;
    const size_t n = layer->rows, k = layer->cols;
    moving x = {.c = c,
                .back = back,
                .layer = layer,
                .here = rk_third_record_of(c, l),
                .below = rk_third_record_of(c, l - 1)};
    const bool fed = rk_third_carries(c);
    if (!rk_third_follows(c)) rk_set(c->work, n * k, NULL, back->W);
    rk_set(c->work, n * k, NULL, back->older);
    if (rk_third_follows(c)) rk_third_recall_below(c, l);
    rk_third_transports(c, layer, n, k, x.here.mu, x.below.a, x.below.slope, l > 1);
    if (rk_third_follows(c)) rk_third_follow_back(c, l, pairs);
    for (size_t s = 0; s < l; s++)
        source_back(c, l, s, n, k, pairs);
    transports_back(&x);
    if (fed) feed_back(&x, pairs);
}
