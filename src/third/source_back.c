#include "third/source_back.h"

#include "base/simd.h"
#include "base/sum.h"
#include "third/tally.h"

#include <string.h>

enum { ROWS = 16, CHUNK = 256 };

/* C (m x n) = op(A) op(B) + beta C of legs in double. */
static void product(rk_work *work, rk_trans trans_a, rk_trans trans_b, size_t m, size_t n, size_t k,
                    rk_legs a, rk_legs b, double beta, rk_legs c) {
    rk_gemm(work, trans_a, trans_b, m, n, k, 1, a.d, a.stride, b.d, b.stride, beta, c.d, c.stride);
}

static rk_legs matrix(const double *x, size_t stride) {
    return (rk_legs){.stride = stride, .d = (double *)x};
}

void rk_source_transport_back(rk_work *work, size_t m, size_t n, const double *T,
                              const rk_source *from, const rk_source *to_bar, double beta,
                              const rk_source *from_bar, double *T_bar) {
    size_t cols = rk_source_columns(from);
    product(work, RK_NO_TRANS, RK_TRANS, m, n, cols, to_bar->legs, from->legs, 1, matrix(T_bar, n));
    product(work, RK_TRANS, RK_NO_TRANS, n, cols, m, matrix(T, n), to_bar->legs, beta,
            from_bar->legs);
}

typedef struct addition {
    size_t n;
    const rk_legs *x;
    double *sum;
} addition;

static void add_rows(void *context, size_t block) {
    const addition *job = context;
    size_t n = job->n;
    const double *x = job->x->d + block * job->x->stride;
    for (size_t j = 0; j < n; j++)
        job->sum[block * n + j] += x[j];
}

void rk_source_first_transport_back(rk_work *work, size_t m, size_t n, const double *T,
                                    rk_legs born, const rk_source *to_bar, rk_legs born_bar,
                                    double *T_bar) {
    size_t cols = rk_source_columns(to_bar) - n;
    addition p = {n, &to_bar->legs, T_bar}; /* p was T */
    rk_legs rest = rk_legs_view(to_bar->legs, n, to_bar->legs.stride);
    if (rk_work_charge(work, (uint64_t)m * n)) rk_pool_run(work->pool, m, add_rows, &p);
    product(work, RK_NO_TRANS, RK_TRANS, m, n, cols, rest, born, 1, matrix(T_bar, n));
    product(work, RK_TRANS, RK_NO_TRANS, n, cols, m, matrix(T, n), rest, 1, born_bar);
}

void rk_source_pairs_back(rk_work *work, size_t n, size_t heard, const rk_source *there,
                          const rk_slice_scratch *scratch, const rk_legs *D_bar, rk_legs left_bar,
                          const rk_source *there_bar) {
    size_t cols = rk_source_columns(there);
    rk_legs left = rk_legs_view(scratch->left, 0, cols);
    product(work, RK_NO_TRANS, RK_NO_TRANS, n, cols, heard, *D_bar, there->legs, 0,
            rk_legs_view(left_bar, 0, cols));
    product(work, RK_TRANS, RK_NO_TRANS, heard, cols, n, *D_bar, left, 1, there_bar->legs);
}

typedef struct spreading {
    size_t n;
    const rk_legs *from, *to;
} spreading;

static void spread_back_row(void *context, size_t block) {
    const spreading *x = context;
    memcpy(x->to->d + block * x->to->stride, x->from->d + block * x->from->stride,
           x->n * sizeof(double));
}

void rk_source_pairs_at_birth_back(rk_work *work, size_t n, const rk_source *source, rk_legs born,
                                   const rk_slice_scratch *scratch, const rk_legs *G_bar,
                                   rk_legs left_bar, rk_legs born_bar) {
    size_t m = source->width, cols = rk_source_columns(source), rest = cols - m;
    rk_legs left = rk_legs_view(scratch->left, m, cols);
    left_bar = rk_legs_view(left_bar, 0, cols);
    spreading x = {m, G_bar, &left_bar}; /* p is the identity */
    if (rk_work_charge(work, 0)) rk_pool_run(work->pool, n, spread_back_row, &x);
    product(work, RK_NO_TRANS, RK_NO_TRANS, n, rest, m, *G_bar, born, 0,
            rk_legs_view(left_bar, m, cols));
    product(work, RK_TRANS, RK_NO_TRANS, m, rest, n, *G_bar, left, 1, born_bar);
}

/* A stretch of columns in one row of a source: adjoints of left factors in, of legs and statics
 * out. */
typedef struct stretch {
    size_t count;
    const double *p, *a, *z, *w2, *s, *e, *c;
    const double *lp_bar, *la_bar, *lz_bar; /* if pairs */
    double y, d3_bar, feed_bar;             /* of the row; the latter of sum_r c p^2 */
    double *p_bar, *a_bar, *z_bar;
    double *w2_bar, *s_bar, *e_bar, *c_bar;
    double y_bar; /* out */
} stretch;

RK_HOT_PART void slice_back_stretch(stretch *x, bool fed, bool pairs) {
    const double *p = x->p, *a = x->a, *z = x->z, *w2 = x->w2, *s = x->s, *e = x->e, *c = x->c;
    double t = x->d3_bar, y = x->y, feed_bar = x->feed_bar, y_bar[CHUNK];
    RK_INDEPENDENT
    for (size_t r = 0; r < x->count; r++) {
        double lp = pairs ? x->lp_bar[r] : 0, la = pairs ? x->la_bar[r] : 0;
        double lz = pairs ? x->lz_bar[r] : 0;
        double pp = p[r] * p[r], aa = a[r] * a[r], pa = p[r] * a[r];
        double x_ = s[r] * p[r] + 3 * e[r] * a[r] + z[r], xp_bar = t * p[r] + 2. / 3 * lp;
        x->p_bar[r] += t * (3 * w2[r] * aa + x_ * p[r]) + 2. / 3 * lp * s[r] * p[r] +
                       2 * la * (w2[r] * a[r] + e[r] * p[r]) + 2. / 3 * lz * p[r] +
                       xp_bar * (x_ + s[r] * p[r]);
        x->a_bar[r] += 2 * w2[r] * (3 * t * pa + lp * a[r] + la * p[r]) + 3 * xp_bar * e[r] * p[r];
        x->z_bar[r] += xp_bar * p[r];
        x->w2_bar[r] += 3 * t * aa * p[r] + lp * aa + 2 * la * pa;
        x->s_bar[r] += 1. / 3 * lp * pp + xp_bar * pp;
        x->e_bar[r] += la * pp + 3 * xp_bar * pa;
        if (!fed) continue;
        x->p_bar[r] += 2. / 3 * lp * y * c[r] + 2 * feed_bar * c[r] * p[r];
        x->c_bar[r] += 2. / 3 * lp * y * p[r] + feed_bar * pp;
        y_bar[r] = 2. / 3 * lp * c[r] * p[r] + t * c[r] * pp;
    }
    x->y_bar = fed ? rk_sum(x->count, y_bar) : 0;
}

typedef struct slices_back {
    const rk_source *source, *bar;
    const rk_legs *left_bar; /* NULL: no pairs */
    const double *d3_bar;
    size_t n;
    rk_tally tally; /* of w2, s, e and c */
} slices_back;

RK_HOT static void slice_back_rows(void *context, size_t block) {
    const slices_back *job = context;
    const rk_source *source = job->source;
    size_t m = source->width, first = block * ROWS;
    size_t last = first + ROWS < job->n ? first + ROWS : job->n;
    bool fed = source->fed, pairs = job->left_bar != NULL;
    double *statics = rk_tally_open(&job->tally, block);
    for (size_t i = first; i < last; i++) {
        const double *legs = source->legs.d + i * source->legs.stride;
        const double *left = pairs ? job->left_bar->d + i * job->left_bar->stride : legs;
        double *bar = job->bar->legs.d + i * job->bar->legs.stride;
        double t = job->d3_bar[i], y = fed ? legs[3 * m] : 0;
        double feed_bar = t * y + (fed && pairs ? 1. / 3 * left[3 * m] : 0);
        for (size_t r = 0; r < m; r += CHUNK) {
            stretch x = {
                .count = m - r < CHUNK ? m - r : CHUNK,
                .p = legs + r,
                .a = legs + m + r,
                .z = legs + 2 * m + r,
                .w2 = source->w2 + r,
                .s = source->s + r,
                .e = source->e + r,
                .c = fed ? source->c + r : NULL,
                .lp_bar = left + r,
                .la_bar = left + m + r,
                .lz_bar = left + 2 * m + r,
                .y = y,
                .d3_bar = t,
                .feed_bar = feed_bar,
                .p_bar = bar + r,
                .a_bar = bar + m + r,
                .z_bar = bar + 2 * m + r,
                .w2_bar = statics + r,
                .s_bar = statics + m + r,
                .e_bar = statics + 2 * m + r,
                .c_bar = statics + 3 * m + r,
            };
            if (fed)
                slice_back_stretch(&x, true, pairs);
            else
                slice_back_stretch(&x, false, pairs);
            if (fed) bar[3 * m] += x.y_bar;
        }
    }
}

void rk_source_slices_back(rk_work *work, size_t n, const rk_source *source,
                           const rk_legs *left_bar, const double *d3_bar, const rk_source *bar) {
    const size_t m = source->width, cols = rk_source_columns(source);
    const size_t mark = rk_work_mark(work), n_blocks = rk_pool_blocks(n, ROWS);
    rk_legs left = left_bar ? rk_legs_view(*left_bar, 0, cols) : (rk_legs){0};
    slices_back job = {.source = source,
                       .bar = bar,
                       .left_bar = left_bar ? &left : NULL,
                       .d3_bar = d3_bar,
                       .n = n,
                       .tally = rk_tally_take(work, n_blocks, 4 * m)};
    if (rk_work_charge(work, 60 * (uint64_t)n * m))
        rk_pool_run(work->pool, n_blocks, slice_back_rows, &job);
    double *const statics[] = {bar->w2, bar->s, bar->e, bar->c};
    for (size_t k = 0; k < (source->fed ? 4 : 3); k++)
        rk_tally_add(work, &job.tally, k * m, m, statics[k]);
    rk_work_release(work, mark);
}
