#include "cumulant/harmonic.h"

#include <assert.h>
#include <string.h>

static bool are_distinct(const size_t *index, int b) {
    for (int a = 1; a < b; a++)
        for (int c = 0; c < a; c++)
            if (index[a] == index[c]) return false;
    return true;
}

static double factorial(int k) {
    return k < 2 ? 1 : k * factorial(k - 1);
}

/* Traces are summed in so many pieces, by the first index modulo this: a function of n alone. */
enum { MAX_PIECES = 8 };

typedef struct tracing {
    const rk_slice *slice;
    rk_vector tau;
    double weight;
    size_t n_pieces, n_entries;
    double *pieces;
} tracing;

static void trace_piece(void *context, size_t piece) {
    const tracing *t = context;
    const rk_slice *slice = t->slice;
    double *trace = t->pieces + piece * t->n_entries;
    int s = rk_vector_sum(t->tau);
    for (size_t i = piece; i < slice->n; i += t->n_pieces) {
        size_t index[RK_MAX_BLOCKS] = {i}, multiset[RK_MAX_DEGREE], at = rk_slice_at(slice, index);
        do {
            if (are_distinct(index, t->tau.size)) {
                rk_multiset(t->tau, index, multiset);
                trace[rk_symmetric_at(multiset, s)] += t->weight * slice->data[at];
            }
            at++;
        } while (rk_slice_next(slice, index) && index[0] == i);
    }
}

/* The pieces' trace[tau] += weight S_lambda where the entry's multiset is tau + 2 pairs. */
static void add_trace(rk_work *work, tracing *t, const rk_slice *slice, rk_vector pairs,
                      double weight) {
    if (!rk_work_charge(work, 2 * (uint64_t)rk_slice_count(slice))) return;
    t->slice = slice;
    t->weight = weight;
    t->tau = slice->lambda;
    for (int a = 0; a < t->tau.size; a++)
        t->tau.at[a] = (uint8_t)(t->tau.at[a] - 2 * pairs.at[a]);
    rk_pool_run(work->pool, t->n_pieces, trace_piece, t);
}

static void sum_pieces(rk_work *work, const tracing *t, double *trace) {
    if (!rk_work_charge(work, 0)) return;
    memcpy(trace, t->pieces, t->n_entries * sizeof *trace);
    for (size_t piece = 1; piece < t->n_pieces; piece++)
        for (size_t e = 0; e < t->n_entries; e++)
            trace[e] += t->pieces[piece * t->n_entries + e];
}

/* trace[tau] = sum over i_1 .. i_r of T[tau + i_1 i_1 + .. + i_r i_r]. */
static void trace_of_slices(rk_work *work, const rk_slice *family, int s, int r, size_t n,
                            double *trace) {
    size_t mark = rk_work_mark(work);
    tracing t = {.n_pieces = n < MAX_PIECES ? n : MAX_PIECES, .n_entries = rk_simplex(n, s)};
    t.pieces = rk_work_doubles(work, t.n_pieces, t.n_entries);
    if (rk_work_charge(work, 0)) memset(t.pieces, 0, t.n_pieces * t.n_entries * sizeof *t.pieces);
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        const rk_slice *slice = &family[number];
        if (!slice->data || rk_vector_sum(slice->lambda) != s + 2 * r) continue;
        rk_vector pairs = {.size = slice->lambda.size}, most = pairs;
        for (int a = 0; a < pairs.size; a++)
            most.at[a] = slice->lambda.at[a] / 2;
        do {
            if (rk_vector_sum(pairs) != r) continue;
            double orders = factorial(r) / (double)rk_vector_factorial(pairs);
            add_trace(work, &t, slice, pairs, orders);
        } while (rk_vector_next(&pairs, most));
    }
    sum_pieces(work, &t, trace);
    rk_work_release(work, mark);
}

/* A symmetric tensor of order s is the polynomial T(x, .., x); Sym(. x I) is then multiplication by
 * |x|^2 and the trace is the Laplacian / (s (s - 1)). Laplacian^r of |x|^2(q+r) h, h harmonic of
 * order m, is this number times |x|^2q h. */
static double laplacian(int r, int q, int m, size_t n) {
    double product = 1;
    for (int k = q + 1; k <= q + r; k++)
        product *= 2.0 * k * (2.0 * k + 2.0 * m + (double)n - 2);
    return product;
}

/* tensor += factor Sym(h x I) with h = the trace of `tensor` (order s = 2 or 3). */
static void add_trace_part(rk_work *work, int s, size_t n, double factor, double *tensor) {
    size_t n_h = rk_simplex(n, s - 2), mark = rk_work_mark(work);
    double *h = rk_work_doubles(work, n_h, 1);
    if (rk_work_charge(work, 3 * (uint64_t)n * n_h)) {
        for (size_t k = 0; k < n_h; k++) {
            h[k] = 0;
            for (size_t i = 0; i < n; i++) {
                size_t multiset[3];
                rk_multiset((rk_vector){2, {2, (uint8_t)(s - 2)}}, (size_t[]){i, k}, multiset);
                h[k] += tensor[rk_symmetric_at(multiset, s)];
            }
        }
        /* the entry {i, i, k} of Sym(h x I) is h_k over 1 or 3 choices of the pair, 3 times h_i if
         * k = i */
        for (size_t k = 0; k < n_h; k++)
            for (size_t i = 0; i < n; i++) {
                size_t multiset[3];
                rk_multiset((rk_vector){2, {2, (uint8_t)(s - 2)}}, (size_t[]){i, k}, multiset);
                double share = s == 2 || i == k ? 1 : 1.0 / 3;
                tensor[rk_symmetric_at(multiset, s)] += factor * share * h[k];
            }
    }
    rk_work_release(work, mark);
}

void rk_harmonic_core(rk_work *work, const rk_slice family[RK_N_PARTITIONS], int s, int r, size_t n,
                      double *core) {
    assert(s <= 3);
    trace_of_slices(work, family, s, r, n, core);
    /* L^r T = d!/s! trace; its part |x|^2q h_(s-2q) must be that of L^r (|x|^2r core) */
    double scale = factorial(s + 2 * r) / factorial(s);
    double traceless = scale / laplacian(r, 0, s, n);
    if (s >= 2) {
        double traced = scale / laplacian(r, 1, s - 2, n);
        double part = s * (s - 1) / laplacian(1, 0, s - 2, n); /* |x|^2 part of t: part tr t */
        add_trace_part(work, s, n, (traced / traceless - 1) * part, core);
    }
    if (!rk_work_charge(work, rk_simplex(n, s))) return;
    for (size_t i = 0; i < rk_simplex(n, s); i++)
        core[i] *= traceless;
}
