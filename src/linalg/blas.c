#include "linalg/blas.h"

#include "base/size.h"
#include "base/sweep.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>

/* The one place where sizes become BLAS's int; rk_network_create keeps them in range. */
static int blas_int(size_t size) {
    assert(size <= INT_MAX);
    return (int)size;
}

static CBLAS_TRANSPOSE blas_trans(rk_trans trans) {
    return trans == RK_TRANS ? CblasTrans : CblasNoTrans;
}

/* ----------------------------------------------------------------------------------------- tiles
 *
 * A product is cut into tiles, one serial call each. Their shape depends on the product's alone, or
 * the bits would depend on the machine. A tile packs its rows of A and its columns of B for itself:
 * the smaller it is, the more of its time goes into that (docs/BENCHMARKS.md#cores). */

enum { TALLEST = 256, TALLEST_LOWER = 128, SHORTEST = 64, TILE_COLS = 96, ENOUGH_TILES = 16 };
enum { UNCUT = INT_MAX };

/* Multiply-adds that are done before threads are awake to share them. */
static const double TOO_FEW = 1 << 20;

typedef struct tiling {
    size_t m, n;       /* of the product */
    size_t rows, cols; /* of a tile */
    bool lower;        /* of a symmetric product: the tiles left of the diagonal, and on it */
} tiling;

typedef struct tile {
    size_t row, rows, col, cols;
} tile;

static size_t least(size_t x, size_t y) {
    return x < y ? x : y;
}

/* Tiles side by side that begin at `row`; the last one of `lower` is the square on the diagonal. */
static size_t tiles_beside(const tiling *t, size_t row) {
    return t->lower ? rk_pool_blocks(row, t->cols) + 1 : rk_pool_blocks(t->n, t->cols);
}

static size_t count_tiles(const tiling *t) {
    size_t count = 0;
    for (size_t row = 0; row < t->m; row += t->rows)
        count += tiles_beside(t, row);
    return count;
}

static tile tile_at(const tiling *t, size_t index) {
    size_t row = 0, beside;
    while (index >= (beside = tiles_beside(t, row))) {
        index -= beside;
        row += t->rows;
    }
    size_t rows = least(t->rows, t->m - row), col = index * t->cols;
    if (t->lower && index + 1 == beside) return (tile){row, rows, row, rows};
    return (tile){row, rows, col, least(t->cols, (t->lower ? row : t->n) - col)};
}

/* As tall as leaves enough of them; squares on the diagonal are done in full, so not too tall. */
static tiling cut(bool lower, size_t m, size_t n, size_t k) {
    if ((double)m * (double)n * (double)k < TOO_FEW)
        return (tiling){m, n, lower ? SHORTEST : UNCUT, UNCUT, lower};
    tiling t = {m, n, lower ? TALLEST_LOWER : TALLEST, TILE_COLS, lower};
    while (t.rows > SHORTEST && count_tiles(&t) < ENOUGH_TILES)
        t.rows /= 2;
    return t;
}

/* ----------------------------------------------------------------------------------- products */

/* Where the operands of a product lie, whatever their precision. */
typedef struct layout {
    tiling tiles;
    CBLAS_TRANSPOSE trans_a, trans_b;
    size_t k, lda, ldb, ldc;
    size_t step_a, step_b; /* to the next row of op(A), to the next column of op(B) */
} layout;

static layout lay_out(tiling tiles, rk_trans trans_a, rk_trans trans_b, size_t k, size_t lda,
                      size_t ldb, size_t ldc) {
    return (layout){.tiles = tiles,
                    .trans_a = blas_trans(trans_a),
                    .trans_b = blas_trans(trans_b),
                    .k = k,
                    .lda = lda,
                    .ldb = ldb,
                    .ldc = ldc,
                    .step_a = trans_a == RK_TRANS ? 1 : lda,
                    .step_b = trans_b == RK_TRANS ? ldb : 1};
}

typedef struct product {
    layout layout;
    double alpha, beta;
    const double *a, *b;
    double *c;
} product;

/* What is left of the diagonal, to above it: whole cache lines are written. */
static void mirror(const product *p, tile t) {
    enum { LINE = 8 };
    const size_t ldc = p->layout.ldc, last = t.row + t.rows;
    for (size_t first = t.row; first < last; first += LINE)
        for (size_t j = t.col; j < t.col + t.cols; j++)
            for (size_t i = first > j ? first : j + 1; i < least(first + LINE, last); i++)
                p->c[j * ldc + i] = p->c[i * ldc + j];
}

static void product_tile(void *context, size_t index) {
    const product *p = context;
    const layout *l = &p->layout;
    const tile t = tile_at(&l->tiles, index);
    rk_blas_turn turn = rk_blas_begin();
    cblas_dgemm(CblasRowMajor, l->trans_a, l->trans_b, blas_int(t.rows), blas_int(t.cols),
                blas_int(l->k), p->alpha, p->a + t.row * l->step_a, blas_int(l->lda),
                p->b + t.col * l->step_b, blas_int(l->ldb), p->beta, p->c + t.row * l->ldc + t.col,
                blas_int(l->ldc));
    rk_blas_end(turn);
    if (l->tiles.lower) mirror(p, t);
}

void rk_gemm(rk_work *work, rk_trans trans_a, rk_trans trans_b, size_t m, size_t n, size_t k,
             double alpha, const double *a, size_t lda, const double *b, size_t ldb, double beta,
             double *c, size_t ldc) {
    if (!rk_work_charge(work, 2 * (uint64_t)m * n * k)) return;
    tiling tiles = cut(false, m, n, k);
    product p = {lay_out(tiles, trans_a, trans_b, k, lda, ldb, ldc), alpha, beta, a, b, c};
    rk_pool_run(work->pool, count_tiles(&tiles), product_tile, &p);
}

typedef struct float_product {
    layout layout;
    float alpha, beta;
    const float *a, *b;
    float *c;
} float_product;

static void float_product_tile(void *context, size_t index) {
    const float_product *p = context;
    const layout *l = &p->layout;
    const tile t = tile_at(&l->tiles, index);
    rk_blas_turn turn = rk_blas_begin();
    cblas_sgemm(CblasRowMajor, l->trans_a, l->trans_b, blas_int(t.rows), blas_int(t.cols),
                blas_int(l->k), p->alpha, p->a + t.row * l->step_a, blas_int(l->lda),
                p->b + t.col * l->step_b, blas_int(l->ldb), p->beta, p->c + t.row * l->ldc + t.col,
                blas_int(l->ldc));
    rk_blas_end(turn);
}

void rk_sgemm(rk_work *work, rk_trans trans_a, rk_trans trans_b, size_t m, size_t n, size_t k,
              float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta,
              float *c, size_t ldc) {
    if (!rk_work_charge(work, 2 * (uint64_t)m * n * k)) return;
    tiling tiles = cut(false, m, n, k);
    float_product p = {lay_out(tiles, trans_a, trans_b, k, lda, ldb, ldc), alpha, beta, a, b, c};
    rk_pool_run(work->pool, count_tiles(&tiles), float_product_tile, &p);
}

void rk_gemm_symmetric(rk_work *work, rk_trans trans_a, rk_trans trans_b, size_t n, size_t k,
                       double alpha, const double *a, size_t lda, const double *b, size_t ldb,
                       double beta, double *c, size_t ldc) {
    tiling tiles = cut(true, n, n, k);
    uint64_t entries = 0;
    for (size_t row = 0; row < n; row += tiles.rows) {
        size_t rows = least(tiles.rows, n - row);
        entries += (uint64_t)rows * (row + rows);
    }
    if (!rk_work_charge(work, 2 * entries * k)) return;
    product p = {lay_out(tiles, trans_a, trans_b, k, lda, ldb, ldc), alpha, beta, a, b, c};
    rk_pool_run(work->pool, count_tiles(&tiles), product_tile, &p);
}

void rk_congruence(rk_work *work, size_t m, size_t n, const double *w, const double *s,
                   double *scratch, double *out) {
    if (!s) {
        rk_gemm_symmetric(work, RK_NO_TRANS, RK_TRANS, m, n, 1, w, n, w, n, 0, out, m);
        return;
    }
    rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 1, w, n, s, n, 0, scratch, n);
    rk_gemm_symmetric(work, RK_NO_TRANS, RK_TRANS, m, n, 1, scratch, n, w, n, 0, out, m);
}

typedef struct solve {
    rk_trans trans;
    size_t n, m;
    const double *l;
    double *b;
} solve;

enum { SOLVE_COLUMNS = 128 };

static void solve_block(void *context, size_t block) {
    const solve *s = context;
    const size_t first = block * SOLVE_COLUMNS, columns = least(SOLVE_COLUMNS, s->m - first);
    rk_blas_turn turn = rk_blas_begin();
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, blas_trans(s->trans), CblasNonUnit,
                blas_int(s->n), blas_int(columns), 1, s->l, blas_int(s->n), s->b + first,
                blas_int(s->m));
    rk_blas_end(turn);
}

void rk_solve_lower(rk_work *work, rk_trans trans, size_t n, size_t m, const double *l, double *b) {
    if (!rk_work_charge(work, (uint64_t)n * n * m)) return;
    solve s = {trans, n, m, l, b};
    rk_pool_run(work->pool, rk_pool_blocks(m, SOLVE_COLUMNS), solve_block, &s);
}

typedef struct image {
    size_t n;
    const double *a, *x, *y0;
    double *y;
} image;

static void image_rows(void *context, size_t first, size_t last) {
    const image *p = context;
    for (size_t i = first; i < last; i++)
        p->y[i] = p->y0 ? p->y0[i] : 0;
    rk_blas_turn turn = rk_blas_begin();
    cblas_dgemv(CblasRowMajor, CblasNoTrans, blas_int(last - first), blas_int(p->n), 1,
                p->a + first * p->n, blas_int(p->n), p->x, 1, 1, p->y + first, 1);
    rk_blas_end(turn);
}

void rk_gemv(rk_work *work, size_t m, size_t n, const double *a, const double *x, const double *y0,
             double *y) {
    if (!rk_work_charge(work, 2 * (uint64_t)m * n)) return;
    image p = {n, a, x, y0, y};
    rk_sweep(work->pool, m, n, image_rows, &p);
}

void rk_block_sgemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c) {
    rk_blas_turn turn = rk_blas_begin();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(m), blas_int(n), blas_int(k), 1,
                a, blas_int(k), b, blas_int(n), 0, c, blas_int(n));
    rk_blas_end(turn);
}

void rk_block_dsyrk_tn(size_t n, size_t k, const double *a, double *c) {
    rk_blas_turn turn = rk_blas_begin();
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, blas_int(n), blas_int(k), 1, a, blas_int(n),
                0, c, blas_int(n));
    rk_blas_end(turn);
}

/* OpenBLAS takes 128 MiB for each thread that calls it. */
enum { MIB_A_THREAD = 144 };

rk_status rk_blas_check_room(int threads, rk_error *error) {
    uint64_t left = rk_left_by_limits(), needed = (uint64_t)MIB_A_THREAD * (uint64_t)threads << 20;
    if (left >= needed) return RK_OK;
    return rk_fail(error, RK_ERROR_TOO_LARGE,
                   "BLAS needs %d MiB for each of %d threads, but the limits of the process "
                   "(ulimit -v, -d) leave %llu MiB: raise them, or take fewer threads",
                   MIB_A_THREAD, threads, (unsigned long long)(left >> 20));
}
