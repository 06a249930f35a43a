#include "third/newborn_fourth_back.h"

#include "base/simd.h"
#include "base/sum.h"
#include "third/tally.h"

#include <math.h>

enum { ROWS = 16 };

rk_newborn_fourth rk_newborn_fourth_bar_take(rk_work *work, size_t width, bool each, rk_legs k22) {
    rk_newborn_fourth bar = rk_newborn_fourth_take(work, width, width, true, each);
    bar.pairs.k22 = k22;
    rk_newborn_fourth_clear(work, width, &bar);
    return bar;
}

void rk_newborn_fourth_clear(rk_work *work, size_t n, rk_newborn_fourth *bar) {
    rk_pair_cumulants *pairs = &bar->pairs;
    const rk_legs vectors[] = {{.d = bar->k4},     {.d = bar->centre},   {.d = bar->ends},
                               {.d = bar->own},    {.d = bar->y},        {.d = bar->w1},
                               {.d = bar->w2},     {.d = bar->w3},       {.d = bar->share},
                               {.d = bar->excess}, {.d = pairs->k22_sum}};
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        rk_legs_zero(work, 1, n, &vectors[k]);
    rk_legs_zero(work, 1, 1, &(rk_legs){.d = bar->along_C});
    if (!pairs->each) return;
    rk_legs *const of_pairs[] = {&pairs->k22, &pairs->k31, &pairs->edge};
    for (size_t k = 0; k < sizeof of_pairs / sizeof *of_pairs; k++) {
        *of_pairs[k] = rk_legs_view(*of_pairs[k], 0, n);
        rk_legs_zero(work, n, n, of_pairs[k]);
    }
}

/* What the neurons of h have in all rows: adjoints are sums over these. */
enum { K4, CENTRE, ENDS, Y, OWN, S2, S3, K22_SUM, EXCESS, SHARE, N_STATICS };

typedef struct move_back {
    const rk_newborn_fourth *fourth;
    const rk_fourth_view *view;
    const rk_fourth_scratch *scratch;
    const double *k4_bar;
    const rk_legs *K31_bar;
    const rk_fourth_view_bar *to;
    double *G_bar, *square_bar, *along; /* n each; along: of along_C */
    rk_tally tally;
} move_back;

static double *row_of(const rk_legs *legs, size_t b) {
    return legs->d + b * legs->stride;
}

/* Of the tilt's part: k4 += 6 G var, K31 += 3 (G + g var) C, where G has g var already. */
RK_HOT static void tilted_back_rows(void *context, size_t block) {
    const move_back *x = context;
    const rk_fourth_view *view = x->view;
    size_t n = view->n, first = block * ROWS, last = n - first < ROWS ? n : first + ROWS;
    double g = *x->fourth->along_C;
    for (size_t b = first; b < last; b++) {
        double var = view->var[b], G = x->scratch->G[b], k4_bar = x->k4_bar[b], sum = 0;
        if (x->K31_bar) {
            const double *K31_bar = row_of(x->K31_bar, b), *C = view->C + b * n;
            double *C_bar = x->to->C + b * n;
            sum = 3 * rk_dot(n, K31_bar, C);
            for (size_t c = 0; c < n; c++) {
                double mirrored = row_of(x->K31_bar, c)[b];
                double other = x->scratch->G[c] + g * view->var[c];
                C_bar[c] += 1.5 * ((G + g * var) * K31_bar[c] + other * mirrored);
            }
        }
        x->G_bar[b] = 6 * var * k4_bar + sum;
        x->along[b] = var * (x->G_bar[b] + sum);
        x->to->var[b] += 6 * G * k4_bar + g * (sum + x->G_bar[b]);
    }
}

/* One row of the next layer against the neurons of h. In: what rk_newborn_fourth_move left in its
 * scratch, and in l31, la their adjoints; out: these themselves, and adjoints in place of what was
 * in scratch. */
typedef struct row {
    size_t count;
    const double *p, *a, *H, *k22_sum;
    const double *k4, *centre, *ends, *y, *own, *w2, *w3;
    double square, C_bb, y_b, k4_bar;
    double *l31, *la, *by_k22, *by_k31, *edge_by; /* NULL: not there */
    double *p_bar, *a_bar, *H_bar;
    double *statics;                    /* N_STATICS times count */
    double square_bar, C_bb_bar, y_bar; /* out */
} row;

RK_HOT_PART void row_back(row *x) {
    size_t m = x->count;
    double t = x->k4_bar;
    x->square_bar = x->C_bb_bar = x->y_bar = 0;
    for (size_t i = 0; i < m; i++) {
        double p = x->p[i], a = x->a[i], k4 = x->k4[i], f = x->centre[i], e = x->ends[i];
        double w2 = x->w2[i], w3 = x->w3[i], pp = p * p, aa = a * a, pa = p * a;
        double u = x->by_k31 ? x->by_k31[i] : 0, q = x->edge_by ? x->edge_by[i] : 0;
        double s = x->by_k22 ? x->by_k22[i] : x->square * x->k22_sum[i];
        double L = x->l31 ? x->l31[i] : 0, A = x->l31 ? x->la[i] : 0;
        double third =
            (x->H ? x->H[i] : 0) + 1. / 3 * (x->C_bb * x->y[i] + 2 * (a + p * x->own[i]) * x->y_b);
        double ends = e * (third + 2 * q) + f * aa;
        double star = w3 * aa, path = w2 * q, joint = w2 * third;
        if (x->l31) {
            x->l31[i] = p * (k4 * pp + 3 * (s + p * u + ends)) + a * (star + 6 * path + 3 * joint);
            x->la[i] = 3 * p * (f * pa + star + 2 * path + joint);
        }
        double s_bar = 3 * (L * p + t * pp), u_bar = 3 * L * pp + 4 * t * pp * p;
        double ends_bar = 3 * L * p + 6 * t * pp, star_bar = L * a + 3 * A * p + 4 * t * pa;
        double path_bar = 6 * (L * a + A * p) + 12 * t * pa;
        double joint_bar = 3 * (L * a + A * p) + 12 * t * pa;
        double f_bar = 3 * A * pp * a + ends_bar * aa;
        double third_bar = joint_bar * w2 + ends_bar * e, fed_bar = 1. / 3 * third_bar;
        x->p_bar[i] += L * (3 * k4 * pp + 3 * s + 6 * p * u + 3 * ends) +
                       3 * A * (2 * f * pa + star + 2 * path + joint) +
                       t * (4 * k4 * pp * p + 6 * p * s + 12 * pp * u + 12 * p * ends +
                            4 * a * (star + 3 * (path + joint))) +
                       2 * fed_bar * x->own[i] * x->y_b;
        x->a_bar[i] += L * (star + 6 * path + 3 * joint) + 3 * A * f * pp +
                       4 * t * p * (star + 3 * (path + joint)) + 2 * a * (w3 * star_bar) +
                       2 * f * a * ends_bar + 2 * fed_bar * x->y_b;
        x->H_bar[i] = third_bar;
        x->C_bb_bar += fed_bar * x->y[i];
        x->y_bar += 2 * fed_bar * (a + p * x->own[i]);
        if (x->by_k31) x->by_k31[i] = u_bar;
        if (x->edge_by) x->edge_by[i] = path_bar * w2 + 2 * ends_bar * e;
        if (x->by_k22) {
            x->by_k22[i] = s_bar;
        } else {
            x->square_bar += s_bar * x->k22_sum[i];
            x->statics[K22_SUM * m + i] += s_bar * x->square;
        }
        x->statics[K4 * m + i] += pp * p * (L + t * p);
        x->statics[CENTRE * m + i] += f_bar;
        x->statics[ENDS * m + i] += ends_bar * (third + 2 * q);
        x->statics[Y * m + i] += fed_bar * x->C_bb;
        x->statics[OWN * m + i] += 2 * fed_bar * p * x->y_b;
        x->statics[S2 * m + i] += path_bar * q + joint_bar * third;
        x->statics[S3 * m + i] += star_bar * aa;
    }
}

RK_HOT static void left_back_rows(void *context, size_t block) {
    const move_back *x = context;
    const rk_newborn_fourth *fourth = x->fourth;
    const rk_fourth_scratch *scratch = x->scratch;
    const rk_fourth_view *view = x->view;
    size_t m = view->bent, n = view->n, first = block * ROWS;
    size_t last = n - first < ROWS ? n : first + ROWS;
    bool each = fourth->pairs.each;
    double *statics = rk_tally_open(&x->tally, block);
    for (size_t b = first; b < last; b++) {
        double *left = row_of(&scratch->left31, b);
        row part = {
            .count = m,
            .p = row_of(&view->p, b),
            .a = row_of(&view->a, b),
            .H = view->H ? row_of(view->H, b) : NULL,
            .k22_sum = fourth->pairs.k22_sum,
            .k4 = fourth->k4,
            .centre = fourth->centre,
            .ends = fourth->ends,
            .y = fourth->y,
            .own = fourth->own,
            .w2 = fourth->w2,
            .w3 = fourth->w3,
            .square = scratch->square[b],
            .C_bb = view->var_before[b],
            .y_b = -*row_of(&view->y, b),
            .k4_bar = x->k4_bar[b],
            .l31 = x->K31_bar ? left : NULL,
            .la = left + m,
            .by_k22 = each && view->newborn ? row_of(&scratch->by_k22, b) : NULL,
            .by_k31 = each ? row_of(&scratch->by_k31, b) : NULL,
            .edge_by = each ? row_of(&scratch->edge_by, b) : NULL,
            .p_bar = row_of(&x->to->p, b),
            .a_bar = row_of(&x->to->a, b),
            .H_bar = row_of(&x->to->H, b),
            .statics = statics,
        };
        row_back(&part);
        x->square_bar[b] = part.square_bar;
        x->to->var_before[b] += part.C_bb_bar;
        *row_of(&x->to->y, b) -= part.y_bar;
        for (size_t i = 0; i < m; i++) {
            double pp = part.p[i] * part.p[i];
            part.p_bar[i] += 2 * part.p[i] *
                             (fourth->excess[i] * x->G_bar[b] + fourth->share[i] * part.square_bar);
            statics[EXCESS * m + i] += pp * x->G_bar[b];
            statics[SHARE * m + i] += pp * part.square_bar;
        }
    }
}

/* What came back of p^2 and p a, which are in their places. */
RK_HOT static void squares_back_rows(void *context, size_t block) {
    const move_back *x = context;
    const rk_fourth_view *view = x->view;
    size_t m = view->bent, n = view->n, first = block * ROWS;
    size_t last = n - first < ROWS ? n : first + ROWS;
    for (size_t b = first; b < last; b++) {
        const double *p = row_of(&view->p, b), *a = row_of(&view->a, b);
        const double *pa_bar = row_of(&x->scratch->pa, b);
        const double *squares_bar = view->newborn ? row_of(&x->scratch->squares, b) : NULL;
        double *p_bar = row_of(&x->to->p, b), *a_bar = row_of(&x->to->a, b);
        for (size_t i = 0; i < m; i++) {
            p_bar[i] += a[i] * pa_bar[i] + (squares_bar ? 2 * p[i] * squares_bar[i] : 0);
            a_bar[i] += p[i] * pa_bar[i];
        }
    }
}

/* C (m x n) = op(A) B + beta C. */
static void product(rk_work *work, rk_trans trans_a, rk_trans trans_b, size_t m, size_t n, size_t k,
                    rk_legs a, rk_legs b, double beta, rk_legs c) {
    rk_gemm(work, trans_a, trans_b, m, n, k, 1, a.d, a.stride, b.d, b.stride, beta, c.d, c.stride);
}

/* The products by k22, k31 and the edges. */
static void products_back(rk_work *work, const rk_fourth_view *view, const rk_fourth_scratch *x,
                          const rk_pair_cumulants *born, const rk_pair_cumulants *bar,
                          rk_legs p_bar) {
    const size_t n = view->n, m = view->bent;
    if (view->newborn) {
        product(work, RK_TRANS, RK_NO_TRANS, m, m, n, x->squares, x->by_k22, 1, bar->k22);
        product(work, RK_NO_TRANS, RK_TRANS, n, m, m, x->by_k22, born->k22, 0, x->squares);
    }
    product(work, RK_TRANS, RK_NO_TRANS, m, m, n, x->by_k31, view->p, 1, bar->k31);
    product(work, RK_NO_TRANS, RK_NO_TRANS, n, m, m, x->by_k31, born->k31, 1, p_bar);
    product(work, RK_TRANS, RK_NO_TRANS, m, m, n, x->edge_by, x->pa, 1, bar->edge);
    product(work, RK_NO_TRANS, RK_NO_TRANS, n, m, m, x->edge_by, born->edge, 0, x->pa);
}

void rk_newborn_fourth_move_back(rk_work *work, const rk_fourth_view *view,
                                 const rk_fourth_scratch *scratch, const rk_newborn_fourth *fourth,
                                 const double *k4_bar, const rk_legs *K31_bar,
                                 const rk_newborn_fourth *bar, const rk_fourth_view_bar *view_bar) {
    const size_t mark = rk_work_mark(work), n = view->n, m = view->bent;
    const size_t n_blocks = rk_pool_blocks(n, ROWS);
    rk_fourth_scratch x = {.G = scratch->G,
                           .square = scratch->square,
                           .squares = rk_legs_view(scratch->squares, 0, m),
                           .pa = rk_legs_view(scratch->pa, 0, m),
                           .by_k22 = rk_legs_view(scratch->by_k22, 0, m),
                           .left31 = rk_legs_view(scratch->left31, 0, 2 * m),
                           .by_k31 = rk_legs_view(scratch->by_k31, 0, m),
                           .edge_by = rk_legs_view(scratch->edge_by, 0, m)};
    double *unused = rk_work_doubles(work, n, 1);
    rk_legs_zero(work, 1, n, &(rk_legs){.stride = n, .d = unused});
    rk_newborn_fourth_move(work, view, scratch, NULL, fourth, unused);
    rk_legs la = rk_legs_view(x.left31, m, 2 * m);
    if (K31_bar) { /* K31 = l31 p' + la a' */
        product(work, RK_NO_TRANS, RK_NO_TRANS, n, m, n, *K31_bar, view->p, 0, x.left31);
        product(work, RK_NO_TRANS, RK_NO_TRANS, n, m, n, *K31_bar, view->a, 0, la);
    }
    double *rows = rk_work_doubles(work, 3, n);
    move_back job = {
        fourth,   view, &x,       k4_bar,       K31_bar,
        view_bar, rows, rows + n, rows + 2 * n, rk_tally_take(work, n_blocks, N_STATICS * m)};
    if (rk_work_charge(work, 120 * (uint64_t)n * m + (K31_bar ? 8 * (uint64_t)n * n : 0))) {
        rk_pool_run(work->pool, n_blocks, tilted_back_rows, &job);
        rk_pool_run(work->pool, n_blocks, left_back_rows, &job);
        *bar->along_C += rk_sum(n, job.along);
    }
    double *const statics[N_STATICS] = {bar->k4,     bar->centre, bar->ends, bar->y,
                                        bar->own,    bar->w2,     bar->w3,   bar->pairs.k22_sum,
                                        bar->excess, bar->share};
    for (size_t k = 0; k < N_STATICS; k++)
        rk_tally_add(work, &job.tally, k * m, m, statics[k]);
    if (K31_bar) {
        product(work, RK_TRANS, RK_NO_TRANS, n, m, n, *K31_bar, x.left31, 1, view_bar->p);
        product(work, RK_TRANS, RK_NO_TRANS, n, m, n, *K31_bar, la, 1, view_bar->a);
    }
    if (fourth->pairs.each) {
        products_back(work, view, &x, &fourth->pairs, &bar->pairs, view_bar->p);
        if (rk_work_charge(work, 6 * (uint64_t)n * m))
            rk_pool_run(work->pool, n_blocks, squares_back_rows, &job);
    }
    rk_work_release(work, mark);
}

void rk_newborn_fourth_set_back(rk_work *work, size_t n, const rk_neurons *neurons,
                                const rk_slices *z, const double *var, const double *carried,
                                const rk_newborn_fourth *fourth, const rk_newborn_fourth *bar,
                                const rk_tilt *tilt_bar, rk_neurons *neurons_bar,
                                const rk_slices_bar *z_bar, double *var_bar, double *carried_bar) {
    if (!rk_work_charge(work, 40 * (uint64_t)n)) return;
    double all = 0;
    for (size_t i = 0; i < n; i++) {
        double w1 = neurons->w.k1[i], e1 = neurons->e.k1[i], square = w1 * w1, k4 = bar->k4[i];
        double old = carried ? carried[i] : 0, d3 = z->d3[i];
        neurons_bar->k4[i] += k4;
        neurons_bar->e.k1[i] += bar->ends[i] - 6 * square * d3 * k4;
        neurons_bar->e.k2[i] += bar->centre[i];
        neurons_bar->w.k1[i] += bar->w1[i] + bar->own[i] * var[i] - 4 * w1 * bar->centre[i] -
                                4 * w1 * (3 * e1 * d3 + square * old) * k4;
        neurons_bar->w.k2[i] += bar->w2[i];
        neurons_bar->w.k3[i] += bar->w3[i];
        z_bar->d3[i] -= 6 * e1 * square * k4;
        z_bar->y[i] += bar->y[i];
        var_bar[i] += bar->own[i] * w1;
        carried_bar[i] = carried ? -square * square * k4 : 0;
        tilt_bar->excess[i] = bar->excess[i];
        all += fabs(fourth->pairs.k22_sum[i]);
    }
    *tilt_bar->along_C = *bar->along_C;
    double common = rk_dot(n, bar->share, fourth->share);
    for (size_t i = 0; all > 0 && i < n; i++) {
        double slope = (bar->share[i] - common) / all;
        bar->pairs.k22_sum[i] += fourth->pairs.k22_sum[i] < 0 ? -slope : slope;
    }
}
