#include "cumulant/symmetric.h"

#include "base/size.h"
#include "linalg/blas.h"

#include <string.h>

/* Rows of W applied to the first leg at a time, and rows of a triangle computed at once. */
enum { LEG_ROWS = 16, TRIANGLE_ROWS = 16 };

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t rk_symmetric_count(size_t n, int s) {
    size_t count = 1;
    for (int t = 1; t <= s; t++) {
        if (!rk_size_mul(count, n + (size_t)t - 1, &count)) return SIZE_MAX;
        count /= (size_t)t;
    }
    return count;
}

bool rk_symmetric_next(size_t *index, int s, size_t n) {
    for (int t = s - 1; t >= 0; t--) {
        if (index[t] + 1 < (t ? index[t - 1] + 1 : n)) {
            index[t]++;
            return true;
        }
        index[t] = 0;
    }
    return false;
}

void rk_symmetric_row(const double *tensor, size_t stride, int s, const size_t *fixed, size_t limit,
                      double *row) {
    size_t j = 0;
    for (int t = s - 1; t >= 0; t--) { /* fixed[0 .. t-1] come before j */
        size_t end = t ? smaller(fixed[t - 1], limit) : limit, base = 0;
        for (int u = 0; u < s - 1; u++)
            base += rk_simplex(fixed[u], u < t ? s - u : s - u - 1);
        if (t == s - 1)
            for (; j < end; j++)
                row[j] = tensor[stride * (base + j)];
        else if (t == s - 2)
            for (; j < end; j++)
                row[j] = tensor[stride * (base + rk_simplex(j, 2))];
        else
            for (; j < end; j++)
                row[j] = tensor[stride * (base + rk_simplex(j, s - t))];
    }
}

/* out[l][rest] = tensor[{l} + rest]: the first leg written out, the others still packed. */
static void write_out_leg(rk_work *work, int s, size_t n, const double *tensor, double *out) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t l = 0; l < n; l++) {
        size_t rest[RK_MAX_ORDER] = {0}; /* but the last index */
        do {
            size_t fixed[RK_MAX_ORDER];
            int t = 0;
            for (; t < s - 2 && rest[t] > l; t++)
                fixed[t] = rest[t];
            fixed[t] = l;
            for (; t < s - 2; t++)
                fixed[t + 1] = rest[t];
            size_t limit = s > 2 ? rest[s - 3] + 1 : n;
            rk_symmetric_row(tensor, 1, s, fixed, limit, out);
            out += limit;
        } while (rk_symmetric_next(rest, s - 2, n));
    }
}

/* The last leg: out[i][j] = sum_k R[i][k] W[j][k] for j <= i < m. Its blocks are charged for in one
 * go, so that dry runs of large tensors need not count them one by one. */
static void last_leg(rk_work *work, size_t m, size_t n, const double *W, const double *R,
                     double *out) {
    size_t mark = rk_work_mark(work);
    double *rows = rk_work_doubles(work, smaller(m, TRIANGLE_ROWS), m);
    uint64_t blocks = m / TRIANGLE_ROWS, rest = m % TRIANGLE_ROWS;
    uint64_t entries = TRIANGLE_ROWS * TRIANGLE_ROWS * (blocks * (blocks + 1) / 2) + rest * m;
    bool wet = rk_work_charge(work, 2 * n * entries);
    for (size_t first = 0; wet && first < m; first += TRIANGLE_ROWS) {
        rk_work charged = {.pool = work->pool};
        size_t last = smaller(first + TRIANGLE_ROWS, m);
        rk_gemm(&charged, RK_NO_TRANS, RK_TRANS, last - first, last, n, 1, R + first * n, n, W, n,
                0, rows, last);
        for (size_t i = first; i < last; i++)
            memcpy(out + rk_simplex(i, 2), rows + (i - first) * last, (i + 1) * sizeof *out);
    }
    rk_work_release(work, mark);
}

typedef struct transform {
    int s;
    size_t m, n;
    const double *W, *tensor;
    double *leg; /* n x entries of order s - 1 */
    double *out;
} transform;

static void apply(rk_work *work, const transform *t, bool spread);

/* The first leg's rows number `chunk` of W, and below them every other leg. */
static void apply_rows(rk_work *work, void *context, size_t chunk) {
    const transform *t = context;
    size_t mark = rk_work_mark(work), n_rest = rk_symmetric_count(t->n, t->s - 1);
    size_t first = chunk * LEG_ROWS, last = smaller(first + LEG_ROWS, t->m);
    double *rows = rk_work_doubles(work, last - first, n_rest);
    rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, last - first, n_rest, t->n, 1, t->W + first * t->n,
            t->n, t->leg, n_rest, 0, rows, n_rest);
    for (size_t i = first; i < last; i++) {
        transform below = {.s = t->s - 1, .m = i + 1, .n = t->n, .W = t->W};
        below.tensor = rows + (i - first) * n_rest;
        below.out = t->out + rk_simplex(i, t->s);
        apply(work, &below, false);
    }
    rk_work_release(work, mark);
}

static void apply(rk_work *work, const transform *t, bool spread) {
    size_t mark = rk_work_mark(work), m = t->m, n = t->n;
    transform written = *t;
    written.leg = rk_work_doubles(work, n, rk_symmetric_count(n, t->s - 1));
    write_out_leg(work, t->s, n, t->tensor, written.leg);
    if (t->s == 2) {
        double *rows = rk_work_doubles(work, m, n);
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 1, t->W, n, written.leg, n, 0, rows, n);
        last_leg(work, m, n, t->W, rows, t->out);
    } else if (spread) {
        rk_work_spread(work, (m + LEG_ROWS - 1) / LEG_ROWS, apply_rows, &written);
    } else {
        for (size_t chunk = 0; chunk * LEG_ROWS < m; chunk++)
            apply_rows(work, &written, chunk);
    }
    rk_work_release(work, mark);
}

void rk_symmetric_transform(rk_work *work, int s, size_t m, size_t n, const double *W,
                            const double *tensor, double *out) {
    transform t = {.s = s, .m = m, .n = n, .W = W, .tensor = tensor, .out = out};
    if (s == 1)
        rk_gemv(work, m, n, W, tensor, NULL, out);
    else
        apply(work, &t, true);
}

void rk_symmetric_gram(rk_work *work, size_t m, size_t n, const double *W, double *out) {
    last_leg(work, m, n, W, W, out);
}

void rk_symmetric_diagonal(rk_work *work, size_t n, const double *tensor, double *diagonal) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        diagonal[i] = tensor[rk_simplex(i, 2) + i];
}
