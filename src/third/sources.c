#include "third/state.h"

#include "base/sweep.h"
#include "linalg/blas.h"

/* Columns in flight as doubles. */
enum { CHUNK = 256 };

size_t rk_third_span(const rk_third *c, size_t s, size_t l) {
    size_t width = rk_third_role(c, s).bent, followed = rk_third_copies(c) + 1;
    size_t last_whole = s + (followed > RK_FOLD_AGE ? followed : RK_FOLD_AGE);
    bool whole = l <= last_whole || last_whole + 2 > c->n_sources;
    if (whole || !c->spec->fold || rk_third_rank(c, width) == width) return 0;
    return rk_fold_span(width, c->net->layers[last_whole].rows);
}

rk_source rk_third_source(const rk_third *c, size_t s, size_t l, size_t span) {
    size_t width = rk_third_role(c, s).bent, rank = rk_third_rank(c, width);
    double *statics = c->statics + s * 4 * c->width;
    rk_source source = {
        .width = width,
        .rank = rank,
        .fed = rk_third_carries(c),
        .span = span,
        .K = rk_legs_view(c->K, s * c->span * 2 * c->width, 2 * width),
        .L = rk_legs_view(c->L, rank < width ? s * rank * c->width : 0, width),
        .w2 = statics,
        .s = statics + width,
        .e = statics + 2 * width,
        .c = statics + 3 * width,
    };
    size_t slot =
        c->recorded ? l * (l - 1) / 2 + s : (rk_third_copies(c) * s + l) % rk_third_slots(c);
    source.legs = rk_legs_view(c->legs, slot * c->slot, rk_source_columns(&source));
    return source;
}

rk_legs rk_third_born(const rk_third *c, size_t s) {
    size_t width = rk_third_role(c, s).bent,
           cols = width + rk_third_rank(c, width) + (rk_third_carries(c) ? 1 : 0);
    return rk_legs_view(c->born, s % rk_third_copies(c) * c->width * c->born.stride, cols);
}

typedef struct transports {
    rk_third *c;
    const rk_layer *layer;
    size_t k; /* inputs */
    const double *mu, *a, *w1;
    bool older;
} transports;

static void transport_rows(void *context, size_t first, size_t last) {
    const transports *x = context;
    const rk_third *c = x->c;
    const bool projects = rk_third_carries(c);
    const double *a = x->a, *w1 = x->w1;
    double row[CHUNK];
    for (size_t i = first; i < last; i++)
        for (size_t from = 0; from < x->k; from += CHUNK) {
            const double *W = x->layer->weight + i * x->layer->cols + from;
            size_t count = rk_legs_within(x->k, from, CHUNK);
            for (size_t j = 0; j < count; j++) /* mu = W m: no biases where there is a tilt */
                row[j] = projects ? W[j] - x->mu[i] * a[from + j] : W[j];
            rk_legs_write(&c->T, i, from, count, row);
            if (!x->older) continue;
            for (size_t j = 0; j < count; j++)
                row[j] *= w1[from + j];
            rk_legs_write(&c->T_slope, i, from, count, row);
        }
}

void rk_third_transports(rk_third *c, const rk_layer *layer, size_t n, size_t k, const double *mu,
                         const double *a, const double *w1, bool older) {
    c->T = rk_legs_view(c->T, 0, k);
    c->T_slope = rk_legs_view(c->T_slope, 0, k);
    transports x = {c, layer, k, mu, a, w1, older};
    const uint64_t flops = (rk_third_carries(c) ? 2u : 0u) + (older ? 1u : 0u);
    if (rk_work_charge(c->work, flops * n * k)) rk_sweep(c->work->pool, n, k, transport_rows, &x);
}

/* C_next is free between the linear map of the covariance and that of the next layer. */
static void fold(rk_third *c, size_t n, const rk_source *whole, rk_source to) {
    rk_fold_scratch scratch = {.wide = rk_legs_view(c->slicing.left, 0, 2 * whole->width),
                               .narrow = rk_legs_view(c->slicing.square, 0, n),
                               .basis = c->scratch,
                               .gram = c->C_next};
    rk_source_fold(c->work, n, whole, &scratch, &to);
}

typedef struct feeding {
    rk_third *c;
    size_t n;
    rk_roles role;
} feeding;

static void feed_rows(void *context, size_t first, size_t last) {
    const feeding *x = context;
    const rk_third *c = x->c;
    double row[CHUNK], buffer[CHUNK];
    for (size_t i = first; i < last; i++) {
        double y = c->y_z[i], var = c->var[i];
        for (size_t from = 0; from < x->n; from += CHUNK) {
            size_t count = rk_legs_within(x->n, from, CHUNK);
            size_t said = i < x->role.bent ? rk_legs_within(x->role.heard, from, count) : 0;
            const double *D = rk_legs_read(&c->z.D, i, from, said, buffer);
            const double *C = c->C + i * x->n + from, *y_z = c->y_z + from;
            for (size_t j = 0; j < said; j++)
                row[j] = D[j] + 1. / 3 * (var * y_z[j] + 2 * y * C[j]);
            for (size_t j = said; j < count; j++)
                row[j] = 0;
            rk_legs_write(&c->z.D, i, from, count, row);
        }
    }
}

/* y_z = W (1 - m a') y, and what the tilt fed so far: Sym C_ij y_k. */
static void feed_linear(rk_third *c, const rk_layer *layer, rk_roles role, bool pairs) {
    size_t n = layer->rows, k = layer->cols;
    rk_gemv(c->work, n, k, layer->weight, c->y, NULL, c->y_z);
    if (!rk_work_charge(c->work, 2 * k + (pairs ? 5 : 2) * (uint64_t)n * (pairs ? n : 1))) return;
    double along = 0;
    for (size_t j = 0; j < k; j++)
        along += c->tilt.a[j] * c->y[j];
    for (size_t i = 0; i < n; i++) {
        c->y_z[i] -= c->mu[i] * along;
        if (i < role.shifted) c->z.d3[i] += c->var[i] * c->y_z[i];
    }
    feeding x = {c, n, role};
    if (pairs) rk_sweep(c->work->pool, n, n, feed_rows, &x);
}

void rk_third_move(rk_third *c, size_t l, const rk_layer *layer, bool pairs) {
    rk_roles role = rk_third_asked(c, l);
    size_t n = role.shifted, k = rk_third_role(c, l - 1).heard;
    c->z.D = rk_legs_view(c->z.D, 0, layer->rows);
    if (rk_third_follows(c)) rk_third_enter_fourth(c, l);
    rk_third_transports(c, layer, n, k, c->mu, c->tilt.a, c->neurons.w.k1, l > 1);
    rk_third_zero(c->work, layer->rows, c->z.d3);
    for (size_t s = l; s-- > 0;) {
        size_t span = rk_third_span(c, s, l), next = rk_third_span(c, s, l + 1);
        rk_source to = rk_third_source(c, s, l, span), from = rk_third_source(c, s, l - 1, span);
        bool newborn = s == l - 1, below = rk_third_follows(c) && (pairs || !newborn);
        if (newborn)
            rk_source_first_transport(c->work, n, k, c->T, rk_third_born(c, s), &to);
        else
            rk_source_transport(c->work, n, k, c->T_slope, &from, &to);
        rk_source whole = rk_source_unfold(c->work, n, &to, c->unfolded);
        rk_source_slices(c->work, n, role.bent, &whole, pairs || below, &c->slicing, c->z.d3);
        if (below)
            rk_third_pairs_below(c, l, s, span);
        else if (pairs)
            rk_source_pairs(c->work, role.bent, role.heard, &to, &c->slicing, newborn ? 0 : 1,
                            c->z.D);
        if (pairs && next != span) fold(c, role.heard, &whole, rk_third_source(c, s, l, next));
    }
    if (rk_third_follows(c)) rk_third_pull_up(c, l, role, pairs);
    if (rk_third_carries(c)) feed_linear(c, layer, role, pairs);
}
