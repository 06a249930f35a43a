#include "propagate/third_source.h"

#include "base/simd.h"
#include "base/sum.h"

/* Rows of a block, and entries of a row that are in flight as doubles. */
enum { ROWS = 16, CHUNK = 256 };

static size_t n_blocks(size_t rows) {
    return (rows + ROWS - 1) / ROWS;
}

void rk_source_transport(rk_work *work, size_t m, size_t n, rk_legs T, const rk_source *from,
                         const rk_source *to) {
    rk_legs_product(work, RK_NO_TRANS, m, 3 * from->width, n, T, from->legs, 0, to->legs);
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
    rk_legs_product(work, RK_NO_TRANS, m, 2 * width, n, T, born, 0,
                    rk_legs_view(to->legs, width, to->legs.stride));
}

typedef struct slices {
    const rk_source *source;
    const rk_legs *left;
    double *d3;
    size_t n;
} slices;

/* Part of a row: kappa_iii and, if `lp`, the left factors of kappa_iij = [lp | la | lz] [p | a |
 * z]': what remains of each term of the cumulant after one of its three legs went to j. */
RK_HOT_PART double slice_chunk(size_t count, const double *p, const double *a, const double *z,
                               const double *w2, const double *s, const double *e, double *lp,
                               double *la, double *lz) {
    double term[CHUNK];
    RK_INDEPENDENT
    for (size_t r = 0; r < count; r++) {
        double xp = (s[r] * p[r] + 3 * e[r] * a[r] + z[r]) * p[r];
        term[r] = (3 * w2[r] * a[r] * a[r] + xp) * p[r];
    }
    if (!lp) return rk_sum(count, term);
    RK_INDEPENDENT
    for (size_t r = 0; r < count; r++) {
        double xp = (s[r] * p[r] + 3 * e[r] * a[r] + z[r]) * p[r];
        double pp = p[r] * p[r], wa = w2[r] * a[r];
        lp[r] = wa * a[r] + 1. / 3 * s[r] * pp + 2. / 3 * xp;
        la[r] = 2 * wa * p[r] + e[r] * pp;
        lz[r] = 1. / 3 * pp;
    }
    return rk_sum(count, term);
}

RK_HOT static void slice_rows(void *context, size_t block) {
    const slices *job = context;
    const rk_source *source = job->source;
    const rk_legs *legs = &source->legs, *left = job->left;
    size_t m = source->width, first = block * ROWS;
    size_t last = first + ROWS < job->n ? first + ROWS : job->n;
    double p[CHUNK], a[CHUNK], z[CHUNK], lp[CHUNK], la[CHUNK], lz[CHUNK];
    for (size_t i = first; i < last; i++)
        for (size_t r = 0; r < m; r += CHUNK) {
            size_t count = m - r < CHUNK ? m - r : CHUNK;
            job->d3[i] += slice_chunk(count, rk_legs_read(legs, i, r, count, p),
                                      rk_legs_read(legs, i, m + r, count, a),
                                      rk_legs_read(legs, i, 2 * m + r, count, z), source->w2 + r,
                                      source->s + r, source->e + r, left ? lp : NULL, la, lz);
            if (!left) continue;
            rk_legs_write(left, i, r, count, lp);
            rk_legs_write(left, i, m + r, count, la);
            rk_legs_write(left, i, 2 * m + r, count, lz);
        }
}

void rk_source_slices(rk_work *work, size_t n, const rk_source *source, double *d3,
                      const rk_legs *left, bool first, const rk_legs *D) {
    slices job = {source, D ? left : NULL, d3, n};
    if (rk_work_charge(work, (D ? 25 : 13) * (uint64_t)n * source->width))
        rk_pool_run(work->pool, n_blocks(n), slice_rows, &job);
    if (D)
        rk_legs_product(work, RK_TRANS, n, n, 3 * source->width, *left, source->legs, first ? 0 : 1,
                        *D);
}
