#include "third/source.h"

#include "base/simd.h"
#include "base/sum.h"

#include <string.h>

/* Rows of a block, and entries of a row that are in flight as doubles. */
enum { ROWS = 16, CHUNK = 256 };

void rk_source_transport(rk_work *work, size_t m, size_t n, rk_legs T, const rk_source *from,
                         const rk_source *to) {
    rk_legs_product(work, RK_NO_TRANS, m, rk_source_columns(from), n, T, from->legs, 0, to->legs);
}

static void copy(rk_work *work, size_t rows, size_t cols, const rk_legs *from, const rk_legs *to) {
    if (!rk_work_charge(work, 0)) return;
    double buffer[CHUNK];
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j += CHUNK) {
            size_t count = cols - j < CHUNK ? cols - j : CHUNK;
            rk_legs_write(to, i, j, count, rk_legs_read(from, i, j, count, buffer));
        }
}

void rk_source_first_transport(rk_work *work, size_t m, size_t n, rk_legs T, rk_legs born,
                               const rk_source *to) {
    size_t width = to->width;
    copy(work, m, width, &T, &to->legs);
    rk_legs_product(work, RK_NO_TRANS, m, rk_source_columns(to) - width, n, T, born, 0,
                    rk_legs_view(to->legs, width, to->legs.stride));
}

/* A stretch of columns in one row of a source: legs and statics in, left factors of
 * kappa_iij = [lp | la | lz | ly] [p | a | z | y]' out: what remains of each term of the cumulant
 * after one of its three legs went to j. */
typedef struct stretch {
    size_t count;
    const double *p, *a, *zl; /* zl: the row of z L */
    const double *w2, *s, *e, *c;
    double y;                 /* of the row */
    double *lp, *la, *square; /* square = p^2 / 3, which is lz if L is the identity */
    double sum, feed;         /* kappa_iii; c p^2 */
} stretch;

RK_HOT_PART void slice_stretch(stretch *x, bool fed, bool pairs) {
    const double *p = x->p, *a = x->a, *zl = x->zl, *w2 = x->w2, *s = x->s, *e = x->e;
    const double *c = x->c;
    double *lp = x->lp, *la = x->la, *square = x->square, y = x->y;
    double term[CHUNK], feed[CHUNK];
    RK_INDEPENDENT
    for (size_t r = 0; r < x->count; r++) {
        double pp = p[r] * p[r], wa = w2[r] * a[r];
        double xp = (s[r] * p[r] + 3 * e[r] * a[r] + zl[r]) * p[r];
        term[r] = (3 * wa * a[r] + xp) * p[r];
        if (fed) feed[r] = c[r] * pp;
        if (!pairs) continue;
        lp[r] = wa * a[r] + 1. / 3 * s[r] * pp + 2. / 3 * xp;
        if (fed) lp[r] += 2. / 3 * y * c[r] * p[r];
        la[r] = 2 * wa * p[r] + e[r] * pp;
        square[r] = 1. / 3 * pp;
    }
    x->sum = rk_sum(x->count, term);
    x->feed = fed ? rk_sum(x->count, feed) : 0;
}

typedef struct slices {
    const rk_source *source;
    const rk_slice_scratch *scratch;
    double *d3;
    size_t n, bent;
    bool pairs;
} slices;

RK_HOT static void slice_rows(void *context, size_t block) {
    const slices *job = context;
    const rk_source *source = job->source;
    const rk_legs *legs = &source->legs, *left = &job->scratch->left;
    size_t m = source->width, first = block * ROWS;
    size_t last = first + ROWS < job->n ? first + ROWS : job->n;
    bool exact = source->rank == m, fed = source->fed;
    const rk_legs *square = exact ? left : &job->scratch->square;
    double p[CHUNK], a[CHUNK], zl[CHUNK], lp[CHUNK], la[CHUNK], pp[CHUNK], y = 0;
    for (size_t i = first; i < last; i++) {
        bool pairs = job->pairs && i < job->bent;
        double sum = 0, feed = 0;
        if (fed) y = *rk_legs_read(legs, i, 2 * m + source->rank, 1, &y);
        for (size_t r = 0; r < m; r += CHUNK) {
            size_t count = m - r < CHUNK ? m - r : CHUNK;
            stretch x = {
                .count = count,
                .p = rk_legs_read(legs, i, r, count, p),
                .a = rk_legs_read(legs, i, m + r, count, a),
                .zl = exact ? rk_legs_read(legs, i, 2 * m + r, count, zl)
                            : rk_legs_read(left, i, m + r, count, zl), /* where la will be */
                .w2 = source->w2 + r,
                .s = source->s + r,
                .e = source->e + r,
                .c = fed ? source->c + r : NULL,
                .y = y,
                .lp = lp,
                .la = la,
                .square = pp,
            };
            if (fed)
                slice_stretch(&x, true, pairs);
            else
                slice_stretch(&x, false, pairs);
            sum += x.sum;
            feed += x.feed;
            if (!pairs) continue;
            rk_legs_write(left, i, r, count, lp);
            rk_legs_write(left, i, m + r, count, la);
            rk_legs_write(square, i, exact ? 2 * m + r : r, count, pp);
        }
        job->d3[i] += sum + feed * y;
        feed /= 3;
        if (pairs && fed) rk_legs_write(left, i, 2 * m + source->rank, 1, &feed);
    }
}

/* The scratch with rows of its own for each source. */
static rk_slice_scratch scratch_of(const rk_slice_scratch *scratch, const rk_source *source) {
    size_t cols = 2 * source->width + source->rank + (source->fed ? 1 : 0);
    return (rk_slice_scratch){.left = rk_legs_view(scratch->left, 0, cols),
                              .square = rk_legs_view(scratch->square, 0, source->width)};
}

void rk_source_slices(rk_work *work, size_t n, size_t bent, const rk_source *whole, bool pairs,
                      const rk_slice_scratch *scratch, double *d3) {
    size_t m = whole->width, rank = whole->rank, cols = rk_source_columns(whole);
    rk_slice_scratch own = scratch_of(scratch, whole);
    if (rank < m)
        rk_legs_product(work, RK_NO_TRANS, n, m, rank, rk_legs_view(whole->legs, 2 * m, cols),
                        whole->L, 0, rk_legs_view(own.left, m, cols));
    slices job = {whole, &own, d3, n, bent, pairs};
    if (rk_work_charge(work, (pairs ? 25 : 13) * (uint64_t)n * m))
        rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), slice_rows, &job);
    if (pairs && rank < m)
        rk_legs_product(work, RK_TRANS, bent, rank, m, own.square, whole->L, 0,
                        rk_legs_view(own.left, 2 * m, cols));
}

void rk_source_pairs(rk_work *work, size_t bent, size_t heard, const rk_source *there,
                     const rk_slice_scratch *scratch, double beta, rk_legs D) {
    rk_slice_scratch own = scratch_of(scratch, there);
    size_t cols = own.left.stride, thick = 0, span = there->span;
    if (span > 0) { /* [lp | la] K' u' */
        rk_legs folded = rk_legs_view(scratch->square, 0, span);
        thick = 2 * there->width;
        rk_legs_product(work, RK_TRANS, bent, span, thick, own.left, there->K, 0, folded);
        rk_legs_product(work, RK_TRANS, bent, heard, span, folded, there->legs, beta, D);
        beta = 1;
    }
    rk_legs_product(work, RK_TRANS, bent, heard, cols - thick, rk_legs_view(own.left, thick, cols),
                    rk_legs_view(there->legs, span, rk_source_columns(there)), beta, D);
}

/* lp, which p spreads over its first columns, the identity. */
static void spread(rk_work *work, size_t bent, size_t heard, size_t width, const rk_legs *left,
                   const rk_legs *G) {
    if (!rk_work_charge(work, 0)) return;
    double buffer[CHUNK];
    for (size_t i = 0; i < bent; i++)
        for (size_t j = 0; j < heard; j += CHUNK) {
            size_t count = rk_legs_within(heard, j, CHUNK);
            size_t said = rk_legs_within(width, j, count);
            const double *lp = rk_legs_read(left, i, j, said, buffer);
            if (lp != buffer) memcpy(buffer, lp, said * sizeof *lp);
            memset(buffer + said, 0, (count - said) * sizeof *buffer);
            rk_legs_write(G, i, j, count, buffer);
        }
}

void rk_source_pairs_at_birth(rk_work *work, size_t bent, size_t heard, const rk_source *source,
                              rk_legs born, const rk_slice_scratch *scratch, rk_legs G) {
    rk_slice_scratch own = scratch_of(scratch, source);
    size_t m = source->width, cols = own.left.stride;
    spread(work, bent, heard, m, &own.left, &G);
    rk_legs_product(work, RK_TRANS, bent, heard, cols - m, rk_legs_view(own.left, m, cols), born, 1,
                    G);
}
