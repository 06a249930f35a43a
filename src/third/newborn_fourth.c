#include "third/newborn_fourth.h"

#include "base/simd.h"
#include "base/sum.h"

#include <math.h>

enum { ROWS = 16, CHUNK = 256 };

static const double none[CHUNK] = {0};

rk_newborn_fourth rk_newborn_fourth_take(rk_work *work, size_t width, size_t bent, bool in_double,
                                         bool each) {
    return (rk_newborn_fourth){
        .pairs = {.k22_sum = rk_work_doubles(work, bent, 1),
                  .each = each,
                  .k31 = rk_legs_take(work, in_double, each ? bent : 0, width),
                  .edge = rk_legs_take(work, in_double, each ? bent : 0, bent)},
        .k4 = rk_work_doubles(work, width, 1),
        .centre = rk_work_doubles(work, width, 1),
        .ends = rk_work_doubles(work, width, 1),
        .own = rk_work_doubles(work, width, 1),
        .y = rk_work_doubles(work, width, 1),
        .w1 = rk_work_doubles(work, width, 1),
        .w2 = rk_work_doubles(work, width, 1),
        .w3 = rk_work_doubles(work, width, 1),
        .share = rk_work_doubles(work, bent, 1),
        .along_C = rk_work_doubles(work, 1, 1),
        .excess = rk_work_doubles(work, width, 1),
    };
}

rk_fourth_scratch rk_fourth_scratch_take(rk_work *work, size_t width, size_t bent, bool in_double,
                                         bool each) {
    size_t rows = each ? width : 0;
    return (rk_fourth_scratch){
        .G = rk_work_doubles(work, width, 1),
        .square = rk_work_doubles(work, width, 1),
        .squares = rk_legs_take(work, in_double, rows, bent),
        .pa = rk_legs_take(work, in_double, rows, bent),
        .by_k22 = rk_legs_take(work, in_double, rows, bent),
        .by_k31 = rk_legs_take(work, in_double, rows, bent),
        .edge_by = rk_legs_take(work, in_double, rows, bent),
        .left31 = rk_legs_take(work, in_double, width, 2 * bent),
    };
}

void rk_newborn_fourth_set(rk_work *work, size_t n, size_t bent, const rk_neurons *neurons,
                           const rk_slices *z, const double *var, const double *carried,
                           const rk_tilt *tilt, rk_newborn_fourth *fourth) {
    if (!rk_work_charge(work, 10 * (uint64_t)n)) return;
    for (size_t i = 0; i < n; i++) {
        double w1 = neurons->w.k1[i], e1 = neurons->e.k1[i];
        double w1_2 = w1 * w1, kept = carried ? w1_2 * w1_2 * carried[i] : 0;
        fourth->k4[i] = neurons->k4[i] - 6 * e1 * w1_2 * z->d3[i] - kept;
        fourth->excess[i] = tilt->excess[i];
        fourth->centre[i] = neurons->e.k2[i] - 2 * w1 * w1;
        fourth->ends[i] = e1;
        fourth->own[i] = w1 * var[i];
        fourth->w1[i] = w1;
        fourth->w2[i] = neurons->w.k2[i];
        fourth->w3[i] = neurons->w.k3[i];
        fourth->y[i] = z->y[i];
    }
    *fourth->along_C = *tilt->along_C;
    double all = 0;
    for (size_t i = 0; i < bent; i++)
        all += fabs(fourth->pairs.k22_sum[i]);
    for (size_t i = 0; i < bent; i++)
        fourth->share[i] = all > 0 ? fabs(fourth->pairs.k22_sum[i]) / all : 0;
}

typedef struct move {
    const rk_newborn_fourth *fourth;
    const rk_fourth_view *view;
    rk_fourth_scratch scratch; /* strides are this layer's */
    const rk_legs *K31;
    double *k4;
} move;

/* p^2, p a, and of p^2 what stands for all of it in S, and the diagonal of diag(excess) moved. */
RK_HOT static void square_rows(void *context, size_t block) {
    const move *x = context;
    const rk_fourth_view *view = x->view;
    size_t m = view->bent, n = view->n, first = block * ROWS;
    size_t last = n - first < ROWS ? n : first + ROWS;
    double p[CHUNK], a[CHUNK], product[CHUNK], excess[CHUNK];
    const rk_fourth_scratch *scratch = &x->scratch;
    for (size_t b = first; b < last; b++) {
        scratch->G[b] = scratch->square[b] = 0;
        for (size_t r = 0; r < view->cols; r += CHUNK) {
            size_t count = rk_legs_within(view->cols, r, CHUNK), bent = rk_legs_within(m, r, count);
            const double *P = rk_legs_read(&view->p, b, r, count, p);
            for (size_t i = 0; i < count; i++) {
                product[i] = P[i] * P[i];
                excess[i] = product[i] * x->fourth->excess[r + i];
            }
            scratch->G[b] += rk_sum(count, excess);
            if (bent == 0) continue;
            scratch->square[b] += rk_dot(bent, product, x->fourth->share + r);
            if (!x->fourth->pairs.each) continue;
            if (view->newborn) rk_legs_write(&scratch->squares, b, r, bent, product);
            const double *A = rk_legs_read(&view->a, b, r, bent, a);
            for (size_t i = 0; i < bent; i++)
                product[i] = P[i] * A[i];
            rk_legs_write(&scratch->pa, b, r, bent, product);
        }
    }
}

/* One row of the next layer against a stretch of the bent neurons of h. */
typedef struct stretch {
    size_t count;
    const double *p, *a, *by_k31, *edge_by, *H;
    const double *by_k22, *k22_sum; /* the former, or NULL: the latter times square */
    double square;
    const double *k4, *centre, *ends, *y, *own, *w2, *w3;
    double C_bb, y_b;
    double *l31, *la; /* out: left factors */
    double sum;       /* out */
} stretch;

RK_HOT_PART void left_stretch(stretch *x) {
    const double *p = x->p, *a = x->a, *u = x->by_k31, *q = x->edge_by;
    const double *H = x->H, *k4 = x->k4, *f = x->centre, *e = x->ends;
    const double *y = x->y, *own = x->own, *w2 = x->w2, *w3 = x->w3;
    double *l31 = x->l31, *la = x->la;
    const double *by_k22 = x->by_k22, *k22_sum = x->k22_sum;
    double square = x->square, C_bb = x->C_bb, y_b = x->y_b, sum[CHUNK];
    RK_INDEPENDENT
    for (size_t i = 0; i < x->count; i++) {
        double pp = p[i] * p[i], aa = a[i] * a[i];
        double s = by_k22 ? by_k22[i] : square * k22_sum[i];
        double fed = C_bb * y[i] + 2 * (a[i] + p[i] * own[i]) * y_b;
        double third = H[i] + 1. / 3 * fed;
        /* beside two legs p p at their neuron */
        double ends = e[i] * (third + 2 * q[i]) + f[i] * aa;
        /* beside a leg p and one a there */
        double star = w3[i] * aa, path = w2[i] * q[i], joint = w2[i] * third;
        l31[i] = p[i] * (k4[i] * pp + 3 * (s + p[i] * u[i] + ends)) +
                 a[i] * (star + 6 * path + 3 * joint);
        la[i] = 3 * p[i] * (f[i] * p[i] * a[i] + star + 2 * path + joint);
        sum[i] = pp * (k4[i] * pp + 3 * s + 4 * p[i] * u[i] + 6 * ends) +
                 4 * p[i] * a[i] * (star + 3 * (path + joint));
    }
    x->sum = rk_sum(x->count, sum);
}

RK_HOT static void left_rows(void *context, size_t block) {
    const move *x = context;
    const rk_newborn_fourth *fourth = x->fourth;
    const rk_fourth_scratch *scratch = &x->scratch;
    const rk_fourth_view *view = x->view;
    size_t m = view->bent, n = view->n, first = block * ROWS;
    size_t last = n - first < ROWS ? n : first + ROWS;
    bool each = fourth->pairs.each;
    double p[CHUNK], a[CHUNK], s[CHUNK], u[CHUNK], z[CHUNK], H[CHUNK], l31[CHUNK], la[CHUNK];
    for (size_t b = first; b < last; b++) {
        double sum = 0, taken;
        double y_b = -*rk_legs_read(&view->y, b, 0, 1, &taken);
        bool has_H = view->H && b < view->role.bent;
        for (size_t r = 0; r < m; r += CHUNK) {
            size_t count = rk_legs_within(m, r, CHUNK);
            stretch part = {
                .count = count,
                .p = rk_legs_read(&view->p, b, r, count, p),
                .a = rk_legs_read(&view->a, b, r, count, a),
                .by_k31 = each ? rk_legs_read(&scratch->by_k31, b, r, count, u) : none,
                .edge_by = each ? rk_legs_read(&scratch->edge_by, b, r, count, z) : none,
                .H = has_H ? rk_legs_read(view->H, b, r, count, H) : none,
                .by_k22 =
                    each && view->newborn ? rk_legs_read(&scratch->by_k22, b, r, count, s) : NULL,
                .k22_sum = fourth->pairs.k22_sum + r,
                .k4 = fourth->k4 + r,
                .centre = fourth->centre + r,
                .ends = fourth->ends + r,
                .y = fourth->y + r,
                .own = fourth->own + r,
                .w2 = fourth->w2 + r,
                .w3 = fourth->w3 + r,
                .square = scratch->square[b],
                .C_bb = view->var_before[b],
                .y_b = y_b,
                .l31 = l31,
                .la = la,
            };
            left_stretch(&part);
            sum += part.sum;
            if (!x->K31 || b >= view->role.bent) continue;
            rk_legs_write(&scratch->left31, b, r, count, l31);
            rk_legs_write(&scratch->left31, b, m + r, count, la);
        }
        double var = view->var[b];
        scratch->G[b] += *fourth->along_C * var;
        x->k4[b] += sum + 6 * scratch->G[b] * var;
    }
}

/* The tilt's part of K31, and its zeros. */
RK_HOT static void finish_rows(void *context, size_t block) {
    const move *x = context;
    const rk_fourth_view *view = x->view;
    size_t n = x->K31->stride, first = block * ROWS, last = n - first < ROWS ? n : first + ROWS;
    double g = *x->fourth->along_C, buffer[CHUNK], row[CHUNK];
    for (size_t i = first; i < last; i++)
        for (size_t j = 0; j < n; j += CHUNK) {
            size_t count = rk_legs_within(n, j, CHUNK);
            size_t said = i < view->role.bent ? rk_legs_within(view->role.heard, j, count) : 0;
            const double *K31 = rk_legs_read(x->K31, i, j, count, buffer), *C = view->C + i * n + j;
            for (size_t r = 0; r < said; r++)
                row[r] = K31[r] + 3 * (x->scratch.G[i] + g * view->var[i]) * C[r];
            for (size_t r = said; r < count; r++)
                row[r] = 0;
            rk_legs_write(x->K31, i, j, count, row);
        }
}

void rk_newborn_fourth_move(rk_work *work, const rk_fourth_view *view,
                            const rk_fourth_scratch *scratch, const rk_legs *K31,
                            const rk_newborn_fourth *fourth, double *k4) {
    size_t n = view->n, rows = view->role.bent, heard = view->role.heard;
    size_t cols = view->cols, m = view->bent;
    rk_fourth_scratch x = {.G = scratch->G,
                           .square = scratch->square,
                           .squares = rk_legs_view(scratch->squares, 0, m),
                           .pa = rk_legs_view(scratch->pa, 0, m),
                           .by_k22 = rk_legs_view(scratch->by_k22, 0, m),
                           .left31 = rk_legs_view(scratch->left31, 0, 2 * m),
                           .by_k31 = rk_legs_view(scratch->by_k31, 0, m),
                           .edge_by = rk_legs_view(scratch->edge_by, 0, m)};
    move job = {fourth, view, x, K31, k4};
    if (rk_work_charge(work, 5 * (uint64_t)n * cols))
        rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), square_rows, &job);
    const rk_pair_cumulants *born = &fourth->pairs;
    if (born->each) {
        if (view->newborn)
            rk_legs_product(work, RK_NO_TRANS, n, m, m, x.squares, born->k22, 0, x.by_k22);
        rk_legs_product(work, RK_TRANS, n, m, cols, view->p, born->k31, 0, x.by_k31);
        rk_legs_product(work, RK_TRANS, n, m, m, x.pa, born->edge, 0, x.edge_by);
    }
    if (rk_work_charge(work, 50 * (uint64_t)n * m))
        rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), left_rows, &job);
    if (!K31) return;
    rk_legs_product(work, RK_TRANS, rows, heard, m, x.left31, view->p, 0, *K31);
    rk_legs_product(work, RK_TRANS, rows, heard, m, rk_legs_view(x.left31, m, 2 * m), view->a, 1,
                    *K31);
    size_t width = K31->stride;
    if (rk_work_charge(work, 3 * (uint64_t)width * width))
        rk_pool_run(work->pool, rk_pool_blocks(width, ROWS), finish_rows, &job);
}
