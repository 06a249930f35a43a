#include "propagate/newborn_fourth.h"

#include "base/simd.h"
#include "base/sum.h"

enum { ROWS = 16, CHUNK = 256 };

static const double none[CHUNK] = {0};

rk_newborn_fourth rk_newborn_fourth_take(rk_work *work, size_t width, size_t bent, bool in_double) {
    return (rk_newborn_fourth){
        .pairs = {.k22 = rk_legs_take(work, in_double, width, width),
                  .k31 = rk_legs_take(work, in_double, width, width),
                  .edge = rk_legs_take(work, in_double, bent, bent)},
        .k4 = rk_work_doubles(work, width, 1),
        .centre = rk_work_doubles(work, width, 1),
        .ends = rk_work_doubles(work, width, 1),
        .own = rk_work_doubles(work, width, 1),
        .w1 = rk_work_doubles(work, width, 1),
        .y = rk_work_doubles(work, width, 1),
        .w2 = rk_work_doubles(work, width, 1),
        .w3 = rk_work_doubles(work, width, 1),
        .G = rk_work_doubles(work, width, 1),
        .C = rk_work_doubles(work, width, 1),
        .squares = rk_legs_take(work, in_double, width, width + bent),
        .by_k22 = rk_legs_take(work, in_double, width, width),
        .by_k31 = rk_legs_take(work, in_double, width, width),
        .by_edge = rk_legs_take(work, in_double, width, bent),
        .edge_by = rk_legs_take(work, in_double, width, bent),
        .left22 = rk_legs_take(work, in_double, width, width + bent),
        .left31 = rk_legs_take(work, in_double, width, width + bent),
    };
}

void rk_newborn_fourth_set(rk_work *work, size_t n, const rk_neurons *neurons, const rk_slices *z,
                           const double *var, rk_newborn_fourth *fourth) {
    if (!rk_work_charge(work, 10 * (uint64_t)n)) return;
    for (size_t i = 0; i < n; i++) {
        double w1 = neurons->w.k1[i], e1 = neurons->e.k1[i];
        fourth->k4[i] = neurons->k4[i] - 6 * e1 * w1 * w1 * z->d3[i];
        fourth->centre[i] = neurons->e.k2[i] - 2 * w1 * w1;
        fourth->ends[i] = e1;
        fourth->own[i] = w1 * var[i];
        fourth->w1[i] = w1;
        fourth->w2[i] = neurons->w.k2[i];
        fourth->w3[i] = neurons->w.k3[i];
        fourth->y[i] = z->y[i];
    }
}

typedef struct move {
    const rk_newborn_fourth *fourth;
    size_t n, heard;
    rk_role from;
    const rk_legs *T, *legs, *H;
    const rk_tilt *tilt;
    size_t y_column;
    const double *var, *C;
    double *k4;
    const rk_legs *K22, *K31;
} move;

static size_t at_most(size_t count, size_t limit) {
    return count < limit ? count : limit;
}

/* `count` entries of which only the first `bent` exist. */
static const double *read_bent(const rk_legs *legs, size_t row, size_t col, size_t count,
                               size_t bent, double *buffer) {
    if (bent == 0) return none;
    if (bent == count) return rk_legs_read(legs, row, col, count, buffer);
    const double *x = rk_legs_read(legs, row, col, bent, buffer);
    for (size_t i = 0; i < count; i++)
        buffer[i] = i < bent ? x[i] : 0;
    return buffer;
}

/* [p^2 | p a], e p^2, and what W makes of the covariance of z. */
RK_HOT static void square_rows(void *context, size_t block) {
    const move *x = context;
    size_t k = x->from.heard, m = x->from.bent, first = block * ROWS;
    size_t last = at_most(first + ROWS, x->n);
    double p[CHUNK], a[CHUNK], product[CHUNK];
    const rk_newborn_fourth *fourth = x->fourth;
    for (size_t b = first; b < last; b++) {
        double C_bb = 0;
        for (size_t r = 0; r < k; r += CHUNK) {
            size_t count = at_most(CHUNK, k - r), bent = rk_legs_within(m, r, count);
            const double *P = rk_legs_read(x->T, b, r, count, p);
            for (size_t i = 0; i < count; i++)
                product[i] = P[i] * P[i];
            rk_legs_write(&fourth->squares, b, r, count, product);
            for (size_t i = 0; i < count; i++)
                product[i] *= fourth->ends[r + i];
            rk_legs_write(&fourth->left22, b, r, count, product);
            const double *A = read_bent(x->legs, b, m + r, count, bent, a);
            for (size_t i = 0; i < bent; i++)
                product[i] = P[i] * A[i];
            rk_legs_write(&fourth->squares, b, k + r, bent, product);
            for (size_t i = 0; i < count; i++)
                C_bb += (A[i] + P[i] * fourth->own[r + i]) * P[i] * fourth->w1[r + i];
        }
        fourth->C[b] = C_bb;
    }
}

/* One row of the next layer against a stretch of h's neurons; what belongs to bent ones is zero
 * for the others. */
typedef struct stretch {
    size_t count;
    const double *p, *a, *by_k22, *by_k31, *by_edge, *edge_by, *H;
    const double *k4, *centre, *ends, *y, *own, *excess, *w2, *w3;
    double C_bb, y_b;
    double *l22, *lpa, *l31, *la; /* out: left factors */
    double sum, excess_sum;       /* out */
} stretch;

RK_HOT_PART void left_stretch(stretch *x) {
    const double *p = x->p, *a = x->a, *u = x->by_k31, *s = x->by_k22, *q = x->edge_by;
    const double *v = x->by_edge, *H = x->H, *k4 = x->k4, *f = x->centre, *e = x->ends;
    const double *y = x->y, *own = x->own, *excess = x->excess, *w2 = x->w2, *w3 = x->w3;
    double *l22 = x->l22, *lpa = x->lpa, *l31 = x->l31, *la = x->la;
    double C_bb = x->C_bb, y_b = x->y_b, sum[CHUNK], square_excess[CHUNK];
    RK_INDEPENDENT
    for (size_t i = 0; i < x->count; i++) {
        double pp = p[i] * p[i], aa = a[i] * a[i];
        double fed = C_bb * y[i] + 2 * (a[i] + p[i] * own[i]) * y_b;
        double third = H[i] + 1. / 3 * fed;
        /* beside two legs p p at their neuron */
        double ends = e[i] * (third + 2 * q[i]) + f[i] * aa;
        /* beside a leg p and one a there */
        double star = w3[i] * aa, path = w2[i] * q[i], joint = w2[i] * third;
        l22[i] = 0.5 * (k4[i] * pp + s[i]) + 2 * p[i] * u[i] + ends;
        lpa[i] = 2 * (f[i] * p[i] * a[i] + star + path + joint);
        l31[i] = p[i] * (k4[i] * pp + 3 * (s[i] + p[i] * u[i] + ends)) +
                 a[i] * (star + 6 * path + 3 * (joint + v[i]));
        la[i] = 3 * p[i] * (f[i] * p[i] * a[i] + star + 2 * path + joint + v[i]);
        sum[i] = pp * (k4[i] * pp + 3 * s[i] + 4 * p[i] * u[i] + 6 * ends) +
                 4 * p[i] * a[i] * (star + 3 * (path + joint));
        square_excess[i] = pp * excess[i];
    }
    x->sum = rk_sum(x->count, sum);
    x->excess_sum = rk_sum(x->count, square_excess);
}

RK_HOT static void left_rows(void *context, size_t block) {
    const move *x = context;
    const rk_newborn_fourth *fourth = x->fourth;
    size_t k = x->from.heard, m = x->from.bent, first = block * ROWS;
    size_t last = at_most(first + ROWS, x->n);
    double p[CHUNK], a[CHUNK], s[CHUNK], u[CHUNK], v[CHUNK], z[CHUNK], H[CHUNK];
    double l22[CHUNK], lpa[CHUNK], l31[CHUNK], la[CHUNK];
    for (size_t b = first; b < last; b++) {
        double sum = 0, excess = 0, taken;
        double y_b = -*rk_legs_read(x->legs, b, x->y_column, 1, &taken);
        bool has_H = x->H && b < x->heard;
        for (size_t r = 0; r < k; r += CHUNK) {
            size_t count = at_most(CHUNK, k - r), bent = rk_legs_within(m, r, count);
            stretch part = {
                .count = count,
                .p = rk_legs_read(x->T, b, r, count, p),
                .a = read_bent(x->legs, b, m + r, count, bent, a),
                .by_k22 = rk_legs_read(&fourth->by_k22, b, r, count, s),
                .by_k31 = rk_legs_read(&fourth->by_k31, b, r, count, u),
                .by_edge = x->K22 ? read_bent(&fourth->by_edge, b, r, count, bent, v) : none,
                .edge_by = read_bent(&fourth->edge_by, b, r, count, bent, z),
                .H = has_H ? rk_legs_read(x->H, b, r, count, H) : none,
                .k4 = fourth->k4 + r,
                .centre = fourth->centre + r,
                .ends = fourth->ends + r,
                .y = fourth->y + r,
                .own = fourth->own + r,
                .w2 = fourth->w2 + r,
                .w3 = fourth->w3 + r,
                .excess = x->tilt->excess + r,
                .C_bb = fourth->C[b],
                .y_b = y_b,
                .l22 = l22,
                .lpa = lpa,
                .l31 = l31,
                .la = la,
            };
            left_stretch(&part);
            sum += part.sum;
            excess += part.excess_sum;
            if (!x->K22 || b >= x->heard) continue;
            rk_legs_write(&fourth->left22, b, r, count, l22);
            rk_legs_write(&fourth->left22, b, k + r, bent, lpa);
            rk_legs_write(&fourth->left31, b, r, count, l31);
            rk_legs_write(&fourth->left31, b, k + r, bent, la);
        }
        /* G_bb, kept for the pairs */
        double var = x->var[b], G = *x->tilt->along_C * var + excess;
        x->k4[b] = sum + 6 * G * var;
        fourth->G[b] = G;
    }
}

/* K22 + K22' and the gauge's part of both. */
RK_HOT static void finish_rows(void *context, size_t block) {
    const move *x = context;
    size_t n = x->n, first = block * ROWS, last = at_most(first + ROWS, n);
    const double *G = x->fourth->G, *var = x->var;
    double g = *x->tilt->along_C, one, other, zero = 0;
    for (size_t i = first; i < last; i++) {
        const double *C = x->C + i * n;
        for (size_t j = 0; j <= i; j++) {
            if (i >= x->heard || i == j) {
                rk_legs_write(x->K22, i, j, 1, &zero);
                rk_legs_write(x->K22, j, i, 1, &zero);
                rk_legs_write(x->K31, i, j, 1, &zero);
                rk_legs_write(x->K31, j, i, 1, &zero);
                continue;
            }
            double both = *rk_legs_read(x->K22, i, j, 1, &one) +
                          *rk_legs_read(x->K22, j, i, 1, &other) + G[i] * var[j] + G[j] * var[i] +
                          4 * g * C[j] * C[j];
            rk_legs_write(x->K22, i, j, 1, &both);
            rk_legs_write(x->K22, j, i, 1, &both);
            double ij = *rk_legs_read(x->K31, i, j, 1, &one) + 3 * (G[i] + g * var[i]) * C[j];
            double ji = *rk_legs_read(x->K31, j, i, 1, &one) + 3 * (G[j] + g * var[j]) * C[j];
            rk_legs_write(x->K31, i, j, 1, &ij);
            rk_legs_write(x->K31, j, i, 1, &ji);
        }
    }
}

void rk_newborn_fourth_move(rk_work *work, size_t n, size_t heard, rk_role from, const rk_legs *T,
                            const rk_source *newborn, const rk_legs *H, const rk_tilt *tilt,
                            const double *var, const double *C, rk_newborn_fourth *fourth,
                            double *k4, const rk_legs *K22, const rk_legs *K31) {
    size_t k = from.heard, m = from.bent, cols = k + m;
    rk_newborn_fourth x = *fourth;
    x.squares = rk_legs_view(fourth->squares, 0, cols);
    x.left22 = rk_legs_view(fourth->left22, 0, cols);
    x.left31 = rk_legs_view(fourth->left31, 0, cols);
    x.by_k22 = rk_legs_view(fourth->by_k22, 0, k);
    x.by_k31 = rk_legs_view(fourth->by_k31, 0, k);
    x.by_edge = rk_legs_view(fourth->by_edge, 0, m);
    x.edge_by = rk_legs_view(fourth->edge_by, 0, m);
    move job = {.fourth = &x,
                .n = n,
                .heard = heard,
                .from = from,
                .T = T,
                .legs = &newborn->legs,
                .H = H,
                .tilt = tilt,
                .y_column = 2 * m + newborn->rank,
                .var = var,
                .C = C,
                .k4 = k4,
                .K22 = K22,
                .K31 = K31};
    if (rk_work_charge(work, (uint64_t)n * cols))
        rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), square_rows, &job);
    rk_legs pa = rk_legs_view(x.squares, k, cols);
    rk_legs k22 = rk_legs_view(x.pairs.k22, 0, k), k31 = rk_legs_view(x.pairs.k31, 0, k);
    rk_legs edge = rk_legs_view(x.pairs.edge, 0, m);
    rk_legs_product(work, RK_NO_TRANS, n, k, k, x.squares, k22, 0, x.by_k22);
    rk_legs_product(work, RK_TRANS, n, k, k, *T, k31, 0, x.by_k31);
    rk_legs_product(work, RK_TRANS, n, m, m, pa, edge, 0, x.edge_by);
    if (K22) rk_legs_product(work, RK_NO_TRANS, n, m, m, x.left22, edge, 0, x.by_edge);
    if (rk_work_charge(work, 60 * (uint64_t)n * k))
        rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), left_rows, &job);
    if (!K22) return;
    rk_legs_product(work, RK_TRANS, heard, heard, cols, x.left22, x.squares, 0, *K22);
    rk_legs_product(work, RK_TRANS, heard, heard, k, x.left31, *T, 0, *K31);
    rk_legs_product(work, RK_TRANS, heard, heard, m, rk_legs_view(x.left31, k, cols),
                    rk_legs_view(newborn->legs, m, newborn->legs.stride), 1, *K31);
    if (rk_work_charge(work, 20 * (uint64_t)n * n))
        rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), finish_rows, &job);
}
