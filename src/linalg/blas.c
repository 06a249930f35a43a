#include "linalg/blas.h"

#include "base/size.h"

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

/* Rows of a block: few enough for an even number of equal blocks, tall enough that packing B again
 * for every block costs a few percent, and a function of the shape alone, or the bits would depend
 * on the machine. */
static size_t block_rows(size_t m) {
    size_t most = m <= 512 ? 128 : 256, pairs = (m + 2 * most - 1) / (2 * most);
    return m <= most ? most : (m + 2 * pairs - 1) / (2 * pairs);
}

typedef struct product {
    rk_trans trans_a, trans_b;
    size_t m, n, k, rows;
    bool lower; /* block of rows [r0, r1) computes columns [0, r1) only */
    double alpha, beta;
    const double *a, *b;
    double *c;
    size_t lda, ldb, ldc;
} product;

static void product_block(void *context, size_t block) {
    const product *p = context;
    size_t first = block * p->rows;
    size_t last = first + p->rows < p->m ? first + p->rows : p->m;
    const double *a = p->a + (p->trans_a == RK_TRANS ? first : first * p->lda);
    rk_blas_turn turn = rk_blas_begin();
    cblas_dgemm(CblasRowMajor, blas_trans(p->trans_a), blas_trans(p->trans_b),
                blas_int(last - first), blas_int(p->lower ? last : p->n), blas_int(p->k), p->alpha,
                a, blas_int(p->lda), p->b, blas_int(p->ldb), p->beta, p->c + first * p->ldc,
                blas_int(p->ldc));
    rk_blas_end(turn);
}

void rk_gemm(rk_work *work, rk_trans trans_a, rk_trans trans_b, size_t m, size_t n, size_t k,
             double alpha, const double *a, size_t lda, const double *b, size_t ldb, double beta,
             double *c, size_t ldc) {
    if (!rk_work_charge(work, 2 * (uint64_t)m * n * k)) return;
    product p = {trans_a, trans_b, m, n, k,   block_rows(m), false, alpha,
                 beta,    a,       b, c, lda, ldb,           ldc};
    rk_pool_run(work->pool, rk_pool_blocks(m, p.rows), product_block, &p);
}

typedef struct float_product {
    rk_trans trans_a, trans_b;
    size_t m, n, k, rows;
    float alpha, beta;
    const float *a, *b;
    float *c;
    size_t lda, ldb, ldc;
} float_product;

static void float_product_block(void *context, size_t block) {
    const float_product *p = context;
    size_t first = block * p->rows;
    size_t last = first + p->rows < p->m ? first + p->rows : p->m;
    const float *a = p->a + (p->trans_a == RK_TRANS ? first : first * p->lda);
    rk_blas_turn turn = rk_blas_begin();
    cblas_sgemm(CblasRowMajor, blas_trans(p->trans_a), blas_trans(p->trans_b),
                blas_int(last - first), blas_int(p->n), blas_int(p->k), p->alpha, a,
                blas_int(p->lda), p->b, blas_int(p->ldb), p->beta, p->c + first * p->ldc,
                blas_int(p->ldc));
    rk_blas_end(turn);
}

void rk_sgemm(rk_work *work, rk_trans trans_a, rk_trans trans_b, size_t m, size_t n, size_t k,
              float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta,
              float *c, size_t ldc) {
    if (!rk_work_charge(work, 2 * (uint64_t)m * n * k)) return;
    float_product p = {trans_a, trans_b, m, n, k,   block_rows(m), alpha,
                       beta,    a,       b, c, lda, ldb,           ldc};
    rk_pool_run(work->pool, rk_pool_blocks(m, p.rows), float_product_block, &p);
}

/* Finer than block_rows: the triangle wastes half of each diagonal block. */
static size_t triangle_rows(size_t n) {
    return n <= 512 ? 64 : 128;
}

static void mirror_block(void *context, size_t block) {
    const product *p = context;
    size_t first = block * p->rows;
    size_t last = first + p->rows < p->m ? first + p->rows : p->m;
    for (size_t i = first; i < last; i++)
        for (size_t j = i + 1; j < p->m; j++)
            p->c[i * p->ldc + j] = p->c[j * p->ldc + i];
}

void rk_gemm_symmetric(rk_work *work, rk_trans trans_b, size_t n, size_t k, double alpha,
                       const double *a, size_t lda, const double *b, size_t ldb, double beta,
                       double *c, size_t ldc) {
    uint64_t entries = 0;
    size_t rows = triangle_rows(n);
    for (size_t first = 0; first < n; first += rows) {
        size_t last = first + rows < n ? first + rows : n;
        entries += (uint64_t)(last - first) * last;
    }
    if (!rk_work_charge(work, 2 * entries * k)) return;
    product p = {RK_NO_TRANS, trans_b, n, n, k, rows, true, alpha, beta, a, b, c, lda, ldb, ldc};
    rk_pool_run(work->pool, rk_pool_blocks(n, p.rows), product_block, &p);
    rk_pool_run(work->pool, rk_pool_blocks(n, p.rows), mirror_block, &p);
}

void rk_congruence(rk_work *work, size_t m, size_t n, const double *w, const double *s,
                   double *scratch, double *out) {
    if (!s) {
        rk_gemm_symmetric(work, RK_TRANS, m, n, 1, w, n, w, n, 0, out, m);
        return;
    }
    rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, n, 1, w, n, s, n, 0, scratch, n);
    rk_gemm_symmetric(work, RK_TRANS, m, n, 1, scratch, n, w, n, 0, out, m);
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
    const size_t first = block * SOLVE_COLUMNS, left = s->m - first;
    const size_t columns = left < SOLVE_COLUMNS ? left : SOLVE_COLUMNS;
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

void rk_gemv(rk_work *work, size_t m, size_t n, const double *a, const double *x, const double *y0,
             double *y) {
    if (!rk_work_charge(work, 2 * (uint64_t)m * n)) return;
    for (size_t i = 0; i < m; i++)
        y[i] = y0 ? y0[i] : 0;
    rk_blas_turn turn = rk_blas_begin();
    cblas_dgemv(CblasRowMajor, CblasNoTrans, blas_int(m), blas_int(n), 1, a, blas_int(n), x, 1, 1,
                y, 1);
    rk_blas_end(turn);
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
